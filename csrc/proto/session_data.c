/*
 * The payload of messages as it comes in: whole, collected, in chunks or
 * skipped (RFC 6455, 5.4 and 8.1).  It must not know of control frames.
 */
#include "proto/mask.h"
#include "proto/session_inner.h"

enum {
    ROOM_LEAST = 16 * 1024, /* less is not worth a receive of its own */
    ROOM_FIRST = 64 * 1024,
};

/* Unmasks, checks and counts the next n bytes of the payload. */
static enum weft_status
open_payload(struct weft_session *s, uint8_t *data, size_t n)
{
    enum weft_status rc = weft_session_spend(s, 0, n);

    if (s->frame.masked)
        weft_mask(data, n, s->frame.key, s->frame_at);
    s->frame_at += n;
    return rc == WEFT_OK ? weft_session_check_text(s, data, n) : rc;
}

static enum weft_status
lend(struct weft_session *s, struct weft_event *ev, const uint8_t *data,
     size_t len, bool last)
{
    *ev = (struct weft_event){
        .type = s->streaming ? WEFT_EVENT_CHUNK : WEFT_EVENT_MESSAGE,
        .opcode = s->opcode, .last = last, .len = len,
        .data = len > 0 ? data : (const uint8_t *)""
    };
    s->begun = true;
    if (last)
        s->opcode = 0;
    return WEFT_EVENT;
}

enum weft_status
weft_session_lend(struct weft_session *s, struct weft_event *ev, bool last)
{
    size_t len = weft_buf_len(&s->message);

    s->lent = true;
    return lend(s, ev, len > 0 ? weft_buf_head(&s->message) : NULL, len,
                last);
}

/* What becomes of n more bytes of a message, `last` if they complete it. */
static enum weft_status
take_data(struct weft_session *s, const uint8_t *data, size_t n, bool last,
          struct weft_event *ev)
{
    enum weft_status rc;

    if (s->skipping) {
        if (last)
            s->opcode = 0;
        s->skipping = !last;
        return WEFT_OK;
    }
    if (s->streaming)
        return n > 0 || last ? lend(s, ev, data, n, last) : WEFT_OK;
    if (last && weft_buf_len(&s->message) == 0)
        return lend(s, ev, data, n, last);
    rc = weft_buf_add(&s->message, data, n);
    if (rc != WEFT_OK)
        return rc;
    return last ? weft_session_lend(s, ev, last) : WEFT_OK;
}

enum weft_status
weft_session_read_data(struct weft_session *s, struct weft_input *in,
                       struct weft_event *ev)
{
    size_t n = weft_least(in->len, s->frame.len - s->frame_at);
    uint8_t *data = in->data;
    bool last = false;

    if (n > 0) {
        enum weft_status rc = open_payload(s, data, n);

        if (rc != WEFT_OK)
            return rc;
        weft_input_advance(in, n);
    } else if (s->frame_at < s->frame.len) {
        return WEFT_MORE;
    }
    if (s->frame_at == s->frame.len) {
        s->state = WEFT_READ_HEAD;
        last = s->frame.fin;
    }
    if (last && !weft_utf8_complete(&s->utf8))
        return WEFT_E_UTF8;
    return take_data(s, data, n, last, ev);
}

/* Into the message itself ----------------------------------------------- */

bool
weft_session_has_room(const struct weft_session *s)
{
    return s->state == WEFT_READ_PAYLOAD && s->frame.opcode < WEFT_CLOSE &&
           !s->streaming && !s->skipping && !s->compressed &&
           s->frame.len - s->frame_at >= ROOM_LEAST;
}

uint8_t *
weft_session_room(struct weft_session *s, size_t *len)
{
    uint64_t left = s->frame.len - s->frame_at;
    struct weft_buf *b = &s->message;
    size_t held = weft_buf_len(b);

    if (!weft_session_has_room(s))
        return NULL;
    if (b->cap - b->tail < weft_least(ROOM_FIRST, left)) {
        size_t more = held > ROOM_FIRST ? held : ROOM_FIRST;

        if (weft_buf_reserve(b, weft_least(more, left)) == NULL)
            return NULL;
    }
    *len = weft_least(b->cap - b->tail, left);
    return b->data + b->tail;
}

void
weft_session_received(struct weft_session *s, size_t n)
{
    enum weft_status rc;

    if (n == 0)
        return;
    rc = open_payload(s, s->message.data + s->message.tail, n);
    weft_buf_commit(&s->message, n);
    if (rc != WEFT_OK) {
        s->failure = rc;
        s->state = WEFT_READ_FAULT;
    }
}

/* Streaming ------------------------------------------------------------- */

void
weft_session_stream(struct weft_session *s, bool on)
{
    bool was = s->streaming;

    s->streaming = on;
    if (was && !on && s->opcode != 0 && s->begun)
        s->skipping = true;
}
