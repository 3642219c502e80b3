/*
 * core.keep_blocks(): blocks that a Lua state frees are kept for its next ones,
 * in front of whatever allocator it has.  It must not know what is in them.
 *
 * A message is a string that is made and freed.  A small block is taken from a
 * list and put back for a tenth of what malloc() and free() cost; a few large
 * ones are kept because memory that goes back to the system and comes again is
 * dearer than copying the message.  Whatever is kept has the size that the
 * state's own allocator gave it: so it does not matter who allocated it, nor
 * who frees it in the end, and this can come and go at any time.  From Lua 5.5
 * on it does not come: there a string may be freed by the allocator that was the
 * state's when it was made.
 */
#include "lua/blocks.h"

#include <stddef.h>
#include <string.h>

enum {
    LEAST = sizeof(void *),
    LARGEST = 256,      /* bytes of a block that is kept */
    ROOM = 256 * 1024,  /* bytes of all of them; a collection frees hundreds of
                           kilobytes at once */
    FEW = 16,           /* large ones that are kept, of so many bytes: */
    LARGE_LEAST = 32 * 1024,
    LARGE_ROOM = 12 * 1024 * 1024, /* bytes of all of those */
    COMES_AND_GOES = 8 * 1024 * 1024, /* bytes between two collections, see
                                         collector.c */
};

#define TYPE "weft.Blocks"

struct blocks {
    lua_Alloc next;  /* the state's own allocator, and what it is given */
    void *ud;
    size_t room;     /* bytes that may still be kept */
    void *lists[LARGEST + 1]; /* of free blocks, by size; each begins with the
                                 address of the next */
    struct large {
        void *p;
        size_t size;
    } large[FEW];    /* the last freed last */
    size_t large_count, large_size;
    size_t large_most; /* bytes of one */
};

/* The userdata. */
struct held {
    struct blocks *blocks; /* NULL: let go of */
};

/* Gives back the large block that was freed longest ago. */
static void
free_oldest(struct blocks *b)
{
    struct large *l = b->large;

    b->next(b->ud, l->p, l->size, 0);
    b->large_size -= l->size;
    b->large_count--;
    memmove(l, l + 1, b->large_count * sizeof(*l));
}

static void
keep_large(struct blocks *b, void *p, size_t size)
{
    while (b->large_count == FEW
           || (b->large_count > 0 && b->large_size + size > LARGE_ROOM))
        free_oldest(b);
    b->large[b->large_count++] = (struct large){ p, size };
    b->large_size += size;
}

/* A kept block of that size, or one that is larger, but not by much, and cut
 * to it; NULL: there is none. */
static void *
take_large(struct blocks *b, size_t size)
{
    struct large *end = b->large + b->large_count, *l = end, found;
    void *p;

    do
        if (l == b->large)
            return NULL;
    while ((--l)->size < size || l->size / 2 > size);
    found = *l;
    b->large_size -= found.size;
    b->large_count--;
    memmove(l, l + 1, (size_t)(end - l - 1) * sizeof(*l));
    if (found.size == size)
        return found.p;
    p = b->next(b->ud, found.p, found.size, size);
    if (p == NULL) /* it is as it was */
        b->next(b->ud, found.p, found.size, 0);
    return p;
}

static void
free_kept(struct blocks *b)
{
    for (size_t size = 0; size <= LARGEST; size++) {
        while (b->lists[size] != NULL) {
            void *p = b->lists[size];

            b->lists[size] = *(void **)p;
            b->room += size;
            b->next(b->ud, p, size, 0);
        }
    }
    while (b->large_count > 0)
        free_oldest(b);
}

/* What is not small.  Where memory is short, what is kept goes first.  Apart,
 * so that the lists do not pay for its registers. */
static __attribute__((noinline)) void *
pass_on(struct blocks *b, void *p, size_t from, size_t to)
{
    void *got;

    if (p != NULL && to == 0 && from >= LARGE_LEAST && from <= b->large_most) {
        keep_large(b, p, from);
        return NULL;
    }
    if (p == NULL && to >= LARGE_LEAST && b->large_count > 0) {
        got = take_large(b, to);
        if (got != NULL)
            return got;
    }
    got = b->next(b->ud, p, from, to);

    if (got != NULL || to == 0)
        return got;
    free_kept(b);
    return b->next(b->ud, p, from, to);
}

/* The lua_Alloc; `from` is no size when p is NULL. */
static void *
allocate(void *ud, void *p, size_t from, size_t to)
{
    struct blocks *b = ud;

    if (p == NULL && to <= LARGEST && b->lists[to] != NULL) {
        p = b->lists[to];
        b->lists[to] = *(void **)p;
        __builtin_prefetch(b->lists[to], 1); /* the next call's */
        b->room += to;
        return p;
    }
    if (p != NULL && to == 0 && from - LEAST <= LARGEST - LEAST
        && from <= b->room) {
        *(void **)p = b->lists[from];
        b->lists[from] = p;
        b->room -= from;
        return NULL;
    }
    return pass_on(b, p, from, to);
}

/* Takes it away again.  Where another allocator has come to stand in front of
 * it, it stays, without anything of its own. */
static int
let_go(lua_State *L)
{
    struct held *held = luaL_checkudata(L, 1, TYPE);
    struct blocks *b = held->blocks;
    void *ud;

    held->blocks = NULL;
    if (b == NULL)
        return 0;
    free_kept(b);
    b->room = b->large_most = 0;
    if (lua_getallocf(L, &ud) == allocate && ud == b) {
        lua_setallocf(L, b->next, b->ud);
        b->next(b->ud, b, sizeof(*b), 0);
    }
    return 0;
}

/* glibc's allocator gives memory at the heap's end back to the system, unless a
 * block has shown it how large they come and go.  Nothing touches this one. */
static void
teach(lua_Alloc next, void *ud)
{
    void *p = next(ud, NULL, 0, COMES_AND_GOES);

    if (p != NULL)
        next(ud, p, COMES_AND_GOES, 0);
}

/* core.keep_blocks() -> what core.free_blocks() takes; nil: it is done already,
 * cannot be done, or memory is out */
static int
keep_blocks(lua_State *L)
{
    struct held *held = lua_newuserdatauv(L, sizeof(*held), 0);
    struct blocks *b;
    lua_Alloc next;
    void *ud;

    held->blocks = NULL;
    luaL_setmetatable(L, TYPE);
    next = lua_getallocf(L, &ud);
    if (next == allocate || LUA_VERSION_NUM >= 505)
        return 0;
    b = next(ud, NULL, 0, sizeof(*b));
    if (b == NULL)
        return 0;
    *b = (struct blocks){ .next = next, .ud = ud, .room = ROOM,
                          .large_most = LARGE_ROOM / 3 };
    held->blocks = b;
    teach(next, ud);
    lua_setallocf(L, allocate, b);
    return 1;
}

void
weft_blocks_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", let_go }, { NULL, NULL } };
    static const luaL_Reg functions[] = { { "keep_blocks", keep_blocks },
                                          { "free_blocks", let_go },
                                          { NULL, NULL } };

    luaL_newmetatable(L, TYPE);
    luaL_setfuncs(L, meta, 0);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
