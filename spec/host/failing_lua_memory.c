/*
 * Lua's memory runs out, at each allocation in turn: while weft is loaded, and
 * in a whole conversation.  Each fails once, when Lua collects and asks again,
 * and another time for good.
 *
 *     failing_lua_memory [STEP]    every STEP-th
 */
#include "scene.h"

static void
arm_once(struct memory *m, long n)
{
    m->asked = 0;
    m->failing = n;
    m->again = false;
}

static void
arm_for_good(struct memory *m, long n)
{
    arm_once(m, n);
    m->again = true;
}

static bool
disarm(struct memory *m)
{
    m->failing = -1;
    return m->failed;
}

/* Loads weft with the n-th failing for good; whether that was reached. */
static bool
load(long n)
{
    struct memory m = { 0 };
    lua_State *L;

    arm_for_good(&m, n);
    L = open_state(&m, "spec/host/scenario.lua");
    disarm(&m);
    if (L != NULL)
        close_state(L, &m);
    return m.failed;
}

int
main(int argc, char **argv)
{
    const struct failure once = { arm_once, disarm, .harmless = true };
    const struct failure for_good = { arm_for_good, disarm, .harmless = false };
    long step = step_of(argc, argv), tried = 0;

    while (load(tried * step * 10)) /* they are many, and much alike */
        tried++;
    printf("while weft is loaded, %ld allocations failed\n", tried);
    CHECK(tried > 5);
    tried = play_all(&once, step);
    printf("in a conversation, %ld allocations failed once\n", tried);
    CHECK(tried > 5);
    tried = play_all(&for_good, step);
    printf("in a conversation, %ld allocations failed for good\n", tried);
    CHECK(tried > 5);
    return check_report();
}
