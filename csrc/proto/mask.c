/*
 * Masking.  It must not know what it masks: the same code serves frames that
 * come and frames that go.
 */
#include "proto/mask.h"

#include <string.h>

/* The key as it falls on eight bytes that begin at this offset. */
static inline uint64_t
wide_key(const uint8_t key[4], uint64_t offset)
{
    uint8_t twice[8];
    uint32_t turned;

    memcpy(twice, key, 4);
    memcpy(twice + 4, key, 4);
    memcpy(&turned, twice + (offset & 3), 4);
    return (uint64_t)turned << 32 | turned;
}

static inline uint64_t
load(const uint8_t *from)
{
    uint64_t w;

    memcpy(&w, from, sizeof(w));
    return w;
}

static inline void
store(uint8_t *to, uint64_t w)
{
    memcpy(to, &w, sizeof(w));
}

/* `to` is `from` or does not overlap it. */
static inline void
mask(uint8_t *to, const uint8_t *from, size_t len, uint64_t key)
{
    uint8_t octets[8];

    for (; len >= 32; len -= 32, to += 32, from += 32) {
        uint64_t a = load(from), b = load(from + 8);
        uint64_t c = load(from + 16), d = load(from + 24);

        store(to, a ^ key);
        store(to + 8, b ^ key);
        store(to + 16, c ^ key);
        store(to + 24, d ^ key);
    }
    for (; len >= 8; len -= 8, to += 8, from += 8)
        store(to, load(from) ^ key);
    if (len == 0)
        return;
    store(octets, key);
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
