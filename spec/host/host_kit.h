/*
 * A program around weft: lua_States with a lua_Alloc of its own, which counts
 * and can fail, and scripts out of this folder that they run.
 */
#ifndef WEFT_SPEC_HOST_KIT_H
#define WEFT_SPEC_HOST_KIT_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <weft_lua.h>

#include "check.h"

/* A lua_State's memory, and which of its allocations fails. */
struct memory {
    size_t used;
    long asked;   /* allocations so far, those that only shrink left out */
    long failing; /* the one that fails, counted from 0; -1: none */
    bool again;   /* and the next: the first one Lua makes good by collecting */
    bool failed;  /* one did */
};

static inline bool
must_fail(struct memory *m)
{
    long n = m->asked++;

    if (m->failing < 0 || n < m->failing || n > m->failing + m->again)
        return false;
    m->failed = true;
    return true;
}

/* A lua_Alloc. */
static inline void *
allocate(void *data, void *p, size_t old, size_t size)
{
    struct memory *m = data;
    void *q;

    if (p == NULL)
        old = 0;
    if (size == 0) {
        free(p);
        m->used -= old;
        return NULL;
    }
    if (size > old && must_fail(m))
        return NULL;
    q = realloc(p, size);
    if (q != NULL)
        m->used = m->used - old + size;
    return q;
}

static inline int
open_inside(lua_State *L)
{
    const char *script = lua_touserdata(L, 1);

    luaL_openlibs(L);
    weft_preload(L);
    if (luaL_loadfile(L, script) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

/*
 * A state whose script has given a table, which is then all there is on its
 * stack; NULL when that failed, which is said unless memory was to run out.
 */
static inline lua_State *
open_state(struct memory *m, const char *script)
{
    lua_State *L = lua_newstate(allocate, m);

    if (L == NULL) {
        CHECK(m->failed);
        return NULL;
    }
    lua_pushcfunction(L, open_inside);
    lua_pushlightuserdata(L, (void *)script);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        return L;
    if (!m->failed)
        fprintf(stderr, "%s: %s\n", script, lua_tostring(L, -1));
    CHECK(m->failed);
    lua_close(L);
    CHECK(m->used == 0);
    return NULL;
}

/* Calls a function of the script's table with a number; what it returned, one
 * value, or its error is then on top. */
static inline bool
call(lua_State *L, const char *name, lua_Integer argument)
{
    lua_settop(L, 1);
    if (lua_getfield(L, 1, name) != LUA_TFUNCTION)
        luaL_error(L, "the script has no %s", name);
    lua_pushinteger(L, argument);
    return lua_pcall(L, 1, 1, 0) == LUA_OK;
}

/* The same for what must not fail, and gives a number (nil: 0). */
static inline lua_Integer
must_call(lua_State *L, const char *name, lua_Integer argument)
{
    bool ok = call(L, name, argument);

    CHECK(ok);
    if (ok)
        return lua_tointeger(L, -1);
    fprintf(stderr, "%s: %s\n", name, lua_tostring(L, -1));
    return 0;
}

static inline void
close_state(lua_State *L, struct memory *m)
{
    lua_close(L);
    CHECK(m->used == 0);
}

static inline int
count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;

    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* How many descriptors this process has open, and how many threads; "." and
 * ".." are counted too. */
static inline int
descriptors(void)
{
    return count_entries("/proc/self/fd");
}

static inline int
threads(void)
{
    return count_entries("/proc/self/task");
}

#endif
