/*
 * Reading a histogram of durations.  It must not know what was timed.
 */
#include "base/histogram.h"

/* The middle of what the bucket counts. */
static uint64_t
middle(unsigned bucket)
{
    unsigned low = 1u << WEFT_HISTOGRAM_BITS, shift;

    if (bucket < low)
        return bucket;
    shift = (bucket >> WEFT_HISTOGRAM_BITS) - 1;
    return ((uint64_t)(low + (bucket & (low - 1))) << shift)
           + ((uint64_t)1 << shift) / 2;
}

uint64_t
weft_histogram_percentile(const struct weft_histogram *h, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)((double)h->total * share);

    for (unsigned i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (h->counts[i] > 0 && seen >= wanted)
            return middle(i) < h->max ? middle(i) : h->max;
    }
    return 0;
}

uint64_t
weft_histogram_within(const struct weft_histogram *h, uint64_t ns)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < WEFT_HISTOGRAM_BUCKETS && middle(i) <= ns; i++)
        seen += h->counts[i];
    return seen;
}
