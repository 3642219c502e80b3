/*
 * Reaching a name that has several addresses (RFC 8305): who is tried when,
 * and who wins.
 */
#include "loop_dial_kit.h"

#define LIVE4 "127.0.0.1"
#define DEAD4 "127.0.0.2"
#define SHUT4 "127.0.0.3"
#define LIVE6 "::ffff:127.0.0.1"
#define DEAD6 "::ffff:127.0.0.2"
#define SHUT6 "::ffff:127.0.0.3"

static bool
arrives(struct street *s, struct weft_link *c, int family)
{
    bool well = reaches(s->w, c, WEFT_LINK_HANDSHAKE) && came_by(c, family)
                && visitors(s) == 1;

    weft_link_deinit(c);
    CHECK(weft_timers_first(&s->w->loop.timers) == NULL);
    return well;
}

/* Who comes first ---------------------------------------------------------- */

static void
ipv6_comes_first(struct street *s)
{
    struct weft_link c;

    name_has(ADDRESSES(LIVE6), false, ADDRESSES(LIVE4), false);
    set_out(s, &c);
    CHECK(arrives(s, &c, AF_INET6));
}

/* 3: it begins with IPv6, whatever IPv4 is doing. */
static void
ipv6_waits_for_nobody(struct street *s)
{
    struct weft_link c;

    name_has(ADDRESSES(LIVE6), false, ADDRESSES(LIVE4), true);
    set_out(s, &c);
    CHECK(arrives(s, &c, AF_INET6));
    let_answer(WEFT_V4);
}

/* 3: IPv4 gives IPv6 the Resolution Delay. */
static void
ipv4_waits_a_little(struct street *s)
{
    int64_t before = weft_now(), then;
    struct weft_link c;

    name_has(ADDRESSES(LIVE6), true, ADDRESSES(LIVE4), false);
    set_out(s, &c);
    CHECK(learns(s, &c, WEFT_V4));
    CHECK(c.flow->dial->begun == 0 && weft_timer_is_set(&c.flow->dial->timer));
    then = c.flow->dial->timer.at;
    CHECK(then >= before + 50 * MS && then <= weft_now() + 50 * MS);
    CHECK(begins(s, &c, 1) && weft_now() >= then);
    CHECK(arrives(s, &c, AF_INET));
    let_answer(WEFT_V6);
}

static void
ipv6_comes_within_the_delay(struct street *s, struct answers v6, int winner)
{
    struct weft_link c;

    name_has(v6, true, ADDRESSES(LIVE4), false);
    set_out(s, &c);
    CHECK(learns(s, &c, WEFT_V4) && c.flow->dial->begun == 0);
    put_off(&c);
    turn(s->w, 1);
    CHECK(c.flow->dial->begun == 0);
    let_answer(WEFT_V6);
    while (c.flow->dial->looking)
        turn(s->w, 1);
    CHECK(c.flow->dial->begun == 1);
    CHECK(arrives(s, &c, winner));
}

static void
one_family_is_enough(struct street *s)
{
    struct weft_link c;

    name_has(NOTHING, false, ADDRESSES(LIVE4), false);
    set_out(s, &c);
    CHECK(arrives(s, &c, AF_INET));
    name_has(ADDRESSES(LIVE6), false, TROUBLE(EAI_AGAIN), false);
    set_out(s, &c);
    CHECK(arrives(s, &c, AF_INET6));
    name_has(NOTHING, false, ADDRESSES(LIVE4), true);
    set_out(s, &c);
    quiet(s->w);
    CHECK(c.state == WEFT_LINK_DIALLING && c.flow->dial->begun == 0);
    CHECK(!weft_timer_is_set(&c.flow->dial->timer));
    let_answer(WEFT_V4);
    CHECK(arrives(s, &c, AF_INET));
}

/* Who comes next ----------------------------------------------------------- */

static bool
is_attempt(const struct weft_link *c, int i, int family, const char *host)
{
    const struct weft_addr *to = &c->flow->dial->attempts[i].to;
    char text[WEFT_ADDR_TEXT];

    weft_addr_host(to, text);
    return c->flow->dial->begun > i && to->storage.ss_family == family
           && strcmp(text, host) == 0;
}

/* 4: the families in turns, each in the system's order. */
static void
families_take_turns(struct street *s)
{
    struct weft_link c;

    name_has(ADDRESSES(DEAD6, SHUT6), false,
             ADDRESSES(DEAD4, DEAD4, "127.0.0.4", SHUT4, "127.0.0.5"), false);
    set_out(s, &c);
    while (c.flow->dial->looking)
        turn(s->w, 1);
    for (int i = 0; i < 9; i++)
        weft_dial_expire(&c.flow->dial->timer);
    CHECK(c.flow->dial->begun == 6 && c.flow->dial->under_way == 6);
    CHECK(is_attempt(&c, 0, AF_INET6, DEAD4));
    CHECK(is_attempt(&c, 1, AF_INET, DEAD4));
    CHECK(is_attempt(&c, 2, AF_INET6, SHUT4));
    CHECK(is_attempt(&c, 3, AF_INET, "127.0.0.4"));
    CHECK(is_attempt(&c, 4, AF_INET, SHUT4));
    CHECK(is_attempt(&c, 5, AF_INET, "127.0.0.5"));
    weft_link_deinit(&c);
}

/* 5: the next one has its chance after the Connection Attempt Delay. */
static void
nobody_waits_for_the_dead(struct street *s)
{
    int64_t before = weft_now(), then;
    struct weft_link c;

    name_has(ADDRESSES(DEAD6), false, ADDRESSES(LIVE4), false);
    set_out(s, &c);
    CHECK(begins(s, &c, 1));
    then = c.flow->dial->timer.at;
    CHECK(then >= before + 250 * MS && then <= weft_now() + 250 * MS);
    CHECK(begins(s, &c, 2) && weft_now() >= then);
    CHECK(arrives(s, &c, AF_INET));
}

static void
a_refusal_is_not_waited_for(struct street *s)
{
    struct weft_link c;

    name_has(ADDRESSES(SHUT6), false, ADDRESSES(SHUT4, LIVE4), false);
    set_out(s, &c);
    for (int i = 1; i <= 3; i++) {
        CHECK(begins(s, &c, i));
        if (c.flow->dial != NULL)
            put_off(&c);
    }
    CHECK(arrives(s, &c, AF_INET));
}

/* What is learnt later is tried in its turn. */
static void
late_addresses_join(struct street *s)
{
    struct weft_link c;

    name_has(ADDRESSES(LIVE6), true, ADDRESSES(DEAD4, LIVE4), false);
    set_out(s, &c);
    CHECK(begins(s, &c, 1));
    let_answer(WEFT_V6);
    CHECK(learns(s, &c, WEFT_V6) && c.flow->dial->begun == 1);
    CHECK(arrives(s, &c, AF_INET6));

    name_has(ADDRESSES(LIVE6), true, ADDRESSES(DEAD4), false);
    set_out(s, &c);
    CHECK(begins(s, &c, 1));
    while (weft_timer_is_set(&c.flow->dial->timer))
        turn(s->w, 10);
    let_answer(WEFT_V6); /* at once: the delay is over */
    CHECK(arrives(s, &c, AF_INET6));

    name_has(ADDRESSES(LIVE6), true, ADDRESSES(SHUT4), false);
    set_out(s, &c);
    CHECK(begins(s, &c, 1));
    while (c.flow->dial->under_way > 0)
        turn(s->w, 1);
    CHECK(c.state == WEFT_LINK_DIALLING && c.flow->dial->looking);
    let_answer(WEFT_V6); /* at once: nobody else is left */
    CHECK(arrives(s, &c, AF_INET6));
}

/* MANY addresses that refuse; the text is good until the next call. */
static struct answers
crowd(const char *format)
{
    static char hosts[MANY][32];
    struct answers all = { { NULL }, 0 };

    for (int i = 0; i < MANY; i++) {
        snprintf(hosts[i], sizeof(hosts[i]), format, i);
        all.addresses[i] = hosts[i];
    }
    return all;
}

static void
no_more_than_sixteen(struct street *s)
{
    struct weft_link c;

    name_has(NOTHING, false, crowd("127.0.1.%d"), false);
    set_out(s, &c);
    CHECK(learns(s, &c, WEFT_V4)
          && c.flow->dial->families[WEFT_V4].count == 16);
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    CHECK(failed_as(s, &c, "refused",
                    "connect to test.example: connection refused "
                    "(127.0.1.0, 127.0.1.1 and 14 more)"));
    weft_link_deinit(&c);
}

static void
one_family_leaves_room_for_the_other(struct street *s)
{
    struct weft_link c;

    name_has(crowd("::ffff:127.0.1.%d"), false, ADDRESSES(LIVE4), true);
    set_out(s, &c);
    CHECK(begins(s, &c, 8));
    quiet(s->w);
    CHECK(c.flow->dial != NULL && c.flow->dial->begun == 8
          && c.flow->dial->under_way == 0);
    let_answer(WEFT_V4);
    CHECK(arrives(s, &c, AF_INET));
}

/* All at once -------------------------------------------------------------- */

/* Waits, without turning the loop, until all attempts are decided. */
static void
let_all_be_decided(const struct weft_link *c)
{
    for (int i = 0; i < c->flow->dial->begun; i++) {
        struct pollfd p = { .fd = c->flow->dial->attempts[i].watch.fd,
                            .events = POLLOUT };

        CHECK(p.fd >= 0 && poll(&p, 1, 2000) == 1);
    }
}

/*
 * What the loop finds ready in one go, the dial's end among it: of all the
 * others nothing may be touched.  `first` moves who is looked at first.
 */
static void
one_is_kept(struct street *s, unsigned first)
{
    struct weft_link c;

    name_has(ADDRESSES(LIVE6, SHUT6), true, ADDRESSES(SHUT4, LIVE4), false);
    set_out(s, &c);
    CHECK(begins(s, &c, 1) && c.flow->dial->attempts[0].watch.fd >= 0);
    weft_dial_expire(&c.flow->dial->timer);
    let_answer(WEFT_V6);
    CHECK(poll(&(struct pollfd){ .fd = weft_lookup_fd(c.flow->dial->lookup),
                                 .events = POLLIN }, 1, 2000) == 1);
    let_all_be_decided(&c);
    s->w->loop.first = first;
    CHECK(arrives(s, &c, AF_INET));

    name_has(ADDRESSES(LIVE6, SHUT6), false, ADDRESSES(LIVE4, SHUT4), false);
    set_out(s, &c);
    CHECK(begins(s, &c, 1));
    while (c.flow->dial != NULL && c.flow->dial->looking)
        weft_dial_looked_up(&c.flow->dial->watch);
    for (int i = 0; i < 3; i++)
        weft_dial_expire(&c.flow->dial->timer);
    CHECK(c.flow->dial->begun == 4);
    let_all_be_decided(&c);
    s->w->loop.first = first;
    CHECK(reaches(s->w, &c, WEFT_LINK_HANDSHAKE) && visitors(s) == 1);
    weft_link_deinit(&c);
}

static void
all_refuse_at_once(struct street *s)
{
    struct weft_link c;

    name_has(ADDRESSES(SHUT6, "::ffff:127.0.0.4"), false, ADDRESSES(SHUT4),
             false);
    set_out(s, &c);
    while (c.flow->dial->looking || c.flow->dial->begun < 1)
        turn(s->w, 1);
    if (c.flow->dial->under_way == 1 && c.flow->dial->begun == 1) {
        weft_dial_expire(&c.flow->dial->timer);
        weft_dial_expire(&c.flow->dial->timer);
        let_all_be_decided(&c);
    }
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    CHECK(strcmp(c.error, "refused") == 0);
    weft_link_deinit(&c);
}

/* Letting go --------------------------------------------------------------- */

enum phase { LOOKING, DELAYED, ONE, BOTH, STILL_LOOKING, PHASES };

static void
bring_to(struct street *s, struct weft_link *c, enum phase phase)
{
    bool hold_v6 = phase == LOOKING || phase == DELAYED
                   || phase == STILL_LOOKING;

    name_has(ADDRESSES(DEAD6), hold_v6, ADDRESSES(DEAD4), phase == LOOKING);
    set_out(s, c);
    if (phase == DELAYED)
        CHECK(learns(s, c, WEFT_V4) && c->flow->dial->begun == 0);
    if (phase == ONE || phase == BOTH || phase == STILL_LOOKING)
        CHECK(begins(s, c, 1));
    if (phase == BOTH)
        CHECK(begins(s, c, 2) && c->flow->dial->under_way == 2);
}

static void
can_be_let_go_of(struct street *s, enum phase phase)
{
    struct weft_link c;

    bring_to(s, &c, phase);
    weft_link_abort(&c, WEFT_CAUSE_CANCELLED, "given up");
    CHECK(c.state == WEFT_LINK_CLOSED && c.flow->dial == NULL);
    CHECK(strcmp(c.error, "cancelled") == 0);
    CHECK(weft_timers_first(&s->w->loop.timers) == NULL);
    let_answer(WEFT_V6);
    let_answer(WEFT_V4);
    turn(s->w, 1);
    weft_link_deinit(&c);
    bring_to(s, &c, phase);
    weft_link_deinit(&c);
    weft_link_deinit(&c);
    CHECK(weft_timers_first(&s->w->loop.timers) == NULL);
    let_answer(WEFT_V6);
    let_answer(WEFT_V4);
    turn(s->w, 1);
}

static void
all_of_it(struct street *s)
{
    ipv6_comes_first(s);
    ipv6_waits_for_nobody(s);
    ipv4_waits_a_little(s);
    ipv6_comes_within_the_delay(s, ADDRESSES(LIVE6), AF_INET6);
    ipv6_comes_within_the_delay(s, NOTHING, AF_INET);
    one_family_is_enough(s);
    families_take_turns(s);
    nobody_waits_for_the_dead(s);
    a_refusal_is_not_waited_for(s);
    late_addresses_join(s);
    no_more_than_sixteen(s);
    one_family_leaves_room_for_the_other(s);
    for (unsigned first = 0; first < 5; first++)
        one_is_kept(s, first);
    all_refuse_at_once(s);
    for (int phase = 0; phase < PHASES; phase++)
        can_be_let_go_of(s, (enum phase)phase);
}

int
main(void)
{
    struct street s;
    struct world w;

    world_init(&w);
    street_open(&s, &w);
    all_of_it(&s);
    weft_loop_deinit(&w.loop);
    CHECK(weft_loop_init(&w.loop, true) == WEFT_OK); /* the same by poll(2) */
    all_of_it(&s);
    street_close(&s);
    name_has(NOTHING, false, NOTHING, false); /* all lookups have ended */
    world_deinit(&w);
    return check_report();
}
