/*
 * core.ranges(): ranges of addresses, as a userdata that holds them.
 */
#ifndef WEFT_LUA_L_RANGES_H
#define WEFT_LUA_L_RANGES_H

#include "lua/compat.h"
#include "net/range.h"

/* The ranges at an index of the stack, good while they stay there; raises when
 * there are none. */
const struct weft_range *weft_check_ranges(lua_State *L, int index,
                                           size_t *count);

void weft_ranges_register(lua_State *L);

#endif
