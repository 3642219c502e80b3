/*
 * Receiving: whole messages, one after the other or piece by piece.
 */
#include <math.h>

#include "lua/check.h"
#include "lua/l_link.h"


int
weft_ws_push_received(lua_State *L, struct weft_ws *ws,
                      enum weft_wait_kind kind)
{
    struct weft_link *k = &ws->link;
    enum weft_status rc = weft_link_next(k);
    struct weft_event ev;

    if (rc == WEFT_MORE)
        return 0;
    if (rc != WEFT_EVENT) {
        if (kind != WEFT_WAIT_CHUNK)
            return weft_push_closed(L, k);
        ws->streaming = false;
        lua_pushnil(L);
        return 1;
    }
    ev = k->flow->event; /* a finalizer that runs now may receive too */
    lua_pushlstring(L, (const char *)ev.data, ev.len);
    if (ev.len >= WEFT_LARGE)
        weft_untold_add(L, &ws->instance->untold, ev.len);
    if (kind != WEFT_WAIT_CHUNK)
        lua_rawgeti(L, LUA_REGISTRYINDEX,
                    ev.opcode == WEFT_TEXT
                        ? ws->instance->state->text_ref
                        : ws->instance->state->binary_ref);
    weft_link_taken(k);
    ws->instance->messages--;
    if (kind != WEFT_WAIT_CHUNK)
        return 2;
    if (ev.type == WEFT_EVENT_MESSAGE || ev.last) {
        ws->streaming = false;
        weft_link_stream(k, false);
    }
    return 1;
}

/* Drops the rest of a message that ws:chunks() left early. */
static void
skip_chunks(struct weft_ws *ws)
{
    if (ws->streaming)
        weft_link_stream(&ws->link, false);
    ws->streaming = false;
}

/* May the running call receive?  A second reader and events may not. */
static void
check_reader(lua_State *L, const struct weft_ws *ws, const char *call)
{
    if (ws->has_events)
        weft_raise(L, "%s: this connection has events; its messages go to "
                      "events.message",
                   call);
    if (ws->receiver != NULL)
        weft_raise(L, "%s: another task is receiving from this connection",
                   call);
}

/* Whether the running call may simply take a message that is there. */
static inline bool
may_take(const struct weft_ws *ws)
{
    const struct weft_instance *I = ws->instance;
    const struct weft_task *t = I->state->task;

    return !ws->has_events && !ws->streaming && ws->receiver == NULL
           && (t == NULL || t->cancels == 0)
           && !(I->in_turn && weft_turn_is_over(I));
}

/* Pushes what is lent; the kinds are the method's upvalues. */
WEFT_INLINE void
push_event(lua_State *L, const struct weft_event *ev)
{
    int kind = ev->opcode == WEFT_TEXT ? 1 : 2;

    lua_pushlstring(L, (const char *)ev->data, ev->len);
    lua_pushvalue(L, lua_upvalueindex(kind));
}

/* Takes a message the long way; 0: there is none. */
static __attribute__((noinline)) int
take_any(lua_State *L, struct weft_ws *ws, enum weft_status rc)
{
    struct weft_link *k = &ws->link;
    size_t len;

    if (weft_link_next_any(k, rc) != WEFT_EVENT)
        return 0;
    len = k->flow->event.len;
    push_event(L, &k->flow->event);
    if (len >= WEFT_LARGE)
        weft_untold_add(L, &ws->instance->untold, len);
    weft_link_taken(k);
    ws->instance->messages--;
    return 2;
}

/* Takes a message, which mostly is short; 0: there is none. */
WEFT_INLINE int
take(lua_State *L, struct weft_ws *ws)
{
    struct weft_link *k = &ws->link;
    enum weft_status rc = weft_link_next_short(k);

    if (rc != WEFT_EVENT)
        return take_any(L, ws, rc);
    push_event(L, &k->flow->event);
    weft_link_taken_short(k);
    ws->instance->messages--;
    return 2;
}

/* receive(0): on the main thread one turn is what others would have had. */
static int
look_once(lua_State *L, struct weft_ws *ws, enum weft_wait_kind kind)
{
    int n = 0;

    if (!ws->instance->closed && weft_wait_blocks(L, ws->instance)) {
        if (!weft_turn(L, ws->instance, 0, HUGE_VAL, HUGE_VAL))
            return lua_error(L);
        weft_loop_stir(&ws->instance->loop);
        n = weft_ws_push_received(L, ws, kind);
    }
    return n > 0 ? n : weft_push_failure(L, "timeout");
}

static int
receive(lua_State *L, struct weft_ws *ws, double seconds,
        enum weft_wait_kind kind, const char *call)
{
    struct weft_instance *I = ws->instance;
    struct weft_wait *w;
    int n;

    check_reader(L, ws, call);
    if (kind == WEFT_WAIT_RECEIVE)
        skip_chunks(ws);
    if (I->state->task == NULL || I->state->task->cancels == 0) {
        if (!I->in_turn || !weft_turn_is_over(I)) {
            n = weft_ws_push_received(L, ws, kind);
            if (n > 0)
                return n;
        } else if (weft_link_has_next(&ws->link)) {
            weft_loop_again(&I->loop, &ws->link.work);
        }
    }
    if (seconds <= 0)
        return look_once(L, ws, kind);
    w = weft_wait_begin(L, I, call);
    if (w == NULL)
        return weft_wait_refused(L, I);
    w->kind = kind;
    w->u.ws = ws;
    ws->receiver = w;
    weft_link_want(&ws->link, true);
    return weft_wait_park(L, w, seconds);
}

/* ws:receive([timeout]) -> message, kind */
int
weft_ws_receive(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:receive");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "ws:receive",
                                        "timeout");
    int n = may_take(ws) ? take(L, ws) : 0;

    if (n > 0)
        return n;
    return receive(L, ws, seconds, WEFT_WAIT_RECEIVE, "ws:receive");
}

int
weft_next_message(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:messages");
    int n = may_take(ws) ? take(L, ws) : 0;

    if (n > 0)
        return n;
    return receive(L, ws, HUGE_VAL, WEFT_WAIT_RECEIVE, "ws:messages");
}

/* core.next_message(ws) -> message, kind; or nil: no more in this turn.  The
 * link names itself again when it has more. */
int
weft_next_for_events(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "next_message");
    const struct weft_instance *I = ws->instance;
    const struct weft_task *t = I->state->task;
    bool stops = !ws->event_begun && weft_turn_is_over(I);
    int n = 0;

    ws->event_begun = false;
    if (!stops && t != NULL && t->serves == ws && t->cancels == 0)
        n = take(L, ws);
    if (n > 0)
        return n;
    lua_pushnil(L);
    return 1;
}

/* ws:messages() -> iterator, ws */
int
weft_ws_messages(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:messages");

    check_reader(L, ws, "ws:messages");
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_pushvalue(L, 1);
    return 2;
}

/* The iterator of ws:chunks(); upvalue 1: whether it has begun. */
static int
next_chunk(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:chunks");

    if (lua_toboolean(L, lua_upvalueindex(1))) {
        if (!ws->streaming) { /* the last piece has been handed out */
            lua_pushnil(L);
            return 1;
        }
    } else {
        lua_pushboolean(L, 1);
        lua_replace(L, lua_upvalueindex(1));
        skip_chunks(ws);
        ws->streaming = true;
        weft_link_stream(&ws->link, true);
    }
    return receive(L, ws, HUGE_VAL, WEFT_WAIT_CHUNK, "ws:chunks");
}

/* ws:chunks() -> iterator, ws */
int
weft_ws_chunks(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:chunks");

    weft_refuse_stream(L, ws, "ws:chunks", "messages in pieces");
    check_reader(L, ws, "ws:chunks");
    lua_pushboolean(L, 0);
    lua_pushcclosure(L, next_chunk, 1);
    lua_pushvalue(L, 1);
    return 2;
}
