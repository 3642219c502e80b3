/*
 * Keeps large strings from the collector's account for a while.  It must not
 * know what they are.
 */
#include "lua/collector.h"

#include <stdbool.h>

enum {
    LEAST = 4096, /* kibibytes, whatever there is in all */
    MOST = 8192,
};

/*
 * Lua's own way to say that so many kibibytes were allocated, or, below zero,
 * that they were not.  False: it does not hear, a finalizer is running.
 */
static bool
tell(lua_State *L, int kibibytes)
{
    return lua_gc(L, LUA_GCSTEP, kibibytes) >= 0;
}

/* Three quarters of what there is, so that garbage is never most of it; but a
 * small state is not gone through for each few messages either. */
static int
bound(lua_State *L)
{
    int all = lua_gc(L, LUA_GCCOUNT) / 4 * 3;

    return all < LEAST ? LEAST : all > MOST ? MOST : all;
}

void
weft_untold_add(lua_State *L, struct weft_untold *u, size_t len)
{
    int kibibytes = (int)(len / 1024 < MOST ? len / 1024 : MOST);

    if (u->most == 0)
        u->most = bound(L);
    if (u->now >= u->most || !lua_gc(L, LUA_GCISRUNNING))
        return;
    if (tell(L, -kibibytes))
        u->now += kibibytes;
}

void
weft_untold_settle(lua_State *L, struct weft_untold *u)
{
    if (u->now < u->most || !lua_gc(L, LUA_GCISRUNNING))
        return;
    if (!tell(L, u->now))
        return;
    u->now = 0;
    u->most = bound(L);
}
