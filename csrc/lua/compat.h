/*
 * Lua's own headers, and the names of Lua 5.4 on the other Luas: the binding is
 * written for 5.4, and runs on 5.1, 5.2, 5.3, 5.5 and LuaJIT through this file
 * and compat.c.  Only what the binding uses is here.
 *
 * What an older Lua has no counterpart for does as much as it can, and says so
 * here.
 */
#ifndef WEFT_LUA_COMPAT_H
#define WEFT_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

/* LuaJIT calls itself 5.1 too, but has some of 5.2 and 5.3: LUA_OK, for one. */
#if LUA_VERSION_NUM == 501 && !defined(LUA_OK)
#define WEFT_PLAIN_51 1
#define LUA_OK 0
#else
#define WEFT_PLAIN_51 0
#endif

/* lua_isyieldable() cannot tell all there is to it, so lua_yield() may raise. */
#define WEFT_YIELD_MAY_RAISE (WEFT_PLAIN_51 || LUA_VERSION_NUM == 502)

/* ---- 5.4.6: closing a coroutine where it stands */

#if LUA_VERSION_NUM < 504
/* Before 5.4 nothing can unwind a coroutine: one that waits is left as it
 * stands, to the collector. */
#define lua_closethread(co, from) ((void)(from), lua_settop(co, 0))
#elif LUA_VERSION_RELEASE_NUM < 50406
#define lua_closethread(co, from) ((void)(from), lua_resetthread(co))
#endif

#if LUA_VERSION_NUM < 504

/* ---- 5.4: many user values, here in a table that is the only one */

#if LUA_VERSION_NUM == 501
#define lua_setuservalue lua_setfenv /* takes nothing but a table */
#define lua_getuservalue lua_getfenv
#endif

static inline void *
weft_newuserdatauv(lua_State *L, size_t size, int values)
{
    void *p = lua_newuserdata(L, size);

    if (values > 0) {
        lua_createtable(L, values, 0);
        lua_setuservalue(L, -2);
    }
    return p;
}
#define lua_newuserdatauv weft_newuserdatauv

static inline int
weft_getiuservalue(lua_State *L, int index, int n)
{
    lua_getuservalue(L, index);
    lua_rawgeti(L, -1, n);
    lua_remove(L, -2);
    return lua_type(L, -1);
}
#define lua_getiuservalue weft_getiuservalue

static inline void
weft_setiuservalue(lua_State *L, int index, int n)
{
    lua_getuservalue(L, index);
    lua_insert(L, -2);
    lua_rawseti(L, -2, n);
    lua_pop(L, 1);
}
#define lua_setiuservalue weft_setiuservalue

/* ---- 5.4: strings are told apart by their addresses */

static inline const void *
weft_topointer(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index)
                                             : lua_topointer(L, index);
}
#define lua_topointer weft_topointer

/* ---- 5.4: what a coroutine yields is counted where it is resumed */

#if WEFT_PLAIN_51
/* A coroutine that begins with a function of C cannot yield in it: has a
 * function of Lua call that.  Returns how many arguments it is now. */
int weft_begin_in_lua(lua_State *co, int n);
#else
#define weft_begin_in_lua(co, n) (n)
#endif

static inline int
weft_resume(lua_State *co, lua_State *from, int n, int *results)
{
#if LUA_VERSION_NUM == 501
    int status = lua_resume(co, weft_begin_in_lua(co, n));

    (void)from;
#else
    int status = lua_resume(co, from, n);
#endif
    *results = lua_gettop(co);
    return status;
}
#define lua_resume weft_resume

#endif /* < 5.4 */

#if LUA_VERSION_NUM < 503

/* ---- 5.3: whether the running function may yield */

#if WEFT_YIELD_MAY_RAISE
/*
 * Neither Lua tells, so this looks for C functions among those that run on L:
 * they are in the way, but for pcall() and xpcall() on 5.2.  It does not see
 * finalizers, nor metamethods and iterators, which are in 5.1's way: there
 * lua_yield() raises.
 */
int weft_isyieldable(lua_State *L);
#define lua_isyieldable weft_isyieldable
#endif

/* ---- 5.3: what pushes a value says which type it has */

static inline int
weft_getfield(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    return lua_type(L, -1);
}
#undef lua_getfield
#define lua_getfield weft_getfield

static inline int
weft_rawget(lua_State *L, int index)
{
    lua_rawget(L, index);
    return lua_type(L, -1);
}
#define lua_rawget weft_rawget

static inline int
weft_rawgeti(lua_State *L, int index, lua_Integer n)
{
    lua_rawgeti(L, index, (int)n);
    return lua_type(L, -1);
}
#define lua_rawgeti weft_rawgeti

static inline void
weft_rawseti(lua_State *L, int index, lua_Integer n)
{
    lua_rawseti(L, index, (int)n);
}
#define lua_rawseti weft_rawseti

/* ---- 5.3: integers, here numbers that are whole */

static inline lua_Integer
weft_tointegerx(lua_State *L, int index, int *is_integer)
{
    lua_Number number = lua_tonumber(L, index);
    int whole = lua_isnumber(L, index) && number >= -0x1p63
                && number < 0x1p63 && number == (lua_Number)(int64_t)number;

    if (is_integer != NULL)
        *is_integer = whole;
    return whole ? (lua_Integer)number : 0;
}
#undef lua_tointegerx
#define lua_tointegerx weft_tointegerx

static inline int
weft_isinteger(lua_State *L, int index)
{
    int whole = 0;

    if (lua_type(L, index) == LUA_TNUMBER)
        lua_tointegerx(L, index, &whole);
    return whole;
}
#undef lua_isinteger
#define lua_isinteger weft_isinteger

#endif /* < 5.3 */

#if LUA_VERSION_NUM == 501

/* ---- 5.2 */

#define luaL_checkversion(L) ((void)(L)) /* 5.1 has no number to compare */
#define lua_rawlen lua_objlen

static inline int
weft_absindex(lua_State *L, int index)
{
    return index < 0 && index > LUA_REGISTRYINDEX ? lua_gettop(L) + 1 + index
                                                  : index;
}
#undef lua_absindex
#define lua_absindex weft_absindex

static inline void
weft_rawgetp(lua_State *L, int index, const void *p)
{
    index = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)p);
    lua_rawget(L, index);
}
#undef lua_rawgetp
#define lua_rawgetp weft_rawgetp

static inline void
weft_rawsetp(lua_State *L, int index, const void *p)
{
    index = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)p);
    lua_insert(L, -2);
    lua_rawset(L, index);
}
#undef lua_rawsetp
#define lua_rawsetp weft_rawsetp

/* A buffer of known size: all that the binding makes are. */
struct weft_luabuffer {
    lua_State *L;
    const char *bytes;
};

static inline char *
weft_buffinitsize(lua_State *L, struct weft_luabuffer *b, size_t size)
{
    char *bytes = (char *)lua_newuserdata(L, size);

    b->L = L;
    b->bytes = bytes;
    return bytes;
}

static inline void
weft_pushresultsize(struct weft_luabuffer *b, size_t size)
{
    lua_pushlstring(b->L, b->bytes, size);
    lua_remove(b->L, -2);
}
#undef luaL_buffinitsize
#undef luaL_pushresultsize
#define luaL_Buffer struct weft_luabuffer
#define luaL_buffinitsize weft_buffinitsize
#define luaL_pushresultsize weft_pushresultsize

const char *weft_tolstring(lua_State *L, int index, size_t *len);
#define luaL_tolstring weft_tolstring

#endif /* 5.1 and LuaJIT */

#if WEFT_PLAIN_51

/* ---- 5.2, of which LuaJIT has these */

static inline lua_Number
weft_tonumberx(lua_State *L, int index, int *is_number)
{
    *is_number = lua_isnumber(L, index);
    return lua_tonumber(L, index);
}
#undef lua_tonumberx
#define lua_tonumberx weft_tonumberx

static inline void
weft_setfuncs(lua_State *L, const luaL_Reg *functions, int upvalues)
{
    for (; functions->name != NULL; functions++) {
        for (int i = 0; i < upvalues; i++)
            lua_pushvalue(L, -upvalues);
        lua_pushcclosure(L, functions->func, upvalues);
        lua_setfield(L, -2 - upvalues, functions->name);
    }
    lua_pop(L, upvalues);
}
#undef luaL_setfuncs
#define luaL_setfuncs weft_setfuncs

static inline void
weft_setmetatable(lua_State *L, const char *type)
{
    luaL_getmetatable(L, type);
    lua_setmetatable(L, -2);
}
#undef luaL_setmetatable
#define luaL_setmetatable weft_setmetatable

static inline void *
weft_testudata(lua_State *L, int index, const char *type)
{
    void *p = lua_touserdata(L, index);

    if (p == NULL || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, type);
    if (!lua_rawequal(L, -1, -2))
        p = NULL;
    lua_pop(L, 2);
    return p;
}
#undef luaL_testudata
#define luaL_testudata weft_testudata

void weft_traceback(lua_State *L, lua_State *co, const char *words,
                    int level);
#define luaL_traceback weft_traceback

#endif /* 5.1 */

#if LUA_VERSION_NUM == 501 && !defined(luaL_newlib)
#define luaL_newlib(L, functions) \
    (lua_newtable(L), luaL_setfuncs(L, functions, 0))
#endif

#endif
