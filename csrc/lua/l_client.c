/*
 * Connecting, and pairs.  Options and URLs are Lua's to understand.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lua/l_config.h"
#include "lua/check.h"
#include "lua/l_link.h"

/* The request that a spec describes; leaves its list on the stack. */
static void
read_request(lua_State *L, int spec, struct weft_client_request *r)
{
    *r = (struct weft_client_request){
        .host = weft_span_field(L, spec, "host_header"),
        .target = weft_span_field(L, spec, "target"),
        .origin = weft_span_field(L, spec, "origin"),
        .user_agent = weft_span_field(L, spec, "user_agent"),
        .headers = weft_span_field(L, spec, "headers"),
    };
    r->protocols = weft_list_field(L, spec, "protocols", &r->protocol_count);
}

int
weft_ws_push_open_outcome(lua_State *L, struct weft_ws *ws)
{
    const struct weft_link *k = &ws->link;

    if (k->error == NULL && (k->state != WEFT_LINK_CLOSED
                             || k->request.data != NULL)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, k->close_message != NULL ? k->close_message
                                               : "cancelled");
    lua_pushstring(L, k->error != NULL ? k->error : "cancelled");
    return 3;
}

int
weft_ws_push_open_cancelled(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "connect: the task was cancelled");
    lua_pushliteral(L, "cancelled");
    return 3;
}

/* core.connect(loop, spec) -> ws */
static int
core_connect(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_config *config = weft_config_field(L, 2);
    struct weft_span host = weft_span_field(L, 2, "host");
    struct weft_client_request r;
    struct weft_ws *ws;
    uint16_t port;
    double seconds;
    enum weft_status rc;

    lua_getfield(L, 2, "port");
    port = (uint16_t)lua_tointeger(L, -1);
    lua_getfield(L, 2, "timeout");
    seconds = lua_tonumber(L, -1);
    lua_pop(L, 2);
    read_request(L, 2, &r);
    ws = weft_ws_new(L, 1, I, config, WEFT_CLIENT);
    weft_instance_touch(I);
    rc = weft_link_connect(&ws->link, host.data, port,
                           weft_nanoseconds(seconds), &r);
    if (rc != WEFT_OK) {
        ws->link.error = "system";
        weft_link_abort(&ws->link, WEFT_CAUSE_ERROR,
                        rc == WEFT_E_MEMORY ? "out of memory"
                                            : strerror(errno));
        if (ws->link.state == WEFT_LINK_IDLE)
            return weft_raise(L, "weft.connect: out of memory");
    }
    return 1;
}

/* core.wait_open(ws) -> true, or nil, message, code */
static int
core_wait_open(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "weft.connect");
    struct weft_wait *w;

    if (ws->link.state >= WEFT_LINK_OPEN)
        return weft_ws_push_open_outcome(L, ws);
    w = weft_wait_begin(L, ws->instance, "weft.connect");
    if (w == NULL)
        return weft_ws_push_open_cancelled(L);
    return weft_ws_wait(L, ws, w, WEFT_WAIT_OPEN, HUGE_VAL);
}

/* core.pair(loop, client_spec, server_spec) -> client, server */
static int
core_pair(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_config *client = weft_config_field(L, 2);
    struct weft_config *server = weft_config_field(L, 3);
    struct weft_client_request r;
    struct weft_span *spoken;
    struct weft_ws *a, *b;
    size_t count;
    enum weft_status rc;

    read_request(L, 2, &r);
    spoken = weft_list_field(L, 3, "protocols", &count);
    a = weft_ws_new(L, 1, I, client, WEFT_CLIENT);
    b = weft_ws_new(L, 1, I, server, WEFT_SERVER);
    weft_instance_touch(I);
    rc = weft_link_pair(&a->link, &b->link, &r, spoken, count);
    if (rc != WEFT_OK)
        return weft_raise(L, "weft.pair: %s", rc == WEFT_E_MEMORY
                                                  ? "out of memory"
                                                  : "the handshake failed");
    return 2;
}

void
weft_client_register(lua_State *L)
{
    static const luaL_Reg functions[] = { { "connect", core_connect },
                                          { "wait_open", core_wait_open },
                                          { "pair", core_pair },
                                          { NULL, NULL } };

    luaL_setfuncs(L, functions, 0);
}
