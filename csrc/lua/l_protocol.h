/*
 * core.protocol: the protocol without I/O, for Lua.  A weft.Protocol is a
 * userdata that holds one weft_endpoint.
 */
#ifndef WEFT_LUA_L_PROTOCOL_H
#define WEFT_LUA_L_PROTOCOL_H

#include "lua/compat.h"

/* The name of its metatable in the registry. */
#define WEFT_PROTOCOL "weft.Protocol"

/* Makes the metatable and pushes the function core.protocol. */
void weft_protocol_register(lua_State *L);

/* core.protocol(role, options) -> weft.Protocol; the metatable is there */
int weft_protocol_new(lua_State *L);

#endif
