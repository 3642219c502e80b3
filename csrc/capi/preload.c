/*
 * weft_preload(): the Lua modules out of the program itself.  It must not know
 * what is in them.
 */
#include "capi/weft_lua.h"

#include <stdbool.h>
#include <string.h>

#include "capi/sources.h"
#include "lua/compat.h"

static bool
is_lua(const struct weft_source *s)
{
    size_t len = strlen(s->chunk);

    return strcmp(s->chunk + len - 4, ".lua") == 0;
}

/* name, ":preload:" -> what the module's chunk returns, or the text of what is
 * no Lua */
static int
load_source(lua_State *L)
{
    const struct weft_source *s = lua_touserdata(L, lua_upvalueindex(1));

    if (!is_lua(s)) {
        lua_pushlstring(L, (const char *)s->text, s->len);
        return 1;
    }
    lua_settop(L, 2);
    if (luaL_loadbuffer(L, (const char *)s->text, s->len, s->chunk) != LUA_OK)
        return lua_error(L);
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* Replaces the table on top by its field, which has to be one too. */
static void
enter(lua_State *L, const char *field)
{
    lua_getfield(L, -1, field);
    if (!lua_istable(L, -1))
        luaL_error(L, "weft_preload: the library \"package\" is not open");
    lua_replace(L, -2);
}

void
weft_preload(lua_State *L)
{
    luaL_checkversion(L); /* before anything that depends on it */
    luaL_checkstack(L, 3, "weft_preload");
    lua_pushvalue(L, LUA_REGISTRYINDEX);
    enter(L, "_LOADED");
    enter(L, "package");
    enter(L, "preload");
    for (const struct weft_source *s = weft_sources; s->name != NULL; s++) {
        lua_pushlightuserdata(L, (void *)s);
        lua_pushcclosure(L, load_source, 1);
        lua_setfield(L, -2, s->name);
    }
    lua_pushcfunction(L, luaopen_weft_core);
    lua_setfield(L, -2, "weft.core");
#ifdef WEFT_WITH_IDN
    lua_pushcfunction(L, luaopen_weft_idn);
    lua_setfield(L, -2, "weft.idn");
#endif
    lua_pop(L, 1);
}
