/*
 * Plain requests and their answers when memory runs out: as in
 * loop_memory_test.c, each scene with every allocation failing once.  What is
 * told to the client is an answer or nothing; no descriptor stays open.
 */
#include "failing_mem.h"
#include "loop_answer_kit.h"

static const char long_text[40000] = { 'x' };
static int answered; /* requests, in a scene */

static int
open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The client's doings are its own: they do not fail. */
static void
client_says(struct site *x, const char *bytes)
{
    long kept = failing, left = allowed;

    failing = allowed = -1;
    if (x->c.fd >= 0) {
        struct weft_span span = { bytes, strlen(bytes) };

        weft_sock_sendv(x->c.fd, &span, 1); /* it may be gone */
    }
    failing = kept;
    allowed = left;
}

static void
client_reads(struct site *x)
{
    char piece[65536];

    while (x->c.fd >= 0 && weft_sock_recv(x->c.fd, piece, sizeof(piece)) > 0)
        continue;
}

static void
turns(struct world *w, struct site *x, int n)
{
    while (n-- > 0) {
        turn(w, 1);
        client_reads(x);
    }
}

static void
leave(struct site *x)
{
    long kept = failing, left = allowed;

    weft_link_deinit(&x->s);
    weft_listener_deinit(&x->h);
    failing = allowed = -1;
    raw_close(&x->c);
    failing = kept;
    allowed = left;
}

/* An answer of which nothing is queued, if it fails. */
static void
answer(struct weft_link *k, struct weft_span body)
{
    size_t before = weft_link_backlog(k);
    enum weft_status rc = weft_link_respond(k, 200, SPAN("A: b\r\n"), body);

    CHECK(rc == WEFT_OK || weft_link_backlog(k) == before);
    answered += rc == WEFT_OK;
    if (rc == WEFT_E_MEMORY)
        weft_link_respond(k, 500, SPAN(""), SPAN("oh"));
    weft_link_release(k);
}

static void
whole_scene(struct world *w)
{
    struct site x;

    if (site_open(&x, w, false)) {
        client_says(&x, GET("/a") GET("/b") GET("/c"));
        for (int i = 0; i < 8; i++) {
            turns(w, &x, 1);
            if (x.s.state == WEFT_LINK_ASKED)
                answer(&x.s, i % 2 ? SPAN("hello")
                                   : (struct weft_span){ long_text, 40000 });
        }
        client_says(&x, "GET  /d HTTP/1.1\r\n");
        turns(w, &x, 3);
    }
    leave(&x);
}

static void
body_scene(struct world *w)
{
    struct site x;

    if (site_open(&x, w, false)) {
        client_says(&x, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"
                        "Expect: 100-continue\r\n\r\n");
        turns(w, &x, 2);
        weft_link_want_body(&x.s);
        turns(w, &x, 1);
        client_says(&x, "abc");
        turns(w, &x, 2);
        client_says(&x, "def" "POST / HTTP/1.1\r\nHost: x\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n"
                        "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
                        "POST / HTTP/1.1\r\nHost: x\r\n"
                        "Transfer-Encoding: chunked\r\n\r\nx");
        for (int i = 0; i < 8; i++) {
            turns(w, &x, 1);
            if (weft_link_want_body(&x.s) != WEFT_OK)
                continue;
            CHECK(weft_link_body(&x.s).len == 6);
            answer(&x.s, weft_link_body(&x.s));
        }
    }
    leave(&x);
}

static void
pieces_scene(struct world *w)
{
    struct weft_span large = { long_text, sizeof(long_text) };
    struct site x;

    if (site_open(&x, w, false)) {
        client_says(&x, GET("/a") GET("/b") GET("/c"));
        for (int i = 0; i < 3; i++) {
            turns(w, &x, 2);
            if (weft_link_begin_answer(&x.s, 200, SPAN(""),
                                       i == 1 ? 40002 : WEFT_UNKNOWN)
                != WEFT_OK)
                break;
            weft_link_write_answer(&x.s, SPAN("ab"));
            turns(w, &x, 1);
            weft_link_write_answer(&x.s, large);
            if (i < 2)
                answered += weft_link_end_answer(&x.s) == WEFT_OK;
            weft_link_release(&x.s);
        }
        turns(w, &x, 4);
    }
    leave(&x);
}

static void
file_scene(struct world *w)
{
    struct site x;

    if (site_open(&x, w, false)) {
        client_says(&x, GET("/a") GET("/b"));
        for (int i = 0; i < 2; i++) {
            turns(w, &x, 2);
            weft_link_respond_file(&x.s, 200, SPAN(""), a_file(200000), 0,
                                   200000);
            weft_link_release(&x.s);
            turns(w, &x, 12);
            answered += x.s.state == WEFT_LINK_ASKED
                        || x.s.state == WEFT_LINK_HANDSHAKE;
        }
    }
    leave(&x);
}

static void
ends_scene(struct world *w)
{
    struct site x;

    w->config->send_buffer = 1 << 20;
    if (site_open(&x, w, true)) {
        client_says(&x, GET("/a") "GET /b HT");
        turns(w, &x, 2);
        answer(&x.s, (struct weft_span){ long_text, sizeof(long_text) });
        shutdown(x.c.fd, SHUT_WR);
        turns(w, &x, 8);
        weft_link_shut_down(&x.s);
        turns(w, &x, 8);
    }
    leave(&x);
}

/* With allocation n failing alone, or all from it on: whether any did. */
static bool
play_with(void (*scene)(struct world *), int all, long n, bool alone)
{
    int before = open_descriptors();
    struct world w;

    world_init(&w);
    refused = false;
    allocations = answered = 0;
    failing = alone ? n : -1;
    allowed = alone ? -1 : n;
    scene(&w);
    failing = allowed = -1;
    world_deinit(&w);
    CHECK(open_descriptors() == before);
    CHECK(unfreed == 0);
    CHECK(refused || answered == all);
    return refused;
}

static void
play(void (*scene)(struct world *), int all)
{
    long n = 0;

    while (n < 1000 && play_with(scene, all, n, true))
        play_with(scene, all, n++, false);
    CHECK(n > 8 && n < 1000);
}

int
main(void)
{
    play(whole_scene, 3);
    play(body_scene, 2);
    play(pieces_scene, 2);
    play(file_scene, 2);
    play(ends_scene, 1);
    return check_report();
}
