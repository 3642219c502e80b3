/*
 * Several of everything: instances in one lua_State, lua_States in one thread
 * and in many, and states that are closed in mid-connection and opened again.
 *
 *     several [TIMES]    how often the last (1000)
 */
#include <pthread.h>
#include <time.h>

#include <weft.h>

#include "host_kit.h"

enum { THREADS = 4, TURNS = 20000, MESSAGES = 5 };

static const char script[] = "spec/host/several.lua";

static void
modules_of_the_program(void)
{
    struct memory m = { .failing = -1 };
    lua_State *L = open_state(&m, script);

    if (L == NULL)
        return;
    CHECK(call(L, "version", 0));
    CHECK(strcmp(lua_tostring(L, -1), "weft " WEFT_VERSION) == 0);
    close_state(L, &m);
}

static int
preload(lua_State *L)
{
    weft_preload(L);
    return 0;
}

static int
open_package(lua_State *L)
{
    luaL_requiref(L, "package", luaopen_package, 0);
    lua_pushnil(L);
    lua_setfield(L, -2, "preload");
    return 0;
}

static bool
says(lua_State *L, lua_CFunction f, const char *expected)
{
    int rc;

    lua_settop(L, 0);
    lua_pushcfunction(L, f);
    rc = lua_pcall(L, 0, 0, 0);
    if (expected == NULL)
        return rc == LUA_OK;
    return rc == LUA_ERRRUN && strcmp(lua_tostring(L, -1), expected) == 0;
}

/* Where nothing was opened before, in all or in part. */
static void
a_state_without_libraries(void)
{
    static const char wanted[] = "weft_preload: the library \"package\" is "
                                 "not open";
    struct memory m = { .failing = -1 };
    lua_State *L = lua_newstate(allocate, &m);

    CHECK(says(L, preload, wanted));
    CHECK(says(L, luaopen_base, NULL) && says(L, preload, wanted));
    CHECK(says(L, open_package, NULL) && says(L, preload, wanted));
    close_state(L, &m);
}

/* As a program may call it, which leaves its own things on the stack. */
static void
a_stack_that_is_full(void)
{
    struct memory m = { .failing = -1 };
    lua_State *L = lua_newstate(allocate, &m);

    luaL_openlibs(L);
    for (int i = 0; i < LUA_MINSTACK; i++)
        lua_pushinteger(L, i);
    weft_preload(L);
    CHECK(lua_gettop(L) == LUA_MINSTACK);
    close_state(L, &m);
}

static void
instances_of_one_state(void)
{
    struct memory m = { .failing = -1 };
    lua_State *L = open_state(&m, script);

    if (L == NULL)
        return;
    CHECK(must_call(L, "instances", 0) >= 6);
    close_state(L, &m);
}

/* Two clients of a server, which is closed while they talk. */
static void
states_of_one_thread(int secured)
{
    const char *dial = secured ? "dial_secured" : "dial";
    struct memory m[3] = { { .failing = -1 }, { .failing = -1 },
                           { .failing = -1 } };
    lua_State *L[3];
    lua_Integer port;

    for (int i = 0; i < 3; i++) {
        L[i] = open_state(&m[i], script);
        if (L[i] == NULL)
            return;
    }
    port = must_call(L[0], "serve", secured);
    must_call(L[1], dial, port);
    must_call(L[2], dial, port);
    for (int i = 0; i < TURNS; i++) {
        for (int j = 0; j < 3; j++)
            must_call(L[j], "turn", 0);
        if (must_call(L[1], "heard", 0) >= MESSAGES
            && must_call(L[2], "heard", 0) >= MESSAGES)
            break;
    }
    CHECK(must_call(L[1], "heard", 0) >= MESSAGES);
    CHECK(must_call(L[2], "heard", 0) >= MESSAGES);
    close_state(L[0], &m[0]);
    for (int i = 0; i < 5; i++)
        must_call(L[1], "turn", 0);
    close_state(L[1], &m[1]);
    close_state(L[2], &m[2]);
}

/* A thread with a state of its own, which serves itself and dials a neighbour. */
struct thread {
    pthread_t id;
    struct memory m;
    lua_State *L;
    lua_Integer port, of_neighbour;
    bool talked;
};

static void *
run_thread(void *data)
{
    struct thread *t = data;
    lua_State *L = t->L;

    for (int i = 0; i < TURNS && !t->talked; i++) {
        lua_settop(L, 1);
        lua_getfield(L, 1, "turn");
        if (lua_pcall(L, 0, 0, 0) != LUA_OK)
            break;
        lua_getfield(L, 1, "heard");
        if (lua_pcall(L, 0, 1, 0) != LUA_OK)
            break;
        t->talked = lua_tointeger(L, -1) >= 2 * MESSAGES;
    }
    lua_close(L); /* the neighbours may be in mid-message */
    return NULL;
}

static void
states_of_many_threads(void)
{
    struct thread all[THREADS] = { 0 };

    for (int i = 0; i < THREADS; i++) {
        all[i].m.failing = -1;
        all[i].L = open_state(&all[i].m, script);
        if (all[i].L == NULL)
            return;
        all[i].port = must_call(all[i].L, "serve", 1);
    }
    for (int i = 0; i < THREADS; i++) {
        must_call(all[i].L, "dial_secured", all[i].port);
        must_call(all[i].L, "dial_secured", all[(i + 1) % THREADS].port);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&all[i].id, NULL, run_thread, &all[i]) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(all[i].id, NULL);
        CHECK(all[i].talked);
        CHECK(all[i].m.used == 0);
    }
}

/* A state that is closed after so many turns, whatever it is in. */
static void
close_after(int turns, int kind)
{
    static const char *const dials[] = { "dial", "dial_secured",
                                         "dial_by_name" };
    struct memory m = { .failing = -1 };
    lua_State *L = open_state(&m, script);
    lua_Integer port;

    if (L == NULL)
        return;
    port = must_call(L, "serve", kind == 1);
    must_call(L, dials[kind], port);
    must_call(L, dials[kind], port);
    for (int i = 0; i < turns; i++)
        must_call(L, "turn", 0);
    close_state(L, &m);
}

/* Whether there are no more descriptors and threads than there were.  A thread that
 * looks a name up ends when it is answered, which may take a name server's time. */
static bool
settles(int open, int running)
{
    for (int i = 0; i < 60000; i++) {
        if (descriptors() <= open && threads() <= running)
            return true;
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    return false;
}

int
main(int argc, char **argv)
{
    int open = descriptors(), running;
    long times = argc > 1 ? atol(argv[1]) : 1000;

    modules_of_the_program();
    a_state_without_libraries();
    a_stack_that_is_full();
    instances_of_one_state();
    states_of_one_thread(0);
    states_of_one_thread(1);
    states_of_many_threads();
    running = threads(); /* a sanitizer may have one of its own by now */
    CHECK(descriptors() == open);
    for (long i = 0; i < times; i++)
        close_after((int)(i / 3 % 23), (int)(i % 3));
    CHECK(settles(open, running));
    printf("%ld states were closed in mid-connection\n", times);
    return check_report();
}
