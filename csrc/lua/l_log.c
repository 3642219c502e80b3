/*
 * The log of a server: what its journal holds, as tables for a Lua function,
 * between the phases of a turn; what Lua adds to it; and lines for stderr.
 *
 * The function is called behind all else that a turn does, never by what
 * happens; what is left when a bounded turn is over goes first in the next
 * one, so that the log never falls behind by more.  An event for which there is
 * no memory is counted, and the next one says so.
 */
#include "lua/check.h"
#include "lua/l_link.h"
#include "net/line.h"

/* User values of a server; see core.listen. */
enum { LOG = 5, SAID = 6 };

static const char *const event_names[] = {
    [WEFT_TOLD_OPEN] = "open",       [WEFT_TOLD_CLOSE] = "close",
    [WEFT_TOLD_REQUEST] = "request", [WEFT_TOLD_REFUSED] = "refused",
    [WEFT_TOLD_FAILED] = "failed",   [WEFT_TOLD_TLS] = "tls",
    [WEFT_TOLD_LIMIT] = "limit",     [WEFT_TOLD_SAID] = NULL,
};

static const char *const text_names[] = {
    [WEFT_TOLD_ADDRESS] = "remote_address", [WEFT_TOLD_METHOD] = "method",
    [WEFT_TOLD_PATH] = "path",              [WEFT_TOLD_PROTOCOL] = "protocol",
    [WEFT_TOLD_REASON] = "reason",          [WEFT_TOLD_MESSAGE] = "message",
};

bool
weft_log_prepare(lua_State *L, const struct weft_server *s, int spec)
{
    int server = lua_gettop(L);

    if (lua_getfield(L, spec, "log") == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    lua_setiuservalue(L, server, LOG);
    lua_newtable(L);
    lua_setiuservalue(L, server, SAID);
    weft_note(L, s, server);
    return true;
}

void
weft_log_begin(struct weft_server *s)
{
    weft_journal_init(&s->journal, &s->instance->loop);
    s->listener.journal = &s->journal;
}

/* ---- events as tables; the table is on the top */

static void
set_string(lua_State *L, const char *name, const char *value)
{
    if (value == NULL)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void
set_integer(lua_State *L, const char *name, uint64_t value)
{
    if (value == 0)
        return;
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static void
set_numbers(lua_State *L, const struct weft_told *t)
{
    lua_pushnumber(L, t->time);
    lua_setfield(L, -2, "time");
    set_integer(L, "connection", t->connection);
    set_integer(L, "status", t->status);
    set_integer(L, "code", t->code);
    set_integer(L, "sent_code", t->sent_code);
    if (t->has_bytes) {
        lua_pushinteger(L, (lua_Integer)t->bytes);
        lua_setfield(L, -2, "bytes");
    }
    if (t->has_lasted) {
        lua_pushnumber(L, (double)t->lasted / 1e9);
        lua_setfield(L, -2, "seconds");
    }
}

/* Where Lua's own is kept until it is told; it is there once. */
static void
push_said(lua_State *L, int server, int number)
{
    lua_getiuservalue(L, server, SAID);
    lua_rawgeti(L, -1, number);
    luaL_unref(L, -2, number);
    lua_remove(L, -2);
}

static void
push_event(lua_State *L, int server, const struct weft_told *t)
{
    if (t->what == WEFT_TOLD_SAID)
        push_said(L, server, t->said);
    else
        lua_createtable(L, 0, 10);
    set_string(L, "event", event_names[t->what]);
    set_numbers(L, t);
    set_string(L, "kind", t->kind);
    set_string(L, "tls", t->tls);
    set_string(L, "option", t->option);
    set_string(L, "cause", t->cause);
    for (int i = 0; i < WEFT_TOLD_TEXTS; i++) {
        if (t->texts[i].len == 0)
            continue;
        lua_pushlstring(L, t->texts[i].data, t->texts[i].len);
        lua_setfield(L, -2, text_names[i]);
    }
}

/* ---- telling */

/* Calls the log's function with the next event, protected: what the log says
 * of itself in words never gets here, so what is raised is for memory. */
static int
tell(lua_State *L)
{
    struct weft_server *s = lua_touserdata(L, 1);
    const struct weft_told *t = lua_touserdata(L, 2);
    uint64_t lost = s->journal.lost;

    weft_push_noted(L, s);
    if (!lua_isuserdata(L, 3)) /* nobody has it any more */
        return 0;
    lua_getiuservalue(L, 3, LOG);
    lua_getfield(L, -1, "tell");
    push_event(L, 3, t);
    set_integer(L, "lost", lost);
    s->journal.lost -= lost;
    lua_call(L, 1, 0);
    return 0;
}

/* False: the turn was over before all was told. */
static bool
tell_all(lua_State *L, struct weft_server *s, bool bounded)
{
    struct weft_instance *I = s->instance;
    struct weft_told t;

    for (;;) {
        if (bounded && weft_turn_is_over(I))
            return false;
        if (!weft_journal_next(&s->journal, &t))
            return true;
        lua_pushcfunction(L, tell);
        lua_pushlightuserdata(L, s);
        lua_pushlightuserdata(L, &t);
        if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
            s->journal.lost++;
            lua_pop(L, 1);
        }
        I->messages--;
        I->done++;
    }
}

void
weft_log_tell(lua_State *L, struct weft_instance *I, bool bounded)
{
    bool over = false;
    struct weft_node *n;

    if (I->telling) /* the function itself has come here */
        return;
    I->telling = true;
    I->state->turns++; /* it must not wait, wherever this is */
    while (!over && (n = weft_list_take(&I->loop.journals)) != NULL) {
        struct weft_journal *j = WEFT_CONTAINER(n, struct weft_journal, node);
        struct weft_server *s = WEFT_CONTAINER(j, struct weft_server, journal);

        weft_push_noted(L, s); /* it stays until all is told */
        over = !tell_all(L, s, bounded);
        if (over)
            weft_list_add(&I->loop.journals, &j->node);
        else
            weft_unanchor(L, I, &s->journal);
        lua_pop(L, 1);
    }
    I->state->turns--;
    I->telling = false;
    I->log_behind = over;
}

/* ---- what Lua calls */

/* The server that it is about: a listener, or a connection of one. */
static struct weft_server *
server_at(lua_State *L, int index, struct weft_told *t,
          char room[WEFT_ADDR_TEXT])
{
    struct weft_server *s = luaL_testudata(L, index, WEFT_SERVER_TYPE);
    struct weft_ws *ws = s == NULL ? weft_to_ws(L, index) : NULL;

    if (ws != NULL && ws->server != NULL) {
        s = ws->server;
        t->connection = weft_link_told_number(&ws->link);
        t->texts[WEFT_TOLD_ADDRESS] = weft_link_told_address(&ws->link, room);
    }
    return s != NULL && s->listener.journal != NULL ? s : NULL;
}

/* core.say(listener or ws, event) -> its log, to which the event will be told;
 * nothing without one */
static int
core_say(lua_State *L)
{
    struct weft_told t = { .what = WEFT_TOLD_SAID };
    char room[WEFT_ADDR_TEXT];
    struct weft_server *s = server_at(L, 1, &t, room);

    if (s == NULL)
        return 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    weft_push_noted(L, s);
    if (!lua_isuserdata(L, 3))
        return 0;
    lua_getiuservalue(L, 3, SAID);
    lua_pushvalue(L, 2);
    t.said = luaL_ref(L, 4);
    if (weft_journal_add(&s->journal, &t))
        weft_anchor(L, s->instance, &s->journal, 3); /* until it is told */
    else
        luaL_unref(L, 4, t.said);
    lua_getiuservalue(L, 3, LOG);
    return 1;
}

/* core.tell_log(loop): what has been said is told now, where no turn comes */
static int
core_tell_log(lua_State *L)
{
    struct weft_instance *I = luaL_checkudata(L, 1, WEFT_LOOP_TYPE);

    if (!I->closed)
        weft_log_tell(L, I, false);
    return 0;
}

/* core.note_client(ws, address or nil): who a trusted proxy says is at the
 * other end, for the log */
static int
core_note_client(lua_State *L)
{
    struct weft_link *k = &weft_check_ws(L, 1, "note_client")->link;
    struct weft_span address = { NULL, 0 };

    if (k->listener == NULL || k->listener->journal == NULL)
        return 0;
    if (!lua_isnoneornil(L, 2))
        address.data = luaL_checklstring(L, 2, &address.len);
    weft_kept_drop(k->kept, WEFT_KEPT_CLIENT);
    weft_kept_add(&k->kept, WEFT_KEPT_CLIENT, address); /* or it is the proxy */
    return 0;
}

/* core.write_line(fd, bytes) -> how many were written, at once or not at all */
static int
core_write_line(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    struct weft_span bytes;
    long n;

    bytes.data = luaL_checklstring(L, 2, &bytes.len);
    n = weft_line_write(fd, bytes);
    lua_pushinteger(L, n > 0 ? n : 0);
    return 1;
}

void
weft_log_register(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "say", core_say },
        { "tell_log", core_tell_log },
        { "note_client", core_note_client },
        { "write_line", core_write_line },
        { NULL, NULL },
    };

    luaL_setfuncs(L, functions, 0);
}
