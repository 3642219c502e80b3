/*
 * What the session's own files share.  Nobody else includes it.
 */
#ifndef WEFT_PROTO_SESSION_INNER_H
#define WEFT_PROTO_SESSION_INNER_H

#include "proto/session.h"

static inline void
weft_input_advance(struct weft_input *in, size_t n)
{
    if (n > 0) { /* there may be no data at all */
        in->data += n;
        in->len -= n;
    }
}

static inline size_t
weft_least(size_t a, uint64_t b)
{
    return a < b ? a : (size_t)b;
}

/* Whether part of a message waits that streaming was turned on in. */
static inline bool
weft_session_collected(const struct weft_session *s)
{
    return s->streaming && !s->lent && weft_buf_len(&s->message) > 0;
}

/*
 * Work through the payload of s->frame, which is of that kind, as far as the
 * input goes.  WEFT_OK: go on by s->state; else as weft_session_read().
 */
enum weft_status weft_session_read_control(struct weft_session *s,
                                           struct weft_input *in,
                                           struct weft_event *ev);
enum weft_status weft_session_read_data(struct weft_session *s,
                                        struct weft_input *in,
                                        struct weft_event *ev);

/* The same for the payload of a compressed message. */
enum weft_status weft_session_read_compressed(struct weft_session *s,
                                              struct weft_input *in,
                                              struct weft_event *ev);

/* session_events.c: queues a message of an event stream. */
enum weft_status weft_session_queue_event(struct weft_session *s,
                                          unsigned opcode, const void *data,
                                          size_t len);

/* Nothing more is sent. */
void weft_session_mute(struct weft_session *s);

/* The message being read ends here: its stream goes back. */
void weft_session_stop_inflating(struct weft_session *s);

/* The peer has sent so much, if it may. */
static inline enum weft_status
weft_session_spend(struct weft_session *s, unsigned messages, size_t bytes)
{
    struct weft_allowance *a = s->allowance;

    if (a == NULL || s->close_sent)
        return WEFT_OK;
    a->messages -= messages;
    a->bytes -= (double)bytes;
    if (a->messages < 0)
        return WEFT_E_TOO_MANY_MESSAGES;
    return a->bytes < 0 ? WEFT_E_TOO_MANY_BYTES : WEFT_OK;
}

/* 8.1: the next n bytes of the message, if it is text, are UTF-8. */
static inline enum weft_status
weft_session_check_text(struct weft_session *s, const uint8_t *data, size_t n)
{
    if (s->opcode == WEFT_TEXT && weft_utf8_check(&s->utf8, data, n) < n)
        return WEFT_E_UTF8;
    return WEFT_OK;
}

/* Lends what has been collected; `last` if it completes the message. */
enum weft_status weft_session_lend(struct weft_session *s,
                                   struct weft_event *ev, bool last);

#endif
