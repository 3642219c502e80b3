/*
 * Plain requests and their answers on connections that go on: in what order
 * they come, in what pieces, and how each state ends.
 */
#include "loop_answer_kit.h"

#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void
ask(struct site *x, const char *bytes)
{
    raw_write(&x->c, bytes, strlen(bytes));
}

/* What comes next is the request for that path. */
static bool
asked_for(struct world *w, struct site *x, const char *path)
{
    const struct weft_opening *o;
    struct weft_span target;

    if (!reaches(w, &x->s, WEFT_LINK_ASKED))
        return false;
    o = x->s.flow->opening;
    target = weft_http_span(weft_opening_head(o).data, o->head.target);
    return target.len == strlen(path)
           && memcmp(target.data, path, target.len) == 0;
}

static void
answer(struct weft_link *k, const char *body)
{
    CHECK(weft_link_respond(k, 200, SPAN(""), weft_http_text(body))
          == WEFT_OK);
    weft_link_release(k);
}

static void
one_after_the_other(struct world *w)
{
    struct site x;

    CHECK(site_open(&x, w, false));
    for (int i = 0; i < 3; i++) {
        ask(&x, GET("/a"));
        CHECK(asked_for(w, &x, "/a"));
        answer(&x.s, "hello");
        CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                            "Content-Length: 5\r\n\r\nhello"));
        CHECK(x.s.state == WEFT_LINK_HANDSHAKE);
        CHECK(x.s.cause == WEFT_CAUSE_NONE);
        quiet(w);
    }
    CHECK(x.h.counters.accepted == 1 && x.h.total == 1);
    site_close(&x);
}

static void
at_once(struct world *w)
{
    struct site x;

    CHECK(site_open(&x, w, false));
    ask(&x, GET("/a") GET("/b") GET("/c"));
    CHECK(asked_for(w, &x, "/a"));
    CHECK(weft_link_respond(&x.s, 200, SPAN(""), SPAN("")) == WEFT_OK);
    CHECK(told(w, &x.c, EMPTY));
    CHECK(x.s.state == WEFT_LINK_ANSWERING); /* somebody looks at it still */
    quiet(w);
    weft_link_release(&x.s);
    CHECK(asked_for(w, &x, "/b"));
    answer(&x.s, "");
    CHECK(x.s.state == WEFT_LINK_ASKED); /* in the same turn */
    CHECK(asked_for(w, &x, "/c"));
    answer(&x.s, "");
    CHECK(told(w, &x.c, EMPTY EMPTY));
    CHECK(x.s.state == WEFT_LINK_HANDSHAKE);
    site_close(&x);
}

/* Nobody is asked before there is room for an answer. */
static void
one_who_reads_slowly(struct world *w)
{
    static char large[100000];
    struct weft_span body = { large, sizeof(large) };
    struct site x;
    int answered = 0;
    size_t got = 0, most = 0;
    char piece[5000];
    long n = 0;

    w->config->send_buffer = 150000;
    CHECK(site_open(&x, w, true));
    for (int i = 0; i < 20; i++)
        ask(&x, GET("/a"));
    for (int i = 0; i < 20000 && (answered < 20 || n > 0); i++) {
        turn(w, answered < 20 ? 0 : 1);
        if (x.s.state == WEFT_LINK_ASKED) {
            CHECK(weft_link_respond(&x.s, 200, SPAN(""), body) == WEFT_OK);
            weft_link_release(&x.s);
            answered++;
        }
        if (weft_link_backlog(&x.s) > most)
            most = weft_link_backlog(&x.s);
        n = weft_sock_recv(x.c.fd, piece, sizeof(piece));
        got += n > 0 ? (size_t)n : 0;
    }
    while (got < 20 * sizeof(large) && turn(w, 1) + 1 > 0) {
        n = weft_sock_recv(x.c.fd, piece, sizeof(piece));
        if (n <= 0 && n != -EAGAIN)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    CHECK(answered == 20 && got > 20 * sizeof(large));
    CHECK(most <= 150000 + sizeof(large) + 200);
    CHECK(reaches(w, &x.s, WEFT_LINK_HANDSHAKE));
    quiet(w);
    site_close(&x);
}

/* What is borrowed is sent from where it is, and returned, also by one that
 * ends; what goes nowhere is not borrowed. */
static void
bodies_that_are_borrowed(struct world *w)
{
    static char large[3000000];
    struct weft_span body = { large, sizeof(large) };
    const struct weft_outq *out;
    struct site x;

    CHECK(site_open(&x, w, true));
    ask(&x, GET("/a") GET("/b"));
    CHECK(asked_for(w, &x, "/a"));
    CHECK(weft_link_respond_borrowed(&x.s, 200, SPAN(""), SPAN("lent"))
          == WEFT_OK);
    out = &x.s.flow->session.out;
    CHECK(out->borrowed == 1 && out->returned == 0);
    weft_link_release(&x.s);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                        "Content-Length: 4\r\n\r\nlent"));
    CHECK(out->returned == 1);
    CHECK(asked_for(w, &x, "/b"));
    CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), WEFT_UNKNOWN)
          == WEFT_OK);
    CHECK(weft_link_write_answer_borrowed(&x.s, SPAN("sent from here"))
          == WEFT_OK);
    CHECK(weft_link_write_answer(&x.s, SPAN("!")) == WEFT_OK);
    CHECK(weft_link_end_answer(&x.s) == WEFT_OK);
    weft_link_release(&x.s);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                        "Transfer-Encoding: chunked\r\n\r\n"
                        "e\r\nsent from here\r\n1\r\n!\r\n0\r\n\r\n"));
    ask(&x, "HEAD /c HTTP/1.1\r\nHost: x\r\n\r\n" GET("/d"));
    CHECK(asked_for(w, &x, "/c"));
    CHECK(weft_link_respond_borrowed(&x.s, 200, SPAN(""), body) == WEFT_OK);
    weft_link_release(&x.s);
    CHECK(out->borrowed == 2 && out->returned == 2);
    CHECK(asked_for(w, &x, "/d"));
    CHECK(weft_link_respond_borrowed(&x.s, 200, SPAN(""), body) == WEFT_OK);
    weft_link_release(&x.s);
    quiet(w);
    CHECK(out->borrowed == 3 && out->returned == 2);
    weft_link_abort(&x.s, WEFT_CAUSE_LOCAL, NULL);
    site_close(&x);
}

/* An answer that has not left can be taken back, one that has cannot. */
static void
answers_that_are_taken_back(struct world *w)
{
    struct site x;

    CHECK(site_open(&x, w, false));
    for (int i = 0; i < 2; i++) {
        ask(&x, GET("/a"));
        CHECK(asked_for(w, &x, "/a"));
        CHECK(weft_link_begin_answer(&x.s, 200, SPAN("X: y\r\n"), 5)
              == WEFT_OK);
        weft_link_retract(&x.s);
        CHECK(x.s.state == WEFT_LINK_ASKED && weft_link_queued(&x.s) == 0);
        answer(&x.s, "hello");
        weft_link_retract(&x.s); /* it is whole */
        CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                            "Content-Length: 5\r\n\r\nhello"));
    }
    ask(&x, GET("/b"));
    CHECK(asked_for(w, &x, "/b"));
    CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), 5) == WEFT_OK);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                        "Content-Length: 5\r\n\r\n"));
    weft_link_retract(&x.s);
    CHECK(x.s.state == WEFT_LINK_ANSWERING);
    site_close(&x);
}

/* Answers every request with its body, as they come. */
static void
echo(struct weft_link *k)
{
    enum weft_status rc;

    if (k->state != WEFT_LINK_ASKED)
        return;
    rc = weft_link_want_body(k);
    if (rc != WEFT_OK) {
        CHECK(rc == WEFT_MORE);
        return;
    }
    CHECK(weft_link_respond(k, 200, SPAN("X: y\r\n"), weft_link_body(k))
          == WEFT_OK);
    weft_link_release(k);
}

static void
bodies_in_every_cut(struct world *w)
{
    static const char bytes[] =
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2;x\r\nde\r\n1\r\nf\r\n0\r\nT: u\r\n\r\n" GET("/");
    static const char want[] =
        "HTTP/1.1 200 OK\r\nX: y\r\n" TYPE "Content-Length: 3\r\n\r\nabc"
        "HTTP/1.1 200 OK\r\nX: y\r\n" TYPE "Content-Length: 3\r\n\r\ndef"
        "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n";
    size_t len = sizeof(bytes) - 1;

    for (size_t cut = 1; cut < len; cut++) {
        struct site x;

        CHECK(site_open(&x, w, false));
        raw_write(&x.c, bytes, cut);
        for (int i = 0; i < 8; i++) {
            turn(w, 0);
            echo(&x.s);
        }
        raw_write(&x.c, bytes + cut, len - cut);
        for (int i = 0; i < 200 && weft_buf_len(&x.c.in) < sizeof(want) - 1;
             i++) {
            turn(w, 1);
            echo(&x.s);
            raw_receive(&x.c);
            drop_dates(&x.c.in);
        }
        CHECK(told(w, &x.c, want));
        CHECK(x.s.state == WEFT_LINK_HANDSHAKE);
        site_close(&x);
    }
}

static void
a_body_that_is_asked_for(struct world *w)
{
    struct site x;

    CHECK(site_open(&x, w, false));
    ask(&x, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            "Content-Length: 2\r\n\r\n");
    CHECK(asked_for(w, &x, "/"));
    CHECK(told(w, &x.c, ""));
    CHECK(weft_link_want_body(&x.s) == WEFT_MORE);
    CHECK(weft_link_want_body(&x.s) == WEFT_MORE);
    CHECK(told(w, &x.c, "HTTP/1.1 100 Continue\r\n\r\n"));
    ask(&x, "ab");
    for (int i = 0; i < 100 && weft_link_want_body(&x.s) == WEFT_MORE; i++)
        turn(w, 1);
    CHECK(weft_link_body(&x.s).len == 2);
    answer(&x.s, "");
    CHECK(told(w, &x.c, EMPTY));
    CHECK(x.s.state == WEFT_LINK_HANDSHAKE);
    site_close(&x);
}

/* One that is not read would be taken for the next request. */
static void
a_body_that_is_not_read(struct world *w)
{
    struct site x;
    bool reset;

    CHECK(site_open(&x, w, false));
    ask(&x, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\n\r\n"
            GET("/evil"));
    CHECK(asked_for(w, &x, "/"));
    answer(&x.s, "");
    CHECK(x.s.state == WEFT_LINK_LINGER);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                        "Content-Length: 0\r\n\r\n"));
    CHECK(told_to_end(w, &x.c, &reset) == 0 && !reset);
    raw_close(&x.c);
    CHECK(reaches(w, &x.s, WEFT_LINK_CLOSED));
    CHECK(ended(&x.s, WEFT_CAUSE_LOCAL, 1006));
    site_close(&x);
}

static void
pieces(struct world *w)
{
    struct site x;

    CHECK(site_open(&x, w, false));
    ask(&x, GET("/a") GET("/b") "HEAD /c HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(asked_for(w, &x, "/a"));
    CHECK(weft_link_write_answer(&x.s, SPAN("early")) == WEFT_E_CLOSED);
    CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), WEFT_UNKNOWN)
          == WEFT_OK);
    CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), WEFT_UNKNOWN)
          == WEFT_E_CLOSED);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                        "Transfer-Encoding: chunked\r\n\r\n"));
    CHECK(weft_link_write_answer(&x.s, SPAN("")) == WEFT_OK);
    CHECK(weft_link_write_answer(&x.s, SPAN("0123456789abcdefg")) == WEFT_OK);
    CHECK(told(w, &x.c, "11\r\n0123456789abcdefg\r\n"));
    quiet(w);
    CHECK(weft_link_end_answer(&x.s) == WEFT_OK);
    CHECK(weft_link_write_answer(&x.s, SPAN("late")) == WEFT_E_CLOSED);
    CHECK(weft_link_end_answer(&x.s) == WEFT_E_CLOSED);
    weft_link_release(&x.s);
    CHECK(told(w, &x.c, "0\r\n\r\n"));
    CHECK(asked_for(w, &x, "/b"));
    CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), 3) == WEFT_OK);
    CHECK(weft_link_write_answer(&x.s, SPAN("four")) == WEFT_E_BUSY);
    CHECK(weft_link_write_answer(&x.s, SPAN("on")) == WEFT_OK);
    CHECK(weft_link_end_answer(&x.s) == WEFT_E_BUSY);
    CHECK(weft_link_write_answer(&x.s, SPAN("e")) == WEFT_OK);
    CHECK(weft_link_end_answer(&x.s) == WEFT_OK);
    weft_link_release(&x.s);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                        "Content-Length: 3\r\n\r\none"));
    CHECK(asked_for(w, &x, "/c")); /* HEAD */
    CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), 3) == WEFT_OK);
    CHECK(weft_link_write_answer(&x.s, SPAN("on")) == WEFT_OK);
    CHECK(weft_link_end_answer(&x.s) == WEFT_OK);
    weft_link_release(&x.s);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                        "Content-Length: 3\r\n\r\n"));
    CHECK(x.s.state == WEFT_LINK_HANDSHAKE);
    site_close(&x);
}

/* Released in the middle: the client can tell. */
static void
broken_off(struct world *w, const char *request, uint64_t length, bool resets)
{
    struct site x;
    bool reset;

    CHECK(site_open(&x, w, false));
    ask(&x, request);
    CHECK(reaches(w, &x.s, WEFT_LINK_ASKED));
    CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), length) == WEFT_OK);
    CHECK(weft_link_write_answer(&x.s, SPAN("on")) == WEFT_OK);
    turn(w, 0);
    weft_link_release(&x.s);
    CHECK(x.s.state == (resets ? WEFT_LINK_CLOSED : WEFT_LINK_LINGER));
    CHECK(x.s.cause == WEFT_CAUSE_ERROR);
    told_to_end(w, &x.c, &reset);
    CHECK(reset == resets);
    raw_close(&x.c);
    CHECK(reaches(w, &x.s, WEFT_LINK_CLOSED));
    site_close(&x);
}

static void
old_ones(struct world *w)
{
    struct site x;
    bool reset;

    CHECK(site_open(&x, w, false));
    ask(&x, "GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
            "GET /b HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n");
    CHECK(asked_for(w, &x, "/a"));
    answer(&x.s, "");
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
                        "Content-Length: 0\r\n\r\n"));
    CHECK(asked_for(w, &x, "/b"));
    answer(&x.s, "");
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                        "Content-Length: 0\r\n\r\n"));
    CHECK(told_to_end(w, &x.c, &reset) == 0 && !reset);
    site_close(&x);
}

/* ---- files */

static void
a_file_is_sent(struct world *w)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n" TYPE
                               "Content-Length: 300000\r\n\r\n";
    struct weft_buf want = { 0 };
    struct site x;

    weft_buf_add(&want, head, sizeof(head) - 1);
    memset(weft_buf_reserve(&want, 300000), 0, 300000);
    weft_buf_commit(&want, 300000);
    CHECK(site_open(&x, w, true));
    ask(&x, GET("/a") GET("/b") "HEAD /c HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        CHECK(asked_for(w, &x, i == 0 ? "/a" : "/b"));
        CHECK(weft_link_respond_file(&x.s, 200, SPAN(""), a_file(300017), 17,
                                     300000)
              == WEFT_OK);
        weft_link_release(&x.s);
        CHECK(x.s.state == WEFT_LINK_ANSWERING);
        CHECK(weft_link_backlog(&x.s) < 70000); /* not all of it is read */
        CHECK(told_bytes(w, &x.c, (char *)weft_buf_head(&want),
                         weft_buf_len(&want)));
    }
    CHECK(asked_for(w, &x, "/c"));
    CHECK(weft_link_respond_file(&x.s, 200, SPAN(""), a_file(5), 0, 5)
          == WEFT_OK);
    weft_link_release(&x.s);
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\n" TYPE
                        "Content-Length: 5\r\n\r\n"));
    CHECK(x.s.state == WEFT_LINK_HANDSHAKE);
    weft_buf_deinit(&want);
    site_close(&x);
}

static void
a_file_becomes_shorter(struct world *w)
{
    struct site x;
    int fd = a_file(3000000), again = dup(fd);
    bool reset;

    CHECK(site_open(&x, w, true));
    ask(&x, GET("/a"));
    CHECK(asked_for(w, &x, "/a"));
    CHECK(weft_link_respond_file(&x.s, 200, SPAN(""), fd, 0, 3000000)
          == WEFT_OK);
    weft_link_release(&x.s);
    turn(w, 1);
    CHECK(ftruncate(again, 100000) == 0);
    close(again);
    CHECK(told_to_end(w, &x.c, &reset) < 3000000);
    CHECK(ended(&x.s, WEFT_CAUSE_ERROR, 1006));
    CHECK(strstr(weft_link_message(&x.s), "shorter") != NULL);
    site_close(&x);
}

/* A descriptor that is handed over is closed, whatever comes of it. */
static void
files_are_closed(struct world *w)
{
    struct site x;
    int fd = a_file(10);

    CHECK(site_open(&x, w, false));
    CHECK(weft_link_respond_file(&x.s, 200, SPAN(""), fd, 0, 10)
          == WEFT_E_CLOSED);
    CHECK(fcntl(fd, F_GETFD) < 0);
    ask(&x, GET("/a"));
    CHECK(asked_for(w, &x, "/a"));
    fd = a_file(10);
    CHECK(weft_link_respond_file(&x.s, 204, SPAN(""), fd, 0, 10) == WEFT_OK);
    CHECK(fcntl(fd, F_GETFD) < 0);
    weft_link_release(&x.s);
    ask(&x, GET("/b"));
    CHECK(asked_for(w, &x, "/b"));
    fd = a_file(1000000);
    CHECK(weft_link_respond_file(&x.s, 200, SPAN(""), fd, 0, 1000000)
          == WEFT_OK);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    weft_link_abort(&x.s, WEFT_CAUSE_CANCELLED, NULL);
    CHECK(fcntl(fd, F_GETFD) < 0);
    site_close(&x);
}

/* ---- ends */

/* The client sends no more, and reads late. */
static void
half_closed(struct world *w, const char *bytes, enum weft_link_state then)
{
    static char large[3000000];
    struct weft_span body = { large, sizeof(large) };
    struct site x;
    bool reset;

    w->config->send_buffer = 10000000;
    CHECK(site_open(&x, w, true));
    ask(&x, bytes);
    shutdown(x.c.fd, SHUT_WR);
    CHECK(reaches(w, &x.s, WEFT_LINK_ASKED));
    CHECK(weft_link_respond(&x.s, 200, SPAN(""), body) == WEFT_OK);
    weft_link_release(&x.s);
    quiet(w);
    CHECK(x.s.state == then);
    CHECK(told_to_end(w, &x.c, &reset) > sizeof(large) && !reset);
    CHECK(reaches(w, &x.s, WEFT_LINK_CLOSED));
    site_close(&x);
}

static void
deadlines(struct world *w)
{
    static char large[3000000];
    struct weft_span body = { large, sizeof(large) };
    struct site x;
    bool reset;

    w->config->handshake_timeout = 20 * MS;
    w->config->write_timeout = 20 * MS;
    CHECK(site_open(&x, w, false)); /* between requests: without a word */
    ask(&x, GET("/a"));
    CHECK(asked_for(w, &x, "/a"));
    for (int i = 0; i < 5; i++)
        turn(w, 10);
    CHECK(x.s.state == WEFT_LINK_ASKED); /* whoever answers has time */
    answer(&x.s, "");
    CHECK(told(w, &x.c, EMPTY));
    CHECK(told_to_end(w, &x.c, &reset) == 0 && !reset);
    CHECK(ended(&x.s, WEFT_CAUSE_TIMEOUT, 1006));
    site_close(&x);

    CHECK(site_open(&x, w, false)); /* in the middle of a head: 408 */
    ask(&x, "GET /a HT");
    CHECK(reaches(w, &x.s, WEFT_LINK_LINGER));
    CHECK(told_to_end(w, &x.c, &reset) > 100 && !reset);
    CHECK(x.s.cause == WEFT_CAUSE_TIMEOUT);
    site_close(&x);

    CHECK(site_open(&x, w, false)); /* and of a body that somebody wants */
    ask(&x, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    CHECK(asked_for(w, &x, "/"));
    CHECK(weft_link_want_body(&x.s) == WEFT_MORE);
    CHECK(reaches(w, &x.s, WEFT_LINK_LINGER));
    CHECK(weft_link_want_body(&x.s) == WEFT_E_CLOSED);
    CHECK(x.s.cause == WEFT_CAUSE_TIMEOUT);
    site_close(&x);

    CHECK(site_open(&x, w, true)); /* who takes nothing */
    ask(&x, GET("/a"));
    CHECK(asked_for(w, &x, "/a"));
    CHECK(weft_link_respond(&x.s, 200, SPAN(""), body) == WEFT_OK);
    weft_link_release(&x.s);
    CHECK(reaches(w, &x.s, WEFT_LINK_CLOSED));
    CHECK(ended(&x.s, WEFT_CAUSE_SLOW, 1006));
    site_close(&x);
}

static void
shut_down(struct world *w)
{
    struct site x;
    bool reset;

    CHECK(site_open(&x, w, false)); /* between two requests */
    ask(&x, GET("/a"));
    CHECK(asked_for(w, &x, "/a"));
    answer(&x.s, "");
    weft_link_shut_down(&x.s); /* before it has left */
    CHECK(told(w, &x.c, EMPTY));
    weft_listener_stop(&x.h);
    weft_link_shut_down(&x.s);
    CHECK(ended(&x.s, WEFT_CAUSE_SHUTDOWN, 1006));
    site_close(&x);

    CHECK(site_open(&x, w, false)); /* while there is one */
    ask(&x, GET("/a") GET("/b"));
    CHECK(asked_for(w, &x, "/a"));
    weft_listener_stop(&x.h);
    weft_link_shut_down(&x.s);
    answer(&x.s, "");
    CHECK(told(w, &x.c, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                        "Content-Length: 0\r\n\r\n"));
    CHECK(told_to_end(w, &x.c, &reset) == 0 && !reset);
    site_close(&x);

    CHECK(site_open(&x, w, false)); /* with the next one in sight */
    ask(&x, GET("/a") "GET /b");
    CHECK(asked_for(w, &x, "/a"));
    answer(&x.s, "");
    CHECK(x.s.state == WEFT_LINK_HANDSHAKE && weft_link_backlog(&x.s) > 0);
    weft_link_shut_down(&x.s);
    CHECK(x.s.state == WEFT_LINK_LINGER);
    CHECK(told(w, &x.c, EMPTY));
    CHECK(told_to_end(w, &x.c, &reset) == 0 && !reset);
    site_close(&x);
}

/* The client is gone in each state; and the link, with what it has. */
static void
gone(struct world *w, int stage, bool client)
{
    static char large[300000];
    struct site x;

    CHECK(site_open(&x, w, true));
    ask(&x, stage == 0 ? "POST / HTTP/1.1\r\n"
                       : "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5"
                         "\r\n\r\nab");
    turn(w, 5);
    if (stage >= 1)
        CHECK(reaches(w, &x.s, WEFT_LINK_ASKED));
    if (stage == 2)
        CHECK(weft_link_want_body(&x.s) == WEFT_MORE);
    if (stage >= 3 && stage <= 5)
        CHECK(weft_link_begin_answer(&x.s, 200, SPAN(""), WEFT_UNKNOWN)
              == WEFT_OK);
    if (stage >= 4 && stage <= 5)
        CHECK(weft_link_write_answer(
                  &x.s, (struct weft_span){ large, sizeof(large) })
              == WEFT_OK);
    if (stage == 5)
        CHECK(weft_link_end_answer(&x.s) == WEFT_OK);
    if (stage == 6)
        CHECK(weft_link_respond_file(&x.s, 200, SPAN(""), a_file(300000), 0,
                                     300000)
              == WEFT_OK);
    turn(w, 1);
    if (client) {
        raw_close(&x.c);
        quiet(w);
        if (stage != 1 && stage != 3) /* they see it once they write */
            CHECK(x.s.state == WEFT_LINK_CLOSED);
        weft_link_release(&x.s);
        quiet(w);
    }
    site_close(&x);
}

static void
play(void (*scene)(struct world *))
{
    struct world w;

    world_init(&w);
    scene(&w);
    world_deinit(&w);
}

static void
ends(struct world *w)
{
    static const char half[] = GET("/a");

    half_closed(w, half, WEFT_LINK_ANSWERING);
    half_closed(w, GET("/a") "GET /b HT", WEFT_LINK_LINGER);
    half_closed(w, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                WEFT_LINK_LINGER);
    broken_off(w, half, WEFT_UNKNOWN, false);
    broken_off(w, half, 5, false);
    broken_off(w, "GET / HTTP/1.0\r\n\r\n", WEFT_UNKNOWN, true);
    broken_off(w, "GET / HTTP/1.0\r\n\r\n", 5, false);
    for (int stage = 0; stage <= 6; stage++) {
        gone(w, stage, false);
        gone(w, stage, true);
    }
}

int
main(void)
{
    play(one_after_the_other);
    play(at_once);
    play(one_who_reads_slowly);
    play(bodies_that_are_borrowed);
    play(answers_that_are_taken_back);
    play(bodies_in_every_cut);
    play(a_body_that_is_asked_for);
    play(a_body_that_is_not_read);
    play(pieces);
    play(old_ones);
    play(a_file_is_sent);
    play(a_file_becomes_shorter);
    play(files_are_closed);
    play(ends);
    play(deadlines);
    play(shut_down);
    return check_report();
}
