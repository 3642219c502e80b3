/*
 * core.protocol: an endpoint fed from strings and drained into strings, its
 * events as tables.  It must not know what the bytes mean.
 *
 * The endpoint keeps the event it found until it is taken, so that an error of
 * Lua's while the table is made loses nothing.
 */
#include "lua/l_protocol.h"

#include <string.h>

#include "lua/check.h"
#include "lua/head.h"
#include "proto/endpoint.h"

static struct weft_endpoint *
check_protocol(lua_State *L)
{
    return luaL_checkudata(L, 1, WEFT_PROTOCOL);
}

static int
raise_memory(lua_State *L)
{
    return luaL_error(L, "not enough memory");
}

static void
push_span(lua_State *L, struct weft_span s)
{
    lua_pushlstring(L, s.len > 0 ? s.data : "", s.len);
}

/* nil, "closed", code, reason */
static int
push_closed(lua_State *L, const struct weft_endpoint *e)
{
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    lua_pushinteger(L, (lua_Integer)weft_endpoint_close_code(e));
    lua_pushlstring(L, e->reason, e->reason_len);
    return 4;
}

/* What a call that queues something returns: true, or why not. */
static int
push_status(lua_State *L, const struct weft_endpoint *e, enum weft_status rc)
{
    if (rc == WEFT_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (rc != WEFT_E_CLOSED)
        return raise_memory(L);
    if (weft_endpoint_state(e) != WEFT_CONNECTING)
        return push_closed(L, e);
    lua_pushnil(L);
    lua_pushliteral(L, "connecting");
    return 2;
}

/* In and out -------------------------------------------------------------- */

/* protocol:feed(bytes) -> true, or nil, "closed", code, reason: they are
 * thrown away */
static int
protocol_feed(lua_State *L)
{
    struct weft_endpoint *e = check_protocol(L);
    size_t len;
    const char *bytes = weft_check_string(L, 2, &len, "protocol:feed",
                                          "bytes");

    return push_status(L, e, weft_endpoint_feed(e, bytes, len));
}

/* protocol:output() -> bytes to send, "" when there are none; works through
 * what was fed first, up to the first event that was not taken */
static int
protocol_output(lua_State *L)
{
    struct weft_endpoint *e = check_protocol(L);
    struct weft_span out;

    if (weft_endpoint_look(e) < 0)
        return raise_memory(L);
    out = weft_endpoint_output(e);
    push_span(L, out);
    weft_endpoint_sent(e, out.len); /* only now: the push above can raise */
    return 1;
}

/* protocol:send(message [, kind or options]) -> true, or nil, "closed", code,
 * reason, or nil, "connecting" */
static int
protocol_send(lua_State *L)
{
    struct weft_endpoint *e = check_protocol(L);
    struct weft_manner m = weft_check_manner(L, 3, false, "protocol:send");
    size_t len;
    const char *message = weft_check_message(L, 2, m.opcode, &len,
                                             "protocol:send");

    if (m.plain)
        return push_status(L, e, weft_endpoint_send_plain(e, m.opcode,
                                                          message, len));
    return push_status(L, e, weft_endpoint_send(e, m.opcode, message, len));
}

/* protocol:ping([payload]) -> as send */
static int
protocol_ping(lua_State *L)
{
    struct weft_endpoint *e = check_protocol(L);
    size_t len;
    const char *payload = weft_check_payload(L, 2, &len, "protocol:ping");

    return push_status(L, e, weft_endpoint_ping(e, payload, len));
}

/* protocol:pong([payload]) -> as send; pings are answered without it */
static int
protocol_pong(lua_State *L)
{
    struct weft_endpoint *e = check_protocol(L);
    size_t len;
    const char *payload = weft_check_payload(L, 2, &len, "protocol:pong");

    return push_status(L, e, weft_endpoint_pong(e, payload, len));
}

/* protocol:close([code [, reason]]) -> true, also when it is closed, or nil,
 * "connecting" */
static int
protocol_close(lua_State *L)
{
    struct weft_endpoint *e = check_protocol(L);
    const char *reason;
    size_t len;
    unsigned code = weft_check_close(L, 2, 3, &reason, &len,
                                     "protocol:close");
    enum weft_status rc = weft_endpoint_close(e, code, reason, len);

    if (rc == WEFT_E_CLOSED && weft_endpoint_state(e) == WEFT_CLOSED)
        rc = WEFT_OK;
    return push_status(L, e, rc);
}

/* Events ------------------------------------------------------------------ */

static void
set_type(lua_State *L, const char *type)
{
    lua_pushstring(L, type);
    lua_setfield(L, -2, "type");
}

/* Pushes the extensions agreed on, "" for none. */
static void
push_extensions(lua_State *L, const struct weft_endpoint *e)
{
    char text[WEFT_DEFLATE_TEXT];
    size_t len = weft_deflate_answer(&e->agreed, text);

    lua_pushlstring(L, text, len);
}

static void
push_open(lua_State *L, const struct weft_endpoint *e, struct weft_span agreed)
{
    const struct weft_opening *o = e->opening;

    weft_push_head(L, &o->head, (const char *)weft_buf_head(&o->bytes));
    set_type(L, "open");
    push_extensions(L, e);
    lua_setfield(L, -2, "extensions");
    if (agreed.len > 0) {
        push_span(L, agreed);
        lua_setfield(L, -2, "protocol");
    }
}

static void
push_error(lua_State *L, const struct weft_endpoint *e)
{
    lua_createtable(L, 0, 3);
    set_type(L, "error");
    lua_pushstring(L, e->error);
    lua_setfield(L, -2, "message");
    if (e->code != 0) {
        lua_pushinteger(L, (lua_Integer)e->code);
        lua_setfield(L, -2, "code");
    }
}

static const char *
event_name(const struct weft_event *ev)
{
    switch (ev->type) {
    case WEFT_EVENT_PING:
        return "ping";
    case WEFT_EVENT_PONG:
        return "pong";
    case WEFT_EVENT_CLOSE:
        return "close";
    default:
        return ev->opcode == WEFT_TEXT ? "text" : "binary";
    }
}

static void
push_event(lua_State *L, const struct weft_event *ev)
{
    struct weft_span data = { (const char *)ev->data, ev->len };
    bool close = ev->type == WEFT_EVENT_CLOSE;

    lua_createtable(L, 0, 3);
    set_type(L, event_name(ev));
    push_span(L, data);
    lua_setfield(L, -2, close ? "reason" : "data");
    if (close) {
        lua_pushinteger(L, ev->code);
        lua_setfield(L, -2, "code");
    }
}

/* The subprotocol agreed on, empty when there is none. */
static struct weft_span
agreed_protocol(const struct weft_endpoint *e)
{
    if (e->protocol < 0)
        return (struct weft_span){ "", 0 };
    return e->session.role == WEFT_SERVER
               ? e->options.protocols[e->protocol]
               : e->options.request.protocols[e->protocol];
}

static int
next_event(lua_State *L)
{
    struct weft_endpoint *e = lua_touserdata(L, lua_upvalueindex(1));
    enum weft_status rc = weft_endpoint_look(e);

    if (rc < 0)
        return raise_memory(L);
    if (rc == WEFT_MORE)
        return 0;
    if (e->found == WEFT_FOUND_OPEN)
        push_open(L, e, agreed_protocol(e));
    else if (e->found == WEFT_FOUND_EVENT)
        push_event(L, &e->event);
    else
        push_error(L, e);
    weft_endpoint_take(e);
    return 1;
}

/* protocol:events() -> iterator over what the fed bytes mean */
static int
protocol_events(lua_State *L)
{
    check_protocol(L);
    lua_settop(L, 1);
    lua_pushcclosure(L, next_event, 1);
    return 1;
}

/* The object -------------------------------------------------------------- */

static int
protocol_gc(lua_State *L)
{
    weft_endpoint_deinit(check_protocol(L));
    return 0;
}

static int
push_field(lua_State *L, const struct weft_endpoint *e, const char *name)
{
    static const char *const states[] = {
        [WEFT_CONNECTING] = "connecting", [WEFT_OPEN] = "open",
        [WEFT_CLOSING] = "closing", [WEFT_CLOSED] = "closed",
    };
    struct weft_span agreed = agreed_protocol(e);
    enum weft_endpoint_state state = weft_endpoint_state(e);

    if (strcmp(name, "state") == 0)
        lua_pushstring(L, states[state]);
    else if (strcmp(name, "protocol") == 0 && agreed.len > 0)
        push_span(L, agreed);
    else if (strcmp(name, "extensions") == 0)
        push_extensions(L, e);
    else if (state == WEFT_CLOSED && strcmp(name, "close_code") == 0)
        lua_pushinteger(L, (lua_Integer)weft_endpoint_close_code(e));
    else if (state == WEFT_CLOSED && strcmp(name, "close_reason") == 0)
        lua_pushlstring(L, e->reason, e->reason_len);
    else
        return 0;
    return 1;
}

/* A method, or one of: state, protocol, extensions, close_code,
 * close_reason. */
static int
protocol_index(lua_State *L)
{
    struct weft_endpoint *e = check_protocol(L);

    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL ||
        lua_type(L, 2) != LUA_TSTRING)
        return 1;
    return push_field(L, e, lua_tostring(L, 2));
}

void
weft_protocol_register(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "feed", protocol_feed },     { "events", protocol_events },
        { "output", protocol_output }, { "send", protocol_send },
        { "ping", protocol_ping },     { "pong", protocol_pong },
        { "close", protocol_close },   { NULL, NULL },
    };
    static const luaL_Reg metamethods[] = {
        { "__gc", protocol_gc }, { "__close", protocol_gc }, { NULL, NULL },
    };

    luaL_newmetatable(L, WEFT_PROTOCOL);
    luaL_setfuncs(L, metamethods, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, protocol_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, WEFT_PROTOCOL);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_pushcfunction(L, weft_protocol_new);
}
