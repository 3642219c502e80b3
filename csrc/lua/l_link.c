/*
 * A connection's methods: receive, send, ping, close and their kin.  It must
 * not know the protocol, only what the link offers.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "lua/check.h"
#include "lua/l_link.h"
#include "lua/state.h"

enum { BORROW_MIN = 16 * 1024 }; /* below it, copying is cheaper */

static const char ws_key = 0;

struct weft_ws *
weft_check_ws(lua_State *L, int index, const char *call)
{
    struct weft_ws *ws = lua_touserdata(L, index);

    if (ws != NULL && lua_getmetatable(L, index)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &ws_key);
        if (lua_rawequal(L, -1, -2)) {
            lua_pop(L, 2);
            return ws;
        }
    }
    weft_raise(L, "%s: argument 'self': expected a weft.Connection, got %s "
                  "(call it with a colon)",
               call, luaL_typename(L, index));
    return NULL;
}

/* For methods whose first upvalue is the metatable: no look-up by name. */
static struct weft_ws *
self(lua_State *L, const char *call)
{
    struct weft_ws *ws = lua_touserdata(L, 1);

    if (ws != NULL && lua_getmetatable(L, 1)) {
        if (lua_rawequal(L, -1, lua_upvalueindex(1))) {
            lua_pop(L, 1);
            return ws;
        }
        lua_pop(L, 1);
    }
    return weft_check_ws(L, 1, call);
}

/* ---- receiving */

int
weft_ws_push_received(lua_State *L, struct weft_ws *ws,
                      enum weft_wait_kind kind)
{
    struct weft_link *k = &ws->link;
    struct weft_event ev;
    enum weft_status rc = weft_link_next(k, &ev);

    if (rc == WEFT_MORE)
        return 0;
    if (rc != WEFT_EVENT) {
        if (kind != WEFT_WAIT_CHUNK)
            return weft_push_closed(L, k);
        ws->streaming = false;
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, (const char *)ev.data, ev.len);
    if (kind != WEFT_WAIT_CHUNK)
        lua_pushstring(L, ev.opcode == WEFT_TEXT ? "text" : "binary");
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
    struct weft_link *k = &ws->link;
    struct weft_event ev;

    while (ws->streaming && weft_link_next(k, &ev) == WEFT_EVENT
           && ev.type == WEFT_EVENT_CHUNK) {
        weft_link_taken(k);
        if (ev.last)
            ws->streaming = false;
    }
    if (ws->streaming)
        weft_link_stream(k, false); /* skips what is still to come */
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

static int
receive(lua_State *L, struct weft_ws *ws, double seconds,
        enum weft_wait_kind kind, const char *call)
{
    struct weft_instance *I = ws->instance;
    struct weft_wait *w;
    int n;

    check_reader(L, ws, call);
    if (kind == WEFT_WAIT_RECEIVE && ws->streaming)
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
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, I, call);
    if (w == NULL)
        return weft_push_failure(L, "cancelled");
    w->kind = kind;
    w->u.ws = ws;
    ws->receiver = w;
    weft_link_want(&ws->link, true);
    return weft_wait_park(L, w, seconds);
}

/* ws:receive([timeout]) -> message, kind */
static int
ws_receive(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:receive");
    double seconds = HUGE_VAL;

    if (!lua_isnoneornil(L, 2))
        seconds = weft_check_seconds(L, 2, HUGE_VAL, "ws:receive", "timeout");
    return receive(L, ws, seconds, WEFT_WAIT_RECEIVE, "ws:receive");
}

static int
next_message(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:messages");

    return receive(L, ws, HUGE_VAL, WEFT_WAIT_RECEIVE, "ws:messages");
}

/* ws:messages() -> iterator, ws */
static int
ws_messages(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:messages");

    check_reader(L, ws, "ws:messages");
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    return 2;
}

/* The iterator of ws:chunks(); upvalue 2: whether it has begun. */
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
        if (ws->streaming)
            skip_chunks(ws);
        ws->streaming = true;
        weft_link_stream(&ws->link, true);
    }
    return receive(L, ws, HUGE_VAL, WEFT_WAIT_CHUNK, "ws:chunks");
}

/* ws:chunks() -> iterator, ws */
static int
ws_chunks(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:chunks");

    check_reader(L, ws, "ws:chunks");
    lua_pushboolean(L, 0);
    lua_pushcclosure(L, next_chunk, 1);
    lua_pushvalue(L, 1);
    return 2;
}

/* ---- sending */

/* Pushes the table of strings lent to the kernel, made when it is missing. */
static void
push_borrowed(lua_State *L, struct weft_ws *ws)
{
    weft_push_anchored(L, ws->instance, &ws->borrower);
    if (lua_istable(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    weft_anchor(L, ws->instance, &ws->borrower, -1);
}

/* Lets go of the strings that the kernel has taken. */
static void
return_strings(lua_State *L, struct weft_ws *ws)
{
    struct weft_outq *out = &ws->link.session.out;

    if (ws->anchored == out->returned)
        return;
    if (out->returned == out->borrowed) { /* all of them */
        ws->anchored = out->returned;
        weft_node_unlink(&ws->borrower);
        weft_unanchor(L, ws->instance, &ws->borrower);
        return;
    }
    push_borrowed(L, ws);
    for (; ws->anchored != out->returned; ws->anchored++) {
        lua_pushnil(L);
        lua_rawseti(L, -2, (lua_Integer)ws->anchored);
    }
    lua_pop(L, 1);
}

void
weft_ws_return_borrowed(lua_State *L, struct weft_instance *I)
{
    struct weft_node *n = I->borrowers.next, *next;

    for (; n != &I->borrowers; n = next) {
        next = n->next;
        return_strings(L, WEFT_CONTAINER(n, struct weft_ws, borrower));
    }
}

/* Sends a string of L's without copying it. */
static enum weft_status
send_borrowed(lua_State *L, struct weft_ws *ws, enum weft_opcode opcode,
              int message, const char *data, size_t len)
{
    uint32_t place = ws->link.session.out.borrowed;

    push_borrowed(L, ws);
    lua_pushvalue(L, message);
    lua_rawseti(L, -2, (lua_Integer)place); /* what can raise comes first */
    lua_pop(L, 1);
    weft_list_add(&ws->instance->borrowers, &ws->borrower);
    return weft_link_send_borrowed(&ws->link, opcode, data, len);
}

/* The message is the string at that index of L. */
static enum weft_status
send_now(lua_State *L, struct weft_ws *ws, enum weft_opcode opcode,
         int message)
{
    struct weft_link *k = &ws->link;
    size_t len;
    const char *data = lua_tolstring(L, message, &len);

    if (len >= BORROW_MIN && k->role == WEFT_SERVER && weft_link_is_open(k)
        && ws->writer == NULL)
        return send_borrowed(L, ws, opcode, message, data, len);
    return weft_link_send(k, opcode, data, len);
}

/* Whether a send would have to wait its turn. */
bool
weft_ws_is_full(const struct weft_ws *ws)
{
    return weft_link_backlog(&ws->link) > ws->link.config->send_buffer
           || ws->writer != NULL || !weft_list_empty(&ws->senders);
}

/* What a send that was not accepted returns. */
static int
push_refused(lua_State *L, struct weft_ws *ws, enum weft_status rc,
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

    if (weft_link_backlog(k) == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, ws->instance, call);
    if (w == NULL)
        return weft_push_failure(L, "cancelled");
    w->kind = WEFT_WAIT_FLUSH;
    w->u.ws = ws;
    k->drain = true;
    weft_list_add(&ws->waiters, &w->node);
    return weft_wait_park(L, w, seconds);
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
wait_to_send(lua_State *L, struct weft_ws *ws, enum weft_opcode opcode,
             double seconds)
{
    struct weft_wait *w;

    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, ws->instance, "ws:send");
    if (w == NULL)
        return weft_push_failure(L, "cancelled");
    w->kind = WEFT_WAIT_SEND;
    w->u.ws = ws;
    w->opcode = (uint8_t)opcode;
    w->argument = 2;
    w->data = lua_tolstring(L, 2, &w->len); /* the call's frame keeps it */
    ws->link.drain = true;
    weft_list_add(&ws->senders, &w->node);
    return weft_wait_park(L, w, seconds);
}

/* Checks what a send takes; the message is not looked at twice. */
static enum weft_opcode
check_send(lua_State *L, double *seconds, const char *call)
{
    enum weft_opcode opcode;
    size_t len;

    opcode = weft_check_kind(L, 3, call);
    *seconds = HUGE_VAL;
    if (!lua_isnoneornil(L, 4))
        *seconds = weft_check_seconds(L, 4, HUGE_VAL, call, "timeout");
    weft_check_message(L, 2, opcode, &len, call);
    return opcode;
}

/* ws:send(message [, kind [, timeout]]) */
static int
ws_send(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:send");
    double seconds;
    enum weft_opcode opcode = check_send(L, &seconds, "ws:send");
    enum weft_status rc;

    if (ws->instance->closed)
        return weft_push_closed(L, &ws->link);
    if (ws->instance->state->task != NULL
        && ws->instance->state->task->cancels > 0)
        return weft_wait_begin(L, ws->instance, "ws:send") == NULL
                   ? weft_push_failure(L, "cancelled")
                   : weft_raise(L, "ws:send: cannot wait here");
    if (weft_ws_is_connecting(ws))
        return wait_to_send(L, ws, opcode, seconds);
    if (weft_ws_is_full(ws) && weft_link_is_open(&ws->link))
        return wait_to_send(L, ws, opcode, seconds);
    rc = send_now(L, ws, opcode, 2);
    if (rc != WEFT_OK)
        return push_refused(L, ws, rc, "ws:send");
    return accepted(L, ws, seconds, "ws:send");
}

/* ws:try_send(message [, kind]) */
static int
ws_try_send(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:try_send");
    double seconds;
    enum weft_opcode opcode = check_send(L, &seconds, "ws:try_send");
    enum weft_status rc;

    if (weft_ws_is_connecting(ws))
        return weft_push_failure(L, "connecting");
    if (weft_link_is_open(&ws->link) && weft_ws_is_full(ws))
        return weft_push_failure(L, "full");
    rc = send_now(L, ws, opcode, 2);
    if (rc != WEFT_OK)
        return push_refused(L, ws, rc, "ws:try_send");
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
        return weft_link_write(&ws->link, w->opcode, w->data, w->len,
                               w->last);
    if (w->task == NULL || w->len < BORROW_MIN
        || ws->link.role != WEFT_SERVER)
        return weft_link_send(&ws->link, w->opcode, w->data, w->len);
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
        weft_writer_wrote(w->writer, w->last);
    weft_wake(w, rc == WEFT_OK ? WEFT_DONE : WEFT_CLOSED);
    return true;
}

/* ws:flush([timeout]) */
static int
ws_flush(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:flush");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "ws:flush",
                                        "timeout");

    if (ws->link.state == WEFT_LINK_CLOSED || ws->link.write_dead)
        return weft_push_closed(L, &ws->link);
    weft_link_flush(&ws->link);
    if (ws->link.state == WEFT_LINK_CLOSED)
        return weft_push_closed(L, &ws->link);
    return flush_wait(L, ws, seconds, "ws:flush");
}

/* ws:ping([payload [, timeout]]) -> seconds */
static int
ws_ping(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:ping");
    size_t len;
    const char *payload = weft_check_payload(L, 2, &len, "ws:ping");
    double seconds = weft_check_seconds(L, 3, HUGE_VAL, "ws:ping",
                                        "timeout");
    struct weft_wait *w;
    struct weft_ping *p;
    enum weft_status rc;

    if (weft_ws_is_connecting(ws))
        return weft_push_failure(L, "connecting");
    if (!weft_link_is_open(&ws->link))
        return weft_push_closed(L, &ws->link);
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, ws->instance, "ws:ping");
    if (w == NULL)
        return weft_push_failure(L, "cancelled");
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
        return push_refused(L, ws, rc, "ws:ping");
    }
    w->kind = WEFT_WAIT_PING;
    w->u.ws = ws;
    w->ping = p;
    weft_list_add(&ws->waiters, &w->node);
    return weft_wait_park(L, w, seconds);
}

/* ---- closing */

int
weft_ws_push_close_outcome(lua_State *L, struct weft_wait *w)
{
    struct weft_ws *ws = w->u.ws;

    if (w->outcome == WEFT_CANCELLED)
        return weft_push_failure(L, "cancelled");
    if (w->outcome == WEFT_TIMEOUT) {
        weft_link_abort(&ws->link, WEFT_CAUSE_TIMEOUT,
                        "the closing handshake took too long");
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
static int
ws_close(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:close");
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
            return weft_push_failure(L, "cancelled");
    }
    weft_link_close(k, code, reason, WEFT_CAUSE_LOCAL);
    weft_ws_update_holds(L, ws, 1);
    if (w == NULL || k->state == WEFT_LINK_CLOSED) {
        if (weft_wait_blocks(L, ws->instance))
            weft_link_flush(k);
        lua_pushboolean(L, 1);
        return 1;
    }
    w->kind = WEFT_WAIT_CLOSE;
    w->u.ws = ws;
    weft_list_add(&ws->waiters, &w->node);
    return weft_wait_park(L, w, seconds);
}

/* ws:abort() */
static int
ws_abort(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:abort");

    weft_link_abort(&ws->link, WEFT_CAUSE_LOCAL, "aborted");
    weft_ws_update_holds(L, ws, 1);
    lua_pushboolean(L, 1);
    return 1;
}

/* ws:wait_closed([timeout]) -> true, code, reason */
static int
ws_wait_closed(lua_State *L)
{
    struct weft_ws *ws = self(L, "ws:wait_closed");
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
        return weft_push_failure(L, "cancelled");
    w->kind = WEFT_WAIT_CLOSED;
    w->u.ws = ws;
    weft_list_add(&ws->waiters, &w->node);
    return weft_wait_park(L, w, seconds);
}

/* local ws <close>: starts the closing; the main thread waits for it */
static int
ws_leave(lua_State *L)
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
    w->kind = WEFT_WAIT_CLOSED;
    w->u.ws = ws;
    weft_list_add(&ws->waiters, &w->node);
    weft_wait_park(L, w, HUGE_VAL);
    return 0;
}

/* ---- life */

static int
ws_gc(lua_State *L)
{
    struct weft_ws *ws = lua_touserdata(L, 1);

    if (ws->instance == NULL)
        return 0;
    weft_link_abort(&ws->link, WEFT_CAUSE_COLLECTED,
                    "nothing referred to the connection");
    weft_node_unlink(&ws->borrower);
    weft_link_deinit(&ws->link);
    weft_unanchor(L, ws->instance, &ws->borrower);
    return 0;
}

static int
ws_tostring(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "tostring");

    lua_pushfstring(L, "weft.Connection (%s): %p",
                    weft_ws_state_name(ws), (void *)ws);
    return 1;
}

struct weft_ws *
weft_ws_new(lua_State *L, int loop_index, struct weft_instance *I,
            struct weft_config *config, enum weft_role role)
{
    struct weft_ws *ws = lua_newuserdatauv(L, sizeof(*ws), 3);

    memset(ws, 0, sizeof(*ws));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ws_key);
    lua_setmetatable(L, -2);
    if (loop_index != 0)
        lua_pushvalue(L, loop_index);
    else
        weft_push_loop(L, I);
    lua_setiuservalue(L, -2, 2);
    weft_list_init(&ws->senders);
    weft_list_init(&ws->waiters);
    weft_link_init(&ws->link, &I->loop, config, role);
    ws->instance = I;
    return ws;
}

/* Methods get the metatable as their first upvalue, for self(). */
static void
add_methods(lua_State *L, int meta, const luaL_Reg *methods)
{
    for (; methods->name != NULL; methods++) {
        lua_pushvalue(L, meta);
        if (methods->func == ws_messages) {
            lua_pushvalue(L, meta);
            lua_pushcclosure(L, next_message, 1);
            lua_pushcclosure(L, ws_messages, 2);
        } else {
            lua_pushcclosure(L, methods->func, 1);
        }
        lua_setfield(L, -2, methods->name);
    }
}

void
weft_ws_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", ws_gc },
                                     { "__close", ws_leave },
                                     { "__tostring", ws_tostring },
                                     { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "receive", ws_receive },   { "messages", ws_messages },
        { "chunks", ws_chunks },     { "send", ws_send },
        { "try_send", ws_try_send }, { "flush", ws_flush },
        { "ping", ws_ping },         { "close", ws_close },
        { "abort", ws_abort },       { "wait_closed", ws_wait_closed },
        { NULL, NULL }
    };

    weft_new_type(L, WEFT_WS_TYPE, meta, NULL);
    luaL_getmetatable(L, WEFT_WS_TYPE);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ws_key);
    lua_newtable(L);
    add_methods(L, lua_gettop(L) - 1, methods);
    weft_writer_register(L, lua_gettop(L));
    weft_fields_attach(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_pop(L, 2);
}
