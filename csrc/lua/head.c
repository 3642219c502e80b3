/*
 * An HTTP head for Lua.  It must not know what any field means.
 */
#include "lua/head.h"

#define HEADERS "weft.Headers"

static void
push_span(lua_State *L, struct weft_span s)
{
    lua_pushlstring(L, s.len > 0 ? s.data : "", s.len);
}

static void
push_lower(lua_State *L, struct weft_span s)
{
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, s.len);

    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        to[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    luaL_pushresultsize(&b, s.len);
}

/* Adds one field to the table on top; how many there are is limited. */
static void
add_field(lua_State *L, const struct weft_field *field, const char *bytes)
{
    push_lower(L, weft_http_span(bytes, field->name));
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        push_span(L, weft_http_span(bytes, field->value));
    } else { /* RFC 9110, 5.3 */
        lua_pushliteral(L, ", ");
        push_span(L, weft_http_span(bytes, field->value));
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

/* headers[name]: names are lower-case in the table, any case finds them */
static int
headers_index(lua_State *L)
{
    struct weft_span name;

    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    name.data = lua_tolstring(L, 2, &name.len);
    push_lower(L, name);
    lua_rawget(L, 1);
    return 1;
}

static void
push_headers(lua_State *L, const struct weft_http_head *h, const char *bytes)
{
    lua_newtable(L);
    for (uint32_t i = 0; i < h->count; i++)
        add_field(L, &h->fields[i], bytes);
    if (luaL_newmetatable(L, HEADERS)) {
        lua_pushcfunction(L, headers_index);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
}

static void
set_span(lua_State *L, const char *name, struct weft_span s)
{
    push_span(L, s);
    lua_setfield(L, -2, name);
}

void
weft_push_head(lua_State *L, const struct weft_http_head *h, const char *bytes)
{
    luaL_checkstack(L, 8, NULL);
    lua_createtable(L, 0, 5);
    if (h->kind == WEFT_HTTP_REQUEST) {
        set_span(L, "method", weft_http_span(bytes, h->method));
        set_span(L, "target", weft_http_span(bytes, h->target));
    } else {
        lua_pushinteger(L, h->status);
        lua_setfield(L, -2, "status");
        set_span(L, "reason", weft_http_span(bytes, h->reason));
    }
    push_headers(L, h, bytes);
    lua_setfield(L, -2, "headers");
}
