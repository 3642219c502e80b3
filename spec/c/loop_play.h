/*
 * A scene of links in a world of its own, played again and again while memory
 * fails.  Needs loop_kit.h and failing_mem.h, which come before it.
 */
#ifndef WEFT_SPEC_LOOP_PLAY_H
#define WEFT_SPEC_LOOP_PLAY_H

/* With the first allocation failing, then the second, and so on; returns how
 * often it was played. */
static inline long
play(void (*scene)(struct world *))
{
    struct world w;
    long n = 0;

    do {
        failing = -1;
        world_init(&w);
        allocations = 0;
        failing = n++;
        scene(&w);
        failing = failing < allocations ? -1 : -2;
        world_deinit(&w);
        CHECK(unfreed == 0);
    } while (failing == -1 && n < 1000);
    CHECK(n > 5 && n < 1000);
    failing = -1;
    return n;
}

#endif
