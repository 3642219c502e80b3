/*
 * Listening, and the answers to requests.  Who is welcome is Lua's to say.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lua/check.h"
#include "lua/head.h"
#include "lua/l_config.h"
#include "lua/l_link.h"
#include "net/resolve.h"

enum { ACCEPT_MAX = 64 }; /* connections taken in one turn */

/* ---- listening */

static int
push_listen_error(lua_State *L, const char *what, int error)
{
    const char *code = error == EADDRINUSE ? "in_use"
                       : error == EACCES || error == EPERM ? "permission"
                                                           : "system";

    lua_pushnil(L);
    lua_pushfstring(L, "listen on %s: %s", what, strerror(error));
    lua_pushstring(L, code);
    return 3;
}

/* The address to listen on; 0, or how many values it pushed instead. */
static int
find_address(lua_State *L, struct weft_addr *a)
{
    struct weft_span unix_path = weft_span_field(L, 2, "unix");
    struct weft_span host = weft_span_field(L, 2, "host");
    const char *why;
    uint16_t port;

    if (unix_path.len > 0) {
        if (weft_addr_unix(a, unix_path.data))
            return 0;
        return push_listen_error(L, unix_path.data, ENAMETOOLONG);
    }
    lua_getfield(L, 2, "port");
    port = (uint16_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (weft_addr_parse(a, host.data, port)
        || weft_resolve_now(host.data, port, a, 1, &why) == 1)
        return 0;
    lua_pushnil(L);
    lua_pushfstring(L, "look up %s: %s", host.data, why);
    lua_pushliteral(L, "dns");
    return 3;
}

static lua_Integer
integer_field(lua_State *L, int index, const char *name)
{
    lua_Integer v;

    lua_getfield(L, index, name);
    v = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return v;
}

static bool
boolean_field(lua_State *L, int index, const char *name)
{
    bool v;

    lua_getfield(L, index, name);
    v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

/* "127.0.0.1:80", "[::1]:80" or a path, for messages */
static const char *
push_address(lua_State *L, const struct weft_addr *a)
{
    char host[WEFT_ADDR_TEXT];
    int port = weft_addr_port(a);

    weft_addr_host(a, host);
    if (a->storage.ss_family == AF_UNIX)
        return lua_pushstring(L, host);
    return lua_pushfstring(L, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d",
                           host, port);
}

/* core.listen(loop, spec) -> listener, or nil, message, code */
static int
core_listen(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_config *config = weft_config_field(L, 2);
    struct weft_server *s;
    struct weft_addr address;
    enum weft_status rc;
    int n = find_address(L, &address);

    if (n > 0)
        return n;
    s = weft_new_userdata(L, sizeof(*s), WEFT_SERVER_TYPE, 2);
    s->listener.watch.fd = -1;
    weft_list_init(&s->waiters);
    lua_getfield(L, 2, "handler");
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 2);
    weft_anchor(L, I, s, -1); /* while it listens */
    rc = weft_listener_init(&s->listener, &I->loop, config, &address,
                            (int)integer_field(L, 2, "backlog"),
                            boolean_field(L, 2, "reuse_port"),
                            boolean_field(L, 2, "dual"));
    if (rc != WEFT_OK) {
        int error = rc == WEFT_E_MEMORY ? ENOMEM : errno;

        weft_unanchor(L, I, s);
        return push_listen_error(L, push_address(L, &address), error);
    }
    s->instance = I;
    s->listening = true;
    I->server_count++;
    weft_list_add(&I->servers, &s->node);
    return 1;
}

/* A connection to accept into; its handler is the server's. */
static struct weft_ws *
new_connection(lua_State *L, struct weft_server *s, int server)
{
    struct weft_ws *ws = weft_ws_new(L, 0, s->instance, s->listener.config,
                                     WEFT_SERVER);

    lua_getiuservalue(L, server, 1);
    lua_setiuservalue(L, -2, 3);
    return ws;
}

void
weft_server_service(lua_State *L, struct weft_server *s)
{
    int top = lua_gettop(L);
    struct weft_ws *ws = NULL;
    enum weft_status rc;

    weft_push_anchored(L, s->instance, s);
    for (int i = 0; i < ACCEPT_MAX; i++) {
        if (ws == NULL) {
            lua_settop(L, top + 1);
            ws = new_connection(L, s, top + 1);
        }
        weft_ws_hold(L, ws, top + 2, WEFT_HOLD_OPENING); /* may raise */
        rc = weft_listener_accept(&s->listener, &ws->link);
        if (rc == WEFT_OK) {
            ws = NULL;
            continue;
        }
        weft_ws_unhold(L, ws, WEFT_HOLD_OPENING);
        if (rc == WEFT_MORE)
            break;
        if (ws->link.state != WEFT_LINK_IDLE)
            ws = NULL;
    }
    lua_settop(L, top);
}

static struct weft_server *
check_server(lua_State *L, const char *call)
{
    return weft_check(L, 1, WEFT_SERVER_TYPE, call);
}

/* listener:address() -> host or path, port */
static int
server_address(lua_State *L)
{
    struct weft_server *s = check_server(L, "server:address");
    char host[WEFT_ADDR_TEXT];

    weft_addr_host(&s->listener.address, host);
    lua_pushstring(L, host);
    if (s->listener.address.storage.ss_family == AF_UNIX)
        return 1;
    lua_pushinteger(L, weft_addr_port(&s->listener.address));
    return 2;
}

static bool
is_upgraded(const struct weft_link *k)
{
    return k->state == WEFT_LINK_OPEN
           || (k->state == WEFT_LINK_LINGER && k->request.data != NULL);
}

/* listener:count() */
static int
server_count(lua_State *L)
{
    struct weft_server *s = check_server(L, "server:count");
    lua_Integer count = 0;
    struct weft_node *n;

    if (s->instance != NULL && s->listener.loop != NULL)
        for (n = s->listener.links.next; n != &s->listener.links;
             n = n->next)
            count += is_upgraded(WEFT_CONTAINER(n, struct weft_link,
                                                member));
    lua_pushinteger(L, count);
    return 1;
}

static int
push_connections(lua_State *L, bool all)
{
    struct weft_server *s = check_server(L, "server:connections");
    struct weft_node *n;
    lua_Integer i = 0;

    lua_newtable(L);
    if (s->instance == NULL || s->listener.loop == NULL)
        return 1;
    for (n = s->listener.links.next; n != &s->listener.links; n = n->next) {
        struct weft_link *k = WEFT_CONTAINER(n, struct weft_link, member);

        if (!all && !is_upgraded(k))
            continue;
        weft_push_anchored(L, s->instance, k);
        if (lua_isnil(L, -1))
            lua_pop(L, 1);
        else
            lua_rawseti(L, -2, ++i);
    }
    return 1;
}

static int
server_connections(lua_State *L)
{
    return push_connections(L, false);
}

static int
server_all(lua_State *L)
{
    return push_connections(L, true);
}

static void
stop(lua_State *L, struct weft_server *s)
{
    if (!s->listening)
        return;
    s->listening = false;
    weft_listener_stop(&s->listener);
    s->instance->server_count--;
    weft_server_check_empty(s);
    weft_unanchor(L, s->instance, s);
}

/* listener:stop() */
static int
server_stop(lua_State *L)
{
    stop(L, check_server(L, "server:close"));
    return 0;
}

static int
server_is_open(lua_State *L)
{
    lua_pushboolean(L, check_server(L, "server")->listening);
    return 1;
}

void
weft_server_check_empty(struct weft_server *s)
{
    struct weft_node *n = s->waiters.next, *next;

    for (; n != &s->waiters; n = next) {
        struct weft_wait *w = WEFT_CONTAINER(n, struct weft_wait, node);

        next = n->next;
        if (!s->listening && s->listener.total <= w->allow)
            weft_wake(w, WEFT_DONE);
    }
}

/* listener:wait_empty(timeout, allow) */
static int
server_wait_empty(lua_State *L)
{
    struct weft_server *s = check_server(L, "server:close");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "server:close",
                                        "grace");
    uint32_t allow = (uint32_t)luaL_optinteger(L, 3, 0);
    struct weft_wait *w;

    if (!s->listening && s->listener.total <= allow) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, s->instance, "server:close");
    if (w == NULL)
        return weft_push_failure(L, "cancelled");
    w->kind = WEFT_WAIT_EMPTY;
    w->u.server = s;
    w->allow = allow;
    weft_list_add(&s->waiters, &w->node);
    return weft_wait_park(L, w, seconds);
}

static void
set_count(lua_State *L, const char *name, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, name);
}

/* listener:stats() */
static int
server_stats(lua_State *L)
{
    struct weft_server *s = check_server(L, "server:stats");

    lua_createtable(L, 0, 4);
    set_count(L, "accepted", s->listener.accepted);
    set_count(L, "upgraded", s->listener.upgraded);
    set_count(L, "refused", s->listener.refused);
    set_count(L, "connections", s->listener.total);
    return 1;
}

static int
server_gc(lua_State *L)
{
    struct weft_server *s = lua_touserdata(L, 1);

    if (s->instance == NULL)
        return 0;
    weft_node_unlink(&s->node);
    stop(L, s);
    weft_listener_deinit(&s->listener);
    s->instance = NULL;
    return 0;
}

/* ---- answering */

static struct weft_ws *
asked(lua_State *L, const char *call)
{
    return weft_check_ws(L, 1, call);
}

/* core.request_kind(ws) */
static int
core_request_kind(lua_State *L)
{
    struct weft_ws *ws = asked(L, "request_kind");

    if (ws->link.opening == NULL)
        return weft_push_closed(L, &ws->link);
    lua_pushstring(L, ws->link.opening->kind == WEFT_REQUEST_WEBSOCKET
                          ? "websocket"
                          : "http");
    return 1;
}

#define PARSED_TYPE "weft.ParsedHead"

static int
parsed_gc(lua_State *L)
{
    weft_http_deinit(lua_touserdata(L, 1));
    return 0;
}

/* A head that was kept as bytes; the parser's table is the collector's. */
static void
push_parsed(lua_State *L, enum weft_http_kind kind, struct weft_span bytes)
{
    struct weft_http_head *h = weft_new_userdata(L, sizeof(*h), PARSED_TYPE,
                                                 0);

    weft_http_init(h, kind, UINT32_MAX, UINT32_MAX);
    if (weft_http_read(h, bytes.data, bytes.len) == WEFT_OK)
        weft_push_head(L, h, bytes.data);
    else
        lua_pushnil(L);
    weft_http_deinit(h);
    lua_remove(L, -2);
}

/* core.head(ws, which) -> table, or nil */
static int
core_head(lua_State *L)
{
    struct weft_ws *ws = asked(L, "head");
    bool response = strcmp(luaL_checkstring(L, 2), "response") == 0;
    const struct weft_link *k = &ws->link;
    const struct weft_buf *kept = response ? &k->response : &k->request;
    struct weft_span bytes = { (const char *)weft_buf_head(kept),
                               weft_buf_len(kept) };

    if (k->opening != NULL && !response && k->role == WEFT_SERVER) {
        weft_push_head(L, &k->opening->head,
                       weft_opening_head(k->opening).data);
        return 1;
    }
    if (bytes.len == 0) {
        lua_pushnil(L);
        return 1;
    }
    push_parsed(L, response ? WEFT_HTTP_RESPONSE : WEFT_HTTP_REQUEST, bytes);
    return 1;
}

/* core.body(ws) */
static int
core_body(lua_State *L)
{
    const struct weft_buf *b = &asked(L, "body")->link.body;

    lua_pushlstring(L, b->data != NULL ? (const char *)weft_buf_head(b) : "",
                    weft_buf_len(b));
    return 1;
}

/* core.origin_allowed(ws, origins) */
static int
core_origin_allowed(lua_State *L)
{
    struct weft_ws *ws = asked(L, "origin_allowed");
    const struct weft_opening *o = ws->link.opening;
    struct weft_span *allowed, origin;
    size_t count;

    if (o == NULL)
        return weft_push_closed(L, &ws->link);
    allowed = weft_list_at(L, 2, &count);
    origin = weft_opening_field(o, "origin");
    lua_pushboolean(L, weft_http_count(&o->head, weft_opening_head(o).data,
                                       "origin") == 0
                           || weft_origin_allowed(
                               origin,
                               weft_http_host(&o->head,
                                              weft_opening_head(o).data),
                               allowed, count));
    return 1;
}

/* core.choose_protocol(ws, protocols) */
static int
core_choose_protocol(lua_State *L)
{
    struct weft_ws *ws = asked(L, "choose_protocol");
    const struct weft_opening *o = ws->link.opening;
    struct weft_span *spoken;
    size_t count;
    int i;

    if (o == NULL)
        return weft_push_closed(L, &ws->link);
    spoken = weft_list_at(L, 2, &count);
    i = weft_handshake_choose(&o->head, weft_opening_head(o).data, spoken,
                              count);
    if (i < 0)
        lua_pushnil(L);
    else
        lua_rawgeti(L, 2, i + 1);
    return 1;
}

static int
push_answered(lua_State *L, struct weft_ws *ws, enum weft_status rc)
{
    weft_ws_update_holds(L, ws, 1);
    if (rc == WEFT_E_MEMORY)
        return weft_raise(L, "out of memory");
    if (rc != WEFT_OK)
        return weft_push_closed(L, &ws->link);
    lua_pushboolean(L, 1);
    return 1;
}

/* core.accept(ws, protocol, headers) */
static int
core_accept(lua_State *L)
{
    struct weft_ws *ws = asked(L, "accept");
    struct weft_span protocol = { "", 0 }, headers = { "", 0 };

    if (!lua_isnoneornil(L, 2))
        protocol.data = luaL_checklstring(L, 2, &protocol.len);
    if (!lua_isnoneornil(L, 3))
        headers.data = luaL_checklstring(L, 3, &headers.len);
    return push_answered(L, ws,
                         weft_link_accept(&ws->link, protocol, headers));
}

/* core.respond(ws, status, headers, body) */
static int
core_respond(lua_State *L)
{
    struct weft_ws *ws = asked(L, "respond");
    unsigned status = (unsigned)luaL_checkinteger(L, 2);
    struct weft_span headers, body;

    headers.data = luaL_checklstring(L, 3, &headers.len);
    body.data = luaL_checklstring(L, 4, &body.len);
    return push_answered(L, ws, weft_link_respond(&ws->link, status, headers,
                                                  body));
}

/* core.set_events(ws, events) */
static int
core_set_events(lua_State *L)
{
    struct weft_ws *ws = asked(L, "set_events");

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, 3);
    weft_ws_hold(L, ws, 1, WEFT_HOLD_EVENTS);
    ws->has_events = true;
    weft_link_want(&ws->link, true);
    weft_loop_again(&ws->instance->loop, &ws->link.work);
    return 0;
}

/* core.set_field(ws, name, value) */
static int
core_set_field(lua_State *L)
{
    asked(L, "set_field");
    weft_ws_set_own(L, 1, 2, 3);
    return 0;
}

/* core.cancel_handler(ws) */
static int
core_cancel_handler(lua_State *L)
{
    struct weft_ws *ws = asked(L, "cancel_handler");

    if (ws->handler != NULL)
        weft_task_cancel(L, ws->handler);
    return 0;
}

/* core.is_own_handler(ws) */
static int
core_is_own_handler(lua_State *L)
{
    struct weft_ws *ws = asked(L, "is_own_handler");
    struct weft_task *t = ws->instance->state->task;

    lua_pushboolean(L, t != NULL && (t == ws->handler || t->serves == ws));
    return 1;
}

/* core.shutdown(ws) */
static int
core_shutdown(lua_State *L)
{
    struct weft_ws *ws = asked(L, "shutdown");
    struct weft_link *k = &ws->link;

    if (k->state == WEFT_LINK_HANDSHAKE)
        weft_link_abort(k, WEFT_CAUSE_SHUTDOWN, NULL);
    else if (k->state == WEFT_LINK_OPEN)
        weft_link_close(k, 1001, (struct weft_span){ "", 0 },
                        WEFT_CAUSE_SHUTDOWN);
    weft_ws_update_holds(L, ws, 1);
    return 0;
}

void
weft_server_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", server_gc }, { NULL, NULL } };
    static const luaL_Reg parsed[] = { { "__gc", parsed_gc },
                                       { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "address", server_address },
        { "count", server_count },
        { "connections", server_connections },
        { "all", server_all },
        { "stop", server_stop },
        { "is_open", server_is_open },
        { "wait_empty", server_wait_empty },
        { "stats", server_stats },
        { NULL, NULL },
    };
    static const luaL_Reg functions[] = {
        { "listen", core_listen },
        { "request_kind", core_request_kind },
        { "head", core_head },
        { "body", core_body },
        { "origin_allowed", core_origin_allowed },
        { "choose_protocol", core_choose_protocol },
        { "accept", core_accept },
        { "respond", core_respond },
        { "set_events", core_set_events },
        { "set_field", core_set_field },
        { "cancel_handler", core_cancel_handler },
        { "is_own_handler", core_is_own_handler },
        { "shutdown", core_shutdown },
        { NULL, NULL },
    };

    weft_new_type(L, WEFT_SERVER_TYPE, meta, methods);
    weft_new_type(L, PARSED_TYPE, parsed, NULL);
    luaL_setfuncs(L, functions, 0);
}
