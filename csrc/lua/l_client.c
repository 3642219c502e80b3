/*
 * Connecting, pairs, and handlers of these.  Options and URLs are Lua's to
 * understand.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lua/l_config.h"
#include "lua/check.h"
#include "lua/l_link.h"
#include "lua/l_tls.h"
#include "net/sock.h"

/* The request that a spec describes; leaves its list on the stack. */
static void
read_request(lua_State *L, int spec, struct weft_client_request *r)
{
    *r = (struct weft_client_request){
        .host = weft_span_field(L, spec, "host_header"),
        .target = weft_span_field(L, spec, "target"),
        .origin = weft_span_field(L, spec, "origin"),
        .user_agent = weft_span_field(L, spec, "user_agent"),
        .headers = weft_span_field(L, spec, "headers"),
    };
    r->protocols = weft_list_field(L, spec, "protocols", &r->protocol_count);
}

static uint16_t
port_field(lua_State *L, int index)
{
    uint16_t port;

    lua_getfield(L, index, "port");
    port = (uint16_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return port;
}

static const char *
text_field(lua_State *L, int index, const char *name)
{
    struct weft_span s = weft_span_field(L, index, name);

    return s.len > 0 ? s.data : NULL;
}

/* The proxy that a spec names; its table keeps the strings. */
static void
read_proxy(lua_State *L, int spec, struct weft_route *to)
{
    struct weft_tunnel_request *t = &to->tunnel;
    const char *zone;

    if (lua_getfield(L, spec, "proxy") == LUA_TTABLE) {
        const char *kind = text_field(L, -1, "kind");

        to->proxy_host = text_field(L, -1, "host");
        to->proxy_port = port_field(L, -1);
        t->kind = kind != NULL && strcmp(kind, "socks5") == 0
                      ? WEFT_TUNNEL_SOCKS5
                      : WEFT_TUNNEL_HTTP;
        t->user = weft_span_field(L, -1, "user");
        t->password = weft_span_field(L, -1, "password");
    }
    lua_pop(L, 1);
    t->host = weft_span_field(L, spec, "host");
    zone = t->host.len > 0 ? memchr(t->host.data, '%', t->host.len) : NULL;
    if (zone != NULL) /* it means nothing to the proxy */
        t->host.len = (size_t)(zone - t->host.data);
    t->port = to->port;
    t->user_agent = weft_span_field(L, spec, "user_agent");
}

static void
read_route(lua_State *L, int spec, struct weft_route *to)
{
    *to = (struct weft_route){
        .host = weft_span_field(L, spec, "host").data,
        .port = port_field(L, spec),
        .unix_path = text_field(L, spec, "unix"),
        .tls = weft_tls_field(L, spec),
        .tls_name = text_field(L, spec, "tls_name"),
    };
    read_proxy(L, spec, to);
}

/* The link could not even begin; it tells who asks. */
static void
not_begun(lua_State *L, struct weft_ws *ws, enum weft_status rc)
{
    ws->link.error = "system";
    weft_link_abort(&ws->link, WEFT_CAUSE_ERROR,
                    rc == WEFT_E_MEMORY ? "out of memory"
                                        : weft_error_words(errno));
    if (ws->link.state == WEFT_LINK_IDLE)
        weft_raise(L, "weft.connect: out of memory");
}

/* What somebody has read of the first attempt is not of the next. */
static void
forget_heads(lua_State *L, int ws)
{
    static const char *const names[] = { "request", "response", "tls" };

    if (lua_getiuservalue(L, ws, 1) == LUA_TTABLE)
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            lua_pushnil(L);
            lua_setfield(L, -2, names[i]);
        }
    lua_pop(L, 1);
}

bool
weft_ws_redirect(lua_State *L, struct weft_ws *ws)
{
    struct weft_link *k = &ws->link;
    struct weft_client_request r;
    struct weft_route to;
    enum weft_status rc;
    int spec;

    if (k->error == NULL || strcmp(k->error, "handshake") != 0
        || weft_link_kept(k, WEFT_KEPT_RESPONSE).data == NULL)
        return false;
    ws->redirects = false; /* asked once for each refusal */
    weft_push_anchored(L, ws->instance, ws);
    lua_getiuservalue(L, -1, 4);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 2);
    spec = lua_gettop(L) - 1;
    if (!lua_istable(L, spec)) {
        if (lua_isstring(L, spec + 1))
            weft_link_explain(k, lua_tostring(L, spec + 1));
        return false;
    }
    read_route(L, spec, &to);
    read_request(L, spec, &r);
    forget_heads(L, spec - 1);
    rc = weft_link_redial(k, &to, &r);
    if (rc != WEFT_OK)
        not_begun(L, ws, rc);
    ws->redirects = true;
    return true;
}

int
weft_ws_push_open_outcome(lua_State *L, struct weft_ws *ws)
{
    const struct weft_link *k = &ws->link;

    if (k->error == NULL
        && (k->state != WEFT_LINK_CLOSED
            || weft_link_kept(k, WEFT_KEPT_REQUEST).data != NULL)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, k->close_message != NULL ? k->close_message
                                               : "cancelled");
    lua_pushstring(L, k->error != NULL ? k->error : "cancelled");
    return 3;
}

int
weft_ws_push_open_cancelled(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "connect: the task was cancelled");
    lua_pushliteral(L, "cancelled");
    return 3;
}

/* core.connect(loop, spec) -> ws */
static int
core_connect(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_config *config = weft_config_field(L, 2);
    struct weft_client_request r;
    struct weft_route to;
    struct weft_ws *ws;
    double seconds;
    enum weft_status rc;
    int self;

    lua_getfield(L, 2, "timeout");
    seconds = lua_tonumber(L, -1);
    lua_pop(L, 1);
    read_route(L, 2, &to);
    read_request(L, 2, &r);
    ws = weft_ws_new(L, 1, I, config, WEFT_CLIENT);
    self = lua_gettop(L);
    if (lua_getfield(L, 2, "redirect") == LUA_TFUNCTION) {
        ws->redirects = true;
        lua_setiuservalue(L, self, 4);
        weft_ws_hold(L, ws, self, WEFT_HOLD_OPENING);
    }
    lua_settop(L, self);
    weft_instance_touch(I);
    rc = weft_link_connect(&ws->link, &to, weft_nanoseconds(seconds), &r);
    if (rc != WEFT_OK)
        not_begun(L, ws, rc);
    return 1;
}

/* core.wait_open(ws) -> true, or nil, message, code */
static int
core_wait_open(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "weft.connect");
    struct weft_wait *w;
    int n;

    if (ws->link.state >= WEFT_LINK_OPEN)
        return weft_ws_push_open_outcome(L, ws);
    w = weft_wait_begin(L, ws->instance, "weft.connect");
    if (w == NULL) {
        n = weft_wait_refused(L, ws->instance);
        return n < 0 ? n : weft_ws_push_open_cancelled(L);
    }
    return weft_ws_wait(L, ws, w, WEFT_WAIT_OPEN, HUGE_VAL);
}

/* core.pair(loop, client_spec, server_spec) -> client, server */
static int
core_pair(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_config *client = weft_config_field(L, 2);
    struct weft_config *server = weft_config_field(L, 3);
    struct weft_client_request r;
    struct weft_span *spoken;
    struct weft_ws *a, *b;
    size_t count;
    enum weft_status rc;

    read_request(L, 2, &r);
    spoken = weft_list_field(L, 3, "protocols", &count);
    a = weft_ws_new(L, 1, I, client, WEFT_CLIENT);
    b = weft_ws_new(L, 1, I, server, WEFT_SERVER);
    weft_instance_touch(I);
    rc = weft_link_pair(&a->link, &b->link, &r, spoken, count);
    if (rc != WEFT_OK)
        return weft_raise(L, "weft.pair: %s", rc == WEFT_E_MEMORY
                                                  ? "out of memory"
                                                  : "the handshake failed");
    return 2;
}

/* Spawns the function with ws, both on L, as the handler of ws. */
static int
spawn_handler(lua_State *L)
{
    struct weft_ws *ws = lua_touserdata(L, 1);
    struct weft_task *t;

    lua_pushvalue(L, 1);
    t = weft_task_spawn(L, ws->instance, 1);
    t->handles = ws;
    ws->handler = t;
    return 0;
}

/* core.handle(ws, fn) */
static int
core_handle(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "handle");

    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_argcheck(L, ws->handler == NULL && !ws->has_events, 1,
                  "has a handler");
    lua_settop(L, 2);
    weft_ws_hold(L, ws, 1, WEFT_HOLD_HANDLER);
    lua_pushcfunction(L, spawn_handler);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) { /* memory is out */
        weft_ws_unhold(L, ws, WEFT_HOLD_HANDLER);
        return lua_error(L);
    }
    return 0;
}

void
weft_client_register(lua_State *L)
{
    static const luaL_Reg functions[] = { { "connect", core_connect },
                                          { "wait_open", core_wait_open },
                                          { "pair", core_pair },
                                          { "handle", core_handle },
                                          { NULL, NULL } };

    luaL_setfuncs(L, functions, 0);
}
