/*
 * Answers to requests: accepted, responded to at once or piece by piece, and the
 * bodies that are answered.  It must not know HTTP.
 */
#include <math.h>

#include "lua/check.h"
#include "lua/l_file.h"
#include "lua/l_link.h"

static struct weft_ws *
asked(lua_State *L, const char *call)
{
    return weft_check_ws(L, 1, call);
}

static enum weft_status
check_memory(lua_State *L, enum weft_status rc)
{
    if (rc == WEFT_E_MEMORY)
        weft_raise(L, "out of memory");
    return rc;
}

int
weft_ws_push_body(lua_State *L, const struct weft_ws *ws)
{
    struct weft_span body;

    if (ws->link.state != WEFT_LINK_ASKED) /* it has ended meanwhile */
        return weft_push_closed(L, &ws->link);
    body = weft_link_body(&ws->link);
    lua_pushlstring(L, body.data, body.len);
    return 1;
}

/* core.read_body(ws) -> the request's, or nil, "closed", ... */
static int
core_read_body(lua_State *L)
{
    struct weft_ws *ws = asked(L, "read_body");
    enum weft_status rc = weft_link_want_body(&ws->link);
    struct weft_wait *w;

    if (rc == WEFT_OK)
        return weft_ws_push_body(L, ws);
    if (rc != WEFT_MORE)
        return weft_push_closed(L, &ws->link);
    w = weft_wait_begin(L, ws->instance, "read_body");
    if (w == NULL)
        return weft_wait_refused(L, ws->instance);
    return weft_ws_wait(L, ws, w, WEFT_WAIT_BODY, HUGE_VAL);
}

static int
push_answered(lua_State *L, struct weft_ws *ws, enum weft_status rc)
{
    weft_ws_update_holds(L, ws, 1);
    if (check_memory(L, rc) != WEFT_OK)
        return weft_push_closed(L, &ws->link);
    lua_pushboolean(L, 1);
    return 1;
}

/* core.accept(ws, protocol, headers) */
static int
core_accept(lua_State *L)
{
    struct weft_ws *ws = asked(L, "accept");
    struct weft_span protocol = { "", 0 }, headers = { "", 0 };

    if (!lua_isnoneornil(L, 2))
        protocol.data = luaL_checklstring(L, 2, &protocol.len);
    if (!lua_isnoneornil(L, 3))
        headers.data = luaL_checklstring(L, 3, &headers.len);
    return push_answered(L, ws,
                         weft_link_accept(&ws->link, protocol, headers));
}

/* core.respond(ws, status, headers, body) */
static int
core_respond(lua_State *L)
{
    struct weft_ws *ws = asked(L, "respond");
    unsigned status = (unsigned)luaL_checkinteger(L, 2);
    struct weft_span headers, body;
    enum weft_status rc;

    headers.data = luaL_checklstring(L, 3, &headers.len);
    body.data = luaL_checklstring(L, 4, &body.len);
    if (body.len >= WEFT_BORROW_MIN && weft_lend_begin(L, 1, 4))
        rc = weft_lend_end(L, ws, weft_link_respond_borrowed(&ws->link,
                                                             status, headers,
                                                             body));
    else
        rc = weft_link_respond(&ws->link, status, headers, body);
    return push_answered(L, ws, rc);
}

/* core.respond_file(ws, status, headers, file): the file is closed then */
static int
core_respond_file(lua_State *L)
{
    struct weft_ws *ws = asked(L, "respond_file");
    unsigned status = (unsigned)luaL_checkinteger(L, 2);
    struct weft_span headers;
    uint64_t at, length;
    int fd;

    headers.data = luaL_checklstring(L, 3, &headers.len);
    fd = weft_lua_file_take(L, 4, &at, &length);
    if (fd < 0)
        return weft_raise(L, "the body is a file that was closed");
    return push_answered(L, ws, weft_link_respond_file(&ws->link, status,
                                                       headers, fd, at,
                                                       length));
}

/* core.begin_response(ws, status, headers, length) */
static int
core_begin_response(lua_State *L)
{
    struct weft_ws *ws = asked(L, "begin_response");
    unsigned status = (unsigned)luaL_checkinteger(L, 2);
    uint64_t length = lua_isnoneornil(L, 4)
                          ? WEFT_UNKNOWN
                          : (uint64_t)luaL_checkinteger(L, 4);
    struct weft_span headers;

    headers.data = luaL_checklstring(L, 3, &headers.len);
    return push_answered(L, ws, weft_link_begin_answer(&ws->link, status,
                                                       headers, length));
}

static enum weft_status
write_answer(lua_State *L, struct weft_ws *ws, int bytes, struct weft_span s)
{
    if (s.len >= WEFT_BORROW_MIN && weft_lend_begin(L, 1, bytes))
        return weft_lend_end(L, ws,
                             weft_link_write_answer_borrowed(&ws->link, s));
    return weft_link_write_answer(&ws->link, s);
}

/* core.write(ws, bytes): waits while more than send_buffer is queued */
static int
core_write(lua_State *L)
{
    struct weft_ws *ws = asked(L, "write");
    struct weft_wait *w;
    struct weft_span s;
    enum weft_status rc;

    s.data = luaL_checklstring(L, 2, &s.len);
    weft_loop_relieve(&ws->instance->loop);
    rc = check_memory(L, write_answer(L, ws, 2, s));
    if (rc == WEFT_E_BUSY)
        return weft_raise(L, "the body is longer than its Content-Length");
    if (rc != WEFT_OK)
        return weft_push_closed(L, &ws->link);
    if (weft_link_backlog(&ws->link) <= ws->link.config->send_buffer) {
        lua_pushboolean(L, 1);
        return 1;
    }
    w = weft_wait_begin(L, ws->instance, "write");
    if (w == NULL)
        return weft_wait_refused(L, ws->instance);
    ws->link.drain = true;
    return weft_ws_wait(L, ws, w, WEFT_WAIT_DRAIN, HUGE_VAL);
}

/* core.end_response(ws) */
static int
core_end_response(lua_State *L)
{
    struct weft_ws *ws = asked(L, "end_response");
    enum weft_status rc = weft_link_end_answer(&ws->link);

    if (rc == WEFT_E_BUSY)
        return weft_raise(L, "the body is shorter than its Content-Length");
    return push_answered(L, ws, rc);
}

void
weft_answer_register(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "accept", core_accept },
        { "read_body", core_read_body },
        { "respond", core_respond },
        { "respond_file", core_respond_file },
        { "begin_response", core_begin_response },
        { "write", core_write },
        { "end_response", core_end_response },
        { NULL, NULL },
    };

    luaL_setfuncs(L, functions, 0);
}
