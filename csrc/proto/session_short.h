/*
 * What most messages are: one frame of under 126 bytes, whole in the input and
 * not compressed.  They are read and sent here, inline; whatever is not plainly
 * that, and good, goes the long way, which also finds the words for what is
 * wrong with it.  session.h includes this; nobody else does.
 */
#ifndef WEFT_PROTO_SESSION_SHORT_H
#define WEFT_PROTO_SESSION_SHORT_H

#include <string.h>

#include "proto/session.h"

/* Unmasks the payload of a short frame; whether all of it is ASCII. */
WEFT_INLINE bool
weft_session_unmask_short(uint8_t *data, size_t len, const uint8_t key[4])
{
    weft_wide wide = weft_wide_of(key), seen = { 0, 0 };
    uint8_t rest = 0;
    size_t i = 0;

    for (; len - i >= 32; i += 32) {
        weft_wide a = weft_load_wide(data + i) ^ wide;
        weft_wide b = weft_load_wide(data + i + 16) ^ wide;

        seen |= a | b;
        weft_store_wide(data + i, a);
        weft_store_wide(data + i + 16, b);
    }
    if (len - i >= 16) {
        weft_wide a = weft_load_wide(data + i) ^ wide;

        seen |= a;
        weft_store_wide(data + i, a);
        i += 16;
    }
    for (; i < len; i++)
        rest |= data[i] ^= key[i & 3];
    return rest < 0x80 && weft_wide_is_ascii(seen);
}

/*
 * The next message when it is such: WEFT_EVENT, or WEFT_E_UTF8 for text that is
 * none.  WEFT_OK: it is not, and nothing was touched.
 */
WEFT_INLINE enum weft_status
weft_session_read_short(struct weft_session *s, struct weft_input *in,
                        struct weft_event *ev)
{
    size_t head = s->short_head, len;
    uint8_t *bytes = in->data, *data;
    bool ascii = false;

    if (s->state != WEFT_READ_HEAD || s->head_len > 0 || s->opcode != 0 ||
        s->lent || s->streaming || in->len < 2)
        return WEFT_OK;
    len = bytes[1] ^ (head & 4) << 5; /* over 127: the mask bit is wrong */
    if ((bytes[0] != 0x81 && bytes[0] != 0x82) || len >= s->short_end ||
        in->len < head + len)
        return WEFT_OK;
    data = bytes + head;
    if (head > 2)
        ascii = weft_session_unmask_short(data, len, bytes + 2);
    if (bytes[0] == 0x81 && !ascii && !weft_utf8_is_text(data, len))
        return WEFT_E_UTF8;
    *ev = (struct weft_event){
        .type = WEFT_EVENT_MESSAGE, .opcode = bytes[0] & 15, .last = true,
        .data = data, .len = len
    };
    in->data = data + len;
    in->len -= head + len;
    return WEFT_EVENT;
}

/* Queues a message when it is such, and ASCII if it is text, and nothing is in
 * its way; false: it is not, or memory was out. */
WEFT_INLINE bool
weft_session_send_short(struct weft_session *s, unsigned opcode,
                        const void *data, size_t len)
{
    uint8_t *to;

    if (len >= 126 || s->role != WEFT_SERVER || s->muted || s->out_opcode != 0)
        return false;
    to = weft_outq_reserve(&s->out, 2 + len);
    if (to == NULL)
        return false;
    to[0] = (uint8_t)(0x80 | opcode);
    to[1] = (uint8_t)len;
    if (!weft_utf8_copy_ascii(to + 2, data, len) && opcode == WEFT_TEXT)
        return false;
    weft_outq_commit(&s->out, 2 + len);
    return true;
}

enum { WEFT_COPIED_CHUNK = 1024 }; /* to here copying is cheaper than a span */

/* Queues a frame that is ready when it is small, not compressed, and nothing
 * is in its way; false: it is not that simple. */
static inline bool
weft_session_copy_frame(struct weft_session *s, const struct weft_chunk *frame)
{
    size_t len = frame->len;
    uint8_t *to;

    if (len > WEFT_COPIED_CHUNK || (frame->bytes[0] & 0x70) != 0 || s->muted ||
        s->out_opcode != 0)
        return false;
    to = weft_outq_reserve(&s->out, len);
    if (to == NULL)
        return false;
    memcpy(to, frame->bytes, len);
    weft_outq_commit(&s->out, len);
    return true;
}

static inline enum weft_status
weft_session_read(struct weft_session *s, struct weft_input *in,
                  struct weft_event *ev)
{
    enum weft_status rc = weft_session_read_short(s, in, ev);

    return rc == WEFT_EVENT ? rc : weft_session_read_on(s, in, ev, rc);
}

static inline enum weft_status
weft_session_send(struct weft_session *s, enum weft_opcode opcode,
                  const void *data, size_t len)
{
    if (!weft_deflate_wants(s->deflate, len) &&
        weft_session_send_short(s, opcode, data, len))
        return WEFT_OK;
    return weft_session_send_any(s, opcode, data, len);
}

#endif
