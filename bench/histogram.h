/*
 * Latencies in nanoseconds, counted in buckets whose width is a 32nd of their
 * value.  All zero is a valid empty histogram.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_BITS = 5, /* buckets in each power of two, as a power of two */
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS,
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
};

static inline void
histogram_add(struct histogram *h, uint64_t ns)
{
    unsigned low = 1u << HISTOGRAM_BITS, shift = 0, bucket = (unsigned)ns;

    if (ns >= low) {
        shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_BITS;
        bucket = ((shift + 1) << HISTOGRAM_BITS)
                 + ((unsigned)(ns >> shift) & (low - 1));
    }
    h->counts[bucket]++;
    h->total++;
}

/* The latency that this share (0 to 1) of all stays within; 0 of none. */
uint64_t histogram_percentile(const struct histogram *h, double share);

#endif
