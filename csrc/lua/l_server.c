/*
 * Servers that listen, and the connections they accept.  It must not know how a
 * server came to listen.
 */
#include <errno.h>
#include <math.h>

#include "lua/check.h"
#include "lua/l_link.h"
#include "lua/l_tls.h"
#include "net/sock.h"

enum { ACCEPT_MAX = 64 }; /* connections taken in one turn */

/* Pushes a connection to accept into; its handler is the server's.  One that
 * came to nothing is there for the next: each would be a kilobyte of garbage. */
static struct weft_ws *
push_connection(lua_State *L, struct weft_server *s, int server)
{
    struct weft_ws *ws;

    if (lua_getiuservalue(L, server, 3) == LUA_TUSERDATA)
        return lua_touserdata(L, -1);
    lua_pop(L, 1);
    ws = weft_ws_new(L, server, s->instance, s->listener.config, WEFT_SERVER);
    ws->server = s;
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, server, 3);
    return ws;
}

void
weft_server_service(lua_State *L, struct weft_server *s)
{
    struct weft_instance *I = s->instance;
    int top = lua_gettop(L);
    enum weft_status rc = WEFT_OK;

    weft_push_anchored(L, I, s);
    for (int i = 0; i < ACCEPT_MAX && rc != WEFT_MORE
                    && !weft_turn_is_over(I); i++) {
        struct weft_ws *ws = push_connection(L, s, top + 1);

        weft_ws_hold(L, ws, top + 2, WEFT_HOLD_OPENING); /* may raise */
        rc = weft_listener_accept(&s->listener, &ws->link);
        if (ws->link.state != WEFT_LINK_IDLE) { /* it is no longer spare */
            lua_pushnil(L);
            lua_setiuservalue(L, top + 1, 3);
        }
        if (rc != WEFT_OK)
            weft_ws_unhold(L, ws, WEFT_HOLD_OPENING);
        I->done++;
        if (rc != WEFT_MORE)
            I->messages--;
        lua_settop(L, top + 1);
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
            count += weft_link_is_upgraded(
                WEFT_CONTAINER(n, struct weft_link, node));
    lua_pushinteger(L, count);
    return 1;
}

/* listener:opening() -> how many are at a handshake, or at the head of a
 * request */
static int
server_opening(lua_State *L)
{
    struct weft_server *s = check_server(L, "server:close");
    lua_Integer count = 0;
    struct weft_node *n;

    if (s->instance != NULL && s->listener.loop != NULL)
        for (n = s->listener.links.next; n != &s->listener.links;
             n = n->next)
            count += weft_link_is_opening(
                WEFT_CONTAINER(n, struct weft_link, node));
    lua_pushinteger(L, count);
    return 1;
}

/* Adds the connection to the list on the top of L, if it is anchored. */
static void
append(lua_State *L, struct weft_instance *I, const void *ws)
{
    weft_push_anchored(L, I, ws);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static int
push_connections(lua_State *L, bool all)
{
    struct weft_server *s = check_server(L, "server:connections");
    struct weft_node *n;

    lua_newtable(L);
    if (s->instance == NULL || s->listener.loop == NULL)
        return 1;
    for (n = s->listener.links.next; n != &s->listener.links; n = n->next) {
        struct weft_link *k = WEFT_CONTAINER(n, struct weft_link, node);

        if (all || weft_link_is_upgraded(k))
            append(L, s->instance, k);
    }
    for (n = s->late.next; all && n != &s->late; n = n->next)
        append(L, s->instance, WEFT_CONTAINER(n, struct weft_ws,
                                              link.node));
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

/* listener:rest(): accepts nothing until listener:wake() */
static int
server_rest(lua_State *L)
{
    weft_listener_rest(&check_server(L, "server")->listener);
    return 0;
}

/* listener:wake() */
static int
server_wake(lua_State *L)
{
    struct weft_server *s = check_server(L, "server");

    if (weft_listener_wake(&s->listener) != WEFT_OK)
        return weft_raise(L, "weft.serve: cannot accept: %s",
                          weft_error_words(errno));
    return 0;
}

/* listener:share() -> whether others can listen on its port now, by
 * reuse_port */
static int
server_share(lua_State *L)
{
    struct weft_server *s = check_server(L, "server");

    lua_pushboolean(L, weft_listener_share(&s->listener));
    return 1;
}

/* listener:disown(): in a worker, whose parent removes the path */
static int
server_disown(lua_State *L)
{
    weft_listener_disown(&check_server(L, "server")->listener);
    return 0;
}

/* listener:set_tls(context) */
static int
server_set_tls(lua_State *L)
{
    struct weft_server *s = check_server(L, "server:reload");

    if (s->listening)
        weft_listener_secure(&s->listener, weft_check_tls(L, 2));
    return 0;
}

static int
server_is_open(lua_State *L)
{
    lua_pushboolean(L, check_server(L, "server")->listening);
    return 1;
}

/* Connections of any kind, and handlers that outlive theirs. */
static uint32_t
unfinished(const struct weft_server *s)
{
    return s->listener.total + s->late_count;
}

void
weft_server_note_late(struct weft_server *s, struct weft_ws *ws, bool late)
{
    if (late == ws->late)
        return;
    ws->late = late;
    if (late) /* the listener has let go of it */
        weft_list_add(&s->late, &ws->link.node);
    else
        weft_node_unlink(&ws->link.node);
    s->late_count += late ? 1u : UINT32_MAX;
    weft_server_check_empty(s);
}

void
weft_server_check_empty(struct weft_server *s)
{
    struct weft_node *n = s->waiters.next, *next;

    for (; n != &s->waiters; n = next) {
        struct weft_wait *w = WEFT_CONTAINER(n, struct weft_wait, node);

        next = n->next;
        if (!s->listening && unfinished(s) <= w->allow)
            weft_wake(w, WEFT_DONE);
    }
}

/* listener:check_wait([more]): raises where wait_empty(), or for something more,
 * one would have to wait and cannot */
static int
server_check_wait(lua_State *L)
{
    const struct weft_server *s = check_server(L, "server:close");

    if ((unfinished(s) > 0 || lua_toboolean(L, 2)) && !s->instance->closed)
        weft_wait_check(L, s->instance, "server:close");
    return 0;
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

    if (!s->listening && unfinished(s) <= allow) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, s->instance, "server:close");
    if (w == NULL)
        return weft_wait_refused(L, s->instance);
    w->kind = WEFT_WAIT_EMPTY;
    w->u.server = s;
    w->allow = allow;
    weft_list_add(&s->waiters, &w->node);
    return weft_wait_park(L, w, seconds);
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
    weft_journal_deinit(&s->journal);
    s->instance = NULL;
    return 0;
}

void
weft_server_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", server_gc }, { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "address", server_address },
        { "count", server_count },
        { "opening", server_opening },
        { "connections", server_connections },
        { "all", server_all },
        { "stop", server_stop },
        { "rest", server_rest },
        { "wake", server_wake },
        { "share", server_share },
        { "disown", server_disown },
        { "set_tls", server_set_tls },
        { "is_open", server_is_open },
        { "check_wait", server_check_wait },
        { "wait_empty", server_wait_empty },
        { "stats", weft_server_stats },
        { "spread", weft_server_spread },
        { NULL, NULL },
    };
    static const luaL_Reg functions[] = {
        { "listen", weft_core_listen },
        { "refuses", weft_core_refuses },
        { NULL, NULL },
    };

    weft_new_type(L, WEFT_SERVER_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
}
