/* The UTF-8 validator against a decoder that is slow and plain. */
#include "base/utf8.h"

#include <stdlib.h>

#include "check.h"

/* RFC 3629: the length of the character at p, or 0 when it is none. */
static size_t
character(const uint8_t *p, size_t len)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC0 ? 0 : p[0] < 0xE0 ? 2 :
               p[0] < 0xF0 ? 3 : p[0] < 0xF8 ? 4 : 0;
    uint32_t code = n == 1 ? p[0] : p[0] & (0x7Fu >> n);

    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    if (code < least[n] || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    return n;
}

/* Whether some character begins with these bytes, tried out. */
static int
may_go_on(const uint8_t *p, size_t len)
{
    static const uint8_t tails[] = { 0x80, 0x90, 0xA0, 0xBF };
    uint8_t whole[4];

    for (unsigned i = 0; len < 4 && i < 64; i++) {
        memcpy(whole, p, len);
        for (size_t k = len; k < 4; k++)
            whole[k] = tails[(i >> 2 * (3 - k)) & 3];
        for (size_t n = len + 1; n <= 4; n++) {
            if (character(whole, n) == n)
                return 1;
        }
    }
    return 0;
}

/* How many bytes are good, and whether the text may end after them. */
static size_t
plainly(const uint8_t *p, size_t len, int *complete)
{
    size_t at = 0, n;

    *complete = 1;
    while (at < len && (n = character(p + at, len - at)) > 0)
        at += n;
    while (at < len) { /* the longest start of a character from here */
        for (n = len - at < 3 ? len - at : 3; n > 0; n--) {
            if (may_go_on(p + at, n))
                break;
        }
        *complete = n == 0;
        return at + n;
    }
    return at;
}

/* The same text in pieces of every size, and at every alignment. */
static void
agrees(const uint8_t *text, size_t len)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 16, 17, 1000 };
    int complete;
    size_t want = plainly(text, len, &complete);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *copy = malloc(len + i + 1);
        struct weft_utf8 u = { 0 };
        size_t at = 0;

        memcpy(copy + i, text, len);
        while (at < len) {
            size_t n = len - at < sizes[i] ? len - at : sizes[i];
            size_t good = weft_utf8_check(&u, copy + i + at, n);

            at += good;
            if (good < n)
                break;
        }
        CHECK(at == want);
        CHECK(weft_utf8_complete(&u) == complete);
        free(copy);
    }
}

static void
every_code_point_is_judged(void)
{
    int wrong = 0;

    for (uint32_t c = 0; c < 0x120000; c++) {
        uint8_t p[4] = { (uint8_t)(0xF0 | c >> 18),
                         (uint8_t)(0x80 | (c >> 12 & 63)),
                         (uint8_t)(0x80 | (c >> 6 & 63)),
                         (uint8_t)(0x80 | (c & 63)) };
        struct weft_utf8 u = { 0 };
        int whole, long3 = c >= 0x800 && c < 0x10000;
        int surrogate = c >= 0xD800 && c < 0xE000;

        whole = weft_utf8_check(&u, p, 4) == 4 && weft_utf8_complete(&u);
        wrong += whole != (c >= 0x10000 && c < 0x110000);
        p[1] = (uint8_t)(0xE0 | (c >> 12 & 15));
        u = (struct weft_utf8){ 0 };
        whole = weft_utf8_check(&u, p + 1, 3) == 3 && weft_utf8_complete(&u);
        wrong += c < 0x10000 && whole != (long3 && !surrogate);
    }
    CHECK(wrong == 0);
}

static void
every_start_of_three_bytes_agrees_with_the_plain_decoder(void)
{
    int wrong = 0;

    for (unsigned i = 0; i < 256 * 256 * 8; i++) {
        static const uint8_t third[] = { 0, 0x7F, 0x80, 0x8F,
                                         0x90, 0xA0, 0xBF, 0xC2 };
        uint8_t p[3] = { (uint8_t)(i >> 11), (uint8_t)(i >> 3),
                         third[i & 7] };
        struct weft_utf8 u = { 0 };
        int complete;
        size_t want = plainly(p, 3, &complete);

        wrong += weft_utf8_check(&u, p, 3) != want ||
                 weft_utf8_complete(&u) != complete;
    }
    CHECK(wrong == 0);
}

/* A bad byte at each place of a text long enough for the wide steps. */
static void
a_bad_byte_is_found_where_it_is(void)
{
    static const char *const fill[] = { "a", "\xC3\xA9", "\xE4\xB8\xAD",
                                        "\xF0\x9F\x8E\x89", "ab\xC3\xA9" };
    uint8_t text[100];

    for (size_t f = 0; f < sizeof(fill) / sizeof(fill[0]); f++) {
        for (size_t bad = 0; bad <= sizeof(text); bad++) {
            for (size_t i = 0; i < sizeof(text); i++)
                text[i] = (uint8_t)fill[f][i % strlen(fill[f])];
            if (bad < sizeof(text))
                text[bad] = 0xFF;
            agrees(text, sizeof(text));
        }
    }
}

static void
random_texts_agree_with_the_plain_decoder(void)
{
    static const uint8_t some[] = { 'a', 'b', 0x80, 0xBF, 0xC3, 0xE0, 0xA0,
                                    0xED, 0x9F, 0xF0, 0x90, 0xF4, 0x8F, 'c' };
    uint32_t seed = 1;
    uint8_t text[64];

    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)round % sizeof(text);

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = seed >> 28 < 8 ? 'x' : some[(seed >> 16) % 14];
        }
        agrees(text, len);
    }
}

int
main(void)
{
    every_code_point_is_judged();
    every_start_of_three_bytes_agrees_with_the_plain_decoder();
    a_bad_byte_is_found_where_it_is();
    random_texts_agree_with_the_plain_decoder();
    return check_report();
}
