/*
 * core.open_root() and core.open_file(): directories to serve from, and files
 * beneath them, as userdata.
 */
#ifndef WEFT_LUA_L_FILE_H
#define WEFT_LUA_L_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "lua/compat.h"

/* Whether the value at an index of the stack is a file, open or not. */
bool weft_lua_is_file(lua_State *L, int index);

/*
 * Takes the descriptor out of the file at an index of the stack, and tells
 * which part of it is to be sent; the file is closed then.  -1 when it was
 * closed before, or the value is no file.  Raises nothing.
 */
int weft_lua_file_take(lua_State *L, int index, uint64_t *offset,
                       uint64_t *length);

void weft_file_register(lua_State *L);

#endif
