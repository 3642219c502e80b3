/*
 * What the files of the connection's binding share among themselves:
 *
 *   l_link.c    type and life    l_receive.c  receive, messages, chunks
 *   l_send.c    send, flush      l_lend.c     strings lent to the kernel
 *   l_writer.c  writer           l_events.c   event streams
 *   l_close.c   close, ping      l_field.c    fields and the user's own
 *   service.c   what the loop does for it
 */
#ifndef WEFT_LUA_L_LINK_H
#define WEFT_LUA_L_LINK_H

#include "loop/memory.h"
#include "lua/check.h"
#include "lua/state.h"
#include "proto/events.h"

/* "connecting", "open", "closing" or "closed" */
const char *weft_ws_state_name(const struct weft_ws *ws);

/* Waits for something of the connection's that service.c sees to. */
static inline int
weft_ws_wait(lua_State *L, struct weft_ws *ws, struct weft_wait *w,
             enum weft_wait_kind kind, double seconds)
{
    w->kind = kind;
    w->u.ws = ws;
    weft_list_add(&ws->waiters, &w->node);
    return weft_wait_park(L, w, seconds);
}

static inline bool
weft_ws_is_connecting(const struct weft_ws *ws)
{
    return ws->link.state < WEFT_LINK_OPEN
           && ws->link.state != WEFT_LINK_IDLE;
}

/* What a send that was not accepted returns. */
int weft_ws_push_refused(lua_State *L, struct weft_ws *ws,
                         enum weft_status rc, const char *call);

/* Whether a send would have to wait its turn.  The limit on memory is kept
 * first, so the connection may be closed then. */
static inline bool
weft_ws_is_full(struct weft_ws *ws)
{
    weft_loop_relieve(ws->link.loop);
    return weft_link_backlog(&ws->link) > ws->link.config->send_buffer
           || ws->writer != NULL || !weft_list_empty(&ws->senders);
}

/* The methods; their first two upvalues are "text" and "binary". */
int weft_ws_receive(lua_State *L);
int weft_ws_messages(lua_State *L);
int weft_next_message(lua_State *L); /* the third one of messages */
int weft_next_for_events(lua_State *L); /* core.next_message */
int weft_ws_chunks(lua_State *L);
int weft_ws_send(lua_State *L);
int weft_ws_try_send(lua_State *L);
int weft_ws_comment(lua_State *L);
int weft_ws_flush(lua_State *L);
int weft_ws_close(lua_State *L);
int weft_ws_abort(lua_State *L);
int weft_ws_wait_closed(lua_State *L);
int weft_ws_leave(lua_State *L);
int weft_ws_ping(lua_State *L);

/* The event of a message, with "event", "id" and "retry" of the table at 3 of L,
 * which are checked; what of them it lends is pushed. */
struct weft_sse weft_event_make(lua_State *L, enum weft_opcode opcode,
                                struct weft_span bytes, const char *call);
/* Makes an event of the message at 2 of L and of "event", "id" and "retry" in
 * the table at 3, which are checked here; it takes the message's place. */
void weft_event_encode(lua_State *L, struct weft_manner *m,
                       struct weft_span *bytes, const char *call);
/* Makes a comment of the text at 2 of L, likewise. */
void weft_event_comment(lua_State *L, struct weft_manner *m,
                        struct weft_span *bytes);
/* Raises on an event stream: "<call>: an event stream has no <what>". */
void weft_refuse_stream(lua_State *L, const struct weft_ws *ws,
                        const char *call, const char *what);

/* Queues a writer's piece, whose turn it is. */
enum weft_status weft_writer_send(const struct weft_writer *w,
                                  const char *data, size_t len, bool last);
/* A waiting writer's piece is queued. */
void weft_writer_wrote(struct weft_writer *w, bool last,
                       struct weft_utf8 utf8);

/* Adds ws:writer to the table of methods at that index. */
void weft_writer_register(lua_State *L, int methods);

/* ws[name] = value past the check, all stack indices. */
void weft_ws_set_own(lua_State *L, int ws, int name, int value);

/* Gives the metatable its __index and __newindex. */
void weft_fields_attach(lua_State *L, int meta, int methods);

#endif
