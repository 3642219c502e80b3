/*
 * weft in a C program with a frame loop of its own: two worlds, each a thread
 * with a lua_State and an allocator that counts, which run sixty frames a second
 * and talk to each other.  When their frames are over both states are closed,
 * connected as they are.
 *
 *     make examples && build/examples/host 120
 *
 * Any Lua will do, LuaJIT too: `make examples LUA=luajit`.
 *
 * Exit status: 0; 1 when a world failed or has not given all its memory back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <weft_lua.h>

enum {
    FRAME = 1000000000 / 60,  /* nanoseconds */
    MEMORY = 64 * 1024 * 1024 /* bytes, for each world's Lua */
};

struct world {
    const char *script;
    lua_State *L;
    int frame;         /* the script's function, in the registry */
    lua_Integer port;  /* what it gave us, or is given */
    lua_Integer heard; /* messages, so far */
    long frames;
    size_t used, most; /* bytes */
    int failed;
};

/* Memory ------------------------------------------------------------------ */

/* A lua_Alloc that counts, and ends at a budget. */
static void *
allocate(void *data, void *p, size_t old, size_t size)
{
    struct world *w = data;
    void *q;

    if (p == NULL)
        old = 0; /* then it is the kind of object */
    if (size == 0) {
        free(p);
        w->used -= old;
        return NULL;
    }
    if (size > old && w->used + (size - old) > MEMORY)
        return NULL;
    q = realloc(p, size);
    if (q == NULL)
        return NULL;
    w->used = w->used - old + size;
    if (w->used > w->most)
        w->most = w->used;
    return q;
}

/* A world ----------------------------------------------------------------- */

/* world -> its script's function and port; the script gets the port that is
 * known so far */
static int
load_script(lua_State *L)
{
    const struct world *w = lua_touserdata(L, 1);

    luaL_openlibs(L);
    weft_preload(L);
    if (luaL_loadfile(L, w->script) != 0)
        return lua_error(L);
    lua_pushinteger(L, w->port);
    lua_call(L, 1, 2);
    luaL_checktype(L, -2, LUA_TFUNCTION);
    return 2;
}

static int
fail(struct world *w)
{
    const char *why = lua_tostring(w->L, -1);

    fprintf(stderr, "%s: %s\n", w->script, why != NULL ? why : "an error");
    w->failed = 1;
    return 0;
}

static int
open_world(struct world *w)
{
#if LUA_VERSION_NUM >= 505
    w->L = lua_newstate(allocate, w, luaL_makeseed(NULL));
#else
    w->L = lua_newstate(allocate, w);
#endif
    if (w->L == NULL) {
        fprintf(stderr, "%s: out of memory\n", w->script);
        w->failed = 1;
        return 0;
    }
    lua_pushcfunction(w->L, load_script);
    lua_pushlightuserdata(w->L, w);
    if (lua_pcall(w->L, 1, 2, 0) != 0)
        return fail(w);
    if (lua_isnumber(w->L, -1))
        w->port = lua_tointeger(w->L, -1);
    lua_pop(w->L, 1);
    w->frame = luaL_ref(w->L, LUA_REGISTRYINDEX);
    return 1;
}

static int
run_frame(struct world *w, long number)
{
    lua_rawgeti(w->L, LUA_REGISTRYINDEX, w->frame);
    lua_pushinteger(w->L, number);
    if (lua_pcall(w->L, 1, 1, 0) != 0)
        return fail(w);
    w->heard = lua_tointeger(w->L, -1);
    lua_pop(w->L, 1);
    return 1;
}

/* Sleeps for the rest of the frame that was to end at *due, in nanoseconds;
 * a frame that took too long is followed by a shorter one. */
static void
end_frame(int64_t *due)
{
    struct timespec now, left;
    int64_t rest;

    clock_gettime(CLOCK_MONOTONIC, &now);
    *due += FRAME;
    rest = *due - (now.tv_sec * (int64_t)1000000000 + now.tv_nsec);
    if (rest <= 0)
        return;
    left = (struct timespec){ 0, (long)rest };
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* A thread: the frames, and the end in the middle of everything. */
static void *
run_world(void *data)
{
    struct world *w = data;
    struct timespec now;
    int64_t due;

    clock_gettime(CLOCK_MONOTONIC, &now);
    due = now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
    for (long number = 1; number <= w->frames && !w->failed; number++) {
        run_frame(w, number);
        /* physics, sound and pictures would be here */
        end_frame(&due);
    }
    lua_close(w->L);
    w->L = NULL;
    return NULL;
}

/* The program ------------------------------------------------------------- */

static int
report(const struct world *w)
{
    printf("%s: %ld frames, %lld messages, %zu KiB of Lua at most\n",
           w->script, w->frames, (long long)w->heard, w->most / 1024);
    if (w->used != 0)
        fprintf(stderr, "%s: %zu bytes were not given back\n", w->script,
                w->used);
    return w->failed || w->used != 0 || w->heard == 0;
}

int
main(int argc, char **argv)
{
    long frames = argc > 1 ? strtol(argv[1], NULL, 10) : 120;
    struct world server = { .script = "examples/host/server.lua",
                            .frames = frames };
    struct world client = { .script = "examples/host/client.lua",
                            .frames = frames };
    pthread_t threads[2];
    int failed = 1;

    if (!open_world(&server))
        goto close_server;
    client.port = server.port;
    if (!open_world(&client))
        goto close_client;
    if (pthread_create(&threads[0], NULL, run_world, &server) != 0)
        goto close_client;
    if (pthread_create(&threads[1], NULL, run_world, &client) != 0) {
        pthread_join(threads[0], NULL);
        goto close_client;
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    failed = report(&server) | report(&client);

close_client:
    if (client.L != NULL)
        lua_close(client.L);
close_server:
    if (server.L != NULL)
        lua_close(server.L);
    return failed;
}
