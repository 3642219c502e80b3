/*
 * Tasks as Lua sees them: made, joined, cancelled.
 */
#include <math.h>

#include "lua/check.h"
#include "lua/task_inner.h"

/* ---- making */

struct weft_task *
weft_task_new(lua_State *L, struct weft_instance *I)
{
    struct weft_task *t;

    t = weft_new_userdata(L, sizeof(*t), WEFT_TASK_TYPE, 2);
    weft_list_init(&t->joiners);
    t->wait.instance = I;
    t->status = WEFT_TASK_DONE;
    t->thread = lua_newthread(L);
    lua_setiuservalue(L, -2, 1);
    weft_push_loop(L, I);
    lua_setiuservalue(L, -2, 2);
    weft_anchor(L, I, t, -1);
    return t;
}

/* ---- what keeps it */

enum { HOUSE = 3 }; /* the connection's user value */

void
weft_task_push(lua_State *L, const struct weft_task *t)
{
    const void *keeper = t->housed ? (const void *)t->handles : t;

    weft_push_anchored(L, t->wait.instance, keeper);
    if (t->housed && lua_isuserdata(L, -1)) {
        lua_getiuservalue(L, -1, HOUSE);
        lua_remove(L, -2);
    }
}

void
weft_task_let_go(lua_State *L, struct weft_task *t)
{
    struct weft_instance *I = t->wait.instance;

    if (!t->housed) {
        weft_unanchor(L, I, t);
        return;
    }
    t->housed = false;
    weft_push_anchored(L, I, t->handles);
    if (lua_isuserdata(L, -1)) {
        lua_pushnil(L);
        lua_setiuservalue(L, -2, HOUSE);
    }
    lua_pop(L, 1);
}

void
weft_task_move_in(lua_State *L, struct weft_task *t)
{
    weft_task_push(L, t);
    lua_setiuservalue(L, -2, HOUSE);
    weft_unanchor(L, t->wait.instance, t);
    t->housed = true;
}

void
weft_task_move_out(lua_State *L, struct weft_task *t)
{
    if (!t->housed)
        return;
    lua_getiuservalue(L, -1, HOUSE);
    weft_anchor(L, t->wait.instance, t, -1);
    lua_pop(L, 1);
    t->housed = false;
}

/* ---- starting */

void
weft_task_enlist(struct weft_task *t, enum weft_task_status status)
{
    t->status = status;
    t->wait.instance->task_count++;
    weft_list_add(&t->wait.instance->tasks, &t->alive);
}

struct weft_task *
weft_task_spawn(lua_State *L, struct weft_instance *I, int n)
{
    struct weft_task *t = weft_task_new(L, I);

    lua_insert(L, -2 - n);
    if (!lua_checkstack(t->thread, n + LUA_MINSTACK)) {
        weft_unanchor(L, I, t);
        weft_raise(L, "too many arguments");
    }
    lua_xmove(L, t->thread, n + 1);
    t->arguments = n;
    weft_task_enlist(t, WEFT_TASK_NEW);
    weft_list_add(&I->ready, &t->wait.node);
    weft_loop_stir(&I->loop);
    return t;
}

/* ---- cancelling */

void
weft_task_cancel(lua_State *L, struct weft_task *t)
{
    switch (t->status) {
    case WEFT_TASK_NEW:
        t->cancels = 2;
        weft_task_cancelled(L, t);
        break;
    case WEFT_TASK_WAITING:
        if (t->cancels < 2)
            t->cancels = 2;
        weft_wake(&t->wait, WEFT_CANCELLED);
        break;
    case WEFT_TASK_READY:
    case WEFT_TASK_RUNNING:
        if (t->cancels == 0)
            t->cancels = 1;
        break;
    case WEFT_TASK_DONE:
    case WEFT_TASK_FAILED:
    case WEFT_TASK_CANCELLED:
    case WEFT_TASK_IDLE:
        break;
    }
}

/* A live task that is not the one that asks, or NULL. */
static struct weft_task *
first_parked(struct weft_instance *I)
{
    for (struct weft_node *n = I->tasks.next; n != &I->tasks; n = n->next) {
        struct weft_task *t = WEFT_CONTAINER(n, struct weft_task, alive);

        if (t->status != WEFT_TASK_RUNNING)
            return t;
    }
    return NULL;
}

void
weft_task_close_all(lua_State *L, struct weft_instance *I)
{
    struct weft_task *t;

    while ((t = first_parked(I)) != NULL) {
        weft_wait_end(&t->wait, WEFT_CANCELLED);
        weft_wait_drop_ping(&t->wait);
        t->handles = t->serves = NULL;
        t->cancels = 2;
        weft_task_cancelled(L, t);
    }
}

/* ---- what Lua calls */

static struct weft_task *
check_task(lua_State *L, const char *call)
{
    return weft_check(L, 1, WEFT_TASK_TYPE, call);
}

/* core.spawn(loop, fn, ...) -> task */
static int
core_spawn(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    if (lua_type(L, 2) != LUA_TFUNCTION)
        return weft_argument_error(L, 2, "weft.spawn", "fn", "a function");
    weft_task_spawn(L, I, lua_gettop(L) - 2);
    return 1;
}

static int
task_join(lua_State *L)
{
    struct weft_task *t = check_task(L, "task:join");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "task:join",
                                        "timeout");
    struct weft_wait *w, over = { .kind = WEFT_WAIT_JOIN };

    if (t->status >= WEFT_TASK_DONE) {
        over.outcome = WEFT_DONE;
        over.u.task = t;
        return weft_push_outcome(L, &over);
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, t->wait.instance, "task:join");
    if (w == NULL)
        return weft_wait_refused(L, t->wait.instance);
    if (w->task == t)
        return weft_raise(L, "task:join: a task cannot join itself");
    w->kind = WEFT_WAIT_JOIN;
    w->u.task = t;
    weft_list_add(&t->joiners, &w->node);
    return weft_wait_park(L, w, seconds);
}

static int
task_status(lua_State *L)
{
    static const char *const names[] = {
        [WEFT_TASK_NEW] = "ready",       [WEFT_TASK_READY] = "ready",
        [WEFT_TASK_WAITING] = "waiting", [WEFT_TASK_RUNNING] = "running",
        [WEFT_TASK_DONE] = "done",       [WEFT_TASK_FAILED] = "failed",
        [WEFT_TASK_CANCELLED] = "cancelled", [WEFT_TASK_IDLE] = "done",
    };

    lua_pushstring(L, names[check_task(L, "task:status")->status]);
    return 1;
}

static int
task_cancel(lua_State *L)
{
    weft_task_cancel(L, check_task(L, "task:cancel"));
    lua_pushboolean(L, 1);
    return 1;
}

static int
task_gc(lua_State *L)
{
    struct weft_task *t = lua_touserdata(L, 1);

    /* alive only when the whole state closes: its loop sees to the rest */
    weft_wait_drop_ping(&t->wait);
    return 0;
}

void
weft_task_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", task_gc }, { NULL, NULL } };
    static const luaL_Reg methods[] = { { "join", task_join },
                                        { "status", task_status },
                                        { "cancel", task_cancel },
                                        { NULL, NULL } };
    static const luaL_Reg functions[] = { { "spawn", core_spawn },
                                          { "resume", weft_core_resume },
                                          { NULL, NULL } };

    weft_new_type(L, WEFT_TASK_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, (void *)&weft_mark);
    lua_setfield(L, -2, "mark");
}
