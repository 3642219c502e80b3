/*
 * Closing, waiting for the end, and pings.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lua/check.h"
#include "lua/l_link.h"

int
weft_ws_push_close_outcome(lua_State *L, struct weft_wait *w)
{
    struct weft_ws *ws = w->u.ws;

    if (w->outcome == WEFT_CANCELLED)
        return weft_push_failure(L, "cancelled");
    if (w->outcome == WEFT_TIMEOUT) {
        weft_link_drop_closing(&ws->link);
        return weft_push_failure(L, "timeout");
    }
    if (ws->link.cause == WEFT_CAUSE_TIMEOUT)
        return weft_push_failure(L, "timeout");
    if (!ws->link.clean)
        return weft_push_closed(L, &ws->link);
    lua_pushboolean(L, 1);
    return 1;
}

/* ws:close([code [, reason [, timeout]]]) */
int
weft_ws_close(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:close");
    struct weft_link *k = &ws->link;
    struct weft_span reason;
    unsigned code = weft_check_close(L, 2, 3, &reason.data, &reason.len,
                                     "ws:close");
    double seconds = weft_check_seconds(L, 4, HUGE_VAL, "ws:close",
                                        "timeout");
    struct weft_wait *w = NULL;

    if (k->state == WEFT_LINK_CLOSED || k->state == WEFT_LINK_IDLE) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (seconds > 0) { /* may raise: before anything is started */
        w = weft_wait_begin(L, ws->instance, "ws:close");
        if (w == NULL)
            return weft_wait_refused(L, ws->instance);
    }
    weft_link_close(k, code, reason, WEFT_CAUSE_LOCAL);
    weft_ws_update_holds(L, ws, 1);
    if (w == NULL || k->state == WEFT_LINK_CLOSED) {
        if (weft_wait_blocks(L, ws->instance))
            weft_link_flush(k);
        lua_pushboolean(L, 1);
        return 1;
    }
    return weft_ws_wait(L, ws, w, WEFT_WAIT_CLOSE, seconds);
}

/* ws:abort() */
int
weft_ws_abort(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:abort");

    weft_link_abort(&ws->link, WEFT_CAUSE_LOCAL, "aborted");
    weft_ws_update_holds(L, ws, 1);
    lua_pushboolean(L, 1);
    return 1;
}

/* ws:wait_closed([timeout]) -> true, code, reason */
int
weft_ws_wait_closed(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:wait_closed");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "ws:wait_closed",
                                        "timeout");
    struct weft_wait *w, over = { .kind = WEFT_WAIT_CLOSED };

    if (ws->link.state == WEFT_LINK_CLOSED) {
        over.outcome = WEFT_DONE;
        over.u.ws = ws;
        return weft_push_outcome(L, &over);
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, ws->instance, "ws:wait_closed");
    if (w == NULL)
        return weft_wait_refused(L, ws->instance);
    return weft_ws_wait(L, ws, w, WEFT_WAIT_CLOSED, seconds);
}

/* local ws <close>: starts the closing; the main thread waits for it */
int
weft_ws_leave(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:close");
    struct weft_wait *w;

    weft_link_close(&ws->link, 1000, (struct weft_span){ "", 0 },
                    WEFT_CAUSE_LOCAL);
    weft_ws_update_holds(L, ws, 1);
    if (ws->link.state == WEFT_LINK_CLOSED || ws->instance->closed
        || !weft_wait_blocks(L, ws->instance))
        return 0;
    w = weft_wait_begin(L, ws->instance, "ws:close");
    weft_ws_wait(L, ws, w, WEFT_WAIT_CLOSED, HUGE_VAL);
    return 0;
}

/* ws:ping([payload [, timeout]]) -> seconds */
int
weft_ws_ping(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:ping");
    size_t len;
    const char *payload = weft_check_payload(L, 2, &len, "ws:ping");
    double seconds = weft_check_seconds(L, 3, HUGE_VAL, "ws:ping",
                                        "timeout");
    struct weft_wait *w;
    struct weft_ping *p;
    enum weft_status rc;

    weft_refuse_stream(L, ws, "ws:ping", "pings");
    if (weft_ws_is_connecting(ws))
        return weft_push_failure(L, "connecting");
    if (!weft_link_is_open(&ws->link))
        return weft_push_closed(L, &ws->link);
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, ws->instance, "ws:ping");
    if (w == NULL)
        return weft_wait_refused(L, ws->instance);
    p = weft_zalloc(sizeof(*p));
    if (p == NULL)
        return weft_raise(L, "ws:ping: out of memory");
    p->len = (uint8_t)len;
    memcpy(p->payload, payload, len);
    if (lua_isnoneornil(L, 2)) { /* tell it from the others */
        p->len = 8;
        weft_store64(p->payload, ++ws->link.ping_count);
    }
    rc = weft_link_ping(&ws->link, p);
    if (rc != WEFT_OK) {
        weft_free(p);
        return weft_ws_push_refused(L, ws, rc, "ws:ping");
    }
    w->ping = p;
    return weft_ws_wait(L, ws, w, WEFT_WAIT_PING, seconds);
}
