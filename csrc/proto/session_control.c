/*
 * Control frames as they come in (RFC 6455, 5.5).  It must not know of the
 * message that they may interrupt.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "proto/mask.h"
#include "proto/session_inner.h"

/* 5.5.2: a ping is answered; of those that wait, the last is (5.5.3). */
static enum weft_status
answer_ping(struct weft_session *s, const uint8_t *data, size_t len)
{
    if (s->muted)
        return WEFT_OK;
    if (!s->blocked)
        return weft_session_pong(s, data, len);
    if (s->pong == NULL)
        s->pong = weft_realloc(NULL, WEFT_CONTROL_MAX);
    if (s->pong == NULL)
        return WEFT_E_MEMORY;
    if (len > 0)
        memcpy(s->pong, data, len);
    s->pong_len = (uint8_t)len;
    return WEFT_OK;
}

/* 5.5.1: a close is answered with a close that echoes its code. */
static enum weft_status
take_close(struct weft_session *s, struct weft_event *ev)
{
    struct weft_utf8 reason = { 0 };
    unsigned code = 1005; /* 7.1.5: there was none */
    enum weft_status rc;

    if (ev->len == 1)
        return WEFT_E_CLOSE_LENGTH;
    if (ev->len >= 2) {
        code = weft_load16(ev->data);
        if (!weft_close_code_valid(code))
            return WEFT_E_CLOSE_CODE;
        ev->data += 2;
        ev->len -= 2;
    }
    if (weft_utf8_check(&reason, ev->data, ev->len) < ev->len ||
        !weft_utf8_complete(&reason))
        return WEFT_E_CLOSE_UTF8;
    ev->code = s->close_code = (uint16_t)code;
    s->close_received = true;
    s->state = WEFT_READ_NOTHING;
    weft_buf_deinit(&s->message); /* a message that is never finished */
    weft_session_stop_inflating(s);
    rc = weft_session_close(s, code, NULL, 0);
    weft_session_mute(s); /* also when memory was out */
    return rc;
}

/* A whole control frame, its payload at `data`. */
static enum weft_status
take_control(struct weft_session *s, uint8_t *data, struct weft_event *ev)
{
    size_t len = (size_t)s->frame.len;
    enum weft_status rc = WEFT_OK;

    s->state = WEFT_READ_HEAD;
    if (s->frame.masked && len > 0)
        weft_mask(data, len, s->frame.key, 0);
    *ev = (struct weft_event){ .last = true, .data = data, .len = len };
    switch (s->frame.opcode) {
    case WEFT_CLOSE:
        ev->type = WEFT_EVENT_CLOSE;
        rc = take_close(s, ev);
        break;
    case WEFT_PING:
        ev->type = WEFT_EVENT_PING;
        rc = answer_ping(s, data, len);
        break;
    default:
        ev->type = WEFT_EVENT_PONG;
        break;
    }
    return rc == WEFT_OK ? WEFT_EVENT : rc;
}

enum weft_status
weft_session_read_control(struct weft_session *s, struct weft_input *in,
                          struct weft_event *ev)
{
    size_t at = (size_t)s->frame_at, len = (size_t)s->frame.len;
    size_t n = weft_least(in->len, len - at);
    uint8_t *data = in->data;

    weft_input_advance(in, n);
    if (n == len && n > 0) /* it lies whole in the input */
        return take_control(s, data, ev);
    if (s->control == NULL)
        s->control = weft_realloc(NULL, WEFT_CONTROL_MAX);
    if (s->control == NULL)
        return WEFT_E_MEMORY;
    if (n > 0)
        memcpy(s->control + at, data, n);
    s->frame_at += n;
    return s->frame_at == len ? take_control(s, s->control, ev) : WEFT_MORE;
}
