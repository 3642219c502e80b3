/*
 * Making a weft.Protocol from its options, which come here flat and checked;
 * what could crash is checked again.  It must not know what becomes of it.
 */
#include "lua/l_protocol.h"

#include <string.h>

#include "lua/check.h"
#include "lua/l_config.h"
#include "proto/endpoint.h"

/* The userdata's user values, which keep alive what its options point to. */
enum { USER_PROTOCOLS = 1, USER_ORIGINS, USER_HEADERS, USER_VALUES = 3 };

/* A list of strings in one userdata: the spans, then their bytes. */
struct list {
    size_t count;
    struct weft_span spans[];
};

/* Pushes the string under a name in the options, "" for nil. */
static struct weft_span
push_string(lua_State *L, const char *name)
{
    struct weft_span s = { "", 0 };

    if (lua_getfield(L, 2, name) == LUA_TNIL) {
        lua_pushliteral(L, "");
        lua_replace(L, -2);
    }
    s.data = weft_check_string(L, -1, &s.len, "core.protocol", name);
    return s;
}

/* How many bytes the first count strings of the list on top have. */
static size_t
measure_list(lua_State *L, const char *name, size_t count)
{
    size_t size = 0;

    for (size_t i = 1; i <= count; i++) {
        if (lua_rawgeti(L, -1, (lua_Integer)i) != LUA_TSTRING)
            weft_argument_error(L, -1, "core.protocol", name,
                                "a list of strings");
        size += lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return size;
}

/* Copies the strings of the list below the top into the one on top, which has
 * room for `size` bytes; a finalizer may have changed the list meanwhile. */
static void
copy_list(lua_State *L, struct list *list, size_t size)
{
    char *to = (char *)(list->spans + list->count);

    for (size_t i = 0; i < list->count; i++) {
        size_t len;
        const char *s;

        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        s = lua_tolstring(L, -1, &len);
        if (s == NULL || len > size) {
            luaL_error(L, "core.protocol: a list changed while it was read");
            return;
        }
        memcpy(to, s, len);
        list->spans[i] = (struct weft_span){ to, len };
        to += len;
        size -= len;
        lua_pop(L, 1);
    }
}

/* Copies the list under a name in the options to a user value of the userdata
 * at index 3. */
static const struct list *
keep_list(lua_State *L, const char *name, int user_value)
{
    int type = lua_getfield(L, 2, name);
    size_t count = 0, size = 0;
    struct list *list;

    if (type != LUA_TNIL && type != LUA_TTABLE)
        weft_argument_error(L, -1, "core.protocol", name,
                            "a list of strings");
    if (type == LUA_TTABLE) {
        count = lua_rawlen(L, -1);
        size = measure_list(L, name, count);
    }
    list = lua_newuserdatauv(
        L, sizeof(*list) + count * sizeof(list->spans[0]) + size, 0);
    list->count = count;
    copy_list(L, list, size);
    lua_setiuservalue(L, 3, user_value);
    lua_pop(L, 1);
    return list;
}

/* A number of bytes or pieces, at most `most`; math.huge is no limit. */
static uint64_t
get_limit(lua_State *L, const char *name, uint64_t missing, uint64_t most)
{
    lua_Number n;

    if (lua_getfield(L, 2, name) == LUA_TNIL) {
        lua_pop(L, 1);
        return missing;
    }
    n = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(n >= 0))
        weft_argument_error(L, -1, "core.protocol", name,
                            "a number, not negative");
    lua_pop(L, 1);
    return n < (lua_Number)most ? (uint64_t)n : most;
}

static uint32_t
get_count(lua_State *L, const char *name, uint32_t missing)
{
    return (uint32_t)get_limit(L, name, missing, UINT32_MAX);
}

/* What both sides have. */
static struct weft_endpoint_options
get_options(lua_State *L)
{
    uint64_t max_message = get_limit(L, "max_message", 1 << 20, UINT64_MAX);

    return (struct weft_endpoint_options){
        .limits.max_message = max_message,
        .limits.max_frame = get_limit(L, "max_frame", max_message,
                                      UINT64_MAX),
        .limits.max_fragments = get_count(L, "max_fragments", 1024),
        .max_header = get_count(L, "max_header", 16 * 1024),
        .max_headers = get_count(L, "max_headers", 100),
        .deflate = weft_deflate_field(L, 2, "compression"),
    };
}

static enum weft_status
begin_client(lua_State *L, struct weft_endpoint *e)
{
    struct weft_endpoint_options options = get_options(L);
    const struct list *protocols = keep_list(L, "protocols", USER_PROTOCOLS);
    struct weft_client_request *r = &options.request;
    enum weft_status rc;

    r->protocols = protocols->spans;
    r->protocol_count = protocols->count;
    r->host = push_string(L, "host_header");
    r->target = push_string(L, "target");
    if (r->target.len == 0)
        r->target = weft_http_text("/");
    r->origin = push_string(L, "origin");
    r->user_agent = push_string(L, "user_agent");
    r->headers = push_string(L, "headers");
    rc = weft_endpoint_client(e, &options);
    lua_settop(L, 3); /* the request is written; the list stays */
    return rc;
}

static enum weft_status
begin_server(lua_State *L, struct weft_endpoint *e)
{
    struct weft_endpoint_options options = get_options(L);
    const struct list *protocols = keep_list(L, "protocols", USER_PROTOCOLS);
    const struct list *origins = keep_list(L, "origins", USER_ORIGINS);

    options.protocols = protocols->spans;
    options.protocol_count = protocols->count;
    options.origins = origins->spans;
    options.origin_count = origins->count;
    options.headers = push_string(L, "headers");
    lua_setiuservalue(L, 3, USER_HEADERS);
    return weft_endpoint_server(e, &options);
}

int
weft_protocol_new(lua_State *L)
{
    static const char *const roles[] = { "server", "client", NULL };
    bool client = luaL_checkoption(L, 1, NULL, roles) == 1;
    struct weft_endpoint *e;
    enum weft_status rc;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    e = lua_newuserdatauv(L, sizeof(*e), USER_VALUES);
    *e = (struct weft_endpoint){ .over = true, .protocol = -1 };
    luaL_setmetatable(L, WEFT_PROTOCOL);
    rc = client ? begin_client(L, e) : begin_server(L, e);
    return rc == WEFT_OK ? 1 : luaL_error(L, "not enough memory");
}
