/*
 * Requests: what they say, and what a server makes of their connections.  Who is
 * welcome is Lua's to say.
 */
#include <string.h>

#include "lua/check.h"
#include "lua/head.h"
#include "lua/l_config.h"
#include "lua/l_link.h"
#include "proto/head_pack.h"

static struct weft_ws *
asked(lua_State *L, const char *call)
{
    return weft_check_ws(L, 1, call);
}

/* core.request_kind(ws) */
static int
core_request_kind(lua_State *L)
{
    struct weft_ws *ws = asked(L, "request_kind");

    if (ws->link.flow->opening == NULL)
        return weft_push_closed(L, &ws->link);
    lua_pushstring(L, ws->link.flow->opening->kind == WEFT_REQUEST_WEBSOCKET
                          ? "websocket"
                          : "http");
    return 1;
}

#define PARSED_TYPE "weft.ParsedHead"

struct parsed {
    struct weft_http_head head;
    struct weft_buf bytes;
};

static int
parsed_gc(lua_State *L)
{
    struct parsed *p = lua_touserdata(L, 1);

    weft_http_deinit(&p->head);
    weft_buf_deinit(&p->bytes);
    return 0;
}

/* A head that was kept, packed; what is made of it is the collector's. */
static void
push_parsed(lua_State *L, enum weft_http_kind kind, struct weft_span packed)
{
    struct parsed *p = weft_new_userdata(L, sizeof(*p), PARSED_TYPE, 0);
    const char *bytes;

    weft_http_init(&p->head, kind, UINT32_MAX, UINT32_MAX);
    if (weft_head_unpack(&p->bytes, packed) != WEFT_OK)
        weft_raise(L, "out of memory");
    bytes = (const char *)weft_buf_head(&p->bytes);
    if (weft_http_read(&p->head, bytes, weft_buf_len(&p->bytes)) == WEFT_OK)
        weft_push_head(L, &p->head, bytes);
    else
        lua_pushnil(L);
    weft_http_deinit(&p->head);
    weft_buf_deinit(&p->bytes);
    lua_remove(L, -2);
}

/* core.head(ws, which) -> table, or nil */
static int
core_head(lua_State *L)
{
    struct weft_ws *ws = asked(L, "head");
    bool response = strcmp(luaL_checkstring(L, 2), "response") == 0;
    const struct weft_link *k = &ws->link;
    struct weft_span bytes = weft_link_kept(k, response ? WEFT_KEPT_RESPONSE
                                                        : WEFT_KEPT_REQUEST);

    if (k->flow->opening != NULL && !response && k->role == WEFT_SERVER
        && k->flow->opening->head.length > 0) { /* it is whole */
        weft_push_head(L, &k->flow->opening->head,
                       weft_opening_head(k->flow->opening).data);
        return 1;
    }
    if (bytes.len == 0) {
        lua_pushnil(L);
        return 1;
    }
    push_parsed(L, response ? WEFT_HTTP_RESPONSE : WEFT_HTTP_REQUEST, bytes);
    return 1;
}

/* core.body(ws) */
static int
core_body(lua_State *L)
{
    struct weft_span body = weft_link_kept(&asked(L, "body")->link,
                                           WEFT_KEPT_BODY);

    lua_pushlstring(L, body.data != NULL ? body.data : "", body.len);
    return 1;
}

/* core.origin_allowed(ws, origins) */
static int
core_origin_allowed(lua_State *L)
{
    struct weft_ws *ws = asked(L, "origin_allowed");
    const struct weft_opening *o = ws->link.flow->opening;
    struct weft_span *allowed, origin;
    size_t count;

    if (o == NULL)
        return weft_push_closed(L, &ws->link);
    allowed = weft_list_at(L, 2, &count);
    origin = weft_opening_field(o, "origin");
    lua_pushboolean(L, weft_http_count(&o->head, weft_opening_head(o).data,
                                       "origin") == 0
                           || weft_origin_allowed(
                               origin,
                               weft_http_host(&o->head,
                                              weft_opening_head(o).data),
                               allowed, count));
    return 1;
}

/* core.host_allowed(ws, hosts, port) */
static int
core_host_allowed(lua_State *L)
{
    struct weft_ws *ws = asked(L, "host_allowed");
    const struct weft_opening *o = ws->link.flow->opening;
    int own = (int)luaL_optinteger(L, 3, -1);
    struct weft_span *allowed;
    size_t count;

    if (o == NULL)
        return weft_push_closed(L, &ws->link);
    allowed = weft_list_at(L, 2, &count);
    lua_pushboolean(L, weft_host_allowed(
                           weft_http_host(&o->head,
                                          weft_opening_head(o).data),
                           own, allowed, count));
    return 1;
}

/* core.choose_protocol(ws, protocols) */
static int
core_choose_protocol(lua_State *L)
{
    struct weft_ws *ws = asked(L, "choose_protocol");
    const struct weft_opening *o = ws->link.flow->opening;
    struct weft_span *spoken;
    size_t count;
    int i;

    if (o == NULL)
        return weft_push_closed(L, &ws->link);
    spoken = weft_list_at(L, 2, &count);
    i = weft_handshake_choose(&o->head, weft_opening_head(o).data, spoken,
                              count);
    if (i < 0)
        lua_pushnil(L);
    else
        lua_rawgeti(L, 2, i + 1);
    return 1;
}

/* core.plan(ws) -> that of the server that it came to, or nil */
static int
core_plan(lua_State *L)
{
    if (asked(L, "plan")->server == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_getiuservalue(L, 1, 2); /* the server */
    lua_getiuservalue(L, -1, 7);
    return 1;
}

/* core.set_events(ws, events) */
static int
core_set_events(lua_State *L)
{
    struct weft_ws *ws = asked(L, "set_events");

    luaL_checktype(L, 2, LUA_TTABLE);
    if (ws->handler != NULL) {
        lua_pushvalue(L, 1);
        weft_task_move_out(L, ws->handler);
    }
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, 3);
    weft_ws_hold(L, ws, 1, WEFT_HOLD_EVENTS);
    ws->has_events = true;
    weft_link_want(&ws->link, true);
    weft_loop_again(&ws->instance->loop, &ws->link.work);
    return 0;
}

/* core.set_field(ws, name, value) */
static int
core_set_field(lua_State *L)
{
    asked(L, "set_field");
    weft_ws_set_own(L, 1, 2, 3);
    return 0;
}

/* core.was_secure(ws): whether the head of the PROXY protocol says that its
 * client came by TLS */
static int
core_was_secure(lua_State *L)
{
    lua_pushboolean(L, asked(L, "was_secure")->link.was_secure);
    return 1;
}

/* core.cancel_handler(ws) */
static int
core_cancel_handler(lua_State *L)
{
    struct weft_ws *ws = asked(L, "cancel_handler");

    if (ws->handler != NULL)
        weft_task_cancel(L, ws->handler);
    if (ws->event_task != NULL)
        weft_task_cancel(L, ws->event_task);
    return 0;
}

/* core.is_own_handler(ws) */
static int
core_is_own_handler(lua_State *L)
{
    struct weft_ws *ws = asked(L, "is_own_handler");
    struct weft_task *t = ws->instance->state->task;

    lua_pushboolean(L, t != NULL && (t == ws->handler || t->serves == ws));
    return 1;
}

/* core.is_idle(ws) -> whether it is between two plain requests */
static int
core_is_idle(lua_State *L)
{
    lua_pushboolean(L, weft_link_is_idle(&asked(L, "is_idle")->link));
    return 1;
}

/* core.close_without_code(ws): as a browser's close(); does not wait */
static int
core_close_without_code(lua_State *L)
{
    struct weft_ws *ws = asked(L, "close_without_code");

    weft_link_close(&ws->link, 1005, (struct weft_span){ "", 0 },
                    WEFT_CAUSE_LOCAL);
    weft_ws_update_holds(L, ws, 1);
    return 0;
}

/* core.shutdown(ws) */
static int
core_shutdown(lua_State *L)
{
    struct weft_ws *ws = asked(L, "shutdown");

    weft_link_shut_down(&ws->link);
    weft_ws_update_holds(L, ws, 1);
    return 0;
}

void
weft_request_register(lua_State *L)
{
    static const luaL_Reg parsed[] = { { "__gc", parsed_gc },
                                       { NULL, NULL } };
    static const luaL_Reg functions[] = {
        { "request_kind", core_request_kind },
        { "head", core_head },
        { "body", core_body },
        { "origin_allowed", core_origin_allowed },
        { "host_allowed", core_host_allowed },
        { "choose_protocol", core_choose_protocol },
        { "plan", core_plan },
        { "set_events", core_set_events },
        { "set_field", core_set_field },
        { "was_secure", core_was_secure },
        { "cancel_handler", core_cancel_handler },
        { "is_own_handler", core_is_own_handler },
        { "is_idle", core_is_idle },
        { "close_without_code", core_close_without_code },
        { "shutdown", core_shutdown },
        { NULL, NULL },
    };

    weft_new_type(L, PARSED_TYPE, parsed, NULL);
    luaL_setfuncs(L, functions, 0);
    weft_answer_register(L);
}
