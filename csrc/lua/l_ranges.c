/*
 * Ranges of addresses, and whose they are.  What is made of that is Lua's to
 * say.
 */
#include "lua/l_ranges.h"

#include <string.h>

#include "lua/check.h"
#include "lua/state.h"

#define RANGES_TYPE "weft.Ranges"

/* core.ranges(list) -> ranges, or nil and the index of what is none */
static int
core_ranges(lua_State *L)
{
    struct weft_range *ranges;
    size_t count, len;

    luaL_checktype(L, 1, LUA_TTABLE);
    count = (size_t)lua_rawlen(L, 1);
    ranges = weft_new_userdata(L, count * sizeof(*ranges), RANGES_TYPE, 0);
    for (size_t i = 0; i < count; i++) {
        const char *text;

        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        text = luaL_checklstring(L, -1, &len);
        if (strlen(text) != len || !weft_range_parse(&ranges[i], text)) {
            lua_pushnil(L);
            lua_pushinteger(L, (lua_Integer)i + 1);
            return 2;
        }
        lua_pop(L, 1);
    }
    return 1;
}

const struct weft_range *
weft_check_ranges(lua_State *L, int index, size_t *count)
{
    const struct weft_range *ranges = luaL_checkudata(L, index, RANGES_TYPE);

    *count = (size_t)lua_rawlen(L, index) / sizeof(*ranges);
    return ranges;
}

/* core.ranges_hold(ranges, address) -> boolean, and the address as weft writes
 * it; or nil when it is none */
static int
core_ranges_hold(lua_State *L)
{
    size_t count, len;
    const struct weft_range *ranges = weft_check_ranges(L, 1, &count);
    const char *text = luaL_checklstring(L, 2, &len);
    char host[WEFT_ADDR_TEXT];
    struct weft_addr a;

    if (strlen(text) != len || strchr(text, '%') != NULL
        || !weft_addr_parse(&a, text, 0)) {
        lua_pushnil(L);
        return 1;
    }
    weft_addr_host(&a, host);
    lua_pushboolean(L, weft_ranges_hold(ranges, count, &a));
    lua_pushstring(L, host);
    return 2;
}

/* core.ranges_hold_peer(ranges, ws) */
static int
core_ranges_hold_peer(lua_State *L)
{
    size_t count;
    const struct weft_range *ranges = weft_check_ranges(L, 1, &count);
    struct weft_ws *ws = weft_check_ws(L, 2, "ranges_hold_peer");
    struct weft_addr a;

    weft_link_peer(&ws->link, &a);
    lua_pushboolean(L, weft_ranges_hold(ranges, count, &a));
    return 1;
}

void
weft_ranges_register(lua_State *L)
{
    static const luaL_Reg none[] = { { NULL, NULL } };
    static const luaL_Reg functions[] = {
        { "ranges", core_ranges },
        { "ranges_hold", core_ranges_hold },
        { "ranges_hold_peer", core_ranges_hold_peer },
        { NULL, NULL },
    };

    weft_new_type(L, RANGES_TYPE, none, NULL);
    luaL_setfuncs(L, functions, 0);
}
