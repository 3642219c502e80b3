/*
 * A scene of links in a world of its own, played once, or again and again while
 * memory fails.  Needs loop_kit.h and failing_mem.h, which come before it.
 */
#ifndef WEFT_SPEC_LOOP_PLAY_H
#define WEFT_SPEC_LOOP_PLAY_H

/* So many turns that wait for nothing. */
static inline void
turns(struct world *w, int n)
{
    while (n-- > 0)
        turn(w, 0);
}

/* With the n-th allocation failing, from 0, or none for -1; whether it came. */
static inline bool
run_failing(void (*scene)(struct world *), long n)
{
    struct world w;
    bool reached;

    world_init(&w);
    allocations = 0;
    failing = n;
    scene(&w);
    reached = allocations > n;
    failing = -1;
    world_deinit(&w);
    CHECK(unfreed == 0);
    return reached;
}

static inline void
run(void (*scene)(struct world *))
{
    run_failing(scene, -1);
}

/* With the first allocation failing, then the second, and so on; returns how
 * often it was played. */
static inline long
play(void (*scene)(struct world *))
{
    long n = 0;

    while (run_failing(scene, n++) && n < 1000)
        continue;
    CHECK(n > 5 && n < 1000);
    return n;
}

#endif
