/*
 * What a load sends.  It must not know what comes back.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "load/load_inner.h"

/* Each frame of the block has a key of its own. */
bool
weft_load_write_block(struct weft_load *l)
{
    struct weft_load_block *b = &l->block;
    enum weft_status rc = weft_load_message_init(&b->message, l->plan.kind,
                                                 l->plan.size, &l->agreed);

    if (rc == WEFT_OK) {
        b->frame = weft_load_message_frame_len(&b->message);
        b->half = b->frame * l->plan.depth;
        b->bytes = weft_realloc(NULL, b->half * 2);
    }
    if (b->bytes == NULL)
        return weft_load_fail(l, "%s", weft_status_text(WEFT_E_MEMORY));
    for (size_t at = 0; at < b->half && rc == WEFT_OK; at += b->frame)
        rc = weft_load_message_frame(&b->message, &l->shared.random,
                                     b->bytes + at);
    if (rc != WEFT_OK)
        return weft_load_fail(l, "no random bytes");
    memcpy(b->bytes + b->half, b->bytes, b->half);
    return true;
}

/* What may be sent next: a pong goes between two frames (5.5.3). */
static const uint8_t *
next_bytes(const struct weft_load *l, const struct weft_load_conn *c,
           size_t *len, bool *pong)
{
    size_t begun = c->at % l->block.frame;

    *pong = c->pong_len > 0 && (begun == 0 || c->pong_at > 0);
    *len = *pong ? c->pong_len - c->pong_at
           : c->pong_len > 0 ? l->block.frame - begun : c->owed;
    return *pong ? c->pong + c->pong_at : l->block.bytes + c->at;
}

static void
count_sent(const struct weft_load *l, struct weft_load_conn *c, size_t n,
           bool pong)
{
    if (pong) {
        c->pong_at += n;
        if (c->pong_at == c->pong_len)
            c->pong_at = c->pong_len = 0;
        return;
    }
    c->owed -= n;
    c->at += n;
    if (c->at >= l->block.half)
        c->at -= l->block.half;
}

static bool
fail_send(struct weft_load *l, const struct weft_load_conn *c, long n)
{
    char text[WEFT_TLS_WHY];

    weft_wire_explain(&c->client.wire, n, text, sizeof(text));
    return weft_load_fail(l, "cannot send: %s", text);
}

bool
weft_load_flush(struct weft_load *l, struct weft_load_conn *c)
{
    struct weft_wire *w = &c->client.wire;
    bool pong, full = false;
    size_t len;

    while (!full && (c->owed > 0 || c->pong_len > 0 || weft_wire_owes(w))) {
        const uint8_t *bytes = next_bytes(l, c, &len, &pong);
        long n = weft_wire_send(w, bytes, len);

        if (n < 0 && n != -EAGAIN)
            return fail_send(l, c, n);
        full = n == -EAGAIN;
        if (n > 0)
            count_sent(l, c, (size_t)n, pong);
    }
    if (weft_poller_set(l->poller, &c->watch,
                        full ? WEFT_READABLE | WEFT_WRITABLE : WEFT_READABLE)
        != WEFT_OK)
        return weft_load_fail(l, "cannot wait: %s", strerror(errno));
    return true;
}

void
weft_load_start(struct weft_load *l, struct weft_load_conn *c, unsigned n,
                int64_t now)
{
    const struct weft_load_plan *p = &l->plan;

    if (l->phase == WEFT_LOAD_DRAINING)
        n = 0;
    if (p->messages > 0 && n > p->messages - l->started)
        n = (unsigned)(p->messages - l->started);
    l->started += n;
    c->owed += n * l->block.frame;
    for (; n > 0; n--) {
        unsigned slot = (c->first + c->count++) % p->depth;

        c->sent[slot] = now;
        if (p->broadcast)
            l->missing[slot] = p->connections;
    }
}
