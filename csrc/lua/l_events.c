/*
 * Event streams: how one begins, and what a message of one may say beside its
 * text.  It must not know how it leaves.
 */
#include <string.h>

#include "base/utf8.h"
#include "lua/check.h"
#include "lua/l_link.h"
#include "proto/events.h"

void
weft_refuse_stream(lua_State *L, const struct weft_ws *ws, const char *call,
                   const char *what)
{
    if (ws->link.role == WEFT_EVENTS)
        weft_raise(L, "%s: an event stream has no %s", call, what);
}

/* The event takes the place of the message it was made of, so that the call's
 * frame keeps it. */
static void
replace_message(lua_State *L, const struct weft_sse *e, struct weft_manner *m,
                struct weft_span *bytes, const char *call)
{
    size_t size = weft_sse_size(e);
    luaL_Buffer b;

    if (size == SIZE_MAX)
        weft_raise(L, "%s: out of memory", call);
    weft_sse_write(e, (uint8_t *)luaL_buffinitsize(L, &b, size));
    luaL_pushresultsize(&b, size);
    lua_replace(L, 2);
    bytes->data = lua_tolstring(L, 2, &bytes->len);
    m->opcode = (enum weft_opcode)WEFT_ENCODED;
}

/* Pushes the table's field and lends it; without data when it is nil. */
static struct weft_span
check_line(lua_State *L, const char *name, const char *call)
{
    struct weft_span s = { NULL, 0 };

    if (lua_getfield(L, 3, name) == LUA_TNIL)
        return s;
    if (lua_type(L, -1) == LUA_TSTRING || lua_isinteger(L, -1))
        s.data = lua_tolstring(L, -1, &s.len);
    if (s.data == NULL || memchr(s.data, '\r', s.len) != NULL
        || memchr(s.data, '\n', s.len) != NULL
        || memchr(s.data, '\0', s.len) != NULL
        || !weft_utf8_is_text((const uint8_t *)s.data, s.len))
        weft_raise(L, "%s: option '%s': expected UTF-8 text without CR, LF or "
                      "NUL, got %s",
                   call, name, s.data != NULL ? "other bytes"
                                              : luaL_typename(L, -1));
    return s;
}

static int64_t
check_retry(lua_State *L, const char *call)
{
    double seconds;

    if (lua_getfield(L, 3, "retry") == LUA_TNIL)
        return -1;
    seconds = weft_check_seconds(L, -1, -1, call, "retry");
    if (seconds > 1e9)
        weft_argument_error(L, lua_gettop(L), call, "retry",
                            "seconds (at most 1e9)");
    return (int64_t)(seconds * 1000 + 0.5);
}

struct weft_sse
weft_event_make(lua_State *L, enum weft_opcode opcode, struct weft_span bytes,
                const char *call)
{
    struct weft_sse e = weft_sse_message(opcode, bytes.data, bytes.len);
    struct weft_span name = check_line(L, "event", call);

    if (name.data != NULL)
        e.name = name;
    e.id = check_line(L, "id", call);
    e.retry = check_retry(L, call);
    return e;
}

void
weft_event_encode(lua_State *L, struct weft_manner *m,
                  struct weft_span *bytes, const char *call)
{
    int top = lua_gettop(L);
    struct weft_sse e = weft_event_make(L, m->opcode, *bytes, call);

    replace_message(L, &e, m, bytes, call);
    lua_settop(L, top);
}

void
weft_event_comment(lua_State *L, struct weft_manner *m,
                   struct weft_span *bytes)
{
    struct weft_sse e = { .comment = *bytes, .retry = -1 };

    replace_message(L, &e, m, bytes, "ws:comment");
}

/*
 * core.event_stream(ws, headers, retry): header lines, and milliseconds or nil.
 * True, also when the server closes and so does the stream at once; or nil,
 * "closed", code, reason.
 */
static int
core_event_stream(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "event_stream");
    lua_Integer retry = luaL_optinteger(L, 3, -1);
    struct weft_span headers;
    enum weft_status rc;

    headers.data = luaL_checklstring(L, 2, &headers.len);
    rc = weft_link_begin_events(&ws->link, headers, retry);
    if (rc == WEFT_OK && ws->handler != NULL && !ws->handler->housed) {
        lua_pushvalue(L, 1);
        weft_task_move_in(L, ws->handler); /* it may last as long */
        lua_pop(L, 1);
    }
    if (rc == WEFT_OK && ws->server != NULL && !ws->server->listening)
        weft_link_close(&ws->link, 1001, (struct weft_span){ "", 0 },
                        WEFT_CAUSE_SHUTDOWN);
    weft_ws_update_holds(L, ws, 1);
    if (rc == WEFT_E_MEMORY)
        return weft_raise(L, "request:event_stream: out of memory");
    if (rc != WEFT_OK)
        return weft_push_closed(L, &ws->link);
    lua_pushboolean(L, 1);
    return 1;
}

void
weft_events_register(lua_State *L)
{
    static const luaL_Reg functions[] = { { "event_stream",
                                            core_event_stream },
                                          { NULL, NULL } };

    luaL_setfuncs(L, functions, 0);
}
