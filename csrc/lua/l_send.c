/*
 * Sending: now, or when it is the message's turn; and strings that are lent
 * to the kernel rather than copied.
 */
#include <math.h>

#include "lua/check.h"
#include "lua/l_link.h"

enum { BORROW_MIN = 16 * 1024 }; /* below it, copying is cheaper */

/* Pushes the table of strings lent to the kernel, made when it is missing.  It
 * is anchored by an address within the connection that nothing else is. */
static void
push_borrowed(lua_State *L, struct weft_ws *ws)
{
    weft_push_anchored(L, ws->instance, &ws->receiver);
    if (lua_istable(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L); /* a finalizer that runs now may send as well */
    weft_push_anchored(L, ws->instance, &ws->receiver);
    if (lua_istable(L, -1)) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    weft_anchor(L, ws->instance, &ws->receiver, -1);
}

/* Lets go of the strings that the kernel has taken. */
static void
return_strings(lua_State *L, struct weft_ws *ws)
{
    struct weft_flow *f = ws->link.flow;
    struct weft_outq *out = &f->session.out;

    if (f->let_go == out->returned && out->returned != out->borrowed)
        return;
    if (out->returned == out->borrowed) { /* all of them */
        f->let_go = out->returned;
        weft_node_unlink(&f->borrower);
        weft_unanchor(L, ws->instance, &ws->receiver);
        return;
    }
    push_borrowed(L, ws);
    for (; f->let_go != out->returned; f->let_go++) {
        lua_pushnil(L);
        lua_rawseti(L, -2, (lua_Integer)f->let_go);
    }
    lua_pop(L, 1);
}

void
weft_ws_return_borrowed(lua_State *L, struct weft_instance *I)
{
    struct weft_node *n = I->borrowers.next, *next;

    for (; n != &I->borrowers; n = next) {
        next = n->next;
        return_strings(L, (struct weft_ws *)WEFT_CONTAINER(
                              n, struct weft_flow, borrower)->link);
    }
}

/* Sends a string of L's without copying it. */
static enum weft_status
send_borrowed(lua_State *L, struct weft_ws *ws, enum weft_opcode opcode,
              int message, const char *data, size_t len)
{
    uint32_t place;

    if (!weft_link_wake(&ws->link))
        return WEFT_E_MEMORY;
    push_borrowed(L, ws);
    place = ws->link.flow->session.out.borrowed;
    lua_pushvalue(L, message);
    lua_rawseti(L, -2, (lua_Integer)place); /* what can raise comes first */
    lua_pop(L, 1);
    weft_list_add(&ws->instance->borrowers, &ws->link.flow->borrower);
    return weft_link_send_borrowed(&ws->link, opcode, data, len);
}

/* Whether a message of that length would be sent as it is, and is long. */
static bool
may_borrow(const struct weft_ws *ws, size_t len, bool plain)
{
    const struct weft_link *k = &ws->link;

    return len >= BORROW_MIN && k->role == WEFT_SERVER
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
        return send_borrowed(L, ws, m->opcode, message, bytes.data,
                             bytes.len);
    return m->plain
               ? weft_link_send_plain(k, m->opcode, bytes.data, bytes.len)
               : weft_link_send(k, m->opcode, bytes.data, bytes.len);
}

/* Whether a send would have to wait its turn. */
bool
weft_ws_is_full(const struct weft_ws *ws)
{
    return weft_link_backlog(&ws->link) > ws->link.config->send_buffer
           || ws->writer != NULL || !weft_list_empty(&ws->senders);
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
        return weft_push_failure(L, "cancelled");
    k->drain = true;
    return weft_ws_wait(L, ws, w, WEFT_WAIT_FLUSH, seconds);
}

/* A send was accepted.  On the main thread outside a turn it leaves now. */
static int
accepted(lua_State *L, struct weft_ws *ws, double seconds, const char *call)
{
    if (weft_wait_blocks(L, ws->instance)) {
        weft_link_flush(&ws->link);
        weft_ws_return_borrowed(L, ws->instance);
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
        return weft_push_failure(L, "cancelled");
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

/* Checks what a send takes; the message is not looked at twice. */
static struct weft_manner
check_send(lua_State *L, struct weft_span *bytes, bool may_wait,
           const char *call)
{
    struct weft_manner m = weft_check_manner(L, 3, may_wait, call);

    if (may_wait && !lua_isnoneornil(L, 4))
        m.seconds = weft_check_seconds(L, 4, HUGE_VAL, call, "timeout");
    bytes->data = weft_check_message(L, 2, m.opcode, &bytes->len, call);
    return m;
}

/* ws:send(message [, kind [, timeout]]), ws:send(message, options) */
int
weft_ws_send(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:send");
    struct weft_span bytes;
    struct weft_manner m = check_send(L, &bytes, true, "ws:send");
    enum weft_status rc;

    if (ws->instance->closed)
        return weft_push_closed(L, &ws->link);
    if (ws->instance->state->task != NULL
        && ws->instance->state->task->cancels > 0)
        return weft_wait_begin(L, ws->instance, "ws:send") == NULL
                   ? weft_push_failure(L, "cancelled")
                   : weft_raise(L, "ws:send: cannot wait here");
    if (weft_ws_is_connecting(ws))
        return wait_to_send(L, ws, &m);
    if (weft_link_is_open(&ws->link) && weft_ws_is_full(ws))
        return wait_to_send(L, ws, &m);
    rc = send_now(L, ws, &m, 2, bytes);
    if (rc != WEFT_OK)
        return weft_ws_push_refused(L, ws, rc, "ws:send");
    return accepted(L, ws, m.seconds, "ws:send");
}

/* ws:try_send(message [, kind]), ws:try_send(message, options) */
int
weft_ws_try_send(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:try_send");
    struct weft_span bytes;
    struct weft_manner m = check_send(L, &bytes, false, "ws:try_send");
    enum weft_status rc;

    if (weft_ws_is_connecting(ws))
        return weft_push_failure(L, "connecting");
    if (weft_link_is_open(&ws->link) && weft_ws_is_full(ws))
        return weft_push_failure(L, "full");
    rc = send_now(L, ws, &m, 2, bytes);
    if (rc != WEFT_OK)
        return weft_ws_push_refused(L, ws, rc, "ws:try_send");
    if (weft_wait_blocks(L, ws->instance))
        weft_link_flush(&ws->link);
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
    lua_pushvalue(w->thread, w->argument);
    lua_xmove(w->thread, L, 1);
    rc = send_borrowed(L, ws, w->opcode, lua_gettop(L), w->data, w->len);
    lua_pop(L, 1);
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
