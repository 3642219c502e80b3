/*
 * The data phase of one WebSocket connection, either role: frames in, messages
 * out, and back (RFC 6455, sections 5 to 8; compressed, RFC 7692).  No I/O, no
 * clock, no Lua.
 *
 * Everything is pulled.  The caller lends bytes; weft_session_read() works
 * through them and hands out one event at a time, whose memory is good until
 * the next call on this session.  What the session has to send, its answers to
 * pings and closes included, collects in `out`, and the caller takes it.
 *
 * The session owns `out`, the message it is collecting and its compression;
 * limits, random and the pool of that are borrowed from whoever owns the
 * session and outlive it.
 */
#ifndef WEFT_PROTO_SESSION_H
#define WEFT_PROTO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "base/crypto.h"
#include "base/status.h"
#include "base/utf8.h"
#include "proto/deflate.h"
#include "proto/frame.h"
#include "proto/outq.h"

/* WEFT_EVENTS: a server whose session speaks Server-Sent Events, see
 * weft_session_speak_events(). */
enum weft_role { WEFT_SERVER, WEFT_CLIENT, WEFT_EVENTS };

/*
 * What a peer may send; past it the connection fails with 1009.  A compressed
 * message counts inflated, as it is being inflated; on the wire it may be as
 * much longer than these as what cannot be compressed becomes.
 */
struct weft_limits {
    uint64_t max_message; /* bytes */
    uint64_t max_frame;   /* bytes */
    uint32_t max_fragments; /* frames a message; empty ones count, but for a
                               last one that only ends the message */
};

/*
 * What a peer may still send, for whoever knows the time and adds to it; the
 * session takes away.  When one is not enough the connection fails with 1008.  A
 * message counts when its first frame's head is read, and so do pings and pongs
 * (each ping of ours adds what its pong takes); bytes are payload as it arrives,
 * and of a compressed message what comes out, where that is more.  INFINITY is no
 * limit.  After our close nothing counts.
 */
struct weft_allowance {
    double messages, bytes;
};

/* Bytes lent to the session, which writes into them (unmasking) and moves
 * the start past what it has used. */
struct weft_input {
    uint8_t *data;
    size_t len;
};

enum weft_event_type {
    WEFT_EVENT_MESSAGE, /* a whole message: opcode, data, len */
    WEFT_EVENT_CHUNK,   /* a piece of one, when streaming: + last */
    WEFT_EVENT_PING,    /* data, len; the pong is already queued */
    WEFT_EVENT_PONG,    /* data, len */
    WEFT_EVENT_CLOSE,   /* code (1005: none), data and len: the reason */
};

/* data is never NULL, also when len is 0. */
struct weft_event {
    enum weft_event_type type;
    uint8_t opcode; /* WEFT_TEXT or WEFT_BINARY, of the message */
    bool last;
    uint16_t code;
    const uint8_t *data;
    size_t len;
};

enum weft_read_state {
    WEFT_READ_HEAD,
    WEFT_READ_PAYLOAD,
    WEFT_READ_FAULT,   /* weft_session_received() met the fault in `failure` */
    WEFT_READ_NOTHING, /* after a close frame or a fault: all is discarded */
};

struct weft_session {
    const struct weft_limits *limits;
    struct weft_random *random;
    struct weft_outq out; /* what is to be sent, in order */
    size_t front;         /* bytes at its head up to where a frame begins */
    struct weft_deflate *deflate; /* owned; NULL: none was agreed on */
    struct weft_allowance *allowance; /* borrowed; NULL: no limit */
    enum weft_role role;

    /* reading */
    enum weft_read_state state;
    struct weft_frame frame;    /* the frame being read */
    uint64_t frame_at;          /* payload bytes of it already read */
    uint64_t message_len;       /* announced bytes of this message so far */
    uint64_t inflated;          /* bytes that came out of it so far */
    uint32_t fragments;         /* frames of this message so far */
    enum weft_status failure;   /* the fault that ended reading, or 0 */
    struct weft_buf message;    /* what has arrived of it, unless it can be
                                   lent from the input */
    uint8_t *control;           /* owned: a control payload in pieces; NULL */
    uint8_t head[WEFT_FRAME_HEAD_MAX]; /* an unfinished frame head */
    uint8_t head_len;
    uint8_t short_end;          /* a frame under it is a short message, whatever
                                   the limits; see session_short.h */
    uint8_t short_head;         /* the size of its head: 6 with a key, or 2 */
    uint8_t opcode;             /* of the message being read; 0: none */
    struct weft_utf8 utf8;      /* where its text stands */
    bool streaming;             /* messages come as chunks */
    bool skipping;              /* the rest of this message is dropped */
    bool begun;                 /* a chunk of this message was handed out */
    bool compressed;            /* this message is */
    bool inflating;             /* of what was used, more is to come out */
    bool lent;                  /* `message` was lent by the last read */

    /* writing */
    uint8_t out_opcode;         /* of the message being written; 0: none */
    bool out_compressed;        /* that message is */
    struct weft_utf8 out_utf8;  /* for whoever checks what is written */
    bool muted;                 /* nothing more is sent: after a close frame,
                                   either way, or weft_session_fail() */
    bool blocked;               /* set by the caller: the socket is full */
    uint8_t pong_len;
    uint8_t *pong;              /* owned: the one that waits while blocked */

    /* closing */
    bool close_sent, close_received;
    uint16_t sent_code;         /* once close_sent; 1005: without a code */
    uint16_t close_code;        /* once close_received; 1005: without one */
};

/* Makes s ready for the data phase.  Allocates nothing.  The limits do not
 * change after that. */
void weft_session_init(struct weft_session *s, enum weft_role role,
                       const struct weft_limits *limits,
                       struct weft_random *random);

/* What the peer may send is limited from here on by *a, which outlives the
 * session or what takes its place; NULL: no longer. */
void weft_session_ration(struct weft_session *s, struct weft_allowance *a);

/*
 * The two ends have agreed on compression (RFC 7692): messages go compressed
 * where that is worth it, and may come so.  WEFT_OK, also when *a is all zero,
 * or WEFT_E_MEMORY.  Before anything is read or sent.
 */
enum weft_status weft_session_deflate(struct weft_session *s,
                                      const struct weft_deflate_options *o,
                                      const struct weft_deflate_agreed *a,
                                      struct weft_deflate_pool *pool);

/*
 * From here on, or from the start when it is initialised with WEFT_EVENTS, a
 * session is an event stream: what is sent goes as events (proto/events.h)
 * behind what `out` holds, a text as it is, a binary message in base64; and so
 * do the bytes of an event that is ready, as a message of the opcode
 * WEFT_ENCODED.  A chunk holds a whole event.  A close only ends the sending.
 * All that comes in is thrown away.  No message is written in pieces, and there
 * are no pings: to ask for either is the caller's mistake.  Nothing compressed
 * was agreed on, and nothing was sent or read before.
 */
void weft_session_speak_events(struct weft_session *s);

/* Frees all; s is inert (it reads and sends nothing) and may be deinited
 * again.  All zero is valid for it too. */
void weft_session_deinit(struct weft_session *s);

/*
 * Works through the input up to the next event.  WEFT_EVENT: *ev is filled;
 * WEFT_MORE: the input is used up; below zero: the peer's fault (or memory),
 * also in s->failure; reading has ended, nothing after the bad frame is looked
 * at, and the caller calls weft_session_fail() when what the application still
 * has to say has been said.  A fault shows as early as its bytes are there: a
 * head that announces too much, a bad byte in the middle of text.
 *
 * Pings are answered and a close is answered (5.5.1, 5.5.2) before the event
 * is handed out.  After a close or a fault, WEFT_MORE and the rest is discarded
 * (1.4).
 * A pong that is due while `blocked` is held back, and a later one takes its
 * place (5.5.3).
 */
static inline enum weft_status weft_session_read(struct weft_session *s,
                                                 struct weft_input *in,
                                                 struct weft_event *ev);
/* The same, where the short way has come to no event: to rc. */
enum weft_status weft_session_read_on(struct weft_session *s,
                                      struct weft_input *in,
                                      struct weft_event *ev,
                                      enum weft_status rc);

/*
 * In the middle of a large payload: where its next bytes may be received
 * directly and how many at most, or NULL when reading should go through
 * weft_session_read().  The room grows with what has arrived, never with what
 * was announced.  weft_session_received() counts n bytes that were put there:
 * it unmasks and checks them; the message, once whole, or the fault comes
 * from the next weft_session_read(), with whatever input, even none.
 * Used for data frames only, with at least 16 KiB outstanding, not streaming,
 * not compressed.
 */
bool weft_session_has_room(const struct weft_session *s); /* memory apart */
uint8_t *weft_session_room(struct weft_session *s, size_t *len);
void weft_session_received(struct weft_session *s, size_t n);

/* Whether weft_session_read() may give something without any input. */
bool weft_session_pending(const struct weft_session *s);

/* Bytes held of a message that is not complete. */
static inline size_t
weft_session_held(const struct weft_session *s)
{
    return s->lent ? 0 : weft_buf_len(&s->message);
}

/*
 * Turns streaming on or off.  On: data comes as WEFT_EVENT_CHUNK, the last
 * piece of a message with `last` (it may be empty); what was already collected
 * of an unfinished message comes first.  Off when a chunk of an unfinished
 * message was handed out: the rest of that message is skipped (still checked
 * and counted).  A chunk of text may end within a character.
 */
void weft_session_stream(struct weft_session *s, bool on);

/*
 * Queues the close frame that s->failure (or another failure given) calls for,
 * without a reason, unless a close was sent already or memory is out.  No more
 * is read or sent.
 */
void weft_session_fail(struct weft_session *s, enum weft_status failure);

/*
 * Queues a whole message, compressed if that was agreed on and is worth it.
 * The payload is copied (a client masks it on the way).  WEFT_OK;
 * WEFT_E_CLOSED after a close was sent or received; WEFT_E_BUSY while a
 * message is being written in pieces; WEFT_E_MEMORY; in all of these nothing
 * was queued.
 */
static inline enum weft_status weft_session_send(struct weft_session *s,
                                                 enum weft_opcode opcode,
                                                 const void *data,
                                                 size_t len);
/* The same, the long way. */
enum weft_status weft_session_send_any(struct weft_session *s,
                                       enum weft_opcode opcode,
                                       const void *data, size_t len);

/* The same, never compressed: what is so already. */
enum weft_status weft_session_send_plain(struct weft_session *s,
                                         enum weft_opcode opcode,
                                         const void *data, size_t len);

/* The same for a server, the payload borrowed: see outq.h.  (A client has to
 * mask, so it copies; `out.borrowed` tells.)  Not compressed either. */
enum weft_status weft_session_send_borrowed(struct weft_session *s,
                                            enum weft_opcode opcode,
                                            const void *data, size_t len);

/* The same for a server: a chunk that holds the whole frame, head and all.
 * Small ones are copied.  A compressed one was made by a session that shares
 * this one's parameters. */
enum weft_status weft_session_send_chunk(struct weft_session *s,
                                         struct weft_chunk *frame);

/* Writes the unmasked frame of one whole message where there is room for
 * WEFT_FRAME_HEAD_MAX + len bytes; returns how many it took. */
size_t weft_session_write_frame(uint8_t *to, enum weft_opcode opcode,
                                const void *data, size_t len);

/* A chunk that holds the unmasked frame of one whole message, or NULL. */
struct weft_chunk *weft_session_frame_chunk(enum weft_opcode opcode,
                                            const void *data, size_t len);

/*
 * The same, compressed for this session, which agreed on compression, and for
 * all others with which it shares parameters (weft_deflate_same()): WEFT_OK;
 * WEFT_MORE: it does not become smaller and goes as it is; WEFT_E_MEMORY.
 */
enum weft_status weft_session_deflate_chunk(struct weft_session *s,
                                            enum weft_opcode opcode,
                                            const void *data, size_t len,
                                            struct weft_chunk **frame);

/*
 * Queues a piece of a message as one frame: the first call opens the message
 * with its opcode, later ones continue it whatever opcode they give, and
 * `last` ends it.  Compressed if that was agreed on.
 */
enum weft_status weft_session_write(struct weft_session *s,
                                    enum weft_opcode opcode, const void *data,
                                    size_t len, bool last);

/* The same; the message that it opens is not compressed. */
enum weft_status weft_session_write_plain(struct weft_session *s,
                                          enum weft_opcode opcode,
                                          const void *data, size_t len,
                                          bool last);

/* Queues a ping or an unasked-for pong of at most 125 bytes; may come in the
 * middle of a message in pieces (5.4).  WEFT_E_CONTROL_TOO_LONG for more. */
enum weft_status weft_session_ping(struct weft_session *s, const void *data,
                                   size_t len);
enum weft_status weft_session_pong(struct weft_session *s, const void *data,
                                   size_t len);

/*
 * Queues a close frame; code 1005 sends one without a body.  The reason is at
 * most 123 bytes of UTF-8 (the caller has checked both; for a longer one
 * WEFT_E_CONTROL_TOO_LONG).  Nothing can be sent after it.  WEFT_OK also when
 * one was sent before.  Messages that still come in are handed out; the caller
 * may drop them.
 */
enum weft_status weft_session_close(struct weft_session *s, unsigned code,
                                    const void *reason, size_t len);

/*
 * Tells the session that the socket takes bytes again (blocked = false) or no
 * longer does; a pong that was held back is queued when it does.
 */
void weft_session_set_blocked(struct weft_session *s, bool blocked);

/*
 * The first n bytes of `out` were sent; it lent them as the first of those
 * spans.  Whoever calls this for all that is sent, from the first frame on, may
 * call weft_session_shed(); `front` is what stood in front of that frame.
 */
void weft_session_sent(struct weft_session *s, const struct weft_span *spans,
                       size_t n);

/*
 * Gives up what it holds: a message that has not come in whole, or is lent, and
 * what is queued, but for the rest of a frame that has begun to leave.  A close
 * frame that was queued may be sent again.  Then it is to fail or to be deinited.
 * False: there was no memory for that rest.
 */
bool weft_session_shed(struct weft_session *s);

/* Whether nothing is under way in either direction: a new session, given this
 * one's compression, would go on in its place. */
bool weft_session_rests(const struct weft_session *s);

/* 7.1.4: a close frame went both ways (ours may still be in `out`). */
static inline bool
weft_session_closed(const struct weft_session *s)
{
    return s->close_sent && s->close_received;
}

#include "proto/session_short.h"

#endif
