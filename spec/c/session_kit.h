/*
 * A session under test: frames of its peer go in, cut as the test likes, and
 * what happens is written down as lines of text.
 *
 *     text Hello           a message; text, binary
 *     chunk text Hel       a piece of one; "last" after chunk if it is
 *     ping ?  pong ?       a control frame
 *     close 1000 bye
 *     fault 1002           and the session was told to fail
 *     sent text Hello      a frame that the session had queued; "part" before
 *                          the kind when it is not the last
 */
#ifndef WEFT_SPEC_SESSION_KIT_H
#define WEFT_SPEC_SESSION_KIT_H

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "check.h"
#include "proto/mask.h"
#include "proto/session.h"

struct kit {
    struct weft_session s;
    struct weft_limits limits;
    struct weft_random random;
    enum weft_status failure; /* the last that weft_session_read() gave */
    struct weft_buf wire;     /* what the peer sends */
    struct weft_buf log;
};

static const size_t cuts[] = { 1, 2, 3, 7, 1000, SIZE_MAX };
enum { CUTS = sizeof(cuts) / sizeof(cuts[0]) };

static inline void
start(struct kit *k, enum weft_role role)
{
    *k = (struct kit){
        .limits = { .max_message = 1 << 20, .max_frame = 1 << 20,
                    .max_fragments = 100 }
    };
    weft_session_init(&k->s, role, &k->limits, &k->random);
}

static inline void
stop(struct kit *k)
{
    weft_session_deinit(&k->s);
    weft_session_deinit(&k->s);
    weft_buf_deinit(&k->wire);
    weft_buf_deinit(&k->log);
}

/* Writing the peer's side ------------------------------------------------ */

static inline void
raw(struct kit *k, const void *bytes, size_t len)
{
    CHECK(weft_buf_add(&k->wire, bytes, len) == WEFT_OK);
}

/* A frame with this first byte, masked as the peer must. */
static inline void
frame(struct kit *k, unsigned first, const void *data, size_t len)
{
    struct weft_frame f = { .fin = first >> 7, .reserved = first >> 4 & 7,
                            .opcode = first & 15,
                            .masked = k->s.role == WEFT_SERVER,
                            .key = { 0xA1, 0x05, 0xFF, 0x77 }, .len = len };
    uint8_t *to = weft_buf_reserve(&k->wire, len + WEFT_FRAME_HEAD_MAX);
    size_t head = weft_frame_write(&f, to);

    if (len > 0)
        memcpy(to + head, data, len);
    if (f.masked)
        weft_mask(to + head, len, f.key, 0);
    weft_buf_commit(&k->wire, head + len);
}

#define FRAME(k, first, text) frame(k, first, text, sizeof(text) - 1)
#define RAW(k, text) raw(k, text, sizeof(text) - 1)

/* Writing down ----------------------------------------------------------- */

static inline void __attribute__((format(printf, 4, 5)))
note(struct kit *k, const uint8_t *data, size_t len, const char *format, ...)
{
    char text[64];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    weft_buf_add(&k->log, text, (size_t)n);
    if (len > 0) {
        weft_buf_add(&k->log, " ", 1);
        weft_buf_add(&k->log, data, len);
    }
    weft_buf_add(&k->log, "\n", 1);
}

static inline const char *
kind(unsigned opcode)
{
    static const char *const names[16] = {
        "rest", "text", "binary", "?", "?", "?", "?", "?",
        "close", "ping", "pong", "?", "?", "?", "?", "?"
    };

    return names[opcode & 15];
}

static inline void
note_event(struct kit *k, const struct weft_event *ev)
{
    switch (ev->type) {
    case WEFT_EVENT_MESSAGE:
        note(k, ev->data, ev->len, "%s", kind(ev->opcode));
        break;
    case WEFT_EVENT_CHUNK:
        note(k, ev->data, ev->len, "chunk%s %s", ev->last ? " last" : "",
             kind(ev->opcode));
        break;
    case WEFT_EVENT_PING:
        note(k, ev->data, ev->len, "ping");
        break;
    case WEFT_EVENT_PONG:
        note(k, ev->data, ev->len, "pong");
        break;
    case WEFT_EVENT_CLOSE:
        note(k, ev->data, ev->len, "close %u", ev->code);
        break;
    }
}

/* One lent piece, at the end of its own memory so that a sanitizer sees a
 * read past it. */
static inline void
feed_piece(struct kit *k, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    struct weft_input in = { copy + 1, len };
    struct weft_event ev;
    enum weft_status rc;

    if (len > 0)
        memcpy(copy + 1, bytes, len);
    while ((rc = weft_session_read(&k->s, &in, &ev)) == WEFT_EVENT)
        note_event(k, &ev);
    CHECK(in.len == 0);
    if (rc < 0) {
        CHECK(k->s.failure == rc);
        k->failure = rc;
        note(k, NULL, 0, "fault %d", weft_status_close_code(rc));
        weft_session_fail(&k->s, rc);
        CHECK(weft_session_read(&k->s, &in, &ev) == WEFT_MORE);
    }
    free(copy);
}

/* All that the peer wrote so far, `size` bytes at a time. */
static inline void
feed(struct kit *k, size_t size)
{
    while (weft_buf_len(&k->wire) > 0) {
        size_t len = weft_buf_len(&k->wire), n = len < size ? len : size;

        feed_piece(k, weft_buf_head(&k->wire), n);
        weft_buf_consume(&k->wire, n);
    }
}

/* Notes one frame at the head of the bytes; returns its size, or 0. */
static inline size_t
note_sent(struct kit *k, uint8_t *bytes, size_t len)
{
    struct weft_frame f;
    size_t head, size;
    uint8_t *data;

    if (weft_frame_read(&f, bytes, len, &head) != WEFT_OK ||
        len - head < f.len)
        return 0;
    data = bytes + head;
    size = (size_t)f.len;
    CHECK(f.masked == (k->s.role == WEFT_CLIENT) && f.reserved == 0);
    if (f.masked)
        weft_mask(data, size, f.key, 0);
    if (f.opcode == WEFT_CLOSE && size >= 2)
        note(k, data + 2, size - 2, "sent close %u", data[0] << 8 | data[1]);
    else
        note(k, data, size, "sent%s %s", f.fin ? "" : " part",
             kind(f.opcode));
    return head + size;
}

/* Takes what the session has to send and notes it frame by frame. */
static inline void
take_sent(struct kit *k)
{
    struct weft_buf all = { 0 };
    struct weft_span span;
    size_t n;

    while (weft_outq_spans(&k->s.out, &span, 1) > 0) {
        CHECK(weft_buf_add(&all, span.data, span.len) == WEFT_OK);
        weft_outq_consume(&k->s.out, span.len);
    }
    while (weft_buf_len(&all) > 0) {
        n = note_sent(k, weft_buf_head(&all), weft_buf_len(&all));
        CHECK(n > 0);
        if (n == 0)
            break;
        weft_buf_consume(&all, n);
    }
    weft_buf_deinit(&all);
}

static inline bool
noted(struct kit *k, const char *want, size_t len)
{
    bool same = weft_buf_len(&k->log) == len &&
                (len == 0 || memcmp(weft_buf_head(&k->log), want, len) == 0);

    if (!same)
        fprintf(stderr, "--- wanted\n%.*s--- noted\n%.*s---\n", (int)len, want,
                (int)weft_buf_len(&k->log), (char *)weft_buf_head(&k->log));
    weft_buf_consume(&k->log, weft_buf_len(&k->log));
    return same;
}

#define NOTED(k, want) noted(k, want, sizeof(want) - 1)

#endif
