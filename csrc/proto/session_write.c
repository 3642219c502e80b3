/*
 * Writing (RFC 6455, sections 5 and 7).  It must not know how the bytes leave,
 * nor what is being read.
 *
 * A frame is queued whole or not at all: what can fail comes before the first
 * byte counts.
 */
#include "proto/session.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "proto/mask.h"
#include "proto/session_inner.h"

/* 5.3: each frame of a client has a mask of its own. */
static enum weft_status
draw_mask(struct weft_session *s, struct weft_frame *f)
{
    if (s->role == WEFT_SERVER)
        return WEFT_OK;
    f->masked = true;
    return weft_random_bytes(s->random, f->key, sizeof(f->key));
}

/* Queues a frame that has all but its mask. */
static enum weft_status
queue_frame(struct weft_session *s, struct weft_frame f, const void *data)
{
    enum weft_status rc = draw_mask(s, &f);
    size_t len = (size_t)f.len, head;
    uint8_t *to;

    if (rc != WEFT_OK)
        return rc;
    if (len > SIZE_MAX - WEFT_FRAME_HEAD_MAX)
        return WEFT_E_MEMORY;
    to = weft_outq_reserve(&s->out, WEFT_FRAME_HEAD_MAX + len);
    if (to == NULL)
        return WEFT_E_MEMORY;
    head = weft_frame_write(&f, to);
    if (f.masked)
        weft_mask_copy(to + head, data, len, f.key, 0);
    else if (len > 0)
        memcpy(to + head, data, len);
    weft_outq_commit(&s->out, head + len);
    return WEFT_OK;
}

static struct weft_frame
whole_frame(enum weft_opcode opcode, size_t len)
{
    return (struct weft_frame){
        .fin = true, .opcode = (uint8_t)opcode, .len = len
    };
}

/* Compressed (RFC 7692, 6) ------------------------------------------------ */

enum { COMPRESSED = 4 }; /* the first of the reserved bits */

/* Queues what was compressed; the peer's window and ours are one only then. */
static enum weft_status
queue_compressed(struct weft_session *s, struct weft_frame f,
                 struct weft_span payload)
{
    enum weft_status rc;

    f.len = payload.len;
    rc = queue_frame(s, f, payload.data);
    weft_deflate_done(s->deflate);
    if (rc != WEFT_OK)
        weft_deflate_sent_other(s->deflate);
    return rc;
}

static enum weft_status
send_compressed(struct weft_session *s, enum weft_opcode opcode,
                const void *data, size_t len)
{
    struct weft_frame f = whole_frame(opcode, len);
    struct weft_span payload;
    enum weft_status rc;

    rc = weft_deflate_message(s->deflate, data, len, &payload);
    if (rc == WEFT_MORE) /* it became no smaller */
        return queue_frame(s, f, data);
    if (rc != WEFT_OK)
        return rc;
    f.reserved = COMPRESSED;
    return queue_compressed(s, f, payload);
}

/* Messages -------------------------------------------------------------- */

static enum weft_status
may_send_message(const struct weft_session *s)
{
    if (s->muted)
        return WEFT_E_CLOSED;
    return s->out_opcode != 0 ? WEFT_E_BUSY : WEFT_OK;
}

static enum weft_status
queue_whole(struct weft_session *s, enum weft_opcode opcode, const void *data,
            size_t len)
{
    if (s->role == WEFT_EVENTS)
        return weft_session_queue_event(s, opcode, data, len);
    return queue_frame(s, whole_frame(opcode, len), data);
}

enum weft_status
weft_session_send_any(struct weft_session *s, enum weft_opcode opcode,
                      const void *data, size_t len)
{
    enum weft_status rc = may_send_message(s);

    if (rc != WEFT_OK)
        return rc;
    if (weft_deflate_wants(s->deflate, len))
        return send_compressed(s, opcode, data, len);
    return queue_whole(s, opcode, data, len);
}

enum weft_status
weft_session_send_plain(struct weft_session *s, enum weft_opcode opcode,
                        const void *data, size_t len)
{
    enum weft_status rc;

    if (weft_session_send_short(s, opcode, data, len))
        return WEFT_OK;
    rc = may_send_message(s);
    return rc == WEFT_OK ? queue_whole(s, opcode, data, len) : rc;
}

enum weft_status
weft_session_send_borrowed(struct weft_session *s, enum weft_opcode opcode,
                           const void *data, size_t len)
{
    struct weft_frame f = whole_frame(opcode, len);
    enum weft_status rc = may_send_message(s);
    uint8_t *to;

    if (rc != WEFT_OK)
        return rc;
    if (s->role != WEFT_SERVER)
        return queue_whole(s, opcode, data, len);
    rc = weft_outq_prepare_ref(&s->out);
    if (rc != WEFT_OK)
        return rc;
    to = weft_outq_reserve(&s->out, WEFT_FRAME_HEAD_MAX);
    if (to == NULL)
        return WEFT_E_MEMORY;
    weft_outq_commit(&s->out, weft_frame_write(&f, to));
    return weft_outq_add_borrowed(&s->out, data, len);
}

static enum weft_status
queue_chunk(struct weft_session *s, struct weft_chunk *frame)
{
    uint8_t *to;

    if (frame->len > WEFT_COPIED_CHUNK)
        return weft_outq_add_chunk(&s->out, frame);
    to = weft_outq_reserve(&s->out, frame->len);
    if (to == NULL)
        return WEFT_E_MEMORY;
    memcpy(to, frame->bytes, frame->len);
    weft_outq_commit(&s->out, frame->len);
    return WEFT_OK;
}

enum weft_status
weft_session_send_chunk(struct weft_session *s, struct weft_chunk *frame)
{
    enum weft_status rc = may_send_message(s);

    assert(s->role != WEFT_CLIENT); /* 5.3: the chunk is not masked */
    if (rc == WEFT_OK)
        rc = queue_chunk(s, frame);
    if (rc == WEFT_OK && s->role == WEFT_SERVER &&
        (frame->bytes[0] >> 4 & 7) == COMPRESSED)
        weft_deflate_sent_other(s->deflate);
    return rc;
}

size_t
weft_session_write_frame(uint8_t *to, enum weft_opcode opcode,
                         const void *data, size_t len)
{
    struct weft_frame f = whole_frame(opcode, len);
    size_t size = weft_frame_write(&f, to);

    if (len > 0)
        memcpy(to + size, data, len);
    return size + len;
}

static struct weft_chunk *
frame_chunk(const struct weft_frame *f, const void *data)
{
    uint8_t head[WEFT_FRAME_HEAD_MAX];
    size_t size = weft_frame_write(f, head), len = (size_t)f->len;
    struct weft_chunk *c;

    if (len > SIZE_MAX - size)
        return NULL;
    c = weft_chunk_new(size + len);
    if (c == NULL)
        return NULL;
    memcpy(c->bytes, head, size);
    if (len > 0)
        memcpy(c->bytes + size, data, len);
    return c;
}

struct weft_chunk *
weft_session_frame_chunk(enum weft_opcode opcode, const void *data, size_t len)
{
    struct weft_frame f = whole_frame(opcode, len);

    return frame_chunk(&f, data);
}

enum weft_status
weft_session_deflate_chunk(struct weft_session *s, enum weft_opcode opcode,
                           const void *data, size_t len,
                           struct weft_chunk **frame)
{
    struct weft_frame f = whole_frame(opcode, len);
    struct weft_span payload;
    enum weft_status rc;

    rc = weft_deflate_shared(s->deflate, data, len, &payload);
    if (rc != WEFT_OK)
        return rc;
    f.reserved = COMPRESSED;
    f.len = payload.len;
    *frame = frame_chunk(&f, payload.data);
    weft_deflate_done(s->deflate);
    return *frame != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

static enum weft_status
queue_piece(struct weft_session *s, struct weft_frame f, const void *data,
            size_t len)
{
    struct weft_span payload;
    enum weft_status rc;

    f.len = len;
    if (!s->out_compressed)
        return queue_frame(s, f, data);
    rc = weft_deflate_piece(s->deflate, data, len, f.fin, &payload);
    if (rc != WEFT_OK)
        return rc;
    f.reserved = f.opcode != WEFT_CONTINUATION ? COMPRESSED : 0;
    return queue_compressed(s, f, payload);
}

static enum weft_status
write_piece(struct weft_session *s, unsigned opcode, const void *data,
            size_t len, bool last)
{
    bool first = s->out_opcode == 0;
    enum weft_status rc;

    assert(s->role != WEFT_EVENTS);
    rc = queue_piece(s, (struct weft_frame){
                            .fin = last,
                            .opcode = (uint8_t)(first ? opcode
                                                      : WEFT_CONTINUATION) },
                     data, len);
    if (rc != WEFT_OK)
        return rc;
    if (first)
        s->out_opcode = (uint8_t)opcode;
    if (last)
        s->out_opcode = 0;
    return WEFT_OK;
}

enum weft_status
weft_session_write(struct weft_session *s, enum weft_opcode opcode,
                   const void *data, size_t len, bool last)
{
    if (s->muted)
        return WEFT_E_CLOSED;
    if (s->out_opcode == 0)
        s->out_compressed = s->deflate != NULL;
    return write_piece(s, opcode, data, len, last);
}

enum weft_status
weft_session_write_plain(struct weft_session *s, enum weft_opcode opcode,
                         const void *data, size_t len, bool last)
{
    if (s->muted)
        return WEFT_E_CLOSED;
    if (s->out_opcode == 0)
        s->out_compressed = false;
    return write_piece(s, opcode, data, len, last);
}

/* Control frames -------------------------------------------------------- */

static enum weft_status
queue_control(struct weft_session *s, enum weft_opcode opcode,
              const void *data, size_t len)
{
    assert(s->role != WEFT_EVENTS);
    if (s->muted)
        return WEFT_E_CLOSED;
    if (len > WEFT_CONTROL_MAX) /* 5.5 */
        return WEFT_E_CONTROL_TOO_LONG;
    return queue_frame(s, whole_frame(opcode, len), data);
}

enum weft_status
weft_session_ping(struct weft_session *s, const void *data, size_t len)
{
    enum weft_status rc = queue_control(s, WEFT_PING, data, len);

    if (rc == WEFT_OK && s->allowance != NULL) { /* for its answer */
        s->allowance->messages += 1;
        s->allowance->bytes += (double)len;
    }
    return rc;
}

enum weft_status
weft_session_pong(struct weft_session *s, const void *data, size_t len)
{
    return queue_control(s, WEFT_PONG, data, len);
}

/* When memory is out the pong is lost; the next ping asks again. */
static void
queue_held_pong(struct weft_session *s)
{
    if (s->pong == NULL)
        return;
    weft_session_pong(s, s->pong, s->pong_len);
    weft_free(s->pong);
    s->pong = NULL;
}

void
weft_session_set_blocked(struct weft_session *s, bool blocked)
{
    s->blocked = blocked;
    if (!blocked)
        queue_held_pong(s);
}

void
weft_session_mute(struct weft_session *s)
{
    s->muted = true;
    if (s->deflate != NULL)
        weft_deflate_mute(s->deflate);
}

enum weft_status
weft_session_close(struct weft_session *s, unsigned code, const void *reason,
                   size_t len)
{
    uint8_t body[WEFT_CONTROL_MAX];
    size_t size = 0;
    enum weft_status rc;

    if (s->muted)
        return s->close_sent ? WEFT_OK : WEFT_E_CLOSED;
    if (len > WEFT_REASON_MAX)
        return WEFT_E_CONTROL_TOO_LONG;
    if (s->role == WEFT_EVENTS) {
        weft_session_mute(s);
        s->close_sent = true;
        return WEFT_OK;
    }
    queue_held_pong(s); /* it cannot come after the close */
    if (code != 1005) { /* 7.4.1: 1005 stands for no code and is not sent */
        weft_store16(body, (uint16_t)code);
        if (len > 0)
            memcpy(body + 2, reason, len);
        size = 2 + len;
    }
    rc = queue_control(s, WEFT_CLOSE, body, size);
    if (rc != WEFT_OK)
        return rc;
    weft_session_mute(s);
    s->close_sent = true;
    s->sent_code = (uint16_t)code;
    return WEFT_OK;
}

void
weft_session_fail(struct weft_session *s, enum weft_status failure)
{
    if (s->failure == 0)
        s->failure = failure;
    weft_session_close(s, (unsigned)weft_status_close_code(failure), NULL, 0);
    s->state = WEFT_READ_NOTHING;
    weft_session_stop_inflating(s);
    weft_session_mute(s); /* also when memory was out */
}
