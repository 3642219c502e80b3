/*
 * The payload of compressed messages as it comes in (RFC 7692, 7.2.2), and
 * what a session has of compression.  It must not know zlib.
 *
 * What comes out is checked and counted step by step, so that a message that
 * inflates to too much ends at the limit, however little of it was sent.
 */
#include "proto/mask.h"
#include "proto/session_inner.h"

enum {
    PIECE_MAX = 64 * 1024, /* of a message that is handed out in chunks */
    FEED_MAX = 4 * 1024,   /* input at a time then */
    ROOM_MIN = 512,
    ROOM_MAX = 256 * 1024,
};

enum weft_status
weft_session_deflate(struct weft_session *s,
                     const struct weft_deflate_options *o,
                     const struct weft_deflate_agreed *a,
                     struct weft_deflate_pool *pool)
{
    if (!a->on)
        return WEFT_OK;
    s->deflate = weft_deflate_new(s->role == WEFT_SERVER, o, a, pool);
    return s->deflate != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

void
weft_session_stop_inflating(struct weft_session *s)
{
    if (s->deflate != NULL)
        weft_deflate_stop(s->deflate);
    s->compressed = s->inflating = false;
}

/* What comes out --------------------------------------------------------- */

/*
 * Where the next bytes come out, at least one, at most one more than the
 * message may have.  WEFT_MORE: a piece is full; `feed` is how much goes in.
 */
static enum weft_status
make_room(struct weft_session *s, size_t feed, uint8_t **to, size_t *room)
{
    struct weft_buf *b = &s->message;
    size_t held = weft_buf_len(b), most = SIZE_MAX, more;

    if (s->streaming) {
        if (held >= PIECE_MAX)
            return WEFT_MORE;
        most = PIECE_MAX - held;
    }
    most = weft_least(most - 1, s->limits->max_message - s->inflated) + 1;
    more = b->cap - b->tail;
    if (more < ROOM_MIN) {
        more = feed < ROOM_MAX / 4 ? 4 * feed : ROOM_MAX;
        more = more > held ? more : held;
        more = more < ROOM_MIN ? ROOM_MIN : more > ROOM_MAX ? ROOM_MAX : more;
    }
    *room = more < most ? more : most;
    *to = weft_buf_reserve(b, *room);
    return *to != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

/* Checks and counts what has come out. */
static enum weft_status
take_made(struct weft_session *s, const uint8_t *data, size_t made)
{
    size_t good = weft_least(made, s->limits->max_message - s->inflated);
    enum weft_status rc = weft_session_check_text(s, data, good);

    if (rc != WEFT_OK)
        return rc;
    if (good < made)
        return WEFT_E_MESSAGE_TOO_BIG;
    s->inflated += made;
    if (!s->skipping)
        weft_buf_commit(&s->message, made);
    return weft_session_spend(s, 0, made);
}

/*
 * Inflates *len bytes, or with `in` NULL the end of the message, into
 * s->message.  WEFT_OK: all of it; WEFT_MORE: a piece is full.
 */
static enum weft_status
inflate(struct weft_session *s, const uint8_t **in, size_t *len)
{
    enum weft_status rc, taken;
    size_t room, made;
    uint8_t *to;

    do {
        rc = make_room(s, in != NULL ? *len : 0, &to, &room);
        if (rc != WEFT_OK)
            return rc;
        rc = in != NULL
                 ? weft_deflate_inflate(s->deflate, in, len, to, room, &made)
                 : weft_deflate_end(s->deflate, to, room, &made);
        taken = take_made(s, to, made); /* it came before what is wrong */
        if (taken != WEFT_OK)
            return taken;
    } while (rc == WEFT_MORE);
    return rc;
}

/* What goes in ----------------------------------------------------------- */

/* Inflates the next bytes of the frame, as many as there is room for. */
static enum weft_status
feed(struct weft_session *s, struct weft_input *in)
{
    const struct weft_frame *f = &s->frame;
    size_t n = weft_least(in->len, f->len - s->frame_at), left, used;
    uint64_t made = s->inflated;
    const uint8_t *at = in->data;
    enum weft_status rc;

    if (s->streaming && n > FEED_MAX)
        n = FEED_MAX;
    left = n;
    if (f->masked && n > 0)
        weft_mask(in->data, n, f->key, s->frame_at);
    rc = inflate(s, &at, &left);
    used = n - left;
    s->frame_at += used;
    if (f->masked && left > 0) /* it will be read again */
        weft_mask(in->data + used, left, f->key, s->frame_at);
    weft_input_advance(in, used);
    s->inflating = rc == WEFT_MORE;
    made = s->inflated - made;
    if (rc >= WEFT_OK && used > made
        && weft_session_spend(s, 0, used - (size_t)made) != WEFT_OK)
        return WEFT_E_TOO_MANY_BYTES;
    return rc;
}

/* The message has come in whole. */
static enum weft_status
end_message(struct weft_session *s, struct weft_event *ev)
{
    enum weft_status rc = inflate(s, NULL, NULL);

    s->inflating = rc == WEFT_MORE;
    if (rc == WEFT_MORE)
        return weft_session_lend(s, ev, false);
    if (rc != WEFT_OK)
        return rc;
    if (!weft_utf8_complete(&s->utf8))
        return WEFT_E_UTF8;
    s->state = WEFT_READ_HEAD;
    s->compressed = false;
    if (!s->skipping)
        return weft_session_lend(s, ev, true);
    s->skipping = false;
    s->opcode = 0;
    weft_buf_deinit(&s->message);
    return WEFT_OK;
}

enum weft_status
weft_session_read_compressed(struct weft_session *s, struct weft_input *in,
                             struct weft_event *ev)
{
    if (s->skipping)
        weft_buf_consume(&s->message, weft_buf_len(&s->message));
    while (s->inflating || (in->len > 0 && s->frame_at < s->frame.len)) {
        enum weft_status rc = feed(s, in);

        if (rc == WEFT_MORE)
            return weft_session_lend(s, ev, false);
        if (rc != WEFT_OK)
            return rc;
    }
    if (s->frame_at == s->frame.len && s->frame.fin)
        return end_message(s, ev);
    if (s->frame_at == s->frame.len)
        s->state = WEFT_READ_HEAD;
    if (weft_session_collected(s))
        return weft_session_lend(s, ev, false);
    return s->state == WEFT_READ_HEAD ? WEFT_OK : WEFT_MORE;
}
