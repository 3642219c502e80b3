/*
 * The short way through a link, inline: a message in one short frame that is
 * there, or that goes out behind what is queued.  link.h includes this; nobody
 * else does.
 */
#ifndef WEFT_LOOP_LINK_SHORT_H
#define WEFT_LOOP_LINK_SHORT_H

#include "loop/link.h"

/* The next message when it is short and there: WEFT_EVENT.  Else where the short
 * way has come to, for weft_link_next_any(). */
WEFT_INLINE enum weft_status
weft_link_next_short(struct weft_link *k)
{
    struct weft_flow *f = k->flow;
    enum weft_status rc;

    if (k->lent || f->ahead.tail > 0 || k->state != WEFT_LINK_OPEN
        || f->session.close_sent)
        return WEFT_OK;
    rc = weft_session_read_short(&f->session, &f->input, &f->event);
    if (rc != WEFT_EVENT)
        return rc;
    k->last_message = k->loop->now;
    k->counters->messages_in++;
    k->owes = false;
    k->lent = true;
    return rc;
}

static inline enum weft_status
weft_link_next(struct weft_link *k)
{
    enum weft_status rc = weft_link_next_short(k);

    return rc == WEFT_EVENT ? rc : weft_link_next_any(k, rc);
}

/* The same as weft_link_taken(), for what came the short way. */
static inline void
weft_link_taken_short(struct weft_link *k)
{
    k->owes = true;
    k->lent = false;
}

static inline void
weft_link_taken(struct weft_link *k)
{
    if (!k->lent)
        return;
    k->lent = false;
    k->owes = true;
    if (k->from_ahead)
        weft_link_taken_ahead(k);
}

/* Wakes the link, and gives it an output buffer that another one has used
 * before, if there is one.  False: memory is out. */
static inline bool
weft_link_get_buffer(struct weft_link *k)
{
    struct weft_loop *loop = k->loop;

    if (k->flow->session.out.bytes.data != NULL)
        return true;
    if (!weft_link_wake(k))
        return false;
    if (loop->spare_count > 0)
        k->flow->session.out.bytes = loop->spares[--loop->spare_count];
    return true;
}

/* A short message of so many bytes on the wire was queued. */
static inline void
weft_link_sent_short(struct weft_link *k, size_t size)
{
    k->last_message = k->loop->now;
    k->counters->messages_out++;
    k->flow->held += size;
    k->loop->held += size;
    weft_list_add(&k->loop->dirty, &k->flow->dirty);
    weft_loop_stir(k->loop);
}

/* Sends a message that is short, in state OPEN, once weft_link_backlog() has been
 * asked (what its room has gathered is queued then): false when it is not that
 * simple, and nothing was done. */
WEFT_INLINE bool
weft_link_send_short(struct weft_link *k, enum weft_opcode opcode,
                     const void *data, size_t len)
{
    if (k->write_dead || weft_deflate_wants(k->deflate, len)
        || !weft_link_get_buffer(k)
        || !weft_session_send_short(&k->flow->session, opcode, data, len))
        return false;
    weft_link_sent_short(k, 2 + len);
    return true;
}

static inline enum weft_status
weft_link_send_chunk(struct weft_link *k, struct weft_chunk *frame)
{
    if (!weft_link_is_open(k))
        return WEFT_E_CLOSED;
    if (!weft_link_get_buffer(k))
        return WEFT_E_MEMORY;
    if (!weft_session_copy_frame(&k->flow->session, frame))
        return weft_link_send_chunk_any(k, frame);
    weft_link_sent_short(k, frame->len);
    return WEFT_OK;
}

#endif
