/*
 * Sending: now, or when it is the message's turn.
 */
#include <math.h>

#include "lua/check.h"
#include "lua/l_link.h"

/* Whether a message of that length would be sent as it is, and is long. */
static bool
may_borrow(const struct weft_ws *ws, size_t len, bool plain)
{
    const struct weft_link *k = &ws->link;

    return len >= WEFT_BORROW_MIN && k->role == WEFT_SERVER
           && (plain || !weft_deflate_wants(k->deflate, len));
}

/* The message is the string at that index of L. */
static enum weft_status
send_now(lua_State *L, struct weft_ws *ws, const struct weft_manner *m,
         int message, struct weft_span bytes)
{
    struct weft_link *k = &ws->link;

    weft_instance_touch(ws->instance);
    if (may_borrow(ws, bytes.len, m->plain) && weft_link_is_open(k)
        && ws->writer == NULL)
        return weft_ws_lend(L, m->opcode, 1, message);
    return m->plain
               ? weft_link_send_plain(k, m->opcode, bytes.data, bytes.len)
               : weft_link_send(k, m->opcode, bytes.data, bytes.len);
}

/* What a send that was not accepted returns. */
int
weft_ws_push_refused(lua_State *L, struct weft_ws *ws, enum weft_status rc,
                     const char *call)
{
    if (rc == WEFT_E_MEMORY)
        return weft_raise(L, "%s: out of memory", call);
    if (rc == WEFT_E_BUSY)
        return weft_push_failure(L, "full");
    return weft_push_closed(L, &ws->link);
}

static int
flush_wait(lua_State *L, struct weft_ws *ws, double seconds,
           const char *call)
{
    struct weft_link *k = &ws->link;
    struct weft_wait *w;

    if (k->write_dead || k->state == WEFT_LINK_CLOSED)
        return weft_push_closed(L, k);
    if (weft_link_backlog(k) == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, ws->instance, call);
    if (w == NULL)
        return weft_wait_refused(L, ws->instance);
    k->drain = true;
    return weft_ws_wait(L, ws, w, WEFT_WAIT_FLUSH, seconds);
}

/* A send was accepted.  On the main thread outside a turn it leaves now. */
static int
accepted(lua_State *L, struct weft_ws *ws, double seconds, const char *call)
{
    if (weft_wait_blocks(L, ws->instance)) {
        weft_link_flush(&ws->link);
        weft_return_lent(L, ws->instance);
        return flush_wait(L, ws, seconds, call);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int
wait_to_send(lua_State *L, struct weft_ws *ws, const struct weft_manner *m)
{
    struct weft_wait *w;

    if (m->seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, ws->instance, "ws:send");
    if (w == NULL)
        return weft_wait_refused(L, ws->instance);
    w->kind = WEFT_WAIT_SEND;
    w->u.ws = ws;
    w->opcode = (uint8_t)m->opcode;
    w->plain = m->plain;
    w->argument = 2;
    w->data = lua_tolstring(L, 2, &w->len); /* the call's frame keeps it */
    ws->link.drain = true;
    weft_list_add(&ws->senders, &w->node);
    return weft_wait_park(L, w, m->seconds);
}

/* Checks what a send takes. */
static struct weft_manner
check_send(lua_State *L, const struct weft_ws *ws, struct weft_span *bytes,
           bool may_wait, const char *call)
{
    struct weft_manner m = weft_check_send(L, 3, may_wait,
                                           ws->link.role == WEFT_EVENTS, call);

    if (may_wait && lua_gettop(L) > 3)
        m.seconds = weft_check_seconds(L, 4, m.seconds, call, "timeout");
    bytes->data = weft_check_message(L, 2, m.opcode, &bytes->len, call);
    if (m.named)
        weft_event_encode(L, &m, bytes, call);
    return m;
}

/* Whether nothing is in a message's way. */
static inline bool
may_send(struct weft_ws *ws)
{
    const struct weft_instance *I = ws->instance;
    const struct weft_task *t = I->state->task;

    return !I->closed && (t == NULL || t->cancels == 0)
           && weft_link_is_open(&ws->link) && !weft_ws_is_full(ws);
}

/* A send that has something in its way. */
static int
send_later(lua_State *L, struct weft_ws *ws, const struct weft_manner *m)
{
    const struct weft_task *t = ws->instance->state->task;

    if (ws->instance->closed)
        return weft_push_closed(L, &ws->link);
    if (t != NULL && t->cancels > 0)
        return weft_wait_begin(L, ws->instance, "ws:send") == NULL
                   ? weft_wait_refused(L, ws->instance)
                   : weft_raise(L, "ws:send: cannot wait here");
    if (weft_ws_is_connecting(ws) || weft_link_is_open(&ws->link))
        return wait_to_send(L, ws, m);
    return weft_push_closed(L, &ws->link);
}

/* Whether the argument is one of the two kinds, plainly written. */
static inline bool
is_kind(lua_State *L, int arg, const struct weft_state *S,
        enum weft_opcode *opcode)
{
    const void *kind = lua_topointer(L, arg);

    *opcode = kind == S->binary ? WEFT_BINARY : WEFT_TEXT;
    return kind == S->text || kind == S->binary;
}

/* What most sends are: short, binary or ASCII, in a handler, and nothing is in
 * their way.  False: it is not that simple. */
static inline bool
send_short(lua_State *L, struct weft_ws *ws)
{
    const struct weft_instance *I = ws->instance;
    const struct weft_task *t = I->state->task;
    enum weft_opcode opcode = WEFT_TEXT;
    int top = lua_gettop(L);
    const char *data;
    size_t len;

    if (!I->in_turn
        || (top != 2 && (top != 3 || !is_kind(L, 3, I->state, &opcode))))
        return false;
    data = lua_tolstring(L, 2, &len);
    return data != NULL && (t == NULL || t->cancels == 0)
           && ws->link.state == WEFT_LINK_OPEN && !weft_ws_is_full(ws)
           && weft_link_send_short(&ws->link, opcode, data, len);
}

/* Sends the string at 2, or waits to. */
static int
send_checked(lua_State *L, struct weft_ws *ws, const struct weft_manner *m,
             struct weft_span bytes, const char *call)
{
    enum weft_status rc;

    if (!may_send(ws))
        return send_later(L, ws, m);
    rc = send_now(L, ws, m, 2, bytes);
    if (rc != WEFT_OK)
        return weft_ws_push_refused(L, ws, rc, call);
    return accepted(L, ws, m->seconds, call);
}

/* Apart, so that a short message does not pay for its registers. */
static __attribute__((noinline)) int
send_any(lua_State *L, struct weft_ws *ws)
{
    struct weft_span bytes;
    struct weft_manner m = check_send(L, ws, &bytes, true, "ws:send");

    return send_checked(L, ws, &m, bytes, "ws:send");
}

/* ws:send(message [, kind [, timeout]]), ws:send(message, options) */
int
weft_ws_send(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:send");

    if (!send_short(L, ws))
        return send_any(L, ws);
    lua_pushboolean(L, 1);
    return 1;
}

/* ws:comment(text [, timeout]): a line, or more, that readers ignore */
int
weft_ws_comment(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:comment");
    struct weft_manner m = { .opcode = WEFT_TEXT };
    struct weft_span text;

    if (ws->link.role != WEFT_EVENTS)
        return weft_raise(L, "ws:comment: only event streams have comments");
    text.data = weft_check_message(L, 2, WEFT_TEXT, &text.len, "ws:comment");
    m.seconds = weft_check_seconds(L, 3, HUGE_VAL, "ws:comment", "timeout");
    weft_event_comment(L, &m, &text);
    return send_checked(L, ws, &m, text, "ws:comment");
}

/* ws:try_send(message [, kind]), ws:try_send(message, options) */
int
weft_ws_try_send(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:try_send");
    struct weft_span bytes;
    struct weft_manner m = check_send(L, ws, &bytes, false, "ws:try_send");
    enum weft_status rc;

    if (weft_ws_is_connecting(ws))
        return weft_push_failure(L, "connecting");
    if (weft_link_is_open(&ws->link) && weft_ws_is_full(ws))
        return weft_push_failure(L, "full");
    rc = send_now(L, ws, &m, 2, bytes);
    if (rc != WEFT_OK)
        return weft_ws_push_refused(L, ws, rc, "ws:try_send");
    if (weft_wait_blocks(L, ws->instance)) {
        weft_link_flush(&ws->link);
        weft_return_lent(L, ws->instance);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* Sends for a wait whose turn it is; the string is its call's argument. */
static enum weft_status
send_for(lua_State *L, struct weft_ws *ws, struct weft_wait *w)
{
    enum weft_status rc;

    if (w->kind == WEFT_WAIT_WRITE)
        return weft_writer_send(w->writer, w->data, w->len, w->last);
    if (w->task == NULL || !may_borrow(ws, w->len, w->plain))
        return w->plain ? weft_link_send_plain(&ws->link, w->opcode, w->data,
                                               w->len)
                        : weft_link_send(&ws->link, w->opcode, w->data,
                                         w->len);
    lua_pushvalue(w->thread, 1); /* the call's self */
    lua_pushvalue(w->thread, w->argument);
    lua_xmove(w->thread, L, 2);
    rc = weft_ws_lend(L, w->opcode, lua_gettop(L) - 1, lua_gettop(L));
    lua_pop(L, 2);
    return rc;
}

bool
weft_ws_send_waiting(lua_State *L, struct weft_wait *w)
{
    struct weft_ws *ws = w->u.ws;
    enum weft_status rc;

    if (!weft_wait_stands(w)) {
        weft_wake(w, WEFT_CANCELLED);
        return true;
    }
    if (weft_ws_is_connecting(ws))
        return false;
    if (!weft_link_is_open(&ws->link)) {
        weft_wake(w, WEFT_CLOSED);
        return true;
    }
    if (weft_link_backlog(&ws->link) > ws->link.config->send_buffer
        || (ws->writer != NULL && ws->writer != w->writer))
        return false;
    rc = send_for(L, ws, w);
    if (rc == WEFT_E_MEMORY)
        weft_link_abort(&ws->link, WEFT_CAUSE_ERROR, "out of memory");
    if (rc == WEFT_OK && w->kind == WEFT_WAIT_WRITE)
        weft_writer_wrote(w->writer, w->last, w->utf8);
    weft_wake(w, rc == WEFT_OK ? WEFT_DONE : WEFT_CLOSED);
    return true;
}

/* ws:flush([timeout]) */
int
weft_ws_flush(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:flush");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "ws:flush",
                                        "timeout");

    if (ws->link.state == WEFT_LINK_CLOSED || ws->link.write_dead)
        return weft_push_closed(L, &ws->link);
    weft_link_flush(&ws->link);
    if (ws->link.state == WEFT_LINK_CLOSED)
        return weft_push_closed(L, &ws->link);
    return flush_wait(L, ws, seconds, "ws:flush");
}
