/*
 * The output queue: bytes that were copied in and references to payloads that
 * were not, in one order, lent to the caller as spans for one sendmsg().
 *
 * Copied bytes live in one buffer; a reference stands behind a known number of
 * them.  A reference is either to a chunk, which the queue retains until the
 * bytes are consumed, or to borrowed memory, which the caller keeps alive:
 * `borrowed` counts those ever added and `returned` those consumed, in order,
 * so the caller knows which it may let go of.  All zero is a valid empty queue.
 */
#ifndef WEFT_PROTO_OUTQ_H
#define WEFT_PROTO_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/chunk.h"

struct weft_outq_ref {
    struct weft_chunk *chunk; /* NULL: borrowed */
    const uint8_t *data;
    size_t len;
    size_t before; /* copied bytes between the reference before and this */
};

struct weft_outq {
    struct weft_buf bytes;
    struct weft_outq_ref *refs; /* a ring of `cap` (a power of two) */
    uint32_t first, count, cap;
    size_t refs_len;  /* bytes in all references */
    size_t shared;    /* of them, in chunks, which others may hold too */
    size_t after;     /* copied bytes behind the last reference */
    uint32_t borrowed, returned;
};

/* Bytes waiting, copied or not. */
static inline size_t
weft_outq_len(const struct weft_outq *q)
{
    return weft_buf_len(&q->bytes) + q->refs_len;
}

/* Room for len copied bytes, or NULL; counted by weft_outq_commit(). */
static inline uint8_t *
weft_outq_reserve(struct weft_outq *q, size_t len)
{
    struct weft_buf *b = &q->bytes;

    /* there mostly is room: spare each message a call */
    return len < b->cap - b->tail ? b->data + b->tail
                                  : weft_buf_reserve(b, len);
}

static inline void
weft_outq_commit(struct weft_outq *q, size_t len)
{
    q->bytes.tail += len;
    q->after += len;
}

/* Takes the last len copied bytes back; nothing was added behind them. */
static inline void
weft_outq_take_back(struct weft_outq *q, size_t len)
{
    q->bytes.tail -= len;
    q->after -= len;
}

/*
 * Retains the chunk and queues it: WEFT_OK or WEFT_E_MEMORY (as it was).  An
 * empty one adds nothing and is not retained.
 */
enum weft_status weft_outq_add_chunk(struct weft_outq *q,
                                     struct weft_chunk *c);

/*
 * Queues memory that stays alive until `returned` has counted it: WEFT_OK or
 * WEFT_E_MEMORY (as it was).  None (len 0) adds nothing and counts nothing.
 */
enum weft_status weft_outq_add_borrowed(struct weft_outq *q,
                                        const void *data, size_t len);

/*
 * Makes sure that the next weft_outq_add_chunk() or _add_borrowed() cannot
 * fail, so that a head and its payload are queued both or neither.
 */
enum weft_status weft_outq_prepare_ref(struct weft_outq *q);

/*
 * Lends the first bytes as up to max spans, none of them empty, good until the
 * next call on this queue; returns how many.
 */
int weft_outq_spans(const struct weft_outq *q, struct weft_span *spans,
                    int max);

/*
 * Drops len bytes (at most weft_outq_len()) that were sent.  A queue that is
 * empty then gives back what it took in a busy moment.
 */
void weft_outq_consume(struct weft_outq *q, size_t len);

/* Drops all but the first len bytes, which are copied.  False: memory is out,
 * and it is as it was.  Borrowed memory counts as returned. */
bool weft_outq_cut(struct weft_outq *q, size_t len);

/* Drops everything and frees.  Borrowed memory counts as returned. */
void weft_outq_deinit(struct weft_outq *q);

#endif
