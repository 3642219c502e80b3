/*
 * What the specs' raw peers ask of LuaSocket, for a Lua that has none: streams
 * over IPv4 and Unix-domain sockets, most of which never wait.  See socket.lua.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#define TYPE "spec.Socket"

static int *
check_fd(lua_State *L)
{
    return luaL_checkudata(L, 1, TYPE);
}

static int
push_failure(lua_State *L)
{
    const char *why = strerror(errno);

    if (errno == EAGAIN || errno == EINPROGRESS)
        why = "timeout";
    else if (errno == EPIPE || errno == ECONNRESET)
        why = "closed";
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

static int
push_socket(lua_State *L, int fd)
{
    int *p;

    if (fd < 0)
        return push_failure(L);
    p = lua_newuserdatauv(L, sizeof(*p), 0);
    *p = fd;
    luaL_setmetatable(L, TYPE);
    return 1;
}

/* stream(is_unix [, waits]) */
static int
new_stream(lua_State *L)
{
    int flags = SOCK_STREAM | SOCK_CLOEXEC;

    return push_socket(L, socket(lua_toboolean(L, 1) ? AF_UNIX : AF_INET,
                                 lua_toboolean(L, 2) ? flags
                                                     : flags | SOCK_NONBLOCK,
                                 0));
}

/* The address in the arguments: host and port, or a path. */
static socklen_t
address(lua_State *L, struct sockaddr_storage *to)
{
    struct sockaddr_in *in = (struct sockaddr_in *)to;
    struct sockaddr_un *un = (struct sockaddr_un *)to;
    const char *host = luaL_checkstring(L, 2);

    memset(to, 0, sizeof(*to));
    if (lua_isnoneornil(L, 3)) {
        un->sun_family = AF_UNIX;
        strncpy(un->sun_path, host, sizeof(un->sun_path) - 1);
        return sizeof(*un);
    }
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)luaL_checkinteger(L, 3));
    in->sin_addr.s_addr = inet_addr(host);
    return sizeof(*in);
}

static int
push_result(lua_State *L, int result)
{
    if (result != 0)
        return push_failure(L);
    lua_pushinteger(L, 1);
    return 1;
}

static int
s_connect(lua_State *L)
{
    struct sockaddr_storage to;
    int fd = *check_fd(L);

    return push_result(L, connect(fd, (struct sockaddr *)&to, address(L, &to)));
}

static int
s_bind(lua_State *L)
{
    struct sockaddr_storage to;
    int fd = *check_fd(L), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return push_result(L, bind(fd, (struct sockaddr *)&to, address(L, &to)));
}

static int
s_listen(lua_State *L)
{
    return push_result(L, listen(*check_fd(L), (int)luaL_optinteger(L, 2, 64)));
}

static int
s_accept(lua_State *L)
{
    return push_socket(L, accept4(*check_fd(L), NULL, NULL,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/* s:send(bytes, first) -> last; or nil, why, last */
static int
s_send(lua_State *L)
{
    int fd = *check_fd(L);
    size_t len, at = (size_t)luaL_optinteger(L, 3, 1) - 1;
    const char *bytes = luaL_checklstring(L, 2, &len);
    ssize_t n = 0;

    while (at < len
           && (n = send(fd, bytes + at, len - at, MSG_NOSIGNAL)) > 0)
        at += (size_t)n;
    if (n < 0)
        push_failure(L);
    lua_pushinteger(L, (lua_Integer)at);
    return n < 0 ? 3 : 1;
}

/* s:receive(count) -> bytes; or nil, why, bytes */
static int
s_receive(lua_State *L)
{
    int fd = *check_fd(L);
    size_t wanted = (size_t)luaL_checkinteger(L, 2), got = 0;
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, wanted);
    ssize_t n = 1;

    while (got < wanted && (n = recv(fd, to + got, wanted - got, 0)) > 0)
        got += (size_t)n;
    if (n == 0)
        errno = EPIPE; /* its end */
    luaL_pushresultsize(&b, got);
    if (n > 0)
        return 1;
    push_failure(L);
    lua_pushvalue(L, -3);
    return 3;
}

static int
s_shutdown(lua_State *L)
{
    return push_result(L, shutdown(*check_fd(L), SHUT_WR));
}

static int
s_close(lua_State *L)
{
    int *fd = check_fd(L);

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return 0;
}

static int
s_getfd(lua_State *L)
{
    lua_pushinteger(L, *check_fd(L));
    return 1;
}

static int
s_setfd(lua_State *L)
{
    *check_fd(L) = (int)luaL_checkinteger(L, 2);
    return 0;
}

static int
push_name(lua_State *L,
          int (*name_of)(int, struct sockaddr *restrict, socklen_t *restrict))
{
    struct sockaddr_in in = { 0 };
    socklen_t len = sizeof(in);

    if (name_of(*check_fd(L), (struct sockaddr *)&in, &len) != 0)
        return push_failure(L);
    lua_pushstring(L, inet_ntoa(in.sin_addr));
    lua_pushinteger(L, ntohs(in.sin_port));
    return 2;
}

static int
s_getsockname(lua_State *L)
{
    return push_name(L, getsockname);
}

static int
s_getpeername(lua_State *L)
{
    return push_name(L, getpeername);
}

static int
s_settimeout(lua_State *L)
{
    check_fd(L); /* those that are told so never wait */
    return 0;
}

/* s:setoption(name, value): sizes of buffers, and "linger" for a reset */
static int
s_setoption(lua_State *L)
{
    int fd = *check_fd(L), value = (int)lua_tointeger(L, 3);
    const char *name = luaL_checkstring(L, 2);
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    if (strcmp(name, "linger") == 0)
        return push_result(L, setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset,
                                         sizeof(reset)));
    if (strcmp(name, "tcp-nodelay") == 0)
        return push_result(L, 0);
    return push_result(
        L, setsockopt(fd, SOL_SOCKET,
                      strcmp(name, "recv-buffer-size") == 0 ? SO_RCVBUF
                                                            : SO_SNDBUF,
                      &value, sizeof(value)));
}

/* s:getoption("error") -> words, or nil */
static int
s_getoption(lua_State *L)
{
    int error = 0;
    socklen_t len = sizeof(error);

    getsockopt(*check_fd(L), SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0)
        lua_pushnil(L);
    else
        lua_pushstring(L, strerror(error));
    return 1;
}

/* readable(fd, seconds) -> whether it is, in time */
static int
readable(lua_State *L)
{
    struct pollfd p = { (int)luaL_checkinteger(L, 1), POLLIN, 0 };

    lua_pushboolean(L, poll(&p, 1, (int)(luaL_checknumber(L, 2) * 1000)) > 0);
    return 1;
}

int luaopen_sockets(lua_State *L);

int
luaopen_sockets(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "connect", s_connect },         { "bind", s_bind },
        { "listen", s_listen },           { "accept", s_accept },
        { "send", s_send },               { "receive", s_receive },
        { "shutdown", s_shutdown },       { "close", s_close },
        { "getfd", s_getfd },             { "setfd", s_setfd },
        { "getsockname", s_getsockname }, { "getpeername", s_getpeername },
        { "settimeout", s_settimeout },   { "setoption", s_setoption },
        { "getoption", s_getoption },     { "__gc", s_close },
        { NULL, NULL },
    };

    luaL_newmetatable(L, TYPE);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, new_stream);
    lua_setfield(L, -2, "stream");
    lua_pushcfunction(L, readable);
    lua_setfield(L, -2, "readable");
    return 1;
}
