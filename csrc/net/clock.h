/*
 * The system's clocks: one that only goes forward, for whatever waits, and the
 * time of day, for whatever is told.
 */
#ifndef WEFT_NET_CLOCK_H
#define WEFT_NET_CLOCK_H

#include <stdint.h>

#define WEFT_SECOND INT64_C(1000000000)

/* Monotonic nanoseconds. */
int64_t weft_now(void);

/* Seconds since 1970 (UTC), as the system's clock has it. */
int64_t weft_wall_clock(void);
double weft_wall_time(void); /* the same, with fractions */

#endif
