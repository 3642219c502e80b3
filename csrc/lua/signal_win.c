/*
 * Signals for weft.serve where there are none: Windows ends a process on
 * Ctrl-C, and weft leaves that to it.
 */
#include <math.h>

#include "lua/signal.h"
#include "lua/state.h"

void
weft_signal_end(struct weft_instance *I)
{
    (void)I;
}

void
weft_signal_service(struct weft_instance *I)
{
    (void)I;
}

const char *
weft_signal_name(int signal)
{
    (void)signal;
    return "";
}

/* core.signals_begin(loop) -> false: they are not ours */
static int
core_signals_begin(lua_State *L)
{
    weft_check_instance(L, 1);
    lua_pushboolean(L, 0);
    return 1;
}

/* core.signals_end(loop) */
static int
core_signals_end(lua_State *L)
{
    (void)L;
    return 0;
}

/* core.wait_signal(loop), for ever -> nil, "cancelled" */
static int
core_wait_signal(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_wait *w = weft_wait_begin(L, I, "weft.serve");

    if (w == NULL)
        return weft_wait_refused(L, I);
    w->kind = WEFT_WAIT_SIGNAL;
    weft_list_add(&I->signals, &w->node);
    return weft_wait_park(L, w, HUGE_VAL);
}

void
weft_signal_register(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "signals_begin", core_signals_begin },
        { "signals_end", core_signals_end },
        { "wait_signal", core_wait_signal },
        { NULL, NULL },
    };

    luaL_setfuncs(L, functions, 0);
}
