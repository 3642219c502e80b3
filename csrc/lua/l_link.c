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

const char weft_ws_magic = 0;

int
weft_refuse_ws(lua_State *L, int index, const char *call)
{
    return weft_raise(L, "%s: argument 'self': expected a weft.Connection, "
                         "got %s (call it with a colon)",
                      call, luaL_typename(L, index));
}

static int
ws_gc(lua_State *L)
{
    struct weft_ws *ws = lua_touserdata(L, 1);

    if (ws->instance == NULL)
        return 0;
    weft_link_abort(&ws->link, WEFT_CAUSE_COLLECTED,
                    "nothing referred to the connection");
    weft_node_unlink(&ws->link.flow->borrower);
    if (ws->late)
        weft_node_unlink(&ws->link.node);
    weft_link_deinit(&ws->link);
    weft_unanchor(L, ws->instance, &ws->receiver);
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
weft_ws_new(lua_State *L, int owner, struct weft_instance *I,
            struct weft_config *config, enum weft_role role)
{
    struct weft_ws *ws = lua_newuserdatauv(L, sizeof(*ws),
                                           role == WEFT_CLIENT ? 4 : 3);

    memset(ws, 0, sizeof(*ws));
    ws->magic = &weft_ws_magic;
    luaL_setmetatable(L, WEFT_WS_TYPE);
    lua_pushvalue(L, owner);
    lua_setiuservalue(L, -2, 2);
    weft_list_init(&ws->senders);
    weft_list_init(&ws->waiters);
    weft_link_init(&ws->link, &I->loop, config, role);
    ws->instance = I;
    return ws;
}

/* A closure with "text" and "binary" as its first upvalues, and what is on
 * the top of L as its third if `more`. */
static void
push_method(lua_State *L, lua_CFunction f, bool more)
{
    lua_pushliteral(L, "text");
    lua_pushliteral(L, "binary");
    if (more) {
        lua_pushvalue(L, -3);
        lua_remove(L, -4);
    }
    lua_pushcclosure(L, f, more ? 3 : 2);
}

static int
keep_kind(lua_State *L, const char *kind, const void **pointer)
{
    lua_pushstring(L, kind);
    *pointer = lua_topointer(L, -1);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void
weft_ws_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", ws_gc },
                                     { "__close", weft_ws_leave },
                                     { "__tostring", ws_tostring },
                                     { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "receive", weft_ws_receive },
        { "chunks", weft_ws_chunks },     { "send", weft_ws_send },
        { "try_send", weft_ws_try_send }, { "flush", weft_ws_flush },
        { "ping", weft_ws_ping },         { "close", weft_ws_close },
        { "abort", weft_ws_abort },       { "comment", weft_ws_comment },
        { "wait_closed", weft_ws_wait_closed },
        { NULL, NULL },
    };
    struct weft_state *S = weft_state_of(L);
    int module = lua_gettop(L);

    if (S->text == NULL) {
        S->text_ref = keep_kind(L, "text", &S->text);
        S->binary_ref = keep_kind(L, "binary", &S->binary);
    }
    weft_new_type(L, WEFT_WS_TYPE, meta, NULL);
    luaL_getmetatable(L, WEFT_WS_TYPE);
    lua_newtable(L);
    for (const luaL_Reg *m = methods; m->name != NULL; m++) {
        push_method(L, m->func, false);
        lua_setfield(L, -2, m->name);
    }
    push_method(L, weft_next_for_events, false);
    lua_setfield(L, module, "next_message");
    push_method(L, weft_next_message, false);
    push_method(L, weft_ws_messages, true);
    lua_setfield(L, -2, "messages");
    weft_writer_register(L, lua_gettop(L));
    weft_fields_attach(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_pop(L, 2);
}
