/*
 * Keeps large strings from the collector's account for a while.  It must not
 * know what they are.
 */
#include "lua/collector.h"

#include <stdbool.h>

enum { /* kibibytes */
    MOST = 8 * 1024, /* kept from it, and told at the end of a turn; strings
                        that go round in much more are slow to fill: page
                        tables and caches hold so much */
    AHEAD = 2 * 1024, /* kept from it before there are any: else the next one
                         would set off another collection at once */
};

/* Whether the collector runs and can be told: 5.3 and 5.4 take an amount below
 * zero. */
static bool
listens(lua_State *L)
{
#if LUA_VERSION_NUM == 503 || LUA_VERSION_NUM == 504
    return lua_gc(L, LUA_GCISRUNNING, 0) != 0;
#else
    (void)L;
    return false;
#endif
}

/*
 * Lua's own way to say that so many kibibytes were allocated, or, below zero,
 * that they were not.  False: it does not hear, a finalizer is running.
 */
static bool
tell(lua_State *L, int kibibytes)
{
    return lua_gc(L, LUA_GCSTEP, kibibytes) >= 0;
}

void
weft_untold_add(lua_State *L, struct weft_untold *u, size_t len)
{
    int kibibytes = (int)(len / 1024 < MOST ? len / 1024 : MOST);

    if (u->now >= MOST || !listens(L))
        return;
    if (tell(L, -kibibytes))
        u->now += kibibytes;
}

void
weft_untold_settle(lua_State *L, struct weft_untold *u)
{
    if (u->now < MOST || !listens(L))
        return;
    if (tell(L, u->now + u->ahead)) {
        u->now = 0;
        u->ahead = tell(L, -AHEAD) ? AHEAD : 0;
    }
}
