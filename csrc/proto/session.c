/*
 * Reading (RFC 6455, sections 5 to 8).  It must not know where the bytes come
 * from, nor when.
 *
 * A fault depends on the bytes alone, not on how they were cut: what a byte
 * of a head shows is judged before what a later byte shows.
 */
#include "proto/session.h"

#include <string.h>

#include "base/mem.h"
#include "proto/mask.h"
#include "proto/session_inner.h"

/* Where the short way of reading ends: it knows no limits. */
static uint8_t
short_end(const struct weft_session *s)
{
    const struct weft_limits *limits = s->limits;
    uint64_t most = limits->max_frame < limits->max_message
                        ? limits->max_frame : limits->max_message;

    if (limits->max_fragments == 0 || s->allowance != NULL)
        return 0;
    return (uint8_t)(most < 125 ? most + 1 : 126);
}

void
weft_session_init(struct weft_session *s, enum weft_role role,
                  const struct weft_limits *limits,
                  struct weft_random *random)
{
    *s = (struct weft_session){
        .role = role, .limits = limits, .random = random
    };
    s->short_head = role == WEFT_SERVER ? 6 : 2;
    s->short_end = short_end(s);
    if (role == WEFT_EVENTS)
        weft_session_speak_events(s);
}

void
weft_session_ration(struct weft_session *s, struct weft_allowance *a)
{
    s->allowance = a;
    s->short_end = short_end(s);
}

void
weft_session_deinit(struct weft_session *s)
{
    weft_outq_deinit(&s->out);
    weft_buf_deinit(&s->message);
    weft_deflate_free(s->deflate);
    s->deflate = NULL;
    weft_free(s->control);
    weft_free(s->pong);
    s->control = s->pong = NULL;
    s->lent = s->compressed = s->inflating = false;
    s->state = WEFT_READ_NOTHING;
    s->muted = true;
}

bool
weft_session_rests(const struct weft_session *s)
{
    enum weft_read_state new = s->role == WEFT_EVENTS ? WEFT_READ_NOTHING
                                                      : WEFT_READ_HEAD;
    bool reads = s->state != new || s->head_len > 0 || s->opcode != 0
                 || s->streaming || s->skipping;
    bool writes = weft_outq_len(&s->out) > 0 || s->out_opcode != 0
                  || s->blocked || s->pong != NULL;

    return !reads && !writes && !s->muted && !s->close_sent
           && !s->close_received;
}

/* Heads ----------------------------------------------------------------- */

/*
 * RFC 7692, 6: the first bit says of a message's first frame that the message
 * is compressed.  The others have no meaning, nor has that one elsewhere.
 */
static bool
reserved_allowed(const struct weft_session *s)
{
    const struct weft_frame *f = &s->frame;

    return f->reserved == 0 ||
           (f->reserved == 4 && s->deflate != NULL &&
            (f->opcode == WEFT_TEXT || f->opcode == WEFT_BINARY));
}

/*
 * Judges s->frame, as far as len bytes of its head are there, by what came
 * before it and by the role, in the order of the bytes.  `rc` is what
 * weft_frame_read() made of them.
 */
static enum weft_status
check_head(const struct weft_session *s, size_t len, enum weft_status rc)
{
    const struct weft_frame *f = &s->frame;

    if (rc == WEFT_E_OPCODE || rc == WEFT_E_CONTROL_FRAGMENTED)
        return rc;
    if (!reserved_allowed(s)) /* 5.2: no extension gave them a meaning */
        return WEFT_E_RESERVED_BITS;
    if (f->opcode == WEFT_CONTINUATION && s->opcode == 0)
        return WEFT_E_CONTINUATION;
    if ((f->opcode == WEFT_TEXT || f->opcode == WEFT_BINARY) && s->opcode != 0)
        return WEFT_E_INTERLEAVED;
    if (len >= 2 && f->masked != (s->role == WEFT_SERVER))
        return f->masked ? WEFT_E_MASKED : WEFT_E_UNMASKED;
    return rc;
}

/* An empty last frame is no piece of the message, it only ends it. */
static bool
only_ends(const struct weft_frame *f)
{
    return f->fin && f->len == 0 && f->opcode == WEFT_CONTINUATION;
}

/*
 * A limit for the wire: what cannot be compressed becomes a little longer by
 * the attempt.
 */
static uint64_t
on_the_wire(const struct weft_session *s, uint64_t limit)
{
    uint64_t more = limit / 16 + 1024;

    if (!s->compressed)
        return limit;
    return limit < UINT64_MAX - more ? limit + more : UINT64_MAX;
}

/* Counts a data frame's head into its message, within the limits. */
static enum weft_status
begin_data(struct weft_session *s)
{
    const struct weft_limits *limits = s->limits;
    uint64_t len = s->frame.len, most;

    if (s->frame.opcode != WEFT_CONTINUATION) {
        s->opcode = s->frame.opcode;
        s->fragments = 0;
        s->message_len = 0;
        s->utf8 = (struct weft_utf8){ 0 };
        s->begun = false;
        s->compressed = s->frame.reserved != 0;
        s->inflated = 0;
    }
    most = on_the_wire(s, limits->max_message);
    if (len > most || s->message_len > most - len)
        return WEFT_E_MESSAGE_TOO_BIG;
    if (len > on_the_wire(s, limits->max_frame))
        return WEFT_E_FRAME_TOO_BIG;
    if (s->fragments >= limits->max_fragments && !only_ends(&s->frame))
        return WEFT_E_TOO_MANY_FRAGMENTS;
    s->message_len += len;
    s->fragments++;
    return WEFT_OK;
}

/* What the peer is allowed is less by that; it closes whenever it likes. */
static enum weft_status
count_head(struct weft_session *s)
{
    switch (s->frame.opcode) {
    case WEFT_TEXT:
    case WEFT_BINARY:
        return weft_session_spend(s, 1, 0);
    case WEFT_PING:
    case WEFT_PONG:
        return weft_session_spend(s, 1, (size_t)s->frame.len);
    default:
        return WEFT_OK;
    }
}

static enum weft_status
read_head(struct weft_session *s, struct weft_input *in)
{
    const uint8_t *bytes = in->data;
    size_t len = in->len, kept = s->head_len, size = 0;
    enum weft_status rc;

    if (len == 0)
        return WEFT_MORE;
    if (kept > 0) {
        len = weft_least(len, WEFT_FRAME_HEAD_MAX - kept);
        memcpy(s->head + kept, in->data, len);
        bytes = s->head;
        len += kept;
    }
    rc = check_head(s, len, weft_frame_read(&s->frame, bytes, len, &size));
    if (rc == WEFT_MORE) { /* under 14 bytes, so that is all the input */
        if (kept == 0)
            memcpy(s->head, bytes, len);
        s->head_len = (uint8_t)len;
        weft_input_advance(in, in->len);
    }
    if (rc != WEFT_OK)
        return rc;
    s->head_len = 0;
    weft_input_advance(in, size - kept);
    s->frame_at = 0;
    s->state = WEFT_READ_PAYLOAD;
    if (s->frame.opcode < WEFT_CLOSE)
        rc = begin_data(s);
    return rc == WEFT_OK ? count_head(s) : rc;
}

/* All of it ------------------------------------------------------------- */

static enum weft_status
fault(struct weft_session *s, struct weft_input *in, enum weft_status rc)
{
    s->failure = rc;
    s->state = WEFT_READ_NOTHING;
    s->opcode = 0;
    weft_buf_deinit(&s->message);
    weft_session_stop_inflating(s);
    weft_input_advance(in, in->len);
    return rc;
}

enum weft_status
weft_session_read_on(struct weft_session *s, struct weft_input *in,
                     struct weft_event *ev, enum weft_status rc)
{
    if (s->lent) {
        weft_buf_deinit(&s->message);
        s->lent = false;
    }
    if (s->control != NULL && s->state != WEFT_READ_PAYLOAD) {
        weft_free(s->control); /* it was lent too, or is given up */
        s->control = NULL;
    }
    if (weft_session_collected(s) && s->state < WEFT_READ_FAULT)
        return weft_session_lend(s, ev, false);
    while (rc == WEFT_OK) {
        switch (s->state) {
        case WEFT_READ_HEAD:
            rc = read_head(s, in);
            break;
        case WEFT_READ_PAYLOAD:
            if (s->frame.opcode >= WEFT_CLOSE)
                rc = weft_session_read_control(s, in, ev);
            else if (s->compressed)
                rc = weft_session_read_compressed(s, in, ev);
            else
                rc = weft_session_read_data(s, in, ev);
            break;
        case WEFT_READ_FAULT:
            rc = s->failure;
            break;
        case WEFT_READ_NOTHING: /* 1.4: what follows a close is discarded */
            weft_input_advance(in, in->len);
            rc = WEFT_MORE;
            break;
        }
    }
    return rc < 0 ? fault(s, in, rc) : rc;
}

bool
weft_session_pending(const struct weft_session *s)
{
    switch (s->state) {
    case WEFT_READ_HEAD:
        return weft_session_collected(s);
    case WEFT_READ_PAYLOAD:
        return s->frame_at == s->frame.len || s->inflating ||
               weft_session_collected(s);
    case WEFT_READ_FAULT:
        return true;
    default:
        return false;
    }
}
