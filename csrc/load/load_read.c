/*
 * What comes back to a load.  It must not know when there is enough of it.
 */
#include <errno.h>
#include <string.h>

#include "load/load_inner.h"
#include "net/clock.h"
#include "proto/mask.h"

enum { RSV1 = 4 }; /* the bit of a message that is compressed */

/* The oldest message of the sender is complete. */
static void
complete(struct weft_load *l, struct weft_load_conn *sender, int64_t now)
{
    if (l->phase == WEFT_LOAD_MEASURING)
        weft_histogram_add(&l->latency,
                           (uint64_t)(now - sender->sent[sender->first]));
    l->completed++;
    sender->count--;
    if (++sender->first == l->plan.depth)
        sender->first = 0;
}

/*
 * One of the messages published has come to this member.  Each member gets
 * them in order, so the first that is outstanding is the first that all have.
 */
static bool
take_published(struct weft_load *l, struct weft_load_conn *c, int64_t now)
{
    if (c->taken == l->started)
        return weft_load_fail(l, "a member got a message that nobody sent");
    if (--l->missing[c->taken++ % l->plan.depth] == 0)
        complete(l, &l->conns[0], now);
    return true;
}

/* Whether it is what was sent, as far as it has not been looked at. */
static bool
check_end(struct weft_load *l, struct weft_load_conn *c)
{
    const char *fault = NULL;

    if (c->compressed && c->checked)
        fault = weft_load_message_compare_end(&l->block.message, c->deflate,
                                              c->inflated);
    if (fault != NULL)
        return weft_load_fail(l, "%s", fault);
    if (!c->compressed && c->len != l->plan.size)
        return weft_load_fail(l, "an echo has %llu bytes instead of %zu",
                              (unsigned long long)c->len, l->plan.size);
    return true;
}

static bool
take_message(struct weft_load *l, struct weft_load_conn *c, int64_t now)
{
    if (!l->plan.broadcast && c->count == 0)
        return weft_load_fail(l, "the server sent a message that is no echo");
    if (!check_end(l, c))
        return false;
    c->inside = false;
    c->proven = true;
    l->echoes++;
    l->carried += c->len;
    l->last = now;
    if (l->plan.broadcast)
        return take_published(l, c, now);
    complete(l, c, now);
    return true;
}

static bool
fail_closed(struct weft_load *l, const struct weft_load_conn *c)
{
    unsigned code = weft_load16(c->control);
    int len = (int)c->frame.len - 2;

    if (len < 0)
        return weft_load_fail(l, "the server closed a connection without a "
                                 "close code");
    return weft_load_fail(l, "the server closed a connection with %u%s%.*s%s",
                          code, len > 0 ? " (" : "", len,
                          (const char *)c->control + 2, len > 0 ? ")" : "");
}

static bool
take_control(struct weft_load *l, struct weft_load_conn *c)
{
    struct weft_frame pong = { .fin = true, .masked = true, .len = c->frame.len,
                               .opcode = WEFT_PONG };
    size_t at;

    if (c->frame.opcode == WEFT_CLOSE)
        return fail_closed(l, c);
    if (c->frame.opcode != WEFT_PING || c->pong_at > 0)
        return true; /* 5.5.3: the next ping is answered instead */
    at = weft_frame_write(&pong, c->pong); /* the key is 0: a benchmark */
    memcpy(c->pong + at, c->control, (size_t)pong.len);
    c->pong_len = at + (size_t)pong.len;
    return true;
}

/* The first frame of a message. */
static bool
begin_message(struct weft_load *l, struct weft_load_conn *c)
{
    uint8_t opcode = weft_load_message_opcode(&l->block.message);

    if (c->frame.opcode != opcode)
        return weft_load_fail(l, "an echo is %s instead of %s",
                              opcode == WEFT_TEXT ? "binary" : "text",
                              opcode == WEFT_TEXT ? "text" : "binary");
    c->inside = true;
    c->len = 0;
    c->compressed = c->frame.reserved == RSV1;
    c->checked = l->phase == WEFT_LOAD_WARMING || !c->proven;
    c->inflated = 0;
    return true;
}

static bool
begin_frame(struct weft_load *l, struct weft_load_conn *c)
{
    const struct weft_frame *f = &c->frame;
    bool control = f->opcode >= WEFT_CLOSE, first = !control && !c->inside;

    if ((f->reserved & ~(first && c->deflate != NULL ? RSV1 : 0)) != 0
        || f->masked != l->plan.to.raw
        || (!control && first == (f->opcode == WEFT_CONTINUATION)))
        return weft_load_fail(l, "the server sent a frame that breaks RFC "
                                 "6455 (5.2)");
    if (l->phase == WEFT_LOAD_OPENING && !control)
        return weft_load_fail(l, "the server speaks first: an echo server does "
                                 "not");
    if (first && !begin_message(l, c))
        return false;
    if (!control)
        c->len += f->len;
    c->frame_at = 0;
    c->in_payload = true;
    return true;
}

static bool
end_frame(struct weft_load *l, struct weft_load_conn *c, int64_t now)
{
    c->in_payload = false;
    if (c->frame.opcode >= WEFT_CLOSE)
        return take_control(l, c);
    return !c->frame.fin || take_message(l, c, now);
}

/* Looks at n payload bytes of the message, which may be changed. */
static bool
check_payload(struct weft_load *l, struct weft_load_conn *c, uint8_t *bytes,
              size_t n)
{
    const struct weft_load_message *m = &l->block.message;
    uint64_t at = c->len - c->frame.len + c->frame_at;
    const char *fault = NULL;

    if (c->frame.masked)
        weft_mask(bytes, n, c->frame.key, c->frame_at);
    if (c->compressed)
        fault = weft_load_message_compare(m, c->deflate, bytes, n,
                                          &c->inflated);
    else if (at > m->size || n > m->size - at
             || memcmp(bytes, m->payload + at, n) != 0)
        fault = "an echo differs from what was sent";
    return fault == NULL || weft_load_fail(l, "%s", fault);
}

static bool
take_payload(struct weft_load *l, struct weft_load_conn *c, uint8_t *bytes,
             size_t n)
{
    if (c->frame.opcode >= WEFT_CLOSE)
        memcpy(c->control + c->frame_at, bytes, n);
    else if (c->checked && !check_payload(l, c, bytes, n))
        return false;
    c->frame_at += n;
    return true;
}

/* Reads a head that may have begun in the bytes before; how many it took, 0
 * when it is none. */
static size_t
take_head(struct weft_load *l, struct weft_load_conn *c, const uint8_t *bytes,
          size_t len)
{
    size_t had = c->head_len, size, more = sizeof(c->head) - had;
    enum weft_status rc;

    if (had == 0) {
        rc = weft_frame_read(&c->frame, bytes, len, &size);
    } else {
        memcpy(c->head + had, bytes, len < more ? len : more);
        rc = weft_frame_read(&c->frame, c->head,
                             had + (len < more ? len : more), &size);
    }
    if (rc == WEFT_OK) {
        c->head_len = 0;
        return begin_frame(l, c) ? size - had : 0;
    }
    if (rc != WEFT_MORE) {
        weft_load_fail(l, "the server broke the protocol: %s",
                       weft_status_text(rc));
        return 0;
    }
    memcpy(c->head + had, bytes, len); /* less than a head */
    c->head_len = (uint8_t)(had + len);
    return len;
}

/* Works through what came. */
static bool
take(struct weft_load *l, struct weft_load_conn *c, uint8_t *bytes, size_t len,
     int64_t now)
{
    while (len > 0) {
        size_t n;

        if (!c->in_payload) {
            n = take_head(l, c, bytes, len);
            if (n == 0)
                return false;
        } else {
            uint64_t left = c->frame.len - c->frame_at;

            n = left < len ? (size_t)left : len;
            if (!take_payload(l, c, bytes, n))
                return false;
        }
        if (c->in_payload && c->frame_at == c->frame.len
            && !end_frame(l, c, now))
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

static bool
fail_receive(struct weft_load *l, const struct weft_load_conn *c, long n)
{
    char text[WEFT_TLS_WHY];

    if (n == 0)
        return weft_load_fail(l, "the server ended a connection without a "
                                 "close frame");
    weft_wire_explain(&c->client.wire, n, text, sizeof(text));
    return weft_load_fail(l, "a connection failed: %s", text);
}

bool
weft_load_serve(struct weft_load *l, struct weft_load_conn *c)
{
    struct weft_load_conn *sender = weft_load_sender(l, c);
    long n = weft_wire_receive(&c->client.wire, l->arena, WEFT_LOAD_ARENA);
    unsigned had = sender->count, completed;
    int64_t now = weft_now();

    if (n == 0 || (n < 0 && n != -EAGAIN))
        return fail_receive(l, c, n);
    if (n > 0 && !take(l, c, l->arena, (size_t)n, now))
        return false;
    if (l->phase == WEFT_LOAD_OPENING)
        return true; /* a pong waits for the first message */
    completed = had - sender->count;
    weft_load_start(l, sender, completed, now);
    if (sender != c && completed > 0 && !weft_load_flush(l, sender))
        return false;
    return weft_load_flush(l, c);
}
