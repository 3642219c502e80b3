/*
 * A session under the first oracle: the same bytes whole, in pieces, one at a
 * time, and received straight into large messages give the same events and
 * the same output.
 *
 * A ping that begins with "s" turns streaming over, a pong that begins with
 * "b" blocks the socket or frees it, and each message is echoed.
 */
#ifndef WEFT_SPEC_SESSION_RUN_H
#define WEFT_SPEC_SESSION_RUN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mask.h"
#include "proto/session.h"

enum way { WHOLE, PIECES, BYTES, ROOM, WAYS };

static const char *const ways[WAYS] = {
    "whole", "in pieces it is the same", "bytewise it is the same",
    "through the room it is the same"
};

struct run {
    struct weft_session s;
    struct weft_buf log;    /* what happened */
    struct weft_buf joined; /* the chunks of a message so far */
    struct weft_buf said;   /* the messages that were echoed */
    struct weft_buf out;    /* what was sent */
    uint32_t seed;
    size_t most;            /* that an unfinished message may take */
};

static void
must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void
add(struct weft_buf *b, const void *data, size_t len)
{
    must(weft_buf_add(b, data, len) == WEFT_OK, "memory is there");
}

static void
note(struct run *r, int what, int more, const void *data, size_t len)
{
    int head[3] = { what, more, (int)len };

    add(&r->log, head, sizeof(head));
    add(&r->log, data, len);
}

static void
empty(struct weft_buf *b)
{
    weft_buf_consume(b, weft_buf_len(b));
}

static void
message(struct run *r, unsigned opcode, const uint8_t *data, size_t len)
{
    enum weft_status rc;

    note(r, WEFT_EVENT_MESSAGE, (int)opcode, data, len);
    rc = weft_session_send(&r->s, (enum weft_opcode)opcode, data, len);
    must(rc == WEFT_OK || (rc == WEFT_E_CLOSED && r->s.close_sent),
         "a message can be echoed");
    if (rc == WEFT_OK)
        add(&r->said, data, len);
}

static void
event(struct run *r, const struct weft_event *ev)
{
    struct weft_session *s = &r->s;
    uint8_t first = ev->len > 0 ? ev->data[0] : 0;

    switch (ev->type) {
    case WEFT_EVENT_MESSAGE:
        message(r, ev->opcode, ev->data, ev->len);
        return;
    case WEFT_EVENT_CHUNK:
        must(ev->len > 0 || ev->last, "only the last chunk is empty");
        add(&r->joined, ev->data, ev->len);
        if (ev->last) {
            message(r, ev->opcode, weft_buf_len(&r->joined) > 0 ?
                    weft_buf_head(&r->joined) : ev->data,
                    weft_buf_len(&r->joined));
            empty(&r->joined);
        }
        return;
    default:
        note(r, (int)ev->type, ev->code, ev->data, ev->len);
    }
    if (ev->type == WEFT_EVENT_PONG && first == 'b')
        weft_session_set_blocked(s, !s->blocked);
    if (ev->type == WEFT_EVENT_PING && first == 's') {
        weft_session_stream(s, !s->streaming);
        if (!s->streaming)
            empty(&r->joined); /* the rest of it is skipped */
    }
}

static void
take_output(struct run *r)
{
    struct weft_span spans[3];
    size_t all = 0;
    int n = weft_outq_spans(&r->s.out, spans, 3);

    for (int i = 0; i < n; i++) {
        add(&r->out, spans[i].data, spans[i].len);
        all += spans[i].len;
    }
    weft_outq_consume(&r->s.out, all);
}

/* Reads until there is no more; the bytes lie alone in their memory. */
static void
feed(struct run *r, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct weft_input in = { copy, len };
    struct weft_event ev;
    enum weft_status rc;

    memcpy(copy, bytes, len);
    while ((rc = weft_session_read(&r->s, &in, &ev)) == WEFT_EVENT)
        event(r, &ev);
    must(in.len == 0, "all input is used up");
    if (rc < 0) {
        must(r->s.failure == rc && rc <= WEFT_E_RESERVED_BITS,
             "a fault of the peer");
        note(r, rc, weft_status_close_code(rc), NULL, 0);
        weft_session_fail(&r->s, rc);
    }
    must(!weft_session_pending(&r->s), "all was handed out");
    take_output(r);
    free(copy);
}

static size_t
next_size(struct run *r, enum way way, size_t left)
{
    size_t size = way == BYTES ? 1 : left;

    if (way == PIECES || way == ROOM) {
        r->seed = r->seed * 1664525 + 1013904223;
        size = 1 + (r->seed >> 16) % ((r->seed >> 8 & 3) == 0 ? 300 : 9);
    }
    return size < left ? size : left;
}

static void
feed_all(struct run *r, const uint8_t *bytes, size_t len, enum way way)
{
    size_t at = 0, room;

    while (at < len) {
        size_t n = next_size(r, way, len - at);
        uint8_t *to = way == ROOM ? weft_session_room(&r->s, &room) : NULL;

        if (to != NULL) {
            n = n < room ? n : room;
            memcpy(to, bytes + at, n);
            weft_session_received(&r->s, n);
            if (weft_session_pending(&r->s))
                feed(r, bytes, 0);
        } else {
            feed(r, bytes + at, n);
        }
        at += n;
        must(r->s.message.cap <= r->most, "memory is bounded");
    }
}

/* A client's masks are random: without them the output can be compared. */
static void
unmask(struct weft_buf *out)
{
    uint8_t *at = weft_buf_head(out);
    size_t left = weft_buf_len(out), head;
    struct weft_frame f;

    while (left > 0) {
        must(weft_frame_read(&f, at, left, &head) == WEFT_OK &&
             f.len <= left - head && f.masked, "the output is frames");
        weft_mask(at + head, (size_t)f.len, f.key, 0);
        memset(at + head - 4, 0, 4);
        at += head + f.len;
        left -= head + f.len;
    }
}

/* What is left to send goes out, and how it ended is noted. */
static void
finish(struct run *r)
{
    size_t held;

    weft_session_set_blocked(&r->s, false);
    while (weft_outq_len(&r->s.out) > 0)
        take_output(r);
    held = weft_session_held(&r->s);
    note(r, r->s.failure, weft_session_closed(&r->s), &held, sizeof(held));
    if (r->s.role == WEFT_CLIENT && weft_buf_len(&r->out) > 0)
        unmask(&r->out);
}

static int
same(const struct weft_buf *a, const struct weft_buf *b)
{
    size_t len = weft_buf_len(a);

    return len == weft_buf_len(b) &&
           (len == 0 || memcmp(weft_buf_head(a), weft_buf_head(b), len) == 0);
}

static void
end(struct run *r)
{
    weft_session_deinit(&r->s);
    weft_buf_deinit(&r->log);
    weft_buf_deinit(&r->joined);
    weft_buf_deinit(&r->said);
    weft_buf_deinit(&r->out);
}

#endif
