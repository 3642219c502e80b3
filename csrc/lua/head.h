/*
 * The head of an HTTP message as a Lua table.
 */
#ifndef WEFT_LUA_HEAD_H
#define WEFT_LUA_HEAD_H

#include "lua/compat.h"
#include "proto/http.h"

/*
 * Pushes a table of a complete head: `method` and `target` of a request,
 * `status` and `reason` of a response, and `headers`, lower-case name to value,
 * repeated ones joined with ", "; looked up in any case.  Raises when memory is
 * out.
 */
void weft_push_head(lua_State *L, const struct weft_http_head *h,
                    const char *bytes);

#endif
