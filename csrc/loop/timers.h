/*
 * Deadlines in a binary heap.  A timer is embedded in what it belongs to and
 * knows its place in the heap; `kind` tells the owner's type to whoever takes
 * due timers out (see loop.h).
 */
#ifndef WEFT_LOOP_TIMERS_H
#define WEFT_LOOP_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct weft_timer {
    int64_t at;     /* monotonic nanoseconds */
    uint32_t place; /* in the heap, counted from 1; 0: not set */
    uint8_t kind;
};

struct weft_timers {
    struct weft_timer **heap;
    uint32_t count, cap;
};

void weft_timers_deinit(struct weft_timers *t); /* timers become unset */

/* Sets or moves a timer: WEFT_OK or WEFT_E_MEMORY (moving never fails). */
enum weft_status weft_timer_set(struct weft_timers *t, struct weft_timer *timer,
                                int64_t at);

/* Unsets it; nothing if it is not set. */
void weft_timer_clear(struct weft_timers *t, struct weft_timer *timer);

static inline bool
weft_timer_is_set(const struct weft_timer *timer)
{
    return timer->place != 0;
}

/* The timer that is due first, or NULL. */
static inline struct weft_timer *
weft_timers_first(const struct weft_timers *t)
{
    return t->count > 0 ? t->heap[0] : NULL;
}

/* Takes out and returns a timer due at or before now, or NULL. */
struct weft_timer *weft_timers_take(struct weft_timers *t, int64_t now);

#endif
