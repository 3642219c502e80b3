/*
 * core.queue: how tasks hand values to each other, first come first served.
 * It must not know how tasks park.
 *
 * Values in the queue stand in a table, from `head` + 1 to `tail`.  Those that
 * are on their way (of a put that waits for room, or to a take that is woken
 * and has not run yet) are anchored under the wait they belong to.  Takers
 * wait only while the queue is empty, putters only while it is full.
 */
#include <math.h>

#include "lua/check.h"
#include "lua/state.h"

/* A userdata; user value 1: the values, 2: the loop. */
struct weft_queue {
    struct weft_instance *instance;
    struct weft_node takers, putters; /* waits */
    lua_Integer head, tail;
    double limit;
    bool closed;
};

static struct weft_queue *
check_queue(lua_State *L, const char *call)
{
    return weft_check(L, 1, WEFT_QUEUE_TYPE, call);
}

static void
check_value(lua_State *L, const char *call)
{
    if (lua_isnoneornil(L, 2))
        weft_argument_error(L, 2, call, "value", "any value but nil");
}

/* core.queue(loop, limit) -> queue */
static int
core_queue(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    double limit = luaL_optnumber(L, 2, HUGE_VAL);
    struct weft_queue *q;

    if (!(limit >= 1))
        return weft_argument_error(L, 2, "weft.queue", "limit",
                                   "1 or more, or math.huge");
    q = weft_new_userdata(L, sizeof(*q), WEFT_QUEUE_TYPE, 2);
    weft_list_init(&q->takers);
    weft_list_init(&q->putters);
    q->instance = I;
    q->limit = limit;
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 2);
    return 1;
}

/* Values ---------------------------------------------------------------- */

static struct weft_wait *
first(struct weft_node *waits)
{
    return weft_list_empty(waits)
               ? NULL
               : WEFT_CONTAINER(waits->next, struct weft_wait, node);
}

/* Adds the value on the top, and pops it. */
static void
append(lua_State *L, struct weft_queue *q)
{
    lua_getiuservalue(L, 1, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, q->tail + 1);
    q->tail++; /* only now: the line above can raise */
    lua_pop(L, 1);
}

/* The first that waits for room has its value in the queue. */
static void
admit(lua_State *L, struct weft_queue *q)
{
    struct weft_wait *w = first(&q->putters);

    if (w == NULL)
        return;
    weft_push_anchored(L, q->instance, w);
    append(L, q);
    weft_unanchor(L, q->instance, w);
    weft_wake(w, WEFT_DONE);
}

/* Pushes the first value, which is taken out. */
static void
take_first(lua_State *L, struct weft_queue *q)
{
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, q->head + 1);
    admit(L, q); /* before anything is taken, since it can raise */
    lua_pushnil(L);
    lua_rawseti(L, -3, ++q->head);
    if (q->head == q->tail)
        q->head = q->tail = 0;
}

/* Gives the value at index 2 to a taker or the queue, if there is room. */
static bool
give(lua_State *L, struct weft_queue *q)
{
    struct weft_wait *w = first(&q->takers);

    if (w != NULL) {
        weft_anchor(L, q->instance, w, 2);
        weft_wake(w, WEFT_DONE);
        return true;
    }
    if ((double)(q->tail - q->head) >= q->limit)
        return false;
    lua_pushvalue(L, 2);
    append(L, q);
    return true;
}

/* Calls ----------------------------------------------------------------- */

static int
push_true(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

/* queue:put(value [, timeout]) -> true, or nil, "closed" / "timeout" /
 * "cancelled" */
static int
queue_put(lua_State *L)
{
    struct weft_queue *q = check_queue(L, "queue:put");
    double seconds = weft_check_seconds(L, 3, HUGE_VAL, "queue:put",
                                        "timeout");
    struct weft_wait *w;

    check_value(L, "queue:put");
    if (q->closed)
        return weft_push_failure(L, "closed");
    if (give(L, q))
        return push_true(L);
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, q->instance, "queue:put");
    if (w == NULL)
        return weft_wait_refused(L, q->instance);
    weft_anchor(L, q->instance, w, 2);
    w->kind = WEFT_WAIT_PUT;
    w->u.queue = q;
    weft_list_add(&q->putters, &w->node);
    return weft_wait_park(L, w, seconds);
}

/* queue:try_put(value) -> true, or nil, "closed" / "full" */
static int
queue_try_put(lua_State *L)
{
    struct weft_queue *q = check_queue(L, "queue:try_put");

    check_value(L, "queue:try_put");
    if (q->closed)
        return weft_push_failure(L, "closed");
    return give(L, q) ? push_true(L) : weft_push_failure(L, "full");
}

/* queue:take([timeout]) -> value, or nil, "closed" (once it is empty) /
 * "timeout" / "cancelled" */
static int
queue_take(lua_State *L)
{
    struct weft_queue *q = check_queue(L, "queue:take");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "queue:take",
                                        "timeout");
    struct weft_wait *w;

    if (q->tail > q->head) {
        take_first(L, q);
        return 1;
    }
    if (q->closed)
        return weft_push_failure(L, "closed");
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, q->instance, "queue:take");
    if (w == NULL)
        return weft_wait_refused(L, q->instance);
    w->kind = WEFT_WAIT_TAKE;
    w->u.queue = q;
    weft_list_add(&q->takers, &w->node);
    return weft_wait_park(L, w, seconds);
}

int
weft_queue_push_outcome(lua_State *L, struct weft_wait *w)
{
    static const char *const words[] = { [WEFT_TIMEOUT] = "timeout",
                                         [WEFT_CANCELLED] = "cancelled",
                                         [WEFT_CLOSED] = "closed" };

    if (w->outcome != WEFT_DONE) {
        weft_unanchor(L, w->instance, w); /* a put is withdrawn */
        return weft_push_failure(L, words[w->outcome]);
    }
    if (w->kind == WEFT_WAIT_PUT)
        return push_true(L);
    weft_push_anchored(L, w->instance, w);
    weft_unanchor(L, w->instance, w);
    return 1;
}

/* queue:close() -> true; what is in it can still be taken */
static int
queue_close(lua_State *L)
{
    struct weft_queue *q = check_queue(L, "queue:close");

    q->closed = true;
    weft_wake_all(&q->takers, WEFT_CLOSED);
    weft_wake_all(&q->putters, WEFT_CLOSED);
    return push_true(L);
}

/* #queue -> how many values can be taken */
static int
queue_len(lua_State *L)
{
    struct weft_queue *q = check_queue(L, "#queue");

    lua_pushinteger(L, q->tail - q->head);
    return 1;
}

void
weft_queue_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__len", queue_len },
                                     { NULL, NULL } };
    static const luaL_Reg methods[] = { { "put", queue_put },
                                        { "try_put", queue_try_put },
                                        { "take", queue_take },
                                        { "close", queue_close },
                                        { NULL, NULL } };
    static const luaL_Reg functions[] = { { "queue", core_queue },
                                          { NULL, NULL } };

    weft_new_type(L, WEFT_QUEUE_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
}
