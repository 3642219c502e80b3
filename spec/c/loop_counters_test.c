/*
 * What is counted where: by a listener while a connection is its own, by nobody
 * when it has let go of it or was never there; and how long turns take.
 */
#include "loop_kit.h"

static void
refused_by_the_status(void)
{
    CHECK(weft_refused_by(400) == WEFT_REFUSED_REQUEST);
    CHECK(weft_refused_by(408) == WEFT_REFUSED_TIMEOUT);
    CHECK(weft_refused_by(413) == WEFT_REFUSED_BODY);
    CHECK(weft_refused_by(429) == WEFT_REFUSED_ADDRESS);
    CHECK(weft_refused_by(431) == WEFT_REFUSED_HEADER);
}

static void
codes_have_their_places(void)
{
    static struct weft_counters c;
    uint64_t all = 0;

    for (unsigned code = 0; code <= UINT16_MAX; code++)
        weft_counters_add_code(&c, code);
    for (unsigned i = 0; i < WEFT_PLACE_3000; i++)
        all += c.codes[i];
    CHECK(all == 16 && c.codes[1006 - WEFT_CODE_FIRST] == 1);
    CHECK(c.codes[WEFT_PLACE_3000] == 1000);
    CHECK(c.codes[WEFT_PLACE_4000] == UINT16_MAX - 3999);
}

/* Turns until somebody has come in and asked; lets them in. */
static void
let_in(struct world *w, struct weft_listener *h, struct weft_link *s)
{
    weft_link_init(s, &w->loop, w->config, WEFT_SERVER);
    for (int i = 0; i < 200 && s->state == WEFT_LINK_IDLE; i++) {
        turn(w, 10);
        weft_listener_accept(h, s);
    }
    CHECK(reaches(w, s, WEFT_LINK_ASKED));
    CHECK(weft_link_accept(s, SPAN(""), SPAN("")) == WEFT_OK);
}

static void
a_listener_counts_for_its_own(struct world *w)
{
    struct weft_counters *nobody = &w->loop.unlisted;
    struct weft_listener h;
    struct weft_addr a;
    struct weft_link c, s;

    CHECK(weft_addr_parse(&a, "127.0.0.1", 0));
    CHECK(weft_listener_init(&h, &w->loop, w->config, &a, 10, false, false)
          == WEFT_OK);
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    CHECK(go_to(&c, "127.0.0.1", weft_addr_port(&h.address), WEFT_SECOND,
                &a_request)
          == WEFT_OK);
    let_in(w, &h, &s);
    CHECK(s.counters == &h.counters && c.counters == nobody);
    CHECK(h.counters.accepted == 1 && h.counters.upgraded == 1);
    CHECK(say(&s, "one") == WEFT_OK);
    CHECK(waits(w, &c) && hears(&c, "one"));
    CHECK(h.counters.messages_out == 1 && nobody->messages_in == 1);

    weft_listener_deinit(&h); /* its counters are gone */
    CHECK(s.counters == nobody);
    CHECK(say(&s, "two") == WEFT_OK);
    CHECK(waits(w, &c) && hears(&c, "two"));
    CHECK(say(&c, "three") == WEFT_OK);
    CHECK(waits(w, &s) && hears(&s, "three"));
    CHECK(nobody->messages_out == 2 && nobody->messages_in == 3);
    goodbye(&c, 1000, "");
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(nobody->closed[WEFT_CAUSE_PEER] == 1);
    CHECK(nobody->closed[WEFT_CAUSE_LOCAL] == 1);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

static void
turns_are_timed_once_somebody_asks(struct world *w)
{
    const struct weft_histogram *h = &w->loop.turns;

    turn(w, 0);
    CHECK(h->total == 0);
    CHECK(weft_loop_turns(&w->loop) == h && h->total == 0);
    turn(w, 5);
    CHECK(h->total == 1); /* the wait is no part of it */
    CHECK(h->max <= (uint64_t)(weft_now() - w->loop.woke));
    weft_loop_wait(&w->loop, 0);
    usleep(5000);
    weft_loop_flush(&w->loop);
    weft_loop_end_turn(&w->loop);
    CHECK(h->total == 2 && h->max >= 5 * MS);
}

int
main(void)
{
    struct world w;

    refused_by_the_status();
    codes_have_their_places();
    world_init(&w);
    a_listener_counts_for_its_own(&w);
    turns_are_timed_once_somebody_asks(&w);
    world_deinit(&w);
    return check_report();
}
