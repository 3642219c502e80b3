/*
 * A growable byte buffer, filled at the tail and consumed at the head.
 *
 *     data ..consumed.. head ....readable.... tail ..free.. cap
 *
 * The buffer owns its memory.  A pointer into it is good until the next call
 * that adds bytes.  All zero is a valid empty buffer.
 */
#ifndef WEFT_BASE_BUF_H
#define WEFT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct weft_buf {
    uint8_t *data;
    size_t head, tail, cap;
};

/*
 * Makes room for len more bytes and returns where to write them, or NULL when
 * memory is out; the buffer is then as it was.  The bytes count only once
 * weft_buf_commit() says how many were written.  Growth doubles, so adding is
 * linear over all; consumed bytes are moved over only when that is cheap.
 */
uint8_t *weft_buf_reserve(struct weft_buf *b, size_t len);

/* Counts len bytes written after weft_buf_reserve(). */
void weft_buf_commit(struct weft_buf *b, size_t len);

/*
 * Copies a span to the tail, for which weft_buf_reserve() has made room before,
 * and returns the copy: it stays where it is while no more than that is added.
 */
struct weft_span weft_buf_keep(struct weft_buf *b, struct weft_span span);

/* Copies len bytes to the tail: WEFT_OK or WEFT_E_MEMORY. */
enum weft_status weft_buf_add(struct weft_buf *b, const void *bytes,
                              size_t len);

/* Drops len bytes (at most weft_buf_len()) from the head. */
void weft_buf_consume(struct weft_buf *b, size_t len);

/* Frees the memory; the buffer is empty and valid. */
void weft_buf_deinit(struct weft_buf *b);

static inline size_t
weft_buf_len(const struct weft_buf *b)
{
    return b->tail - b->head;
}

static inline uint8_t *
weft_buf_head(const struct weft_buf *b)
{
    return b->data + b->head;
}

#endif
