/*
 * Giving up what is queued.  The peer has to be able to read the close frame
 * that comes next, so a frame of which it has got a part goes on to its end.
 */
#include "proto/session_inner.h"

/* The size of the frame that begins there.  Its head is in one piece: it was
 * queued so, and none of it has been sent. */
static size_t
frame_size(const struct weft_span *span, size_t at)
{
    struct weft_frame f;
    size_t head = 0;

    weft_frame_read(&f, (const uint8_t *)span->data + at, span->len - at,
                    &head);
    return head + (size_t)f.len;
}

/* Where the first frame begins that stands behind n bytes, or at them. */
static size_t
next_frame(size_t at, const struct weft_span *spans, size_t n)
{
    size_t before = 0; /* bytes in front of the first of the spans */

    while (at < n) {
        for (; at - before >= spans->len; spans++)
            before += spans->len;
        at += frame_size(spans, at - before);
    }
    return at;
}

void
weft_session_sent(struct weft_session *s, const struct weft_span *spans,
                  size_t n)
{
    if (s->role == WEFT_EVENTS || n == weft_outq_len(&s->out))
        s->front = 0;
    else
        s->front = next_frame(s->front, spans, n) - n;
    weft_outq_consume(&s->out, n);
}

bool
weft_session_shed(struct weft_session *s)
{
    bool whole = weft_outq_len(&s->out) == s->front;

    weft_buf_deinit(&s->message);
    s->lent = false;
    if (!weft_outq_cut(&s->out, s->front))
        return false;
    if (!whole && s->close_sent) /* it was the last thing in there */
        s->muted = s->close_sent = false;
    return true;
}
