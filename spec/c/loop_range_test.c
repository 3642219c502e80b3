/*
 * net/range.h: which texts are ranges, and who is in them.
 */
#include <stddef.h>

#include "check.h"
#include "net/range.h"

static void
holds(const char *range, const char *address, bool expected, int line)
{
    struct weft_range r;
    struct weft_addr a;

    check_that(weft_range_parse(&r, range), "it is a range", __FILE__, line);
    check_that(weft_addr_parse(&a, address, 80), "it is an address", __FILE__,
               line);
    check_that(weft_ranges_hold(&r, 1, &a) == expected, "whether it is in it",
               __FILE__, line);
    check_that(!weft_ranges_hold(&r, 0, &a), "none hold nobody", __FILE__,
               line);
}

#define IN(range, address) holds(range, address, true, __LINE__)
#define OUT(range, address) holds(range, address, false, __LINE__)

/* One bit after the other. */
static void
every_length(void)
{
    char range[64];

    for (int bits = 0; bits <= 32; bits++) {
        snprintf(range, sizeof(range), "170.85.170.85/%d", bits);
        IN(range, "170.85.170.85");
        if (bits > 0)
            holds(range, bits < 9 ? "171.85.170.85" : "170.85.170.84",
                  bits < 8 || (bits > 8 && bits < 32), __LINE__);
        OUT(range, "::170.85.170.85");
    }
    for (int bits = 0; bits <= 128; bits++) {
        snprintf(range, sizeof(range), "2001:db8::8000/%d", bits);
        IN(range, "2001:db8::8000");
        holds(range, "2001:db8::8001", bits < 128, __LINE__);
        holds(range, "2001:db8::", bits < 113, __LINE__);
        holds(range, "3001:db8::8000", bits < 4, __LINE__);
    }
}

static void
mapped(void)
{
    IN("10.0.0.0/8", "::ffff:10.1.2.3");
    IN("::ffff:10.0.0.0/104", "10.1.2.3");
    IN("::ffff:10.0.0.1", "10.0.0.1");
    IN("::ffff:0:0/96", "10.0.0.1");
    OUT("::ffff:0:0/95", "10.0.0.1");
    OUT("::/0", "10.0.0.1");
    OUT("0.0.0.0/0", "::1");
}

static void
texts(void)
{
    static const char *const none[] = {
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "::/129",
        "10.0.0.0/ 8", "10.0.0.0/+8", "10.0.0.0/999", "10.0.0.0/0000",
        "10.0.0", "fe80::1%1", "fe80::%1/64", "unix/8", "unix ", "localhost",
        "10.0.0.0/8/8", "[::1]",
    };
    struct weft_range r;
    struct weft_addr a;

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        CHECK(!weft_range_parse(&r, none[i]));
    CHECK(weft_range_parse(&r, "unix"));
    CHECK(weft_addr_parse(&a, "127.0.0.1", 1));
    CHECK(!weft_ranges_hold(&r, 1, &a));
    CHECK(weft_addr_unix(&a, "/run/x"));
    CHECK(weft_ranges_hold(&r, 1, &a));
    CHECK(weft_range_parse(&r, "0.0.0.0/0"));
    CHECK(!weft_ranges_hold(&r, 1, &a));
    a = (struct weft_addr){ .len = 0 };
    CHECK(!weft_ranges_hold(&r, 1, &a));
}

int
main(void)
{
    every_length();
    mapped();
    texts();
    return check_report();
}
