/*
 * The histogram of durations: what it counts, and what it tells of that.
 */
#include "base/histogram.h"
#include "check.h"

/* Whether a is b to within a bucket. */
static int
is_near(uint64_t a, uint64_t b)
{
    return a >= b - b / 32 && (a <= b || a - b <= b / 32);
}

static void
nothing_is_0(void)
{
    static const struct weft_histogram h;

    CHECK(weft_histogram_percentile(&h, 0.5) == 0);
    CHECK(weft_histogram_percentile(&h, 1) == 0);
    CHECK(weft_histogram_within(&h, UINT64_MAX) == 0);
}

static void
one_is_every_percentile(void)
{
    static struct weft_histogram h;

    weft_histogram_add(&h, 123456789);
    CHECK(h.total == 1 && h.sum == 123456789 && h.max == 123456789);
    CHECK(is_near(weft_histogram_percentile(&h, 0), 123456789));
    CHECK(is_near(weft_histogram_percentile(&h, 0.99), 123456789));
    CHECK(weft_histogram_percentile(&h, 1) <= h.max);
}

static void
many_are_told_apart(void)
{
    static struct weft_histogram h;

    for (uint64_t ns = 1; ns <= 100000; ns++)
        weft_histogram_add(&h, ns * 10);
    CHECK(h.total == 100000 && h.max == 1000000);
    CHECK(h.sum == (uint64_t)10 * 100000 * 100001 / 2);
    for (uint64_t tenth = 1; tenth < 10; tenth++) {
        uint64_t ns = tenth * 100000;

        CHECK(is_near(weft_histogram_percentile(&h, (double)tenth / 10), ns));
        CHECK(is_near(weft_histogram_within(&h, ns) * 10, ns));
    }
    CHECK(is_near(weft_histogram_percentile(&h, 0.999), 999000));
    CHECK(weft_histogram_percentile(&h, 1) <= h.max);
}

/* The edges of every power of two: nothing is counted twice or lost, and each
 * is where it belongs. */
static void
every_size_has_its_place(void)
{
    static struct weft_histogram h;
    uint64_t count = 0;

    for (int bit = 0; bit < 64; bit++) {
        uint64_t ns = (uint64_t)1 << bit;

        CHECK(weft_histogram_within(&h, ns - 1) == count);
        weft_histogram_add(&h, ns);
        weft_histogram_add(&h, ns + (ns - 1));
        count += 2;
        CHECK(weft_histogram_within(&h, ns + (ns - 1)) == count);
        CHECK(h.total == count);
        CHECK(is_near(weft_histogram_percentile(&h, 1), ns + (ns - 1)));
    }
    weft_histogram_add(&h, 0);
    CHECK(weft_histogram_within(&h, 0) == 1);
    CHECK(h.max == UINT64_MAX);
}

int
main(void)
{
    nothing_is_0();
    one_is_every_percentile();
    many_are_told_apart();
    every_size_has_its_place();
    return check_report();
}
