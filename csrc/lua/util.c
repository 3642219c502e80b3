/*
 * Small things that every file of the binding needs: types, anchors, and the
 * words in which calls fail.
 */
#include <math.h>
#include <string.h>

#include "lua/check.h"
#include "lua/state.h"

void *
weft_new_userdata(lua_State *L, size_t size, const char *type, int values)
{
    void *p = lua_newuserdatauv(L, size, values);

    memset(p, 0, size);
    luaL_setmetatable(L, type);
    return p;
}

void
weft_new_type(lua_State *L, const char *type, const luaL_Reg *meta,
              const luaL_Reg *methods)
{
    luaL_newmetatable(L, type);
    luaL_setfuncs(L, meta, 0);
    lua_pushliteral(L, "weft");
    lua_setfield(L, -2, "__metatable");
    if (methods != NULL) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

void *
weft_check(lua_State *L, int index, const char *type, const char *call)
{
    void *p = luaL_testudata(L, index, type);

    if (p == NULL)
        weft_raise(L, "%s: argument 'self': expected a %s, got %s (call it "
                      "with a colon)",
                   call, type, luaL_typename(L, index));
    return p;
}

struct weft_instance *
weft_check_instance(lua_State *L, int index)
{
    struct weft_instance *I = luaL_checkudata(L, index, WEFT_LOOP_TYPE);

    if (I->closed || I->closing)
        weft_raise(L, "this weft instance is closed");
    return I;
}

/*
 * A table in the registry finds loops and their anchors weakly, and a loop
 * holds what is anchored: an instance that nobody refers to is collected with
 * all it has.  Both tables are found by integers, the cheapest way there is.
 */
static void
push_weak_table(lua_State *L, struct weft_state *S)
{
    if (S->weak_ref != 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, S->weak_ref);
        return;
    }
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    S->weak_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void
weft_make_anchors(lua_State *L, struct weft_instance *I, int loop)
{
    loop = lua_absindex(L, loop);
    push_weak_table(L, I->state);
    if (I->loop_at == 0) {
        I->loop_at = I->state->weak_count + 1;
        I->anchors_at = I->state->weak_count + 2;
        I->lent_at = I->state->weak_count + 3;
        I->state->weak_count += 3;
    }
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, loop, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, I->lent);
    lua_rawseti(L, -3, I->lent_at);
    lua_rawseti(L, -2, I->anchors_at);
    lua_pushvalue(L, loop);
    lua_rawseti(L, -2, I->loop_at);
    lua_pop(L, 1);
}

/* Pushes what the state's weak table has there, or nil. */
static void
push_weak(lua_State *L, struct weft_instance *I, lua_Integer at)
{
    push_weak_table(L, I->state);
    lua_rawgeti(L, -1, at);
    lua_replace(L, -2);
}

void
weft_push_loop(lua_State *L, struct weft_instance *I)
{
    push_weak(L, I, I->loop_at);
}

void
weft_push_lent(lua_State *L, struct weft_instance *I)
{
    push_weak(L, I, I->lent_at);
}

void
weft_push_anchors(lua_State *L, struct weft_instance *I)
{
    push_weak(L, I, I->anchors_at);
}

void
weft_anchor(lua_State *L, struct weft_instance *I, const void *p, int index)
{
    index = lua_absindex(L, index);
    weft_push_anchors(L, I);
    if (lua_istable(L, -1)) {
        lua_pushvalue(L, index);
        lua_rawsetp(L, -2, p);
    }
    lua_pop(L, 1);
}

void
weft_unanchor(lua_State *L, struct weft_instance *I, const void *p)
{
    weft_push_anchors(L, I);
    if (lua_istable(L, -1)) {
        lua_pushnil(L);
        lua_rawsetp(L, -2, p);
    }
    lua_pop(L, 1);
}

void
weft_push_anchored(lua_State *L, struct weft_instance *I, const void *p)
{
    weft_push_anchors(L, I);
    if (lua_istable(L, -1))
        lua_rawgetp(L, -1, p);
    else
        lua_pushnil(L);
    lua_remove(L, -2);
}

void
weft_note(lua_State *L, const void *p, int index)
{
    index = lua_absindex(L, index);
    push_weak_table(L, weft_state_of(L));
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, p);
    lua_pop(L, 1);
}

void
weft_push_noted(lua_State *L, const void *p)
{
    push_weak_table(L, weft_state_of(L));
    lua_rawgetp(L, -1, p);
    lua_remove(L, -2);
}

int
weft_push_failure(lua_State *L, const char *word)
{
    lua_pushnil(L);
    lua_pushstring(L, word);
    return 2;
}

int
weft_push_closed(lua_State *L, const struct weft_link *k)
{
    struct weft_span reason = weft_link_kept(k, WEFT_KEPT_REASON);

    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    lua_pushinteger(L, k->close_code);
    lua_pushlstring(L, reason.len > 0 ? reason.data : "", reason.len);
    return 4;
}

int64_t
weft_nanoseconds(double seconds)
{
    double ns = seconds * 1e9;

    return ns >= 9.2e18 ? WEFT_FOREVER : (int64_t)ceil(ns);
}
