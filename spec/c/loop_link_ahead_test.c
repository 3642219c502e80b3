/*
 * What a link reads before anybody asks for it, and messages in pieces
 * (RFC 6455, 5.4, 5.5.2 and 5.5.3).
 */
#include "loop_kit.h"

/* Reading ahead ----------------------------------------------------------- */

static void
a_loan_outlives_the_turn(struct world *w)
{
    struct weft_event ev;
    struct weft_link c, s;
    char text[2000];

    memset(text, 'x', sizeof(text));
    pair(w, &c, &s);
    say(&c, "lent");
    turn(w, 0);
    weft_loop_wait(&w->loop, 0);
    CHECK(next_event(&s, &ev) == WEFT_EVENT && ev.len == 4);
    CHECK(next_event(&s, &ev) == WEFT_EVENT && ev.len == 4);
    for (int i = 0; i < 10; i++) {
        weft_link_send(&c, WEFT_TEXT, text, sizeof(text));
        quiet(w);
        CHECK(next_event(&s, &ev) == WEFT_EVENT && ev.len == 4);
        CHECK(memcmp(ev.data, "lent", 4) == 0);
    }
    weft_link_taken(&s);
    for (int i = 0; i < 10; i++)
        CHECK(hears_bytes(&s, text, sizeof(text)));
    CHECK(next(&s) == WEFT_MORE);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

enum { MANY = 3000, SIZE = 100 };

/* So many messages, each with its number, then a ping. */
static struct weft_buf
many_messages(void)
{
    struct weft_buf b = { 0 };
    char text[SIZE];

    for (int i = 0; i < MANY; i++) {
        memset(text, '.', SIZE);
        snprintf(text, SIZE, "%d", i);
        add_frame(&b, true, 0x82, text, SIZE);
    }
    add_frame(&b, true, 0x89, "?", 1);
    return b;
}

/* Writes as much as the socket takes; true when all of it has gone. */
static bool
pour(struct raw *r, struct weft_buf *b)
{
    while (weft_buf_len(b) > 0) {
        struct weft_span span = { (const char *)weft_buf_head(b),
                                  weft_buf_len(b) };
        long n = weft_sock_sendv(r->fd, &span, 1);

        if (n <= 0)
            return false;
        weft_buf_consume(b, (size_t)n);
    }
    return true;
}

static bool
is_number(const struct weft_event *ev, int number)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", number);
    return ev->len == SIZE && strcmp((const char *)ev->data, text) == 0;
}

/* Nobody receives: so much is read ahead and no more; then somebody does,
 * waiting or only asking now and then. */
static void
reading_ahead_is_bounded(struct world *w, bool waiting)
{
    struct weft_buf b = many_messages();
    struct weft_event ev;
    struct weft_link s;
    struct raw c;
    int got = 0;

    serve_open(w, &s, &c);
    for (int i = 0; i < 50; i++) {
        pour(&c, &b);
        turn(w, 1);
    }
    CHECK(weft_link_has_next(&s));
    CHECK(weft_buf_len(&s.flow->ahead) >= w->config->receive_buffer);
    CHECK(weft_buf_len(&s.flow->ahead) < w->config->receive_buffer * 5 / 4);
    CHECK((s.watch.wanted & WEFT_READABLE) == 0);
    for (int idle = 0; got < MANY && idle < 200; idle++) {
        while (next_event(&s, &ev) == WEFT_EVENT) {
            CHECK(is_number(&ev, got));
            weft_link_taken(&s);
            got++;
            idle = 0;
        }
        weft_link_want(&s, waiting);
        pour(&c, &b);
        turn(w, 1);
    }
    CHECK(got == MANY);
    quiet(w);
    CHECK(raw_heard(&c, "pong ?\n"));
    CHECK(s.flow->ahead.data == NULL); /* an idle link owns no buffer */
    raw_close(&c);
    weft_buf_deinit(&b);
    weft_link_deinit(&s);
}

/* A message larger than what is read ahead comes to one who only asks. */
static void
a_big_message_comes_by_asking(struct world *w)
{
    size_t size = 1 << 20;
    uint8_t *big = calloc(1, size);
    struct weft_event ev;
    struct weft_link c, s;

    pair(w, &c, &s);
    CHECK(weft_link_send(&c, WEFT_BINARY, big, size) == WEFT_OK);
    quiet(w);
    CHECK(weft_session_held(&s.flow->session) < 3 * w->config->receive_buffer);
    for (int i = 0; i < 100 && next_event(&s, &ev) == WEFT_MORE; i++)
        turn(w, 0);
    CHECK(hears_bytes(&s, big, size));
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    free(big);
}

static void
pings_are_answered_though_nobody_receives(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "unheard");
    raw_frame(&c, 0x89, "1");
    raw_frame(&c, 0x89, "2");
    quiet(w);
    CHECK(raw_heard(&c, "pong 1\npong 2\n"));
    CHECK(hears(&s, "unheard"));
    raw_close(&c);
    weft_link_deinit(&s);
}

/* Frames that come in the same segment as the request. */
static void
early_frames_are_read(struct world *w)
{
    struct weft_buf b = { 0 };
    struct weft_link s;
    struct raw c;

    serve(w, &s, &c);
    weft_buf_add(&b, raw_request, sizeof(raw_request) - 1);
    add_frame(&b, true, 0x81, "early", 5);
    add_frame(&b, true, 0x89, "?", 1);
    raw_write(&c, weft_buf_head(&b), weft_buf_len(&b));
    CHECK(reaches(w, &s, WEFT_LINK_ASKED));
    CHECK(weft_link_accept(&s, SPAN(""), SPAN("")) == WEFT_OK);
    raw_frame(&c, 0x81, "later");
    CHECK(raw_greeted(w, &c));
    quiet(w);
    CHECK(hears(&s, "early") && hears(&s, "later"));
    CHECK(raw_heard(&c, "pong ?\n"));
    raw_close(&c);
    weft_link_deinit(&s);
    weft_buf_deinit(&b);
}

static void
pings_are_timed(struct world *w)
{
    struct weft_ping a = { .len = 1, .payload = "a" };
    struct weft_ping b = { .len = 1, .payload = "b" };
    struct weft_ping c = { .len = 1, .payload = "c" };
    struct weft_link s;
    struct raw r;

    serve_open(w, &s, &r);
    CHECK(weft_link_ping(&s, &a) == WEFT_OK);
    CHECK(weft_link_ping(&s, &b) == WEFT_OK);
    CHECK(weft_link_ping(&s, &c) == WEFT_OK);
    quiet(w);
    CHECK(raw_heard(&r, "ping a\nping b\nping c\n"));
    raw_frame(&r, 0x8A, "unasked");
    quiet(w);
    CHECK(a.round_trip < 0);
    raw_frame(&r, 0x8A, "b");
    quiet(w); /* 5.5.3: it answers those before, too */
    CHECK(a.round_trip > 0 && b.round_trip > 0 && c.round_trip < 0);
    weft_node_unlink(&a.node);
    weft_node_unlink(&b.node);
    weft_link_deinit(&s); /* lets go of c */
    CHECK(!weft_node_linked(&c.node));
    raw_close(&r);
}

/* In pieces --------------------------------------------------------------- */

static bool
hears_chunk(struct weft_link *k, const char *text, bool last)
{
    struct weft_event ev;
    bool same;

    if (next_event(k, &ev) != WEFT_EVENT)
        return false;
    same = ev.type == WEFT_EVENT_CHUNK && ev.last == last &&
           ev.len == strlen(text) && memcmp(ev.data, text, ev.len) == 0;
    weft_link_taken(k);
    return same;
}

static void
one_message_comes_in_chunks(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    weft_link_stream(&s, true);
    raw_frame(&c, 0x01, "one ");
    quiet(w);
    raw_frame(&c, 0x00, "two ");
    raw_frame(&c, 0x80, "three");
    raw_frame(&c, 0x01, "who");
    raw_frame(&c, 0x80, "le");
    quiet(w);
    CHECK(hears_chunk(&s, "one ", false) && hears_chunk(&s, "two ", false));
    CHECK(hears_chunk(&s, "three", true) && hears(&s, "whole"));
    weft_link_stream(&s, false);
    raw_frame(&c, 0x81, "next");
    quiet(w);
    weft_link_stream(&s, true); /* it has been read already: whole */
    CHECK(hears(&s, "next"));
    weft_link_stream(&s, false);
    raw_close(&c);
    weft_link_deinit(&s);
}

/* Leaves after the first of three chunks, of which `read` have been read
 * ahead by then. */
static void
the_rest_of_it_is_skipped(struct world *w, int read)
{
    static const char *const texts[] = { "one", "two", "three" };
    static const unsigned firsts[] = { 0x01, 0x00, 0x80 };
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    weft_link_stream(&s, true);
    for (int i = 0; i < read; i++)
        raw_frame(&c, firsts[i], texts[i]);
    quiet(w);
    CHECK(hears_chunk(&s, "one", false));
    weft_link_stream(&s, false);
    for (int i = read; i < 3; i++)
        raw_frame(&c, firsts[i], texts[i]);
    raw_frame(&c, 0x81, "next");
    quiet(w);
    CHECK(hears(&s, "next") && next(&s) == WEFT_MORE);
    raw_close(&c);
    weft_link_deinit(&s);
}

static void
writes_in_pieces(struct world *w)
{
    struct weft_link c, s;

    pair(w, &c, &s);
    CHECK(weft_link_write(&s, WEFT_TEXT, "a", 1, false) == WEFT_OK);
    CHECK(say(&s, "in between") == WEFT_E_BUSY);
    CHECK(weft_link_write(&s, WEFT_TEXT, "b", 1, true) == WEFT_OK);
    CHECK(say(&s, "after") == WEFT_OK);
    quiet(w);
    CHECK(hears(&c, "ab") && hears(&c, "after"));
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

int
main(void)
{
    struct world w;

    world_init(&w);
    a_loan_outlives_the_turn(&w);
    reading_ahead_is_bounded(&w, true);
    reading_ahead_is_bounded(&w, false);
    a_big_message_comes_by_asking(&w);
    pings_are_answered_though_nobody_receives(&w);
    early_frames_are_read(&w);
    pings_are_timed(&w);
    one_message_comes_in_chunks(&w);
    for (int read = 1; read <= 3; read++)
        the_rest_of_it_is_skipped(&w, read);
    writes_in_pieces(&w);
    world_deinit(&w);
    return check_report();
}
