/*
 * The larger part of what older Luas lack; see compat.h.
 */
#include "lua/compat.h"

#if WEFT_YIELD_MAY_RAISE

/* Whether the function on the top is one that can be yielded across. */
static int
lets_yield(lua_State *L)
{
    static const char *const names[] = { "pcall", "xpcall" };
    int lets = !lua_iscfunction(L, -1);

    for (int i = 0; LUA_VERSION_NUM > 501 && !lets && i < 2; i++) {
        lua_getglobal(L, names[i]);
        lets = lua_tocfunction(L, -1) == lua_tocfunction(L, -2);
        lua_pop(L, 1);
    }
    return lets;
}

int
weft_isyieldable(lua_State *L)
{
    int lets = !lua_pushthread(L);
    lua_Debug ar;

    lua_pop(L, 1);
    for (int level = 1; lets && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "f", &ar);
        lets = lets_yield(L);
        lua_pop(L, 1);
    }
    return lets;
}

#endif

#if LUA_VERSION_NUM == 501

const char *
weft_tolstring(lua_State *L, int index, size_t *len)
{
    if (!luaL_callmeta(L, index, "__tostring")) {
        switch (lua_type(L, index)) {
        case LUA_TNUMBER:
        case LUA_TSTRING:
            lua_pushvalue(L, index);
            break;
        case LUA_TBOOLEAN:
            lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
            break;
        case LUA_TNIL:
            lua_pushliteral(L, "nil");
            break;
        default:
            lua_pushfstring(L, "%s: %p", luaL_typename(L, index),
                            lua_topointer(L, index));
        }
    }
    return lua_tolstring(L, -1, len);
}

#endif

#if WEFT_PLAIN_51

int
weft_begin_in_lua(lua_State *co, int n)
{
    if (lua_status(co) != 0 || !lua_iscfunction(co, -1 - n))
        return n;
    luaL_loadstring(co, "local function begin(fn, ...) return fn(...) end "
                        "return begin(...)"); /* or an error, called next */
    lua_insert(co, -2 - n);
    return n + 1;
}

void
weft_traceback(lua_State *L, lua_State *co, const char *words, int level)
{
    lua_getglobal(L, "debug");
    lua_pushliteral(L, "traceback");
    if (lua_istable(L, -2))
        lua_rawget(L, -2);
    lua_remove(L, -2);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        lua_pushstring(L, words);
        return;
    }
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_pushstring(L, words);
    lua_pushinteger(L, level);
    lua_call(L, 3, 1);
}

#endif
