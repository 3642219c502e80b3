/*
 * weft's own memory runs out, at each allocation in turn, in a whole
 * conversation: this program's memory takes the place of base/mem.c.
 *
 *     failing_memory [STEP]    every STEP-th
 */
#include "failing_mem.h"
#include "scene.h"

static void
arm(struct memory *m, long n)
{
    (void)m;
    allocations = 0;
    failing = n;
    refused = false;
}

static bool
disarm(struct memory *m)
{
    (void)m;
    failing = -1;
    return refused;
}

int
main(int argc, char **argv)
{
    const struct failure f = { arm, disarm, .harmless = false };
    long tried = play_all(&f, step_of(argc, argv));

    printf("in a conversation, %ld allocations failed\n", tried);
    CHECK(tried > 5);
    CHECK(unfreed == 0);
    return check_report();
}
