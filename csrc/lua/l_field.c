/*
 * A connection's fields: weft's own, read from the link, and the user's,
 * which live in a table of their own.
 */
#include <string.h>

#include "lua/check.h"
#include "lua/l_link.h"
#include "lua/l_tls.h"

enum field {
    FIELD_STATE = 1,
    FIELD_PROTOCOL,
    FIELD_EXTENSIONS,
    FIELD_BUFFERED,
    FIELD_CLOSE_CODE,
    FIELD_CLOSE_REASON,
    FIELD_SENT_CODE,
    FIELD_CLOSE_CAUSE,
    FIELD_CLOSE_MESSAGE,
    FIELD_LATENCY,
    FIELD_REMOTE_ADDRESS,
    FIELD_REMOTE_PORT,
    FIELD_TLS,
    FIELD_REQUEST,
    FIELD_RESPONSE,
};

static const char *const field_names[] = {
    [FIELD_STATE] = "state",
    [FIELD_PROTOCOL] = "protocol",
    [FIELD_EXTENSIONS] = "extensions",
    [FIELD_BUFFERED] = "buffered",
    [FIELD_CLOSE_CODE] = "close_code",
    [FIELD_CLOSE_REASON] = "close_reason",
    [FIELD_SENT_CODE] = "sent_code",
    [FIELD_CLOSE_CAUSE] = "close_cause",
    [FIELD_CLOSE_MESSAGE] = "close_message",
    [FIELD_LATENCY] = "latency",
    [FIELD_REMOTE_ADDRESS] = "remote_address",
    [FIELD_REMOTE_PORT] = "remote_port",
    [FIELD_TLS] = "tls",
    [FIELD_REQUEST] = "request",
    [FIELD_RESPONSE] = "response",
};

const char *
weft_ws_state_name(const struct weft_ws *ws)
{
    const struct weft_link *k = &ws->link;

    switch (k->state) {
    case WEFT_LINK_IDLE:
    case WEFT_LINK_CLOSED:
        return "closed";
    case WEFT_LINK_LINGER:
        return "closing";
    case WEFT_LINK_OPEN:
        return k->flow->session.close_sent || k->flow->session.close_received
                       || k->write_dead
                   ? "closing"
                   : "open";
    default:
        return "connecting";
    }
}

static void
push_string_or_nil(lua_State *L, const char *s)
{
    if (s != NULL)
        lua_pushstring(L, s);
    else
        lua_pushnil(L);
}

/* The code and reason of the peer's close frame, once it is over. */
static void
push_close(lua_State *L, const struct weft_link *k, enum field f)
{
    bool over = k->reading_over || k->state == WEFT_LINK_CLOSED;
    struct weft_span reason = weft_link_kept(k, WEFT_KEPT_REASON);

    if (!over)
        lua_pushnil(L);
    else if (f == FIELD_CLOSE_CODE)
        lua_pushinteger(L, k->close_code);
    else
        lua_pushlstring(L, reason.len > 0 ? reason.data : "", reason.len);
}

static void
push_remote(lua_State *L, const struct weft_link *k, enum field f)
{
    char host[WEFT_ADDR_TEXT];
    struct weft_addr peer;
    uint16_t port;

    weft_link_peer(k, &peer);
    if (peer.len == 0) {
        lua_pushnil(L);
        return;
    }
    port = weft_addr_port(&peer);
    weft_addr_host(&peer, host);
    if (f == FIELD_REMOTE_ADDRESS)
        lua_pushstring(L, host);
    else if (port != 0)
        lua_pushinteger(L, port);
    else
        lua_pushnil(L);
}

/* Pushes the table of own fields, made when it is missing; where it is. */
static int
push_own_table(lua_State *L, int ws)
{
    if (lua_getiuservalue(L, ws, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, ws, 1);
    }
    return lua_gettop(L);
}

/* Pushes the user's own field, or one that weft has set, or nil. */
static void
push_own(lua_State *L, int ws, int name)
{
    lua_getiuservalue(L, ws, 1);
    if (lua_istable(L, -1)) {
        lua_pushvalue(L, name);
        lua_rawget(L, -2);
    } else {
        lua_pushnil(L);
    }
}

/* ws.request and ws.response are built when they are first read. */
static int
push_head(lua_State *L, struct weft_ws *ws, const char *name)
{
    push_own(L, 1, 2);
    if (!lua_isnil(L, -1))
        return 1;
    weft_push_anchors(L, ws->instance);
    if (!lua_istable(L, -1)
        || lua_getfield(L, -1, name) != LUA_TFUNCTION)
        return 0;
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (!lua_isnil(L, -1))
        weft_ws_set_own(L, 1, 2, lua_gettop(L));
    return 1;
}

/* ws.tls too; it is kept, since a closed connection knows less. */
static int
push_tls(lua_State *L, const struct weft_link *k)
{
    push_own(L, 1, 2);
    if (!lua_isnil(L, -1))
        return 1;
    weft_push_tls(L, k);
    if (!lua_isnil(L, -1))
        weft_ws_set_own(L, 1, 2, lua_gettop(L));
    return 1;
}

/* Whose stand-in a pair is, or whose proxy the peer is, was set; then the
 * peer's port is nobody's. */
static int
push_remote_field(lua_State *L, const struct weft_link *k, enum field f)
{
    push_own(L, 1, 2);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pushstring(L, field_names[FIELD_REMOTE_ADDRESS]);
    push_own(L, 1, lua_gettop(L));
    if (lua_isnil(L, -1))
        push_remote(L, k, f);
    else
        lua_pushnil(L);
    return 1;
}

static int
push_field(lua_State *L, struct weft_ws *ws, enum field f)
{
    struct weft_link *k = &ws->link;
    char extensions[WEFT_DEFLATE_TEXT];

    switch (f) {
    case FIELD_STATE:
        lua_pushstring(L, weft_ws_state_name(ws));
        break;
    case FIELD_PROTOCOL:
        push_string_or_nil(L, weft_link_kept(k, WEFT_KEPT_PROTOCOL).data);
        break;
    case FIELD_EXTENSIONS:
        weft_deflate_answer(&k->agreed, extensions);
        lua_pushstring(L, extensions);
        break;
    case FIELD_BUFFERED:
        lua_pushinteger(L, (lua_Integer)weft_link_backlog(k));
        break;
    case FIELD_CLOSE_CODE:
    case FIELD_CLOSE_REASON:
        push_close(L, k, f);
        break;
    case FIELD_SENT_CODE:
        if (k->flow->session.close_sent && k->role != WEFT_EVENTS)
            lua_pushinteger(L, k->flow->session.sent_code);
        else
            lua_pushnil(L);
        break;
    case FIELD_CLOSE_CAUSE:
        push_string_or_nil(L, k->cause != WEFT_CAUSE_NONE
                                  ? weft_cause_name(k->cause)
                                  : NULL);
        break;
    case FIELD_CLOSE_MESSAGE:
        push_string_or_nil(L, weft_link_message(k));
        break;
    case FIELD_LATENCY:
        if (k->latency >= 0)
            lua_pushnumber(L, (double)k->latency / 1e6);
        else
            lua_pushnil(L);
        break;
    case FIELD_REMOTE_ADDRESS:
    case FIELD_REMOTE_PORT:
        return push_remote_field(L, k, f);
    case FIELD_TLS:
        return push_tls(L, k);
    case FIELD_REQUEST:
    case FIELD_RESPONSE:
        return push_head(L, ws, field_names[f]);
    }
    return 1;
}

/* The value of ws[name], ws being 1 and the name 2 of L. */
static int
push_value(lua_State *L, struct weft_ws *ws)
{
    lua_Integer f;

    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    f = lua_tointeger(L, -1);
    lua_settop(L, 2);
    if (f != 0)
        return push_field(L, ws, (enum field)f);
    push_own(L, 1, 2);
    return 1;
}

/*
 * A busy connection has a metatable of its own, whose __index is the table of
 * its own fields, and into that its methods come as they are used: Lua then
 * finds them without a call, which saves an eighth of what a small message
 * costs.  It takes half a kilobyte, so others share one metatable.
 */

enum {
    BUSY = 32,       /* methods looked up before that */
    META_FIELDS = 7, /* of the shared one, see weft_ws_register() */
};

/* __index of such a table of own fields; upvalues: methods, names of fields
 * to their numbers, the connection */
static int
own_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        lua_pushvalue(L, 2);
        lua_pushvalue(L, 3);
        lua_rawset(L, 1);
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_replace(L, 1);
    return push_value(L, lua_touserdata(L, 1));
}

/* ws is 1 of L; the last step is the one that counts. */
static void
give_own_metatable(lua_State *L)
{
    int top = lua_gettop(L), own = push_own_table(L, 1), meta;

    lua_createtable(L, 0, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, own_index, 3);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, own);
    lua_createtable(L, 0, META_FIELDS);
    meta = lua_gettop(L);
    lua_getmetatable(L, 1);
    for (lua_pushnil(L); lua_next(L, meta + 1) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, meta);
    }
    lua_pop(L, 1);
    lua_pushvalue(L, own);
    lua_setfield(L, meta, "__index");
    lua_setmetatable(L, 1);
    lua_settop(L, top);
}

/* __index; upvalues: methods, names of fields to their numbers */
static int
ws_index(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws");

    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        return push_value(L, ws);
    if (++ws->lookups == BUSY)
        give_own_metatable(L);
    return 1;
}

void
weft_ws_set_own(lua_State *L, int ws, int name, int value)
{
    push_own_table(L, ws);
    lua_pushvalue(L, name);
    lua_pushvalue(L, value);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static bool
is_ours(lua_State *L, int name)
{
    bool ours;

    lua_pushvalue(L, name);
    ours = lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL;
    lua_pop(L, 1);
    if (ours)
        return true;
    lua_pushvalue(L, name);
    ours = lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL;
    lua_pop(L, 1);
    return ours;
}

/* __newindex; the same upvalues */
static int
ws_newindex(lua_State *L)
{
    weft_check_ws(L, 1, "ws");
    if (lua_isnil(L, 2)
        || (lua_type(L, 2) == LUA_TNUMBER
            && lua_tonumber(L, 2) != lua_tonumber(L, 2)))
        return weft_raise(L, "ws: a field's name cannot be nil or NaN");
    if (is_ours(L, 2))
        return weft_raise(L, "ws.%s is weft's own and cannot be assigned",
                          lua_tostring(L, 2));
    weft_ws_set_own(L, 1, 2, 3);
    return 0;
}

void
weft_fields_attach(lua_State *L, int meta, int methods)
{
    int n = (int)(sizeof(field_names) / sizeof(field_names[0]));

    lua_newtable(L);
    for (int f = 1; f < n; f++) {
        lua_pushinteger(L, f);
        lua_setfield(L, -2, field_names[f]);
    }
    lua_pushvalue(L, methods);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, ws_index, 2);
    lua_setfield(L, meta, "__index");
    lua_pushvalue(L, methods);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, ws_newindex, 2);
    lua_setfield(L, meta, "__newindex");
    lua_pop(L, 1);
}
