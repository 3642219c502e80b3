/*
 * core.signals_begin, signals_end and wait_signal, for weft.serve: the signals
 * that signal.c has taken, as something a task waits for.
 */
#include <math.h>
#include <signal.h>

#include "lua/signal.h"
#include "lua/state.h"
#include "net/sock.h"

void
weft_signal_service(struct weft_instance *I)
{
    struct weft_node *n;
    int number;

    weft_sock_drain(I->signal_watch.watch.fd);
    if (weft_list_empty(&I->signals))
        return; /* it is kept for the next that waits */
    number = weft_signal_take(I);
    if (number == 0)
        return;
    for (n = I->signals.next; n != &I->signals; n = n->next)
        WEFT_CONTAINER(n, struct weft_wait, node)->signal = number;
    weft_wake_all(&I->signals, WEFT_DONE);
}

const char *
weft_signal_name(int signal)
{
    return signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" : "SIGHUP";
}

/* core.signals_begin(loop [, hangup]) -> whether they are ours; `hangup`:
 * SIGHUP as well.  Never where the system has no signals. */
static int
core_signals_begin(lua_State *L)
{
    bool hangup = lua_toboolean(L, 2);

    lua_pushboolean(L, weft_signal_begin(weft_check_instance(L, 1), hangup));
    return 1;
}

/* core.signals_end(loop); also when the instance is closed */
static int
core_signals_end(lua_State *L)
{
    weft_signal_end(luaL_checkudata(L, 1, WEFT_LOOP_TYPE));
    return 0;
}

/* core.wait_signal(loop) -> "SIGINT", "SIGTERM" or "SIGHUP", or nil,
 * "cancelled" */
static int
core_wait_signal(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    int number = weft_signal_take(I);
    struct weft_wait *w;

    if (number != 0) {
        lua_pushstring(L, weft_signal_name(number));
        return 1;
    }
    w = weft_wait_begin(L, I, "weft.serve");
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
