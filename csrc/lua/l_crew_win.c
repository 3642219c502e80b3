/*
 * Workers of weft.serve where a process cannot be forked: there are none.
 */
#include "lua/check.h"
#include "lua/state.h"

/* core.crew(signals) -> nil, message */
static int
core_crew(lua_State *L)
{
    return weft_push_failure(L, "not supported on Windows");
}

void
weft_crew_register(lua_State *L)
{
    static const luaL_Reg functions[] = { { "crew", core_crew },
                                          { NULL, NULL } };

    luaL_setfuncs(L, functions, 0);
}
