/*
 * What the files of permessage-deflate share: zlib's streams and the pool's
 * ways.  Nobody else includes it.
 */
#ifndef WEFT_PROTO_DEFLATE_INNER_H
#define WEFT_PROTO_DEFLATE_INNER_H

#define ZLIB_CONST /* zlib's input is const */
#include <limits.h>
#include <zlib.h>

#include "proto/deflate.h"

struct weft_deflater {
    z_stream z;
    struct weft_deflater *next; /* in the pool */
    int8_t level;
    uint8_t mem_level;
    uint8_t bits;
};

struct weft_inflater {
    z_stream z;
    struct weft_inflater *next; /* in the pool */
};

enum { WEFT_WINDOW_BITS = 15 }; /* the largest */

/* zlib counts in unsigned int. */
static inline uInt
weft_zlib_len(size_t len)
{
    return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

/*
 * A compressor of this connection's kind that has seen nothing: an idle one of
 * the pool, else a new one.  NULL when memory is out.
 */
struct weft_deflater *weft_deflater_take(const struct weft_deflate *d);

/* The same to read with, whoever wrote: its window is of 15 bits. */
struct weft_inflater *weft_inflater_take(struct weft_deflate_pool *pool);

/* They go back; the pool frees what is too many. */
void weft_deflater_give(struct weft_deflate_pool *pool,
                        struct weft_deflater *s);
void weft_inflater_give(struct weft_deflate_pool *pool,
                        struct weft_inflater *s);

void weft_deflater_free(struct weft_deflater *s);

#endif
