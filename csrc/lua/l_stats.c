/*
 * What a server has counted, as tables.  It must not know who counts.
 *
 * Of what there is now, the connections are asked each time; nothing is kept
 * for that.
 */
#include <string.h>

#include "lua/check.h"
#include "lua/state.h"

/* What there is now. */
struct now {
    lua_Integer websockets, streams, opening, queued, unread;
};

static void
look_at(struct now *now, const struct weft_link *k)
{
    bool upgraded = weft_link_is_upgraded(k);

    now->websockets += upgraded && k->role == WEFT_SERVER;
    now->streams += upgraded && k->role == WEFT_EVENTS;
    now->opening += weft_link_is_opening(k);
    now->queued += (lua_Integer)weft_link_queued(k);
    now->unread += (lua_Integer)weft_link_unread(k);
}

static struct now
look(const struct weft_listener *s)
{
    struct now now = { 0 };
    struct weft_node *n;

    if (s->loop != NULL)
        for (n = s->links.next; n != &s->links; n = n->next)
            look_at(&now, WEFT_CONTAINER(n, struct weft_link, node));
    return now;
}

static void
set_count(lua_State *L, const char *name, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, name);
}

static double
seconds(uint64_t ns)
{
    return (double)ns / (double)WEFT_SECOND;
}

static void
set_seconds(lua_State *L, const char *name, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

static void
set_times(lua_State *L, const char *name, const struct weft_histogram *h)
{
    lua_createtable(L, 0, 6);
    set_count(L, "count", h->total);
    set_seconds(L, "mean", h->total > 0 ? seconds(h->sum) / (double)h->total
                                        : 0);
    set_seconds(L, "p50", seconds(weft_histogram_percentile(h, 0.5)));
    set_seconds(L, "p90", seconds(weft_histogram_percentile(h, 0.9)));
    set_seconds(L, "p99", seconds(weft_histogram_percentile(h, 0.99)));
    set_seconds(L, "max", seconds(h->max));
    lua_setfield(L, -2, name);
}

/* ---- what is counted by kind */

static void
set_refused(lua_State *L, const struct weft_counters *c)
{
    uint64_t all = 0;

    lua_createtable(L, 0, WEFT_REFUSALS);
    for (int i = 0; i < WEFT_REFUSALS; i++) {
        set_count(L, weft_refused_name((enum weft_refused)i), c->refused[i]);
        all += c->refused[i];
    }
    lua_setfield(L, -2, "refused_by");
    set_count(L, "refused", all);
}

static void
set_causes(lua_State *L, const struct weft_counters *c)
{
    uint64_t all = 0;

    lua_createtable(L, 0, WEFT_CAUSES);
    for (int i = WEFT_CAUSE_NONE + 1; i < WEFT_CAUSES; i++) {
        set_count(L, weft_cause_name((enum weft_cause)i), c->closed[i]);
        all += c->closed[i];
    }
    lua_setfield(L, -2, "closed_by_cause");
    set_count(L, "closed", all);
}

/* Those that there were. */
static void
set_codes(lua_State *L, const struct weft_counters *c)
{
    lua_newtable(L);
    for (int place = 0; place < WEFT_CODE_PLACES; place++) {
        lua_Integer n = (lua_Integer)c->codes[place];

        if (n == 0)
            continue;
        if (place < WEFT_PLACE_3000)
            lua_pushinteger(L, WEFT_CODE_FIRST + place);
        else
            lua_pushstring(L, place == WEFT_PLACE_3000 ? "3xxx" : "4xxx");
        lua_pushinteger(L, n);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "closed_by_code");
}

static void
set_traffic(lua_State *L, const struct weft_counters *c)
{
    set_count(L, "messages_received", c->messages_in);
    set_count(L, "messages_sent", c->messages_out);
    set_count(L, "bytes_received", c->bytes_in);
    set_count(L, "bytes_sent", c->bytes_out);
}

static void
set_connections(lua_State *L, const struct weft_listener *s)
{
    const struct weft_counters *c = &s->counters;
    struct now now = look(s);

    set_count(L, "connections", s->total);
    set_count(L, "accepted", c->accepted);
    set_count(L, "upgraded", c->upgraded);
    set_count(L, "event_streams_begun", c->streams);
    set_count(L, "requests", c->requests);
    set_count(L, "over_address", c->turned_away);
    set_count(L, "over_rate", c->too_fast);
    set_count(L, "over_memory", c->over_memory);
    set_count(L, "websockets", (uint64_t)now.websockets);
    set_count(L, "event_streams", (uint64_t)now.streams);
    set_count(L, "opening", (uint64_t)now.opening);
    set_count(L, "queued", (uint64_t)now.queued);
    set_count(L, "unread", (uint64_t)now.unread);
}

/* Of its loop's. */
static const struct weft_histogram *
turns(struct weft_server *s)
{
    if (s->instance == NULL) /* collected: it has an empty one left */
        return &s->listener.counters.round_trips;
    return weft_loop_turns(&s->instance->loop);
}

/* ---- methods of the listener */

/* listener:stats() */
int
weft_server_stats(lua_State *L)
{
    struct weft_server *s = weft_check(L, 1, WEFT_SERVER_TYPE, "server:stats");
    const struct weft_counters *c = &s->listener.counters;

    lua_createtable(L, 0, 25);
    set_connections(L, &s->listener);
    set_traffic(L, c);
    set_refused(L, c);
    set_causes(L, c);
    set_codes(L, c);
    set_count(L, "pings", c->pings);
    set_times(L, "round_trip", &c->round_trips);
    set_times(L, "turn", turns(s));
    return 1;
}

/* listener:spread("round_trip" or "turn", bounds) -> counts, count, sum */
int
weft_server_spread(lua_State *L)
{
    struct weft_server *s = weft_check(L, 1, WEFT_SERVER_TYPE, "metrics");
    const struct weft_histogram *h =
        strcmp(luaL_checkstring(L, 2), "turn") == 0
            ? turns(s)
            : &s->listener.counters.round_trips;
    int count = (int)lua_rawlen(L, 3);

    lua_createtable(L, count, 0);
    for (int i = 1; i <= count; i++) {
        uint64_t ns;

        lua_rawgeti(L, 3, i);
        ns = (uint64_t)weft_nanoseconds(luaL_checknumber(L, -1));
        lua_pop(L, 1);
        lua_pushinteger(L, (lua_Integer)weft_histogram_within(h, ns));
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, (lua_Integer)h->total);
    lua_pushnumber(L, seconds(h->sum));
    return 3;
}

/* core.refuses(ws, why): the answer to its request will */
int
weft_core_refuses(lua_State *L)
{
    struct weft_ws *ws = weft_check_ws(L, 1, "refuses");
    const char *name = luaL_checkstring(L, 2);
    int i = 0;

    while (i < WEFT_REFUSALS
           && strcmp(weft_refused_name((enum weft_refused)i), name) != 0)
        i++;
    if (i == WEFT_REFUSALS)
        return weft_raise(L, "refuses: no such reason: %s", name);
    weft_link_refuses(&ws->link, (enum weft_refused)i);
    return 0;
}
