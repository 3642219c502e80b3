/*
 * TLS for the binding: contexts as userdata, and what a connection tells about
 * itself.
 */
#ifndef WEFT_LUA_L_TLS_H
#define WEFT_LUA_L_TLS_H

#include "lua/state.h"

#define WEFT_TLS_TYPE "weft.TlsContext"

/* The context in field "tls" of the table at index, NULL when there is none. */
struct weft_tls_context *weft_tls_field(lua_State *L, int index);

/* The context at an index of the stack; raises when it is none. */
struct weft_tls_context *weft_check_tls(lua_State *L, int index);

/* Pushes the table that ws.tls is, or nil. */
void weft_push_tls(lua_State *L, const struct weft_link *k);

void weft_tls_register(lua_State *L);

#endif
