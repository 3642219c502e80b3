/*
 * ws:writer(): one message sent piece by piece, each write a frame.  The
 * message begins with the first write, when it is that write's turn; until it
 * ends, all other sends wait.
 */
#include <math.h>

#include "base/utf8.h"
#include "lua/check.h"
#include "lua/l_link.h"

#define WRITER_TYPE "weft.Writer"

/* A userdata; user value 1: its connection. */
struct weft_writer {
    struct weft_ws *ws;
    enum weft_opcode opcode;
    bool plain;            /* it is not to be compressed */
    struct weft_utf8 utf8; /* where the text stands */
    bool done;
};

/* Raises unless the text so far is UTF-8, before anything is sent. */
static struct weft_utf8
check_text(lua_State *L, const struct weft_writer *w, const char *data,
           size_t len)
{
    struct weft_utf8 after = w->utf8;
    size_t good;

    if (w->opcode != WEFT_TEXT)
        return after;
    good = weft_utf8_check(&after, (const uint8_t *)data, len);
    if (good < len)
        weft_raise(L, "writer:write: argument 'bytes': byte %d is not valid "
                      "UTF-8 (send bytes as \"binary\")",
                   (int)good + 1);
    return after;
}

enum weft_status
weft_writer_send(const struct weft_writer *w, const char *data, size_t len,
                 bool last)
{
    struct weft_link *k = &w->ws->link;

    return w->plain ? weft_link_write_plain(k, w->opcode, data, len, last)
                    : weft_link_write(k, w->opcode, data, len, last);
}

/* A piece of the message is queued. */
void
weft_writer_wrote(struct weft_writer *w, bool last, struct weft_utf8 utf8)
{
    struct weft_ws *ws = w->ws;

    w->utf8 = utf8;
    ws->writer = last ? NULL : w;
    w->done = last;
    if (last && !weft_list_empty(&ws->senders))
        weft_loop_again(&ws->instance->loop, &ws->link.work);
}

static int
push_result(lua_State *L, struct weft_ws *ws, enum weft_status rc)
{
    if (rc == WEFT_E_MEMORY)
        return weft_raise(L, "writer: out of memory");
    if (rc != WEFT_OK)
        return weft_push_closed(L, &ws->link);
    if (weft_wait_blocks(L, ws->instance))
        weft_link_flush(&ws->link);
    lua_pushboolean(L, 1);
    return 1;
}

/* Whether it is not this writer's turn, or too much waits already. */
static bool
must_wait(const struct weft_writer *w)
{
    struct weft_ws *ws = w->ws;

    if (weft_ws_is_connecting(ws))
        return true;
    if (ws->writer == w)
        return weft_link_backlog(&ws->link) > ws->link.config->send_buffer;
    return weft_ws_is_full(ws);
}

static int
write_piece(lua_State *L, struct weft_writer *w, const char *data,
            size_t len, bool last, double seconds, const char *call)
{
    struct weft_utf8 after = check_text(L, w, data, len);
    struct weft_ws *ws = w->ws;
    struct weft_wait *wait;
    enum weft_status rc;

    weft_loop_relieve(&ws->instance->loop);
    if (!weft_link_is_open(&ws->link) && !weft_ws_is_connecting(ws))
        return weft_push_closed(L, &ws->link);
    if (!must_wait(w)) {
        weft_instance_touch(ws->instance);
        rc = weft_writer_send(w, data, len, last);
        if (rc == WEFT_OK)
            weft_writer_wrote(w, last, after);
        return push_result(L, ws, rc);
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    wait = weft_wait_begin(L, ws->instance, call);
    if (wait == NULL)
        return weft_wait_refused(L, ws->instance);
    wait->kind = WEFT_WAIT_WRITE;
    wait->u.ws = ws;
    wait->writer = w;
    wait->opcode = (uint8_t)w->opcode;
    wait->data = data;
    wait->len = len;
    wait->last = last;
    wait->utf8 = after;
    ws->link.drain = true;
    /* in the middle of its message it comes before all others */
    weft_list_add(ws->writer == w ? ws->senders.next : &ws->senders,
                  &wait->node);
    return weft_wait_park(L, wait, seconds);
}

/* w:write(bytes [, timeout]) */
static int
writer_write(lua_State *L)
{
    struct weft_writer *w = weft_check(L, 1, WRITER_TYPE, "writer:write");
    size_t len;
    const char *data = weft_check_string(L, 2, &len, "writer:write", "bytes");
    double seconds = weft_check_seconds(L, 3, HUGE_VAL, "writer:write",
                                        "timeout");

    if (w->done)
        return weft_raise(L, "writer:write: the message was closed");
    return write_piece(L, w, data, len, false, seconds, "writer:write");
}

/* w:close([timeout]): ends the message */
static int
writer_close(lua_State *L)
{
    struct weft_writer *w = weft_check(L, 1, WRITER_TYPE, "writer:close");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "writer:close",
                                        "timeout");

    if (w->done) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (!weft_utf8_complete(&w->utf8))
        return weft_raise(L, "writer:close: the text ends inside a UTF-8 "
                             "character");
    return write_piece(L, w, "", 0, true, seconds, "writer:close");
}

/* Abandoned in mid-message: nothing sensible can follow on the wire. */
static int
writer_abandon(lua_State *L)
{
    struct weft_writer *w = lua_touserdata(L, 1);
    struct weft_ws *ws = w->ws;

    if (ws == NULL || ws->writer != w)
        return 0;
    ws->writer = NULL;
    w->done = true;
    if (weft_link_is_open(&ws->link))
        weft_link_blame(&ws->link, WEFT_CAUSE_ERROR,
                        "a writer was left in the middle of its message");
    weft_link_close(&ws->link, 1011, (struct weft_span){ "", 0 },
                    WEFT_CAUSE_ERROR);
    weft_ws_update_holds(L, ws, 0);
    return 0;
}

/* ws:writer([kind]), ws:writer(options) -> writer */
static int
ws_writer(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "ws:writer");
    struct weft_manner m = weft_check_manner(L, 2, false, "ws:writer");
    struct weft_writer *w;

    weft_refuse_stream(L, ws, "ws:writer", "messages in pieces");
    if (!weft_link_is_open(&ws->link) && !weft_ws_is_connecting(ws))
        return weft_push_closed(L, &ws->link);
    w = weft_new_userdata(L, sizeof(*w), WRITER_TYPE, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    w->opcode = m.opcode;
    w->plain = m.plain;
    w->ws = ws;
    return 1;
}

void
weft_writer_register(lua_State *L, int methods)
{
    static const luaL_Reg meta[] = { { "__gc", writer_abandon },
                                     { "__close", writer_abandon },
                                     { NULL, NULL } };
    static const luaL_Reg own[] = { { "write", writer_write },
                                    { "close", writer_close },
                                    { NULL, NULL } };

    weft_new_type(L, WRITER_TYPE, meta, own);
    lua_pushcfunction(L, ws_writer);
    lua_setfield(L, methods, "writer");
}
