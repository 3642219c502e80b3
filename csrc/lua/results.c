/*
 * What each kind of wait returns when it is over.
 */
#include "base/mem.h"
#include "lua/state.h"

static int
push_true(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

/* task:join(): true, results...; nil, error, traceback; nil, "cancelled" */
static int
push_joined(lua_State *L, struct weft_task *t)
{
    int n;

    if (t->status == WEFT_TASK_CANCELLED)
        return weft_push_failure(L, "cancelled");
    if (t->status == WEFT_TASK_FAILED) {
        lua_pushnil(L);
        weft_push_task_error(L, t);
        return 3;
    }
    n = lua_gettop(t->thread);
    if (!lua_checkstack(L, n + 1) || !lua_checkstack(t->thread, 1)) {
        lua_pushnil(L);
        lua_pushliteral(L, "too many results");
        return 2;
    }
    lua_pushboolean(L, 1);
    for (int i = 1; i <= n; i++) { /* one by one: one place there is enough */
        lua_pushvalue(t->thread, i);
        lua_xmove(t->thread, L, 1);
    }
    return n + 1;
}

static int
push_ping(lua_State *L, struct weft_wait *w)
{
    struct weft_ping *p = w->ping;
    double seconds = (double)p->round_trip / 1e9;

    w->ping = NULL;
    weft_free(p);
    lua_pushnumber(L, seconds);
    return 1;
}

static int
push_descriptor(lua_State *L, const struct weft_wait *w)
{
    const char *word = "r";

    if ((w->ready & WEFT_WRITABLE) && (w->ready & WEFT_READABLE))
        word = "rw";
    else if (w->ready & WEFT_WRITABLE)
        word = "w";
    lua_pushstring(L, word);
    return 1;
}

static int
push_done(lua_State *L, struct weft_wait *w)
{
    switch (w->kind) {
    case WEFT_WAIT_NONE:
    case WEFT_WAIT_YIELD:
        return 0;
    case WEFT_WAIT_RECEIVE:
    case WEFT_WAIT_CHUNK:
        return weft_ws_push_received(L, w->u.ws, w->kind);
    case WEFT_WAIT_PING:
        return w->ping != NULL ? push_ping(L, w) : 0;
    case WEFT_WAIT_CLOSED:
        weft_push_closed(L, &w->u.ws->link);
        lua_remove(L, -4);
        lua_remove(L, -3);
        lua_pushboolean(L, 1);
        lua_insert(L, -3);
        return 3;
    case WEFT_WAIT_BODY:
        return weft_ws_push_body(L, w->u.ws);
    case WEFT_WAIT_OPEN:
        return weft_ws_push_open_outcome(L, w->u.ws);
    case WEFT_WAIT_JOIN:
        return push_joined(L, w->u.task);
    case WEFT_WAIT_FD:
        return push_descriptor(L, w);
    case WEFT_WAIT_SIGNAL:
        lua_pushstring(L, weft_signal_name(w->signal));
        return 1;
    default:
        return push_true(L);
    }
}

int
weft_push_outcome(lua_State *L, struct weft_wait *w)
{
    if (w->kind == WEFT_WAIT_TAKE || w->kind == WEFT_WAIT_PUT)
        return weft_queue_push_outcome(L, w);
    if (w->kind == WEFT_WAIT_CLOSE)
        return weft_ws_push_close_outcome(L, w);
    if (w->outcome != WEFT_DONE)
        weft_wait_drop_ping(w);
    switch (w->outcome) {
    case WEFT_WAITING:
    case WEFT_DONE:
        return push_done(L, w);
    case WEFT_TIMEOUT:
        return weft_push_failure(L, "timeout");
    case WEFT_CANCELLED:
        if (w->kind == WEFT_WAIT_OPEN)
            return weft_ws_push_open_cancelled(L);
        return weft_push_failure(L, "cancelled");
    case WEFT_CLOSED:
        return weft_push_closed(L, &w->u.ws->link);
    }
    return 0;
}
