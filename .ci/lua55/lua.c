/*
 * A command around Lua 5.5, whose sources come without one (see .ci/luas):
 *
 *   lua5.5 [-e CHUNK]... [SCRIPT [ARGUMENT]...]
 *
 * SIGINT raises "interrupted!", as with Lua's own.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static lua_State *main_state;

static void
raise_interrupted(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted!");
}

static void
on_signal(int number)
{
    signal(number, SIG_DFL);
    lua_sethook(main_state, raise_interrupted,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int
with_traceback(lua_State *L)
{
    const char *words = lua_tostring(L, 1);

    if (words == NULL)
        return 1;
    luaL_traceback(L, L, words, 1);
    return 1;
}

/* Calls the chunk under n arguments on the top; whether it went well. */
static int
run(lua_State *L, int status, int n)
{
    int handler = lua_gettop(L) - n;

    if (status == LUA_OK) {
        lua_pushcfunction(L, with_traceback);
        lua_insert(L, handler);
        signal(SIGINT, on_signal);
        status = lua_pcall(L, n, 0, handler);
        signal(SIGINT, SIG_DFL);
        lua_remove(L, handler);
    }
    if (status != LUA_OK) {
        fprintf(stderr, "lua5.5: %s\n", luaL_tolstring(L, -1, NULL));
        lua_pop(L, 2);
    }
    return status == LUA_OK;
}

int
main(int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    int script = 1, good = 1;

    if (L == NULL)
        return 1;
    main_state = L;
    luaL_openlibs(L);
    while (script + 1 < argc && strcmp(argv[script], "-e") == 0)
        script += 2;
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
    for (int i = 2; good && i < script; i += 2)
        good = run(L, luaL_loadbuffer(L, argv[i], strlen(argv[i]), "=(-e)"), 0);
    if (good && script < argc) {
        int status = luaL_loadfile(L, argv[script]);

        luaL_checkstack(L, argc, "too many arguments");
        for (int i = script + 1; status == LUA_OK && i < argc; i++)
            lua_pushstring(L, argv[i]);
        good = run(L, status, status == LUA_OK ? argc - script - 1 : 0);
    }
    lua_close(L);
    return !good;
}
