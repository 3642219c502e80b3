/*
 * Latencies in nanoseconds, counted in buckets whose width is a 32nd of their
 * value.  All zero is a valid empty histogram.
 */
#ifndef WEFT_LOAD_HISTOGRAM_H
#define WEFT_LOAD_HISTOGRAM_H

#include <stdint.h>

enum {
    WEFT_HISTOGRAM_BITS = 5, /* buckets in each power of two, as one of two */
    WEFT_HISTOGRAM_BUCKETS = (64 - WEFT_HISTOGRAM_BITS + 1)
                             << WEFT_HISTOGRAM_BITS,
};

struct weft_histogram {
    uint64_t counts[WEFT_HISTOGRAM_BUCKETS];
    uint64_t total, max; /* how many; the longest */
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
    if (ns > h->max)
        h->max = ns;
}

/* The latency that this share (0 to 1) of all stays within; 0 of none. */
uint64_t weft_histogram_percentile(const struct weft_histogram *h,
                                   double share);

#endif
