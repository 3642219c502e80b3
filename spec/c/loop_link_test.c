/*
 * Open links: what is said on them, and how they end, by a close, a cut or a
 * fault (RFC 6455, 1.4, 5.5.1 and 7).
 */
#include "loop_kit.h"

/* Pairs ------------------------------------------------------------------- */

static void
pair_talks_both_ways(struct world *w)
{
    struct weft_link c, s;

    pair(w, &c, &s);
    CHECK(weft_link_is_open(&c) && weft_link_is_open(&s));
    CHECK(next(&c) == WEFT_MORE && !weft_link_has_next(&s));
    CHECK(say(&c, "one") == WEFT_OK && say(&c, "two") == WEFT_OK);
    CHECK(say(&s, "") == WEFT_OK);
    CHECK(weft_link_backlog(&c) > 0);
    quiet(w);
    CHECK(weft_link_backlog(&c) == 0);
    CHECK(hears(&s, "one") && hears(&s, "two") && next(&s) == WEFT_MORE);
    CHECK(hears(&c, "") && next(&c) == WEFT_MORE);
    weft_link_deinit(&c);
    quiet(w);
    CHECK(ended(&s, WEFT_CAUSE_EOF, 1006));
    weft_link_deinit(&s);
}

static void
pair_agrees_on_a_protocol(struct world *w)
{
    struct weft_span spoken[] = { SPAN("v3"), SPAN("v2") };
    struct weft_span offered[] = { SPAN("v1"), SPAN("v2"), SPAN("v3") };
    struct weft_client_request r = a_request;
    struct weft_link c, s;

    r.protocols = offered;
    r.protocol_count = 3;
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    CHECK(weft_link_pair(&c, &s, &r, spoken, 2) == WEFT_OK);
    CHECK(strcmp(weft_link_kept(&c, WEFT_KEPT_PROTOCOL).data, "v3") == 0
          && strcmp(weft_link_kept(&s, WEFT_KEPT_PROTOCOL).data, "v3") == 0);
    CHECK(weft_link_kept(&c, WEFT_KEPT_REQUEST).len
          == weft_link_kept(&s, WEFT_KEPT_REQUEST).len);
    CHECK(weft_link_kept(&c, WEFT_KEPT_RESPONSE).len > 0);
    weft_link_deinit(&s);
    weft_link_deinit(&c);
    weft_link_deinit(&c);
}

static void
big_messages_push_back(struct world *w)
{
    size_t size = 3 << 20;
    uint8_t *big = malloc(size);
    struct weft_link c, s;

    for (size_t i = 0; i < size; i++)
        big[i] = (uint8_t)(i * 31 >> 3);
    pair(w, &c, &s);
    CHECK(weft_link_send(&c, WEFT_BINARY, big, size) == WEFT_OK);
    CHECK(weft_link_send(&s, WEFT_BINARY, big, size) == WEFT_OK);
    quiet(w);
    CHECK(weft_link_backlog(&c) > size / 2); /* nobody receives */
    CHECK(waits(w, &s) && hears_bytes(&s, big, size));
    CHECK(waits(w, &c) && hears_bytes(&c, big, size));
    quiet(w);
    CHECK(weft_link_backlog(&c) == 0 && weft_link_backlog(&s) == 0);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    free(big);
}

/* The end ----------------------------------------------------------------- */

static void
closes(struct world *w, enum weft_role first)
{
    struct weft_link c, s, *a, *b;

    pair(w, &c, &s);
    a = first == WEFT_CLIENT ? &c : &s;
    b = first == WEFT_CLIENT ? &s : &c;
    say(a, "last");
    goodbye(a, 4000, "done");
    goodbye(a, 4001, "never seen");
    CHECK(!weft_link_is_open(a) && say(a, "late") == WEFT_E_CLOSED);
    quiet(w);
    CHECK(hears(b, "last") && next(b) == WEFT_E_CLOSED);
    CHECK(next(a) == WEFT_E_CLOSED && next(a) == WEFT_E_CLOSED);
    CHECK(ended(a, WEFT_CAUSE_LOCAL, 4000) && a->clean);
    CHECK(ended(b, WEFT_CAUSE_PEER, 4000) && b->clean);
    CHECK(weft_link_kept(b, WEFT_KEPT_REASON).len == 4
          && memcmp(weft_link_kept(b, WEFT_KEPT_REASON).data, "done", 4) == 0);
    CHECK(a->flow->session.sent_code == 4000
          && b->flow->session.sent_code == 4000);
    CHECK(say(b, "late") == WEFT_E_CLOSED);
    goodbye(b, 1000, "");
    weft_link_abort(b, WEFT_CAUSE_ERROR, "too late");
    CHECK(b->cause == WEFT_CAUSE_PEER);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

static void
both_close_at_once(struct world *w)
{
    struct weft_link c, s;

    pair(w, &c, &s);
    goodbye(&c, 4001, "");
    goodbye(&s, 4002, "");
    quiet(w);
    CHECK(ended(&c, WEFT_CAUSE_LOCAL, 4002) && c.clean);
    CHECK(ended(&s, WEFT_CAUSE_LOCAL, 4001) && s.clean);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

/* 1.4: what comes in after our close is dropped, and reading never stops. */
static void
closing_drops_what_comes_in(struct world *w)
{
    uint8_t *big = calloc(1, 1 << 20);
    struct weft_link c, s;

    pair(w, &c, &s);
    say(&s, "before");
    quiet(w);
    CHECK(weft_link_send(&s, WEFT_BINARY, big, 1 << 20) == WEFT_OK);
    goodbye(&c, 1000, "");
    quiet(w);
    CHECK(hears(&c, "before") && next(&c) == WEFT_E_CLOSED);
    CHECK(ended(&c, WEFT_CAUSE_LOCAL, 1000) && c.clean);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    free(big);
}

static void
aborting_is_seen_at_once(struct world *w)
{
    struct weft_link c, s;

    pair(w, &c, &s);
    say(&c, "unsent");
    weft_link_abort(&c, WEFT_CAUSE_LOCAL, "enough");
    CHECK(ended(&c, WEFT_CAUSE_LOCAL, 1006) && next(&c) == WEFT_E_CLOSED);
    CHECK(strcmp(c.close_message, "enough") == 0 && !c.clean);
    quiet(w);
    CHECK(ended(&s, WEFT_CAUSE_EOF, 1006) && next(&s) == WEFT_E_CLOSED);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

static void
what_came_before_a_cut_is_heard(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "one");
    raw_frame(&c, 0x81, "two");
    raw_close(&c);
    quiet(w);
    CHECK(ended(&s, WEFT_CAUSE_EOF, 1006));
    CHECK(hears(&s, "one") && hears(&s, "two") && next(&s) == WEFT_E_CLOSED);
    weft_link_deinit(&s);
}

/* A server's socket closes first (7.1.1), once its answer has left. */
static void
peer_closes_and_the_answer_leaves(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "ask");
    raw_frame(&c, 0x88, "\x03\xE8" "bye");
    turn(w, 10);
    CHECK(hears(&s, "ask") && next(&s) == WEFT_E_CLOSED);
    CHECK(say(&s, "no more") == WEFT_E_CLOSED);
    quiet(w);
    CHECK(ended(&s, WEFT_CAUSE_PEER, 1000) && s.clean);
    CHECK(raw_heard(&c, "close 1000\nend\n"));
    raw_close(&c);
    weft_link_deinit(&s);
}

/* Faults ------------------------------------------------------------------ */

/* What came before a bad frame is delivered, and what is said in answer
 * leaves before the close frame; the bytes come in pieces of that size. */
static void
a_fault_waits_for_the_answer(struct world *w, size_t size)
{
    struct weft_buf b = { 0 };
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    add_frame(&b, true, 0x81, "one", 3);
    add_frame(&b, true, 0x82, "two", 3);
    add_frame(&b, true, 0x83, "bad", 3);
    add_frame(&b, true, 0x81, "unseen", 6);
    add_frame(&b, true, 0x88, "\x03\xE8", 2);
    while (weft_buf_len(&b) > 0) {
        size_t n = weft_buf_len(&b) < size ? weft_buf_len(&b) : size;

        raw_write(&c, weft_buf_head(&b), n);
        weft_buf_consume(&b, n);
        turn(w, 1);
    }
    quiet(w);
    CHECK(s.state == WEFT_LINK_OPEN && raw_heard(&c, ""));
    CHECK(hears(&s, "one") && say(&s, "1") == WEFT_OK);
    quiet(w);
    CHECK(hears(&s, "two") && raw_heard(&c, "text 1\n"));
    quiet(w);
    CHECK(s.state == WEFT_LINK_OPEN && say(&s, "2") == WEFT_OK);
    CHECK(next(&s) == WEFT_E_CLOSED && say(&s, "3") == WEFT_E_CLOSED);
    CHECK(s.state == WEFT_LINK_LINGER);
    quiet(w);
    CHECK(raw_heard(&c, "text 2\nclose 1002\nend\n"));
    CHECK(s.state == WEFT_LINK_LINGER); /* until the peer has gone */
    raw_frame(&c, 0x81, "discarded");
    raw_close(&c);
    quiet(w);
    CHECK(ended(&s, WEFT_CAUSE_PROTOCOL, 1006) && !s.clean);
    CHECK(strstr(s.close_message, "opcode") != NULL);
    weft_link_deinit(&s);
    weft_buf_deinit(&b);
}

static void
a_fault_alone_acts_at_once(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "\xFF");
    quiet(w);
    CHECK(s.state == WEFT_LINK_LINGER && next(&s) == WEFT_E_CLOSED);
    CHECK(raw_heard(&c, "close 1007\nend\n"));
    raw_close(&c);
    quiet(w);
    CHECK(ended(&s, WEFT_CAUSE_PROTOCOL, 1006));
    weft_link_deinit(&s);
}

/* 7.1.7: whoever closes while a fault waits sends what the fault calls for. */
static void
a_fault_goes_before_our_close(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "one");
    raw_frame(&c, 0x80, "bad");
    quiet(w);
    CHECK(hears(&s, "one"));
    goodbye(&s, 1000, "");
    quiet(w);
    CHECK(raw_heard(&c, "close 1002\nend\n"));
    raw_close(&c);
    quiet(w);
    CHECK(ended(&s, WEFT_CAUSE_PROTOCOL, 1006));
    weft_link_deinit(&s);
}

static void
pairs_fail_too(struct world *w)
{
    struct weft_link c, s;

    w->config->limits.max_message = 10;
    pair(w, &c, &s);
    say(&c, "short");
    say(&c, "longer than that");
    quiet(w);
    CHECK(hears(&s, "short") && say(&s, "answer") == WEFT_OK);
    CHECK(next(&s) == WEFT_E_CLOSED);
    quiet(w);
    CHECK(hears(&c, "answer") && next(&c) == WEFT_E_CLOSED);
    CHECK(ended(&c, WEFT_CAUSE_PEER, 1009));
    CHECK(ended(&s, WEFT_CAUSE_TOO_BIG, 1006));
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    w->config->limits.max_message = 8 << 20;
}

int
main(void)
{
    struct world w;

    world_init(&w);
    pair_talks_both_ways(&w);
    pair_agrees_on_a_protocol(&w);
    big_messages_push_back(&w);
    closes(&w, WEFT_CLIENT);
    closes(&w, WEFT_SERVER);
    both_close_at_once(&w);
    closing_drops_what_comes_in(&w);
    aborting_is_seen_at_once(&w);
    what_came_before_a_cut_is_heard(&w);
    peer_closes_and_the_answer_leaves(&w);
    a_fault_waits_for_the_answer(&w, 1);
    a_fault_waits_for_the_answer(&w, 7);
    a_fault_waits_for_the_answer(&w, 1000);
    a_fault_alone_acts_at_once(&w);
    a_fault_goes_before_our_close(&w);
    pairs_fail_too(&w);
    world_deinit(&w);
    return check_report();
}
