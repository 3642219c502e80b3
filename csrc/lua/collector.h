/*
 * The collector and large messages.
 *
 * A large message is garbage as soon as it was handled, and the collector
 * counts bytes: a few such messages would have it go through everything there
 * is, in the middle of a burst.  So their bytes are kept from it while a turn
 * runs and told when one ends, once they have become as many as they may; a
 * collector that is stopped, or cannot be told, is left alone.
 */
#ifndef WEFT_LUA_COLLECTOR_H
#define WEFT_LUA_COLLECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "lua/compat.h"

enum { WEFT_LARGE = 4 * 1024 }; /* a message of so many bytes counts */

/* In kibibytes; all zero is right at first. */
struct weft_untold {
    int now;   /* made, and not told */
    int ahead; /* of those to come */
};

/* A string of that length, WEFT_LARGE or more, was made in L. */
void weft_untold_add(lua_State *L, struct weft_untold *u, size_t len);

/* A turn ends. */
void weft_untold_settle(lua_State *L, struct weft_untold *u);

#endif
