/*
 * core.listen: a server from its address, or from a socket that listens already.
 * It must not know what becomes of its connections.
 */
#include <errno.h>
#include <string.h>

#include "lua/check.h"
#include "lua/l_config.h"
#include "lua/l_ranges.h"
#include "lua/l_tls.h"
#include "lua/state.h"
#include "net/resolve.h"
#include "net/sock.h"

static int
push_listen_error(lua_State *L, const char *what, int error)
{
    const char *code = error == EADDRINUSE ? "in_use"
                       : error == EACCES || error == EPERM ? "permission"
                                                           : "system";

    lua_pushnil(L);
    lua_pushfstring(L, "listen on %s: %s", what, weft_error_words(error));
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

/* A limit: 0 when there is none. */
static uint32_t
most_field(lua_State *L, int index, const char *name)
{
    lua_Number v;

    lua_getfield(L, index, name);
    v = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return v > 0 && v < UINT32_MAX ? (uint32_t)v : 0;
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
        return lua_pushfstring(L, "%s", host);
    return lua_pushfstring(L, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d",
                           host, port);
}

/* For the server on the top of L, which keeps the ranges. */
static void
want_proxy_heads(lua_State *L, struct weft_server *s)
{
    const struct weft_range *trusted = NULL;
    size_t count = 0;

    if (lua_getfield(L, 2, "trusted") != LUA_TNIL)
        trusted = weft_check_ranges(L, -1, &count);
    lua_setiuservalue(L, -2, 4);
    weft_listener_want_proxy_heads(&s->listener, trusted, count);
}

/* The descriptor to listen on, or -1. */
static int
descriptor_field(lua_State *L)
{
    int fd;

    lua_getfield(L, 2, "fd");
    fd = lua_isnil(L, -1) ? -1 : (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return fd;
}

static int
push_adopt_error(lua_State *L, int fd, int error)
{
    lua_pushnil(L);
    lua_pushfstring(L, "listen on descriptor %d: %s", fd,
                    error == EINVAL || error == ENOTSOCK
                        ? "it is no listening stream socket"
                        : weft_error_words(error));
    lua_pushliteral(L, "system");
    return 3;
}

/* core.listen(loop, spec) -> listener, or nil, message, code */
int
weft_core_listen(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_config *config = weft_config_field(L, 2);
    struct weft_tls_context *tls = weft_tls_field(L, 2);
    struct weft_server *s;
    struct weft_addr address;
    enum weft_status rc;
    bool logs;
    int fd = descriptor_field(L);
    int n = fd < 0 ? find_address(L, &address) : 0;

    if (n > 0)
        return n;
    s = weft_new_userdata(L, sizeof(*s), WEFT_SERVER_TYPE, 7);
    s->listener.watch.fd = -1;
    weft_list_init(&s->waiters);
    weft_list_init(&s->late);
    lua_getfield(L, 2, "handler");
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 2);
    lua_getfield(L, 2, "plan");
    lua_setiuservalue(L, -2, 7);
    logs = weft_log_prepare(L, s, 2);
    weft_anchor(L, I, s, -1); /* while it listens */
    if (fd >= 0)
        rc = weft_listener_adopt(&s->listener, &I->loop, config, fd);
    else
        rc = weft_listener_init(&s->listener, &I->loop, config, &address,
                                (int)integer_field(L, 2, "backlog"),
                                boolean_field(L, 2, "reuse_port"),
                                boolean_field(L, 2, "dual"));
    if (rc != WEFT_OK) {
        int error = rc == WEFT_E_MEMORY ? ENOMEM : errno;

        weft_unanchor(L, I, s);
        if (fd >= 0)
            return push_adopt_error(L, fd, error);
        return push_listen_error(L, push_address(L, &address), error);
    }
    weft_listener_limit(&s->listener, most_field(L, 2, "max_connections"),
                        most_field(L, 2, "max_connections_per_address"));
    weft_listener_secure(&s->listener, tls);
    if (boolean_field(L, 2, "proxy_protocol"))
        want_proxy_heads(L, s);
    s->instance = I;
    s->listening = true;
    I->server_count++;
    weft_list_add(&I->servers, &s->node);
    if (logs)
        weft_log_begin(s);
    return 1;
}
