/*
 * Big-endian loads and stores at any alignment, sixteen bytes at once, and
 * spans: borrowed bytes that somebody else owns.
 */
#ifndef WEFT_BASE_BYTES_H
#define WEFT_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* For what must not become a call: the way of a short message. */
#define WEFT_INLINE static inline __attribute__((always_inline))

/* Borrowed, read-only bytes. */
struct weft_span {
    const char *data;
    size_t len;
};

static inline uint16_t
weft_load16(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}

/* Sixteen bytes at once, at any alignment. */
typedef uint64_t weft_wide __attribute__((vector_size(16)));

/* Four bytes, four times over. */
static inline weft_wide
weft_wide_of(const uint8_t bytes[4])
{
    typedef uint32_t quarters __attribute__((vector_size(16)));
    uint32_t once;

    memcpy(&once, bytes, sizeof(once));
    return (weft_wide)(quarters){ once, once, once, once };
}

static inline weft_wide
weft_load_wide(const void *from)
{
    weft_wide w;

    memcpy(&w, from, sizeof(w));
    return w;
}

static inline void
weft_store_wide(void *to, weft_wide w)
{
    memcpy(to, &w, sizeof(w));
}

/* Whether none of the bytes that were or-ed into w has its highest bit. */
static inline bool
weft_wide_is_ascii(weft_wide w)
{
    return ((w[0] | w[1]) & 0x8080808080808080U) == 0;
}

static inline uint64_t
weft_load64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = (v << 8) | p[i];
    return v;
}

static inline void
weft_store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
weft_store64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

#endif
