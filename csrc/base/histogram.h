/*
 * Durations in nanoseconds, counted in buckets whose width is a 32nd of their
 * value.  All zero is a valid empty histogram.
 */
#ifndef WEFT_BASE_HISTOGRAM_H
#define WEFT_BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    WEFT_HISTOGRAM_BITS = 5, /* buckets in each power of two, as one of two */
    WEFT_HISTOGRAM_BUCKETS = (64 - WEFT_HISTOGRAM_BITS + 1)
                             << WEFT_HISTOGRAM_BITS,
};

struct weft_histogram {
    uint64_t counts[WEFT_HISTOGRAM_BUCKETS];
    uint64_t total, sum, max; /* how many; of all; the longest */
};

static inline void
weft_histogram_add(struct weft_histogram *h, uint64_t ns)
{
    unsigned low = 1u << WEFT_HISTOGRAM_BITS, shift = 0, bucket = (unsigned)ns;

    if (ns >= low) {
        shift = 63u - (unsigned)__builtin_clzll(ns) - WEFT_HISTOGRAM_BITS;
        bucket = ((shift + 1) << WEFT_HISTOGRAM_BITS)
                 + ((unsigned)(ns >> shift) & (low - 1));
    }
    h->counts[bucket]++;
    h->total++;
    h->sum += ns;
    if (ns > h->max)
        h->max = ns;
}

/* The duration that this share (0 to 1) of all stays within; 0 of none. */
uint64_t weft_histogram_percentile(const struct weft_histogram *h,
                                   double share);

/* How many took at most so long, each bucket counted as its middle. */
uint64_t weft_histogram_within(const struct weft_histogram *h, uint64_t ns);

#endif
