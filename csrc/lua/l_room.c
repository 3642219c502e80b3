/*
 * core.room: who is in it, and one message to all of them.  It must not know
 * frames.
 *
 * A member is held, so it may be referred to by nothing but its rooms; a room
 * is not: one that nobody refers to is collected, and its members leave.
 */
#include "lua/check.h"
#include "lua/l_link.h"

/* A userdata; user value 2: the loop. */
struct room {
    struct weft_room room;
    struct weft_instance *instance;
};

static struct room *
check_room(lua_State *L, const char *call)
{
    struct room *r = weft_check(L, 1, WEFT_ROOM_TYPE, call);

    if (r->instance == NULL)
        weft_raise(L, "%s: the room has been collected", call);
    return r;
}

/* A connection of the room's own instance. */
static struct weft_ws *
check_ws(lua_State *L, int arg, const struct room *r, const char *call,
         const char *name)
{
    struct weft_ws *ws = weft_to_ws(L, arg);

    if (ws == NULL)
        weft_argument_error(L, arg, call, name, "a connection");
    else if (ws->instance != r->instance)
        weft_raise(L, "%s: argument '%s': expected a connection of the room's "
                      "own weft instance, got one of another",
                   call, name);
    return ws;
}

/* core.room(loop, on_full) -> room */
static int
core_room(lua_State *L)
{
    static const char *const words[] = { "close", "drop", NULL };
    struct weft_instance *I = weft_check_instance(L, 1);
    int on_full = luaL_checkoption(L, 2, "close", words);
    struct room *r = weft_new_userdata(L, sizeof(*r), WEFT_ROOM_TYPE, 2);

    weft_room_init(&r->room, on_full == 0 ? WEFT_FULL_CLOSE : WEFT_FULL_DROP);
    r->instance = I;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 2);
    return 1;
}

/* Lets go of one that is in no room any more. */
static void
release(lua_State *L, struct weft_ws *ws)
{
    if (ws->link.rooms == NULL)
        weft_ws_unhold(L, ws, WEFT_HOLD_ROOM);
}

/* room:join(ws) -> true, or nil, "connecting", or nil, "closed", code,
 * reason */
static int
room_join(lua_State *L)
{
    struct room *r = check_room(L, "room:join");
    struct weft_ws *ws = check_ws(L, 2, r, "room:join", "ws");
    enum weft_status rc;

    if (ws->link.state < WEFT_LINK_OPEN)
        return weft_push_failure(L, "connecting");
    if (!weft_link_is_open(&ws->link))
        return weft_push_closed(L, &ws->link);
    weft_ws_hold(L, ws, 2, WEFT_HOLD_ROOM); /* first, since it can raise */
    rc = weft_room_join(&r->room, &ws->link);
    release(L, ws);
    if (rc != WEFT_OK)
        return weft_raise(L, "not enough memory");
    lua_pushboolean(L, 1);
    return 1;
}

/* room:leave(ws) -> whether it was in the room */
static int
room_leave(lua_State *L)
{
    struct room *r = check_room(L, "room:leave");
    struct weft_ws *ws = check_ws(L, 2, r, "room:leave", "ws");
    bool was = weft_room_leave(&r->room, &ws->link);

    if (was)
        release(L, ws);
    lua_pushboolean(L, was);
    return 1;
}

/* room:send(message [, kind [, except]]) -> queued, dropped; the kind may be a
 * table of options, "event", "id" and "retry" for the event streams among the
 * members */
static int
room_send(lua_State *L)
{
    struct room *r = check_room(L, "room:send");
    struct weft_manner m = weft_check_send(L, 3, false, true, "room:send");
    const struct weft_link *except = NULL;
    size_t len, queued, dropped;
    const char *message = weft_check_message(L, 2, m.opcode, &len,
                                             "room:send");
    struct weft_sse event = { 0 };

    lua_settop(L, 4); /* what is lent comes behind the arguments */
    if (m.named)
        event = weft_event_make(L, m.opcode, (struct weft_span){ message, len },
                                "room:send");
    if (!lua_isnoneornil(L, 4))
        except = &check_ws(L, 4, r, "room:send", "except")->link;
    weft_instance_touch(r->instance);
    if (weft_room_send(&r->room, &(struct weft_letter){
                           .opcode = m.opcode, .plain = m.plain,
                           .event = m.named ? &event : NULL,
                           .data = message, .len = len, .except = except },
                       &queued, &dropped)
        != WEFT_OK)
        return weft_raise(L, "not enough memory");
    lua_pushinteger(L, (lua_Integer)queued);
    lua_pushinteger(L, (lua_Integer)dropped);
    return 2;
}

/* room:count() -> how many members */
static int
room_count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_room(L, "room:count")->room.count);
    return 1;
}

/*
 * room:members() -> a list of them.  Making the table may run finalizers, in
 * which members come and go; filling it runs nothing.
 */
static int
room_members(lua_State *L)
{
    struct room *r = check_room(L, "room:members");
    struct weft_node *n;
    lua_Integer at = 0;

    lua_createtable(L, (int)r->room.count, 0);
    for (n = r->room.members.next; n != &r->room.members; n = n->next) {
        struct weft_link *k =
            WEFT_CONTAINER(n, struct weft_membership, in_room)->link;

        weft_push_anchored(L, r->instance,
                           WEFT_CONTAINER(k, struct weft_ws, link));
        lua_rawseti(L, -2, ++at);
    }
    return 1;
}

/* Everybody leaves. */
static int
room_gc(lua_State *L)
{
    struct room *r = lua_touserdata(L, 1);

    while (r->room.count > 0) {
        struct weft_link *k =
            WEFT_CONTAINER(r->room.members.next, struct weft_membership,
                           in_room)->link;

        weft_room_leave(&r->room, k);
        release(L, WEFT_CONTAINER(k, struct weft_ws, link));
    }
    r->instance = NULL; /* other finalizers may still come by */
    return 0;
}

void
weft_room_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", room_gc },
                                     { "__len", room_count },
                                     { NULL, NULL } };
    static const luaL_Reg methods[] = { { "join", room_join },
                                        { "leave", room_leave },
                                        { "send", room_send },
                                        { "count", room_count },
                                        { "members", room_members },
                                        { NULL, NULL } };
    static const luaL_Reg functions[] = { { "room", core_room },
                                          { NULL, NULL } };

    weft_new_type(L, WEFT_ROOM_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
}
