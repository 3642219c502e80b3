/*
 * What a program needs to know of its own process, and what one that was
 * forked does differently.  It must not know why there are several.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lua/check.h"
#include "lua/state.h"
#include "net/sock.h"

/* core.is_unused(loop) -> whether there is nothing in it, and we are not in a
 * turn, of this loop or another */
static int
core_is_unused(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    lua_pushboolean(L, I->state->turns == 0 && !weft_instance_alive(I)
                           && weft_list_empty(&I->loop.links));
    return 1;
}

/* core.renew(loop): in a worker, from whose parent it is */
static int
core_renew(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    if (weft_loop_renew(&I->loop) != WEFT_OK)
        return weft_raise(L, "weft: cannot make a loop: %s",
                          weft_error_words(errno));
    return 0;
}

/* core.pid() */
static int
core_pid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

/* core.exit(status): ends the process, whatever was made of os.exit, without
 * closing the state: what is in it is the parent's as well */
static int
core_exit(lua_State *L)
{
    exit((int)luaL_checkinteger(L, 1));
}

void
weft_process_register(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "is_unused", core_is_unused },
        { "renew", core_renew },
        { "pid", core_pid },
        { "exit", core_exit },
        { NULL, NULL },
    };

    luaL_setfuncs(L, functions, 0);
}
