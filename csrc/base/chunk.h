/*
 * Immutable bytes with a reference count: one payload sent to many.
 *
 * weft_chunk_new() gives the first reference; whoever holds one calls
 * weft_chunk_release() once.  The count is a plain int: a chunk stays with the
 * loop that made it.
 */
#ifndef WEFT_BASE_CHUNK_H
#define WEFT_BASE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

struct weft_chunk {
    int references;
    size_t len;
    size_t *sum; /* of what is held, where it counts; NULL: it does not */
    uint8_t bytes[];
};

/* A chunk of len bytes for the caller to fill before it is shared, or NULL. */
struct weft_chunk *weft_chunk_new(size_t len);

/* Its bytes count in *sum from here on until they are freed, however many hold
 * them; once.  NULL is fine. */
void weft_chunk_count(struct weft_chunk *c, size_t *sum);

/* One more reference; returns c. */
struct weft_chunk *weft_chunk_retain(struct weft_chunk *c);

/* One reference less; the last one frees.  NULL is fine. */
void weft_chunk_release(struct weft_chunk *c);

#endif
