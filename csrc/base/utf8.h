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

/* Whether the text may end here. */
static inline bool
weft_utf8_complete(const struct weft_utf8 *u)
{
    return u->state == 0;
}

#endif
