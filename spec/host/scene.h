/*
 * scenario.lua played again and again while something fails: its n-th
 * allocation, or its n-th call of the system.  Needs host_kit.h.
 *
 * Whatever fails, the conversation must come to a clean end, the connection
 * beside it must not notice, and nothing may be left: no memory, no descriptor.
 */
#ifndef WEFT_SPEC_SCENE_H
#define WEFT_SPEC_SCENE_H

#include "host_kit.h"

enum { TURNS = 3000 };

/* What fails: from arm(n) to disarm(), which says whether it was reached. */
struct failure {
    void (*arm)(struct memory *m, long n);
    bool (*disarm)(struct memory *m);
    bool harmless; /* all must go well nevertheless */
};

/* Turns the loop until there are as many descriptors as there were, and no more
 * threads. */
static inline void
settle(lua_State *L, int open, int running)
{
    for (int i = 0; i < TURNS; i++) {
        if (descriptors() <= open && threads() <= running)
            break;
        must_call(L, "turn", 0);
    }
    CHECK(descriptors() == open);
    CHECK(threads() <= running);
}

/* With VERBOSE in the environment: what the n-th led to. */
static inline void
tell(lua_State *L, long n)
{
    CHECK(call(L, "words", 0));
    if (getenv("VERBOSE") != NULL)
        printf("%ld: %s\n", n, lua_tostring(L, -1));
}

/* Plays it with the n-th failing; whether that was reached. */
static inline bool
play(const struct failure *f, long n)
{
    struct memory m = { .failing = -1 };
    int before = descriptors(), open, running;
    lua_State *L = open_state(&m, "spec/host/scenario.lua");
    bool reached, well;

    if (L == NULL)
        return false;
    must_call(L, "prepare", 0);
    open = descriptors();
    running = threads();
    f->arm(&m, n);
    well = call(L, "play", 0);
    reached = f->disarm(&m);
    CHECK(well);
    well = well && lua_tointeger(L, -1) == 1;
    CHECK(well || (reached && !f->harmless));
    if (!well || getenv("VERBOSE") != NULL)
        tell(L, n);
    must_call(L, "recover", 0);
    settle(L, open, running);
    must_call(L, "beside", 0);
    close_state(L, &m);
    CHECK(descriptors() == before);
    return reached;
}

/* The first, the one `step` behind it, and so on while they are reached; how
 * many that were. */
static inline long
play_all(const struct failure *f, long step)
{
    long tried = 0;

    while (play(f, tried * step))
        tried++;
    return tried;
}

/* The step that a program was told to take. */
static inline long
step_of(int argc, char **argv)
{
    long step = argc > 1 ? atol(argv[1]) : 1;

    return step > 0 ? step : 1;
}

#endif
