/*
 * Masking.  It must not know what it masks: the same code serves frames that
 * come and frames that go.
 */
#include "proto/mask.h"

#include <string.h>

#include "base/bytes.h"

/* The key as it falls on sixteen bytes that begin at this offset. */
static inline weft_wide
wide_key(const uint8_t key[4], uint64_t offset)
{
    uint8_t twice[8];

    memcpy(twice, key, 4);
    memcpy(twice + 4, key, 4);
    return weft_wide_of(twice + (offset & 3));
}

#if defined(__x86_64__)

enum { WIDER_LEAST = 1024 }; /* bytes; below, looking would cost as much */

/* As mask() below, for a multiple of 128 bytes; returns how many. */
static __attribute__((target("avx2"))) size_t
mask_wider(uint8_t *to, const uint8_t *from, size_t len, weft_wide key)
{
    typedef uint64_t wider __attribute__((vector_size(32)));
    const wider wide = { key[0], key[1], key[0], key[1] };
    wider a, b, c, d;
    size_t at = 0;

    for (; len - at >= 128; at += 128) {
        memcpy(&a, from + at, 32);
        memcpy(&b, from + at + 32, 32);
        memcpy(&c, from + at + 64, 32);
        memcpy(&d, from + at + 96, 32);
        a ^= wide, b ^= wide, c ^= wide, d ^= wide;
        memcpy(to + at, &a, 32);
        memcpy(to + at + 32, &b, 32);
        memcpy(to + at + 64, &c, 32);
        memcpy(to + at + 96, &d, 32);
    }
    return at;
}

static inline size_t
mask_much(uint8_t *to, const uint8_t *from, size_t len, weft_wide key)
{
    return len >= WIDER_LEAST && __builtin_cpu_supports("avx2")
               ? mask_wider(to, from, len, key)
               : 0;
}

#else

static inline size_t
mask_much(uint8_t *to, const uint8_t *from, size_t len, weft_wide key)
{
    (void)to, (void)from, (void)len, (void)key;
    return 0;
}

#endif

/* `to` is `from` or does not overlap it. */
static inline void
mask(uint8_t *to, const uint8_t *from, size_t len, weft_wide key)
{
    uint8_t octets[16];
    size_t much = mask_much(to, from, len, key);

    to += much;
    from += much;
    len -= much;
    for (; len >= 64; len -= 64, to += 64, from += 64) {
        weft_wide a = weft_load_wide(from), b = weft_load_wide(from + 16);
        weft_wide c = weft_load_wide(from + 32), d = weft_load_wide(from + 48);

        weft_store_wide(to, a ^ key);
        weft_store_wide(to + 16, b ^ key);
        weft_store_wide(to + 32, c ^ key);
        weft_store_wide(to + 48, d ^ key);
    }
    for (; len >= 16; len -= 16, to += 16, from += 16)
        weft_store_wide(to, weft_load_wide(from) ^ key);
    if (len == 0)
        return;
    weft_store_wide(octets, key);
    for (size_t i = 0; i < len; i++)
        to[i] = from[i] ^ octets[i];
}

void
weft_mask(uint8_t *bytes, size_t len, const uint8_t key[4], uint64_t offset)
{
    mask(bytes, bytes, len, wide_key(key, offset));
}

void
weft_mask_copy(uint8_t *to, const uint8_t *from, size_t len,
               const uint8_t key[4], uint64_t offset)
{
    mask(to, from, len, wide_key(key, offset));
}
