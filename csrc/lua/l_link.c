/*
 * A connection as a userdata: its type, its methods' table, its life.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "lua/check.h"
#include "lua/l_link.h"
#include "lua/state.h"

static const char ws_key = 0;

struct weft_ws *
weft_check_ws(lua_State *L, int index, const char *call)
{
    struct weft_ws *ws = lua_touserdata(L, index);

    if (ws != NULL && lua_getmetatable(L, index)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &ws_key);
        if (lua_rawequal(L, -1, -2)) {
            lua_pop(L, 2);
            return ws;
        }
    }
    weft_raise(L, "%s: argument 'self': expected a weft.Connection, got %s "
                  "(call it with a colon)",
               call, luaL_typename(L, index));
    return NULL;
}

/* For methods whose first upvalue is the metatable: no look-up by name. */
struct weft_ws *
weft_ws_self(lua_State *L, const char *call)
{
    struct weft_ws *ws = lua_touserdata(L, 1);

    if (ws != NULL && lua_getmetatable(L, 1)) {
        if (lua_rawequal(L, -1, lua_upvalueindex(1))) {
            lua_pop(L, 1);
            return ws;
        }
        lua_pop(L, 1);
    }
    return weft_check_ws(L, 1, call);
}

static int
ws_gc(lua_State *L)
{
    struct weft_ws *ws = lua_touserdata(L, 1);

    if (ws->instance == NULL)
        return 0;
    weft_link_abort(&ws->link, WEFT_CAUSE_COLLECTED,
                    "nothing referred to the connection");
    weft_node_unlink(&ws->borrower);
    weft_node_unlink(&ws->late);
    weft_link_deinit(&ws->link);
    weft_unanchor(L, ws->instance, &ws->borrower);
    return 0;
}

static int
ws_tostring(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "tostring");

    lua_pushfstring(L, "weft.Connection (%s): %p",
                    weft_ws_state_name(ws), (void *)ws);
    return 1;
}

struct weft_ws *
weft_ws_new(lua_State *L, int loop_index, struct weft_instance *I,
            struct weft_config *config, enum weft_role role)
{
    struct weft_ws *ws = lua_newuserdatauv(L, sizeof(*ws), 4);

    memset(ws, 0, sizeof(*ws));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ws_key);
    lua_setmetatable(L, -2);
    if (loop_index != 0)
        lua_pushvalue(L, loop_index);
    else
        weft_push_loop(L, I);
    lua_setiuservalue(L, -2, 2);
    weft_list_init(&ws->senders);
    weft_list_init(&ws->waiters);
    weft_link_init(&ws->link, &I->loop, config, role);
    ws->instance = I;
    return ws;
}

/* Methods get the metatable as their first upvalue, for self(). */
static void
add_methods(lua_State *L, int meta, const luaL_Reg *methods)
{
    for (; methods->name != NULL; methods++) {
        lua_pushvalue(L, meta);
        if (methods->func == weft_ws_messages) {
            lua_pushvalue(L, meta);
            lua_pushcclosure(L, weft_next_message, 1);
            lua_pushcclosure(L, weft_ws_messages, 2);
        } else {
            lua_pushcclosure(L, methods->func, 1);
        }
        lua_setfield(L, -2, methods->name);
    }
}

void
weft_ws_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", ws_gc },
                                     { "__close", weft_ws_leave },
                                     { "__tostring", ws_tostring },
                                     { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "receive", weft_ws_receive },   { "messages", weft_ws_messages },
        { "chunks", weft_ws_chunks },     { "send", weft_ws_send },
        { "try_send", weft_ws_try_send }, { "flush", weft_ws_flush },
        { "ping", weft_ws_ping },         { "close", weft_ws_close },
        { "abort", weft_ws_abort },       { "wait_closed", weft_ws_wait_closed },
        { NULL, NULL }
    };

    weft_new_type(L, WEFT_WS_TYPE, meta, NULL);
    luaL_getmetatable(L, WEFT_WS_TYPE);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ws_key);
    lua_newtable(L);
    add_methods(L, lua_gettop(L) - 1, methods);
    weft_writer_register(L, lua_gettop(L));
    weft_fields_attach(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_pop(L, 2);
}
