/*
 * Settings from Lua tables that options.lua has checked.
 */
#include "lua/l_config.h"

#include <math.h>

#include "base/mem.h"
#include "lua/state.h"

static double
number(lua_State *L, int index, const char *name)
{
    double v;

    if (lua_getfield(L, index, name) != LUA_TNUMBER)
        luaL_error(L, "config: option '%s' is missing", name);
    v = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return v;
}

static uint64_t
size_of(lua_State *L, int index, const char *name)
{
    double v = number(L, index, name);

    return v >= 9e18 ? UINT64_MAX : v > 0 ? (uint64_t)v : 0;
}

static uint32_t
count_of(lua_State *L, int index, const char *name)
{
    uint64_t v = size_of(L, index, name);

    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static int64_t
time_of(lua_State *L, int index, const char *name)
{
    return weft_nanoseconds(number(L, index, name));
}

struct box {
    struct weft_config *config;
};

static bool
flag_of(lua_State *L, int index, const char *name)
{
    bool on;

    lua_getfield(L, index, name);
    on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* A small number that options.lua has bounded; -1 is the least. */
static int8_t
small_of(lua_State *L, int index, const char *name)
{
    double v = number(L, index, name);

    if (!(v >= -1 && v <= INT8_MAX))
        luaL_error(L, "config: option '%s' is out of range", name);
    return (int8_t)v;
}

static uint8_t
bits_of(lua_State *L, int index, const char *name)
{
    int8_t v = small_of(L, index, name);

    return v > 0 ? (uint8_t)v : 0;
}

struct weft_deflate_options
weft_deflate_field(lua_State *L, int index, const char *name)
{
    struct weft_deflate_options o = { 0 };
    int at;

    if (lua_getfield(L, index, name) == LUA_TTABLE) {
        at = lua_gettop(L);
        o = (struct weft_deflate_options){
            .on = true,
            .server_no_context_takeover =
                flag_of(L, at, "server_no_context_takeover"),
            .client_no_context_takeover =
                flag_of(L, at, "client_no_context_takeover"),
            .server_max_window_bits =
                bits_of(L, at, "server_max_window_bits"),
            .client_max_window_bits =
                bits_of(L, at, "client_max_window_bits"),
            .window_bits = bits_of(L, at, "window_bits"),
            .level = small_of(L, at, "level"),
            .mem_level = bits_of(L, at, "mem_level"),
            .threshold = (size_t)size_of(L, at, "threshold"),
        };
    }
    lua_pop(L, 1);
    return o;
}

/* The field "rate": what options.lua makes of it, or nil. */
static struct weft_rate
rate_field(lua_State *L, int index)
{
    struct weft_rate r = { 0 };
    int at;

    if (lua_getfield(L, index, "rate") == LUA_TTABLE) {
        at = lua_gettop(L);
        r = (struct weft_rate){
            .messages = number(L, at, "messages"),
            .bytes = number(L, at, "bytes"),
            .burst = number(L, at, "burst"),
        };
    }
    lua_pop(L, 1);
    return r;
}

/* Fills a config on the C stack: what can raise owns nothing. */
static void
read_config(lua_State *L, struct weft_config *c)
{
    c->references = 1;
    c->limits.max_message = size_of(L, 1, "max_message");
    c->limits.max_frame = size_of(L, 1, "max_frame");
    c->limits.max_fragments = count_of(L, 1, "max_fragments");
    c->deflate = weft_deflate_field(L, 1, "compression");
    c->max_header = count_of(L, 1, "max_header");
    c->max_headers = count_of(L, 1, "max_headers");
    c->max_body = size_of(L, 1, "max_body");
    c->handshake_timeout = time_of(L, 1, "handshake_timeout");
    c->idle_timeout = time_of(L, 1, "idle_timeout");
    c->close_timeout = time_of(L, 1, "close_timeout");
    c->write_timeout = time_of(L, 1, "write_timeout");
    c->ping_interval = time_of(L, 1, "ping_interval");
    c->ping_timeout = time_of(L, 1, "ping_timeout");
    c->send_buffer = (size_t)size_of(L, 1, "send_buffer");
    c->receive_buffer = (size_t)size_of(L, 1, "receive_buffer");
    c->rate = rate_field(L, 1);
    if (size_of(L, 1, "memory_limit") < SIZE_MAX)
        c->memory_limit = (size_t)size_of(L, 1, "memory_limit");
    lua_getfield(L, 1, "nodelay");
    c->nodelay = lua_isnil(L, -1) || lua_toboolean(L, -1);
    lua_pop(L, 1);
}

/* Whether this build can compress: core.compression */
static void
tell_compression(lua_State *L)
{
    lua_pushboolean(L, weft_deflate_available());
    lua_setfield(L, -2, "compression");
}

/* core.config(options) -> config */
static int
core_config(lua_State *L)
{
    struct weft_config c = { 0 };
    struct box *box;

    luaL_checktype(L, 1, LUA_TTABLE);
    read_config(L, &c);
    box = weft_new_userdata(L, sizeof(*box), WEFT_CONFIG_TYPE, 0);
    box->config = weft_realloc(NULL, sizeof(c));
    if (box->config == NULL)
        return luaL_error(L, "config: out of memory");
    *box->config = c;
    return 1;
}

static int
config_gc(lua_State *L)
{
    struct box *box = lua_touserdata(L, 1);

    weft_config_release(box->config);
    box->config = NULL;
    return 0;
}

struct weft_config *
weft_config_field(lua_State *L, int index)
{
    struct box *box;

    lua_getfield(L, index, "config");
    box = luaL_checkudata(L, -1, WEFT_CONFIG_TYPE);
    lua_pop(L, 1);
    return box->config;
}

struct weft_span
weft_span_field(lua_State *L, int index, const char *name)
{
    struct weft_span s = { "", 0 };

    if (lua_getfield(L, index, name) == LUA_TSTRING)
        s.data = lua_tolstring(L, -1, &s.len);
    lua_pop(L, 1);
    return s;
}

struct weft_span *
weft_list_at(lua_State *L, int index, size_t *count)
{
    struct weft_span *list;
    size_t n = lua_istable(L, index) ? (size_t)lua_rawlen(L, index) : 0;

    index = lua_absindex(L, index);
    *count = n;
    if (n == 0) {
        lua_pushnil(L);
        return NULL;
    }
    list = lua_newuserdatauv(L, n * sizeof(*list), 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "expected a list of strings");
        list[i].data = lua_tolstring(L, -1, &list[i].len);
        lua_pop(L, 1);
    }
    return list;
}

struct weft_span *
weft_list_field(lua_State *L, int index, const char *name, size_t *count)
{
    struct weft_span *list;

    lua_getfield(L, index, name);
    list = weft_list_at(L, -1, count);
    lua_remove(L, -2);
    return list;
}

void
weft_config_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", config_gc }, { NULL, NULL } };

    weft_new_type(L, WEFT_CONFIG_TYPE, meta, NULL);
    lua_pushcfunction(L, core_config);
    lua_setfield(L, -2, "config");
    tell_compression(L);
}
