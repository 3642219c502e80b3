/*
 * core.keep_blocks(): small blocks that a Lua state frees are kept for its next
 * ones of exactly their size, in front of whatever allocator it has.  It must
 * not know what is in them.
 *
 * A message is a string that is made and freed; taking a block from a list and
 * putting it back costs a tenth of what malloc() and free() do.  Since a list
 * has blocks of one size only, it does not matter who allocated them, nor who
 * frees them in the end: this can come and go at any time.
 */
#include "lua/blocks.h"

#include <lauxlib.h>
#include <stddef.h>

enum {
    LEAST = sizeof(void *),
    LARGEST = 256,      /* bytes of a block that is kept */
    ROOM = 128 * 1024,  /* bytes of all of them */
};

#define TYPE "weft.Blocks"

struct blocks {
    lua_Alloc next;  /* the state's own allocator, and what it is given */
    void *ud;
    size_t room;     /* bytes that may still be kept */
    void *lists[LARGEST + 1]; /* of free blocks, by size; each begins with the
                                 address of the next */
};

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
}

/* To the state's own allocator; where memory is short, what is kept goes first.
 * Apart, so that the lists do not pay for its registers. */
static __attribute__((noinline)) void *
pass_on(struct blocks *b, void *p, size_t from, size_t to)
{
    void *got = b->next(b->ud, p, from, to);

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
    struct blocks **held = luaL_checkudata(L, 1, TYPE), *b = *held;
    void *ud;

    *held = NULL;
    if (b == NULL)
        return 0;
    free_kept(b);
    b->room = 0;
    if (lua_getallocf(L, &ud) == allocate && ud == b) {
        lua_setallocf(L, b->next, b->ud);
        b->next(b->ud, b, sizeof(*b), 0);
    }
    return 0;
}

/* core.keep_blocks() -> what core.free_blocks() takes; nil: it is done already,
 * or memory is out */
static int
keep_blocks(lua_State *L)
{
    struct blocks **held, *b;
    lua_Alloc next;
    void *ud;

    held = lua_newuserdatauv(L, sizeof(*held), 0);
    *held = NULL;
    luaL_setmetatable(L, TYPE);
    next = lua_getallocf(L, &ud);
    if (next == allocate)
        return 0;
    b = next(ud, NULL, 0, sizeof(*b));
    if (b == NULL)
        return 0;
    *b = (struct blocks){ .next = next, .ud = ud, .room = ROOM };
    *held = b;
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
