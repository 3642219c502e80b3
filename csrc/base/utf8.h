/*
 * UTF-8 checked as it arrives (RFC 3629; RFC 6455, 8.1): a byte that can no
 * longer begin or continue a valid sequence is refused at once, also when the
 * sequence is spread over many calls.  Surrogates, overlong forms and code
 * points over U+10FFFF are refused.
 */
#ifndef WEFT_BASE_UTF8_H
#define WEFT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Zero is "between two characters", which is how a text must start and end. */
struct weft_utf8 {
    uint8_t state;
};

/*
 * Checks len more bytes.  Returns how many are good: len when all are, else
 * the offset of the first byte that is not; the state is then as it was
 * before that byte.
 */
size_t weft_utf8_check(struct weft_utf8 *u, const uint8_t *bytes, size_t len);

/* Whether the bytes are a whole text. */
bool weft_utf8_is_text(const uint8_t *bytes, size_t len);

/* Copies bytes of a short text; whether all of them are ASCII. */
WEFT_INLINE bool
weft_utf8_copy_ascii(uint8_t *to, const uint8_t *from, size_t len)
{
    weft_wide seen = { 0, 0 };
    unsigned rest = 0;
    size_t i = 0;

    for (; len - i >= 32; i += 32) {
        weft_wide a = weft_load_wide(from + i);
        weft_wide b = weft_load_wide(from + i + 16);

        seen |= a | b;
        weft_store_wide(to + i, a);
        weft_store_wide(to + i + 16, b);
    }
    if (len - i >= 16) {
        seen |= weft_load_wide(from + i);
        weft_store_wide(to + i, weft_load_wide(from + i));
        i += 16;
    }
    for (; i < len; i++)
        rest |= to[i] = from[i];
    return rest < 0x80 && weft_wide_is_ascii(seen);
}

/* Whether the text may end here. */
static inline bool
weft_utf8_complete(const struct weft_utf8 *u)
{
    return u->state == 0;
}

#endif
