/*
 * The UTF-8 automaton (RFC 3629, section 4).  It must not know where a text
 * begins or ends: that is the caller's to say.
 *
 * The state is a shift count.  Each byte has a row of six bits a state, and
 * row >> state brings the next state to the bottom: one load that does not
 * depend on the state and one shift, without a branch.  A bad byte leads to
 * BAD, which nothing leaves, so a block is checked once, at its end.
 */
#include "base/utf8.h"

#include <string.h>

enum {
    GOOD = 0, /* between two characters */
    BAD = 6,
    ONE = 12,      /* one more byte, 80..BF */
    TWO = 18,      /* two more */
    THREE = 24,    /* three more */
    AFTER_E0 = 30, /* A0..BF, or the form is overlong; then one more */
    AFTER_ED = 36, /* 80..9F, or it is a surrogate; then one more */
    AFTER_F0 = 42, /* 90..BF, or the form is overlong; then two more */
    AFTER_F4 = 48, /* 80..8F, or it is over U+10FFFF; then two more */
};

#define ROW(good, one, two, three, e0, ed, f0, f4) \
    ((uint64_t)(good) << GOOD | (uint64_t)BAD << BAD | \
     (uint64_t)(one) << ONE | (uint64_t)(two) << TWO | \
     (uint64_t)(three) << THREE | (uint64_t)(e0) << AFTER_E0 | \
     (uint64_t)(ed) << AFTER_ED | (uint64_t)(f0) << AFTER_F0 | \
     (uint64_t)(f4) << AFTER_F4)
#define LEAD(next) ROW(next, BAD, BAD, BAD, BAD, BAD, BAD, BAD)
#define TAIL(e0, ed, f0, f4) ROW(BAD, GOOD, ONE, TWO, e0, ed, f0, f4)
#define X2(row) row, row
#define X4(row) X2(row), X2(row)
#define X8(row) X4(row), X4(row)
#define X16(row) X8(row), X8(row)
#define X32(row) X16(row), X16(row)

static const uint64_t rows[256] = {
    X32(LEAD(GOOD)), X32(LEAD(GOOD)), /* 00..7F */
    X32(LEAD(GOOD)), X32(LEAD(GOOD)),
    X16(TAIL(BAD, ONE, BAD, TWO)), /* 80..8F */
    X16(TAIL(BAD, ONE, TWO, BAD)), /* 90..9F */
    X32(TAIL(ONE, BAD, TWO, BAD)), /* A0..BF */
    X2(LEAD(BAD)), /* C0 and C1 could only begin an overlong form */
    X2(LEAD(ONE)), X4(LEAD(ONE)), X8(LEAD(ONE)), X16(LEAD(ONE)), /* ..DF */
    LEAD(AFTER_E0),
    X4(LEAD(TWO)), X8(LEAD(TWO)), /* E1..EC */
    LEAD(AFTER_ED),
    X2(LEAD(TWO)), /* EE and EF */
    LEAD(AFTER_F0),
    X2(LEAD(THREE)), LEAD(THREE), /* F1..F3 */
    LEAD(AFTER_F4),
    X2(LEAD(BAD)), LEAD(BAD), X8(LEAD(BAD)), /* F5..FF */
};

enum { BLOCK = 16 };

static inline uint64_t
step(uint64_t state, uint8_t byte)
{
    return rows[byte] >> (state & 63);
}

static inline uint64_t
word(const uint8_t *bytes)
{
    uint64_t w;

    memcpy(&w, bytes, sizeof(w));
    return w;
}

static inline bool
ascii(uint64_t w)
{
    return (w & 0x8080808080808080u) == 0;
}

/* How many bytes at the start are plainly ASCII; there may be a few more. */
static inline size_t
skip_ascii(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    for (; len - at >= 32; at += 32) {
        const uint8_t *p = bytes + at;

        if (!ascii(word(p) | word(p + 8) | word(p + 16) | word(p + 24)))
            break;
    }
    for (; len - at >= 8; at += 8) {
        if (!ascii(word(bytes + at)))
            return at;
    }
    /* fewer than 8 are left: a word that ends with them overlaps, no harm */
    if (at < len && len >= 8 && ascii(word(bytes + len - 8)))
        return len;
    return at;
}

/* One byte at a time, up to the first that is bad. */
static size_t
check_slowly(struct weft_utf8 *u, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t next = step(u->state, bytes[i]) & 63;

        if (next == BAD)
            return i;
        u->state = (uint8_t)next;
    }
    return len;
}

/* Text that is not all ASCII, or that begins within a character.  Apart, so
 * that plain text does not pay for its registers. */
static __attribute__((noinline)) size_t
check_mixed(struct weft_utf8 *u, const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (len - at >= BLOCK) {
        uint64_t state = u->state;

        for (size_t i = 0; i < BLOCK; i++)
            state = step(state, bytes[at + i]);
        if ((state & 63) == BAD)
            break;
        u->state = state & 63;
        at += BLOCK;
        if (u->state == GOOD)
            at += skip_ascii(bytes + at, len - at);
    }
    return at + check_slowly(u, bytes + at, len - at);
}

size_t
weft_utf8_check(struct weft_utf8 *u, const uint8_t *bytes, size_t len)
{
    size_t at = u->state == GOOD ? skip_ascii(bytes, len) : 0;

    return at < len ? at + check_mixed(u, bytes + at, len - at) : len;
}

bool
weft_utf8_is_text(const uint8_t *bytes, size_t len)
{
    struct weft_utf8 u = { 0 };

    return weft_utf8_check(&u, bytes, len) == len && weft_utf8_complete(&u);
}
