/*
 * Small blocks that a Lua state frees, kept for its next ones: what a server
 * does while the thread is weft's own (weft.serve).
 */
#ifndef WEFT_LUA_BLOCKS_H
#define WEFT_LUA_BLOCKS_H

#include "lua/compat.h"

/* Adds keep_blocks and free_blocks to the module table on the top of L. */
void weft_blocks_register(lua_State *L);

#endif
