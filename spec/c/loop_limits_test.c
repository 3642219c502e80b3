/*
 * A listener's limits and a link's rate: who is let in, who is told why not,
 * what time adds; and all of it with memory running out.
 */
#include <math.h>
#include <sys/resource.h>

#include "failing_mem.h"
#include "loop/link_inner.h"
#include "loop_kit.h"
#include "loop_play.h"

static void
listen_to(struct world *w, struct weft_listener *h)
{
    struct weft_addr a;

    CHECK(weft_addr_parse(&a, "127.0.0.1", 0));
    CHECK(weft_listener_init(h, &w->loop, w->config, &a, 10, false, false)
          == WEFT_OK);
}

/* A socket that is connected, or soon will be; -1 when it is not. */
static int
call(const struct weft_listener *h)
{
    return weft_sock_connect(&h->address);
}

static void
server_link(struct world *w, struct weft_link *k)
{
    weft_link_init(k, &w->loop, w->config, WEFT_SERVER);
}

static bool
watches(const struct weft_listener *h)
{
    return (h->watch.wanted & WEFT_READABLE) != 0;
}

/* The limit of all ---------------------------------------------------------- */

static void
a_full_listener_rests(struct world *w)
{
    struct weft_listener h;
    struct weft_link one, two;
    int fds[2];

    listen_to(w, &h);
    weft_listener_limit(&h, 1, 0);
    server_link(w, &one);
    server_link(w, &two);
    fds[0] = call(&h);
    fds[1] = call(&h);
    turn(w, 100);
    CHECK(weft_listener_accept(&h, &one) == WEFT_OK);
    CHECK(!h.full && watches(&h)); /* it has not seen the other one */
    CHECK(weft_listener_accept(&h, &two) == WEFT_MORE);
    CHECK(h.full && !watches(&h) && h.total == 1 && two.listener == NULL);
    quiet(w); /* with somebody before the door */
    weft_link_deinit(&one);
    CHECK(!h.full && watches(&h) && h.total == 0);
    CHECK(weft_listener_accept(&h, &two) == WEFT_OK);
    CHECK(weft_listener_accept(&h, &one) == WEFT_MORE && h.full);
    weft_listener_rest(&h); /* for another reason, which goes on */
    weft_link_deinit(&two);
    CHECK(!watches(&h));
    CHECK(weft_listener_wake(&h) == WEFT_OK && watches(&h));
    weft_listener_deinit(&h);
    weft_sock_close(&fds[0]);
    weft_sock_close(&fds[1]);
}

static void
a_full_listener_can_stop(struct world *w)
{
    struct weft_listener h;
    struct weft_link one, two;
    int fd;

    listen_to(w, &h);
    weft_listener_limit(&h, 1, 1);
    server_link(w, &one);
    server_link(w, &two);
    fd = call(&h);
    turn(w, 100);
    CHECK(weft_listener_accept(&h, &one) == WEFT_OK);
    CHECK(weft_listener_accept(&h, &two) == WEFT_MORE);
    weft_listener_stop(&h);
    weft_link_deinit(&one);
    CHECK(h.total == 0 && h.watch.fd < 0);
    weft_listener_deinit(&h);
    weft_link_deinit(&two);
    weft_sock_close(&fd);
}

static enum weft_status
set_nothing(struct weft_poller *p, struct weft_watch *watch, uint8_t wanted)
{
    (void)p;
    (void)watch;
    return wanted == 0 ? WEFT_OK : WEFT_E_SYSTEM;
}

/* What may come in next cannot be watched for yet. */
static void
a_full_listener_tries_again(struct world *w)
{
    const struct weft_poller_ops *working = w->loop.poller->ops;
    struct weft_poller_ops broken = *working;
    struct weft_listener h;
    struct weft_link one;
    int fd;

    listen_to(w, &h);
    weft_listener_limit(&h, 1, 0);
    server_link(w, &one);
    fd = call(&h);
    turn(w, 100);
    CHECK(weft_listener_accept(&h, &one) == WEFT_OK);
    CHECK(weft_listener_accept(&h, &one) == WEFT_MORE && h.full);
    broken.set = set_nothing;
    w->loop.poller->ops = &broken;
    weft_link_deinit(&one);
    CHECK(!watches(&h) && h.total == 0);
    w->loop.poller->ops = working;
    for (int i = 0; i < 100 && !watches(&h); i++)
        turn(w, 20);
    CHECK(watches(&h) && !h.full);
    weft_listener_deinit(&h);
    weft_sock_close(&fd);
}

/* A pause for want of descriptors ends, and not what was asked for since. */
static void
a_pause_wakes_nobody(struct world *w)
{
    struct weft_listener h;
    struct weft_link one;
    struct rlimit kept, none;
    int fd;

    listen_to(w, &h);
    server_link(w, &one);
    fd = call(&h);
    turn(w, 100);
    getrlimit(RLIMIT_NOFILE, &kept);
    none = (struct rlimit){ 0, kept.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(weft_listener_accept(&h, &one) == WEFT_MORE);
    CHECK(setrlimit(RLIMIT_NOFILE, &kept) == 0);
    CHECK(weft_timer_is_set(&h.timer) && !watches(&h));
    weft_listener_rest(&h);
    for (int i = 0; i < 8; i++)
        turn(w, 20);
    CHECK(!watches(&h));
    CHECK(weft_listener_wake(&h) == WEFT_OK && watches(&h));
    weft_listener_deinit(&h);
    weft_link_deinit(&one);
    weft_sock_close(&fd);
}

/* The limit of an address --------------------------------------------------- */

static void
links_may_outlive_it(struct world *w)
{
    struct weft_listener h;
    struct weft_link one, two;
    int fds[2];

    listen_to(w, &h);
    weft_listener_limit(&h, 0, 1);
    server_link(w, &one);
    server_link(w, &two);
    fds[0] = call(&h);
    fds[1] = call(&h);
    turn(w, 100);
    CHECK(weft_listener_accept(&h, &one) == WEFT_OK);
    CHECK(one.state == WEFT_LINK_HANDSHAKE && !weft_listener_turns_away(&one));
    CHECK(weft_listener_accept(&h, &two) == WEFT_OK);
    CHECK(two.state == WEFT_LINK_LINGER && weft_listener_turns_away(&two));
    CHECK(h.counters.turned_away == 1
          && h.counters.refused[WEFT_REFUSED_ADDRESS] == 1
          && h.callers.count == 1);
    weft_listener_deinit(&h);
    CHECK(one.listener == NULL && one.state == WEFT_LINK_HANDSHAKE);
    weft_link_deinit(&one);
    weft_link_deinit(&two);
    weft_sock_close(&fds[0]);
    weft_sock_close(&fds[1]);
}

/* Two calls to one place, and a third when that is free again. */
static void
calls_scene(struct world *w)
{
    struct weft_listener h;
    struct weft_link links[3];
    int fds[3];
    long kept = failing;

    failing = -1;
    listen_to(w, &h);
    failing = kept;
    weft_listener_limit(&h, 0, 1);
    for (int i = 0; i < 3; i++) {
        enum weft_status rc = WEFT_MORE;

        server_link(w, &links[i]);
        fds[i] = call(&h);
        for (int n = 0; n < 100 && rc == WEFT_MORE; n++) {
            turn(w, 5);
            rc = weft_listener_accept(&h, &links[i]);
        }
        CHECK(rc == WEFT_OK || (refused && rc < 0));
        if (links[i].state == WEFT_LINK_IDLE)
            CHECK(links[i].listener == NULL && links[i].kept == NULL);
        if (i == 1) {
            weft_sock_close(&fds[0]);
            weft_link_deinit(&links[0]);
        }
    }
    turn(w, 0);
    CHECK(h.total <= 2 && h.callers.count <= 1);
    for (int i = 0; i < 3; i++) {
        weft_sock_close(&fds[i]);
        weft_link_deinit(&links[i]);
    }
    CHECK(h.total == 0 && h.callers.count == 0);
    weft_listener_deinit(&h);
}

/* The rate ------------------------------------------------------------------ */

static void
pass(struct weft_link *k, int64_t seconds)
{
    k->quota->at -= seconds * WEFT_SECOND;
}

static bool
near(double value, double wanted)
{
    return value >= wanted && value < wanted + 0.5;
}

static void
time_adds_up_to_the_burst(struct world *w)
{
    struct weft_link s;
    struct raw c;

    w->config->rate = (struct weft_rate){ 2, INFINITY, 5 };
    serve_open(w, &s, &c);
    CHECK(s.quota->left.messages == 10 && s.quota->left.bytes == INFINITY);
    for (int i = 0; i < 10; i++)
        raw_frame(&c, 0x81, "hello");
    CHECK(waits(w, &s));
    for (int i = 0; i < 10; i++)
        CHECK(hears(&s, "hello"));
    CHECK(near(s.quota->left.messages, 0));
    pass(&s, 3);
    weft_link_refill(&s);
    CHECK(near(s.quota->left.messages, 6));
    pass(&s, 1000);
    weft_link_refill(&s);
    CHECK(s.quota->left.messages == 10 && s.quota->left.bytes == INFINITY);
    weft_link_deinit(&s);
    CHECK(s.quota == NULL);
    raw_close(&c);
}

static void
a_pause_of_ours_adds_more(struct world *w)
{
    struct weft_link s;
    struct raw c;

    w->config->rate = (struct weft_rate){ 2, 100, 5 };
    serve_open(w, &s, &c);
    weft_link_watch(&s, 0);
    pass(&s, 100);
    weft_link_refill(&s);
    CHECK(near(s.quota->left.messages, 210));
    pass(&s, 100);
    weft_link_watch(&s, WEFT_READABLE);
    CHECK(near(s.quota->left.messages, 410));
    CHECK(s.quota->left.bytes >= 20500 && s.quota->left.bytes < 20600);
    pass(&s, 100);
    weft_link_refill(&s);
    CHECK(near(s.quota->left.messages, 410)); /* that was no pause */
    weft_link_deinit(&s);
    raw_close(&c);
}

static void
one_may_always_come_in_the_end(struct world *w)
{
    struct weft_link s;
    struct raw c;

    w->config->rate = (struct weft_rate){ 0.001, 0.001, 1 };
    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "a");
    CHECK(waits(w, &s) && hears(&s, "a"));
    raw_frame(&c, 0x81, "");
    CHECK(waits(w, &s) && next(&s) == WEFT_E_CLOSED);
    CHECK(s.state == WEFT_LINK_LINGER);
    quiet(w);
    CHECK(raw_heard(&c, "close 1008\nend\n"));
    CHECK(strstr(weft_link_message(&s), "more messages than the option rate"));
    weft_link_deinit(&s);
    raw_close(&c);
}

static void
rate_scene(struct world *w)
{
    struct weft_addr from = { .len = 0 };
    struct weft_link s;
    struct raw c;
    int fd = raw_open(&c, true);
    long kept;

    w->config->rate = (struct weft_rate){ 1, 100, 2 };
    server_link(w, &s);
    if (weft_link_serve(&s, fd, &from, NULL) == WEFT_OK) {
        raw_write(&c, raw_request, sizeof(raw_request) - 1);
        turn(w, 0);
        turn(w, 0);
        if (weft_link_accept(&s, SPAN(""), SPAN("")) == WEFT_OK)
            CHECK(s.quota != NULL);
        kept = failing;
        failing = -1;
        for (int i = 0; i < 4 && s.state != WEFT_LINK_CLOSED; i++)
            raw_frame(&c, 0x81, "hello");
        failing = kept;
        for (int i = 0; i < 4; i++)
            turn(w, 0);
    }
    weft_sock_close(&c.fd);
    turn(w, 0);
    weft_link_deinit(&s);
    CHECK(s.quota == NULL);
    kept = failing;
    failing = -1;
    raw_close(&c);
    failing = kept;
}

int
main(void)
{
    run(a_full_listener_rests);
    run(a_full_listener_can_stop);
    run(a_full_listener_tries_again);
    run(a_pause_wakes_nobody);
    run(links_may_outlive_it);
    run(time_adds_up_to_the_burst);
    run(a_pause_of_ours_adds_more);
    run(one_may_always_come_in_the_end);
    play(calls_scene);
    play(rate_scene);
    return check_report();
}
