/*
 * A link's deadlines: each one met and each one kept, with limits of some
 * milliseconds.
 */
#include "loop_kit.h"

/* Turns for about that long. */
static void
pass(struct world *w, int ms)
{
    int64_t end = weft_now() + ms * MS;

    while (weft_now() < end)
        turn(w, 2);
}

/* Settings of this test's own; the world's are put back by `restore`. */
static struct weft_config
limits(const struct world *w)
{
    return *w->config;
}

static void
restore(struct world *w, struct weft_config *kept)
{
    kept->references = w->config->references;
    *w->config = *kept;
}

static void
a_silent_client_is_dropped(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->handshake_timeout = 20 * MS;
    serve(w, &s, &c);
    raw_write(&c, "GET / HTTP/1.1\r\n", 16);
    CHECK(reaches(w, &s, WEFT_LINK_LINGER)); /* it is told so: 408 */
    raw_close(&c);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_TIMEOUT, 1006));
    CHECK(strcmp(s.error, "timeout") == 0);
    weft_link_deinit(&s);
    restore(w, &kept);
}

static void
a_silent_server_is_given_up(struct world *w)
{
    struct weft_addr a;
    struct weft_link c;
    int fd;

    weft_addr_parse(&a, "127.0.0.1", 0);
    fd = weft_sock_listen(&a, 5, false, false);
    weft_sock_local(fd, &a);
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    CHECK(go_to(&c, "127.0.0.1", weft_addr_port(&a), 30 * MS,
                            &a_request)
          == WEFT_OK);
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(ended(&c, WEFT_CAUSE_TIMEOUT, 1006));
    CHECK(strcmp(c.error, "timeout") == 0);
    weft_link_deinit(&c);
    weft_sock_close(&fd);
}

static void
keepalive_asks_and_measures(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->ping_interval = 20 * MS;
    w->config->ping_timeout = 2000 * MS;
    serve_open(w, &s, &c);
    pass(w, 35);
    CHECK(s.latency < 0 && s.pinged != 0);
    raw_listen(&c);
    CHECK(weft_buf_len(&c.log) == 5 + 8 + 1);
    CHECK(memcmp(weft_buf_head(&c.log), "ping ", 5) == 0);
    raw_frame(&c, 0x8A, "1");
    pass(w, 5);
    CHECK(s.latency > 5 * 1000 && s.latency < 2000 * 1000 && s.pinged == 0);
    CHECK(s.state == WEFT_LINK_OPEN);
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

static void
an_unanswered_ping_ends_it(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->ping_interval = 20 * MS;
    w->config->ping_timeout = 20 * MS;
    serve_open(w, &s, &c);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PING_TIMEOUT, 1006));
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

/* Any byte is life, also without a pong. */
static void
bytes_keep_it_alive(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->ping_interval = 20 * MS;
    w->config->ping_timeout = 80 * MS;
    serve_open(w, &s, &c);
    for (int i = 0; i < 20; i++) {
        raw_frame(&c, 0x81, "x");
        pass(w, 10);
        CHECK(hears(&s, "x"));
    }
    CHECK(s.state == WEFT_LINK_OPEN);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PING_TIMEOUT, 1006));
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

/* Whoever does not read cannot see that the peer is alive. */
static void
keepalive_stands_still_while_nobody_reads(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->ping_interval = 20 * MS;
    w->config->ping_timeout = 20 * MS;
    w->config->receive_buffer = 10;
    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "more than that");
    raw_frame(&c, 0x81, "and more");
    pass(w, 120);
    CHECK(s.state == WEFT_LINK_OPEN);
    CHECK(waits(w, &s) && hears(&s, "more than that"));
    CHECK(waits(w, &s) && hears(&s, "and more"));
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PING_TIMEOUT, 1006));
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

static void
pairs_answer_their_pings(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link c, s;

    w->config->ping_interval = 5 * MS;
    w->config->ping_timeout = 400 * MS;
    pair(w, &c, &s);
    pass(w, 500);
    CHECK(weft_link_is_open(&c) && weft_link_is_open(&s));
    CHECK(c.latency >= 0 || s.latency >= 0);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

static void
an_idle_one_is_closed(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->idle_timeout = 800 * MS;
    w->config->ping_interval = 5 * MS;
    serve_open(w, &s, &c);
    for (int i = 0; i < 8; i++) { /* messages either way */
        pass(w, 120);
        if (i % 2 == 0)
            say(&s, "x");
        else
            raw_frame(&c, 0x81, "y");
    }
    CHECK(weft_link_is_open(&s));
    for (int i = 0; i < 100; i++) { /* pongs do not count */
        pass(w, 10);
        raw_frame(&c, 0x8A, "");
    }
    CHECK(!weft_link_is_open(&s) && s.flow->session.sent_code == 1000);
    raw_frame(&c, 0x88, "\x03\xE8");
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_IDLE, 1000));
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

static void
closing_is_not_waited_for_for_ever(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->close_timeout = 20 * MS;
    serve_open(w, &s, &c);
    goodbye(&s, 1000, "");
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_TIMEOUT, 1006) && !s.clean);
    CHECK(raw_heard(&c, "close 1000\nend\n"));
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

/* The server's socket has to close first, but not for ever (7.1.1). */
static void
a_client_waits_for_the_end_so_long(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link c, s;

    w->config->close_timeout = 20 * MS;
    pair(w, &c, &s);
    goodbye(&s, 1000, "");
    s.watch.wanted = 0; /* it hears nothing */
    turn(w, 0);
    for (int i = 0; i < 5; i++)
        turn(w, 0);
    weft_timer_clear(&w->loop.timers, &s.timer);
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(ended(&c, WEFT_CAUSE_PEER, 1000) && c.clean);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

static void
lingering_is_bounded(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->close_timeout = 30 * MS;
    serve_open(w, &s, &c);
    raw_frame(&c, 0x83, "bad");
    CHECK(reaches(w, &s, WEFT_LINK_LINGER));
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PROTOCOL, 1006));
    CHECK(raw_heard(&c, "close 1002\nend\n"));
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

/* Nobody asks for what came before the bad frame. */
static void
a_fault_acts_in_the_end(struct world *w)
{
    struct weft_config kept = limits(w);
    struct weft_link s;
    struct raw c;

    w->config->close_timeout = 30 * MS;
    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "unheard");
    raw_frame(&c, 0x83, "bad");
    pass(w, 10);
    CHECK(raw_heard(&c, ""));
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PROTOCOL, 1006));
    CHECK(raw_heard(&c, "close 1002\nend\n"));
    CHECK(hears(&s, "unheard") && next(&s) == WEFT_E_CLOSED);
    raw_close(&c);
    weft_link_deinit(&s);
    restore(w, &kept);
}

static void
who_takes_nothing_is_dropped(struct world *w)
{
    struct weft_config kept = limits(w);
    uint8_t *big = calloc(1, 4 << 20);
    struct weft_link s;
    struct raw c;

    w->config->write_timeout = 500 * MS;
    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "before");
    CHECK(weft_link_send(&s, WEFT_BINARY, big, 4 << 20) == WEFT_OK);
    for (int i = 0; i < 8; i++) { /* slow is not stuck */
        pass(w, 80);
        raw_receive(&c);
    }
    CHECK(s.state == WEFT_LINK_OPEN);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_SLOW, 1006));
    CHECK(hears(&s, "before") && next(&s) == WEFT_E_CLOSED);
    raw_close(&c);
    weft_link_deinit(&s);
    free(big);
    restore(w, &kept);
}

int
main(void)
{
    struct world w;

    world_init(&w);
    a_silent_client_is_dropped(&w);
    a_silent_server_is_given_up(&w);
    keepalive_asks_and_measures(&w);
    an_unanswered_ping_ends_it(&w);
    bytes_keep_it_alive(&w);
    keepalive_stands_still_while_nobody_reads(&w);
    pairs_answer_their_pings(&w);
    an_idle_one_is_closed(&w);
    closing_is_not_waited_for_for_ever(&w);
    a_client_waits_for_the_end_so_long(&w);
    lingering_is_bounded(&w);
    a_fault_acts_in_the_end(&w);
    who_takes_nothing_is_dropped(&w);
    world_deinit(&w);
    return check_report();
}
