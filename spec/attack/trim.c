/*
 * trim: a Lua module, one function, which has malloc give back to the system
 * what has been freed.  What a process occupies is then what it uses.
 */
#include <lauxlib.h>
#include <lua.h>
#include <malloc.h>

__attribute__((visibility("default"))) int luaopen_trim(lua_State *L);

static int
trim(lua_State *L)
{
    (void)L;
    malloc_trim(0);
    return 0;
}

int
luaopen_trim(lua_State *L)
{
    lua_pushcfunction(L, trim);
    return 1;
}
