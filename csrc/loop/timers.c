/*
 * The heap of deadlines.  It must not know what a timer is for, nor the time.
 */
#include "loop/timers.h"

#include "base/mem.h"

enum { FIRST_ROOM = 16, MOST = 1 << 26 };

static void
put(struct weft_timers *t, uint32_t place, struct weft_timer *timer)
{
    t->heap[place - 1] = timer;
    timer->place = place;
}

/* Moves a timer from a free place towards the top, as far as it belongs. */
static void
rise(struct weft_timers *t, uint32_t place, struct weft_timer *timer)
{
    while (place > 1 && t->heap[place / 2 - 1]->at > timer->at) {
        put(t, place, t->heap[place / 2 - 1]);
        place /= 2;
    }
    put(t, place, timer);
}

/* The same towards the bottom. */
static void
sink(struct weft_timers *t, uint32_t place, struct weft_timer *timer)
{
    while (place <= t->count / 2) {
        uint32_t child = place * 2;

        if (child < t->count && t->heap[child]->at < t->heap[child - 1]->at)
            child++;
        if (t->heap[child - 1]->at >= timer->at)
            break;
        put(t, place, t->heap[child - 1]);
        place = child;
    }
    put(t, place, timer);
}

static void
settle(struct weft_timers *t, uint32_t place, struct weft_timer *timer)
{
    if (place > 1 && t->heap[place / 2 - 1]->at > timer->at)
        rise(t, place, timer);
    else
        sink(t, place, timer);
}

static enum weft_status
grow(struct weft_timers *t)
{
    uint32_t cap = t->cap > 0 ? t->cap * 2 : FIRST_ROOM;
    struct weft_timer **heap;

    if (cap > MOST)
        return WEFT_E_MEMORY;
    heap = weft_realloc(t->heap, cap * sizeof(struct weft_timer *));
    if (heap == NULL)
        return WEFT_E_MEMORY;
    t->heap = heap;
    t->cap = cap;
    return WEFT_OK;
}

enum weft_status
weft_timer_set(struct weft_timers *t, struct weft_timer *timer, int64_t at)
{
    if (weft_timer_is_set(timer)) {
        timer->at = at;
        settle(t, timer->place, timer);
        return WEFT_OK;
    }
    if (t->count == t->cap && grow(t) != WEFT_OK)
        return WEFT_E_MEMORY;
    timer->at = at;
    t->count++;
    rise(t, t->count, timer);
    return WEFT_OK;
}

void
weft_timer_clear(struct weft_timers *t, struct weft_timer *timer)
{
    uint32_t place = timer->place;
    struct weft_timer *last;

    if (place == 0)
        return;
    timer->place = 0;
    last = t->heap[--t->count];
    if (last != timer)
        settle(t, place, last);
}

struct weft_timer *
weft_timers_take(struct weft_timers *t, int64_t now)
{
    struct weft_timer *first = weft_timers_first(t);

    if (first == NULL || first->at > now)
        return NULL;
    weft_timer_clear(t, first);
    return first;
}

void
weft_timers_deinit(struct weft_timers *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        t->heap[i]->place = 0;
    weft_free(t->heap);
    *t = (struct weft_timers){ 0 };
}
