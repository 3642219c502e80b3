/*
 * Keeps large strings from the collector's account for a while.  It must not
 * know what they are.
 */
#include "lua/collector.h"

enum {
    LEAST = 4096, /* kibibytes, whatever there is in all */
    MOST = 8192,
};

/*
 * Lua's own way to say that so many kibibytes were allocated, or, below zero,
 * that they were not.
 */
static void
tell(lua_State *L, int kibibytes)
{
    lua_gc(L, LUA_GCSTEP, kibibytes);
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
    u->now += kibibytes;
    tell(L, -kibibytes);
}

void
weft_untold_settle(lua_State *L, struct weft_untold *u)
{
    if (u->now < u->most || !lua_gc(L, LUA_GCISRUNNING))
        return;
    tell(L, u->now);
    u->now = 0;
    u->most = bound(L);
}
