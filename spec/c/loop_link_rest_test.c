/*
 * Links at rest: one that says nothing gives back what it moves bytes with, and
 * goes on as if it had not, whoever speaks next.  Nothing that is under way is
 * given back.  (All other tests of links let them rest as soon as they may.)
 */
#include "loop_kit.h"
#include "loop/room.h"

static bool
rests(const struct weft_link *k)
{
    return !weft_link_is_awake(k);
}

/* A pair in peace, both at rest. */
static void
rest_both(struct world *w, struct weft_link *c, struct weft_link *s)
{
    pair(w, c, s);
    quiet(w);
    CHECK(rests(c) && rests(s));
}

static void
leave(struct weft_link *c, struct weft_link *s)
{
    weft_link_deinit(c);
    weft_link_deinit(s);
}

static void
messages_and_pings_wake_both_ends(struct world *w)
{
    struct weft_link c, s;
    struct weft_ping p = { .len = 1, .payload = "?" };

    rest_both(w, &c, &s);
    say(&c, "hello");
    CHECK(!rests(&c));
    quiet(w);
    CHECK(rests(&c) && !rests(&s)); /* it was read ahead */
    CHECK(hears(&s, "hello"));
    quiet(w);
    CHECK(rests(&s));
    CHECK(weft_link_ping(&s, &p) == WEFT_OK);
    for (int i = 0; i < 100 && p.round_trip < 0; i++)
        turn(w, 10);
    CHECK(p.round_trip >= 0 && !rests(&s));
    weft_node_unlink(&p.node);
    quiet(w);
    CHECK(rests(&c) && rests(&s));
    leave(&c, &s);
}

static void
what_is_under_way_keeps_it_awake(struct world *w)
{
    struct weft_link c, s;

    rest_both(w, &c, &s);
    CHECK(weft_link_write(&c, WEFT_TEXT, "hel", 3, false) == WEFT_OK);
    quiet(w);
    CHECK(!rests(&c) && !rests(&s));
    CHECK(weft_link_write(&c, WEFT_TEXT, "lo", 2, true) == WEFT_OK);
    quiet(w);
    CHECK(rests(&c) && hears(&s, "hello"));
    weft_link_stream(&s, true);
    quiet(w);
    CHECK(!rests(&s));
    weft_link_stream(&s, false);
    quiet(w);
    CHECK(rests(&s));
    leave(&c, &s);
}

static void
a_link_at_rest_can_be_closed_and_dropped(struct world *w)
{
    struct weft_link c, s;

    rest_both(w, &c, &s);
    goodbye(&s, 4000, "enough");
    quiet(w);
    CHECK(c.close_code == 4000 && c.clean && s.clean);
    leave(&c, &s);
    rest_both(w, &c, &s);
    weft_link_abort(&s, WEFT_CAUSE_LOCAL, NULL);
    CHECK(s.state == WEFT_LINK_CLOSED);
    quiet(w);
    CHECK(c.state == WEFT_LINK_CLOSED && c.close_code == 1006);
    leave(&c, &s);
}

static void
a_room_speaks_to_those_at_rest(struct world *w)
{
    struct weft_link c, s;
    struct weft_room r;
    size_t queued, dropped;

    rest_both(w, &c, &s);
    weft_room_init(&r, WEFT_FULL_CLOSE);
    CHECK(weft_room_join(&r, &s) == WEFT_OK && rests(&s));
    weft_room_send(&r, &(struct weft_letter){ .opcode = WEFT_TEXT,
                                              .data = "all", .len = 3 },
                   &queued, &dropped);
    quiet(w);
    CHECK(queued == 1 && rests(&s) && hears(&c, "all"));
    leave(&c, &s);
    weft_room_deinit(&r);
}

/* Those that were awake longest are the first to rest. */
static void
some_stay_awake(struct world *w)
{
    struct weft_link c[3], s[3];
    int awake = 0;

    w->loop.most_awake = 4;
    for (int i = 0; i < 3; i++)
        pair(w, &c[i], &s[i]);
    quiet(w);
    for (int i = 0; i < 3; i++)
        awake += !rests(&c[i]) + !rests(&s[i]);
    CHECK(awake == 4 && !rests(&c[2]) && !rests(&s[2]));
    say(&c[0], "hello");
    quiet(w);
    CHECK(hears(&s[0], "hello"));
    for (int i = 0; i < 3; i++)
        leave(&c[i], &s[i]);
}

int
main(void)
{
    static void (*const tests[])(struct world *) = {
        messages_and_pings_wake_both_ends,
        what_is_under_way_keeps_it_awake,
        a_link_at_rest_can_be_closed_and_dropped,
        a_room_speaks_to_those_at_rest,
        some_stay_awake,
    };

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        struct world w;

        world_init(&w);
        tests[i](&w);
        world_deinit(&w);
    }
    return check_report();
}
