/*
 * The heap of deadlines, first by hand and then against a list that is
 * searched from end to end.
 */
#include <stdlib.h>

#include "check.h"
#include "loop/timers.h"

enum { MANY = 200, STEPS = 20000 };

static void
takes_what_is_due_in_order(void)
{
    struct weft_timers t = { 0 };
    struct weft_timer a = { 0 }, b = { 0 }, c = { 0 };

    CHECK(weft_timers_first(&t) == NULL);
    CHECK(weft_timers_take(&t, INT64_MAX) == NULL);
    CHECK(weft_timer_set(&t, &b, 20) == WEFT_OK);
    CHECK(weft_timer_set(&t, &c, 30) == WEFT_OK);
    CHECK(weft_timer_set(&t, &a, 10) == WEFT_OK);
    CHECK(weft_timers_first(&t) == &a);
    CHECK(weft_timers_take(&t, 9) == NULL);
    CHECK(weft_timers_take(&t, 25) == &a);
    CHECK(weft_timers_take(&t, 25) == &b);
    CHECK(weft_timers_take(&t, 25) == NULL);
    CHECK(!weft_timer_is_set(&a) && weft_timer_is_set(&c));
    CHECK(weft_timers_take(&t, 30) == &c);
    weft_timers_deinit(&t);
}

static void
moves_and_clears(void)
{
    struct weft_timers t = { 0 };
    struct weft_timer a = { 0 }, b = { 0 };

    weft_timer_set(&t, &a, 10);
    weft_timer_set(&t, &b, 20);
    CHECK(weft_timer_set(&t, &a, 30) == WEFT_OK);
    CHECK(weft_timers_first(&t) == &b);
    CHECK(weft_timer_set(&t, &a, -5) == WEFT_OK);
    CHECK(weft_timers_first(&t) == &a);
    weft_timer_clear(&t, &a);
    weft_timer_clear(&t, &a);
    CHECK(!weft_timer_is_set(&a) && t.count == 1);
    weft_timers_deinit(&t);
    CHECK(!weft_timer_is_set(&b));
    CHECK(weft_timer_set(&t, &b, 1) == WEFT_OK);
    weft_timers_deinit(&t);
}

/* The place of each timer, and that none above another is due later. */
static int
is_heap(const struct weft_timers *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->heap[i]->place != i + 1)
            return 0;
        if (i > 0 && t->heap[(i + 1) / 2 - 1]->at > t->heap[i]->at)
            return 0;
    }
    return 1;
}

static int64_t
earliest(const struct weft_timer *all)
{
    int64_t at = INT64_MAX;

    for (int i = 0; i < MANY; i++)
        if (weft_timer_is_set(&all[i]) && all[i].at < at)
            at = all[i].at;
    return at;
}

static void
agrees_with_a_list(void)
{
    struct weft_timers t = { 0 };
    struct weft_timer all[MANY] = { 0 }, *timer;
    int wrong = 0;

    srand(7);
    for (int step = 0; step < STEPS; step++) {
        int64_t first = earliest(all);

        timer = &all[rand() % MANY];
        switch (rand() % 4) {
        case 0:
            weft_timer_clear(&t, timer);
            break;
        case 1:
            timer = weft_timers_take(&t, rand() % 1000);
            wrong += timer != NULL && timer->at != first;
            break;
        default:
            wrong += weft_timer_set(&t, timer, rand() % 1000) != WEFT_OK;
            break;
        }
        wrong += !is_heap(&t);
    }
    CHECK(wrong == 0);
    weft_timers_deinit(&t);
}

int
main(void)
{
    takes_what_is_due_in_order();
    moves_and_clears();
    agrees_with_a_list();
    return check_report();
}
