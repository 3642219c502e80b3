/*
 * What the files of the connection's binding share among themselves:
 *
 *   l_link.c    methods          l_field.c   fields and the user's own
 *   l_writer.c  ws:writer()      service.c   what the loop does for it
 */
#ifndef WEFT_LUA_L_LINK_H
#define WEFT_LUA_L_LINK_H

#include "lua/state.h"

/* "connecting", "open", "closing" or "closed" */
const char *weft_ws_state_name(const struct weft_ws *ws);

static inline bool
weft_ws_is_connecting(const struct weft_ws *ws)
{
    return ws->link.state < WEFT_LINK_OPEN
           && ws->link.state != WEFT_LINK_IDLE;
}

/* Whether a send would have to wait its turn. */
bool weft_ws_is_full(const struct weft_ws *ws);

/* A waiting writer's piece is queued. */
void weft_writer_wrote(struct weft_writer *w, bool last);

/* Adds ws:writer to the table of methods at that index. */
void weft_writer_register(lua_State *L, int methods);

/* ws[name] = value past the check, all stack indices. */
void weft_ws_set_own(lua_State *L, int ws, int name, int value);

/* Gives the metatable its __index and __newindex. */
void weft_fields_attach(lua_State *L, int meta, int methods);

#endif
