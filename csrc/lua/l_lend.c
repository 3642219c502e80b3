/*
 * Strings that are lent to the kernel rather than copied: each is kept from
 * the collector until all of it is sent.
 *
 * Mostly that is before the turn ends.  So a lent string, and whose it is,
 * stands in a list of the instance's first; what is still unsent when the turn
 * ends moves to a table of its connection's own, where it stands at its number,
 * counted as the output queue counts.
 */
#include "lua/l_link.h"

/* Pushes a connection's own table, made when it is missing.  It is anchored by
 * an address within the connection that nothing else is. */
static void
push_table(lua_State *L, struct weft_ws *ws)
{
    weft_push_anchored(L, ws->instance, &ws->receiver);
    if (lua_istable(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L); /* a finalizer that runs now may send as well */
    weft_push_anchored(L, ws->instance, &ws->receiver);
    if (lua_istable(L, -1)) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    weft_anchor(L, ws->instance, &ws->receiver, -1);
}

/* The list has the string at 2i + 1 and its connection at 2i + 2. */
bool
weft_lend_begin(lua_State *L, int self, int string)
{
    struct weft_ws *ws = lua_touserdata(L, self);
    struct weft_instance *I = ws->instance;
    lua_Integer at = (lua_Integer)I->lent_count * 2;

    weft_push_lent(L, I);
    if (I->lent_count == WEFT_LENT_MAX || !lua_istable(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushvalue(L, self);
    lua_rawseti(L, -2, at + 2);
    lua_pushvalue(L, string);
    lua_rawseti(L, -2, at + 1); /* what can raise is over */
    lua_pop(L, 1);
    I->lent[I->lent_count++] = ws->link.flow->session.out.borrowed;
    return true;
}

/* Takes the last of the list, which is on the top of L, out of it. */
static void
drop_last(lua_State *L, struct weft_instance *I)
{
    lua_Integer at = (lua_Integer)I->lent_count * 2;

    lua_pushnil(L);
    lua_rawseti(L, -2, at - 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, at);
    I->lent_count--;
}

enum weft_status
weft_lend_end(lua_State *L, struct weft_ws *ws, enum weft_status rc)
{
    struct weft_instance *I = ws->instance;
    uint32_t borrowed = ws->link.flow->session.out.borrowed;

    /* another one will have its number */
    if (rc != WEFT_OK || borrowed == I->lent[I->lent_count - 1]) {
        weft_push_lent(L, I);
        drop_last(L, I);
        lua_pop(L, 1);
    }
    return rc;
}

enum weft_status
weft_ws_lend(lua_State *L, enum weft_opcode opcode, int self, int message)
{
    struct weft_ws *ws = lua_touserdata(L, self);
    size_t len;
    const char *data = lua_tolstring(L, message, &len);

    if (!weft_link_wake(&ws->link))
        return WEFT_E_MEMORY;
    if (!weft_lend_begin(L, self, message))
        return weft_link_send_plain(&ws->link, opcode, data, len);
    return weft_lend_end(L, ws, weft_link_send_borrowed(&ws->link, opcode,
                                                        data, len));
}

/* Whether a connection's string of that number is lent. */
static bool
is_out(const struct weft_ws *ws, uint32_t number)
{
    const struct weft_outq *out = &ws->link.flow->session.out;

    return (int32_t)(number - out->returned) >= 0
           && (int32_t)(out->borrowed - number) > 0;
}

/*
 * Moves the list's last string to its connection's own table; the list is on
 * the top of L, the connection above it.  A finalizer that runs meanwhile may
 * lend more: false, and nothing was moved.
 */
static bool
move_last(lua_State *L, struct weft_ws *ws)
{
    struct weft_instance *I = ws->instance;
    struct weft_flow *f = ws->link.flow; /* awake: there is output */
    uint32_t count = I->lent_count, number = I->lent[count - 1];

    push_table(L, ws);
    if (I->lent_count == count) {
        lua_rawgeti(L, -3, (lua_Integer)count * 2 - 1);
        lua_rawseti(L, -2, (lua_Integer)number);
        if (!weft_node_linked(&f->borrower)
            || (int32_t)(number - f->let_go) < 0)
            f->let_go = number;
        weft_list_add(&I->borrowers, &f->borrower);
    }
    lua_pop(L, 1);
    return I->lent_count == count;
}

static void
clear_list(lua_State *L, struct weft_instance *I)
{
    weft_push_lent(L, I);
    while (I->lent_count > 0) {
        struct weft_ws *ws;
        bool clear;

        lua_rawgeti(L, -1, (lua_Integer)I->lent_count * 2);
        ws = lua_touserdata(L, -1);
        clear = !is_out(ws, I->lent[I->lent_count - 1]) || move_last(L, ws);
        lua_pop(L, 1);
        if (clear)
            drop_last(L, I);
    }
    lua_pop(L, 1);
}

/* Lets go of what the kernel has taken of a connection's own table. */
static void
clear_table(lua_State *L, struct weft_flow *f)
{
    struct weft_ws *ws = WEFT_CONTAINER(f->link, struct weft_ws, link);
    const struct weft_outq *out = &f->session.out;

    if (out->returned == out->borrowed) { /* all of them */
        weft_node_unlink(&f->borrower);
        weft_unanchor(L, ws->instance, &ws->receiver);
        return;
    }
    if (f->let_go == out->returned)
        return;
    push_table(L, ws);
    for (; f->let_go != out->returned; f->let_go++) {
        lua_pushnil(L);
        lua_rawseti(L, -2, (lua_Integer)f->let_go);
    }
    lua_pop(L, 1);
}

void
weft_return_lent(lua_State *L, struct weft_instance *I)
{
    struct weft_node *n = I->borrowers.next, *next;

    for (; n != &I->borrowers; n = next) {
        next = n->next;
        clear_table(L, WEFT_CONTAINER(n, struct weft_flow, borrower));
    }
    if (I->lent_count > 0)
        clear_list(L, I);
}
