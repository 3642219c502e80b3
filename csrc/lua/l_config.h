/*
 * core.config(): the settings that connections share, as a userdata that
 * counts one reference.
 */
#ifndef WEFT_LUA_L_CONFIG_H
#define WEFT_LUA_L_CONFIG_H

#include "base/bytes.h"
#include "lua/compat.h"
#include "proto/deflate_offer.h"

struct weft_config;

#define WEFT_CONFIG_TYPE "weft.Config"

/* The config in field "config" of the table at index; raises when missing. */
struct weft_config *weft_config_field(lua_State *L, int index);

/* Strings of a table's fields, good while the table is not changed. */
struct weft_span weft_span_field(lua_State *L, int index, const char *name);

/*
 * The list of strings in a field, as spans in a userdata that is left on the
 * stack (nil when there is none); its count in *count.
 */
struct weft_span *weft_list_field(lua_State *L, int index, const char *name,
                                  size_t *count);

/* The same for a list at an index of the stack. */
struct weft_span *weft_list_at(lua_State *L, int index, size_t *count);

/*
 * The compression that the field of that name in the table at index asks for:
 * false, nil, or a table with all that struct weft_deflate_options has.
 */
struct weft_deflate_options weft_deflate_field(lua_State *L, int index,
                                               const char *name);

void weft_config_register(lua_State *L);

#endif
