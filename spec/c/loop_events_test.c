/*
 * Links as event streams: how they begin and end, what they send, keepalive,
 * and rooms in which they stand beside WebSockets.
 */
#include "loop/link_inner.h"
#include "loop/room.h"
#include "loop_kit.h"

static const char get[] = "GET /feed HTTP/1.1\r\nHost: a\r\n\r\n";
static const char head_request[] = "HEAD /feed HTTP/1.1\r\nHost: a\r\n\r\n";

/* What came since it was asked last, with no head in front of it. */
static bool
came(struct raw *r, const char *want)
{
    size_t len = strlen(want);
    bool same;

    raw_receive(r);
    same = weft_buf_len(&r->in) == len
           && (len == 0 || memcmp(weft_buf_head(&r->in), want, len) == 0);
    if (!same)
        fprintf(stderr, "--- wanted\n%s--- came\n%.*s---\n", want,
                (int)weft_buf_len(&r->in), (char *)weft_buf_head(&r->in));
    weft_buf_consume(&r->in, weft_buf_len(&r->in));
    return same;
}

static void
ask(struct world *w, struct weft_link *k, struct raw *client,
    const char *request)
{
    serve(w, k, client);
    raw_write(client, request, strlen(request));
    CHECK(reaches(w, k, WEFT_LINK_ASKED));
}

/* An open stream and the raw client that reads it. */
static void
stream(struct world *w, struct weft_link *k, struct raw *client)
{
    ask(w, k, client, get);
    CHECK(weft_link_begin_events(k, SPAN("A: b\r\n"), -1) == WEFT_OK);
    CHECK(raw_greeted(w, client));
    CHECK(weft_link_is_open(k) && k->role == WEFT_EVENTS);
    quiet(w);
}

static void
it_begins_once(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve(w, &s, &c);
    CHECK(weft_link_begin_events(&s, SPAN(""), -1) == WEFT_E_CLOSED);
    weft_link_deinit(&s);
    raw_close(&c);
    ask(w, &s, &c, get);
    CHECK(weft_link_begin_events(&s, SPAN("A: b\r\n"), 2000) == WEFT_OK);
    CHECK(weft_link_begin_events(&s, SPAN(""), -1) == WEFT_E_CLOSED);
    quiet(w);
    CHECK(raw_greeted(w, &c) && came(&c, "retry: 2000\n\n"));
    weft_link_deinit(&s);
    raw_close(&c);
}

static void
messages_go_as_events(struct world *w)
{
    static char big[20000];
    struct weft_buf want = { 0 };
    struct weft_link s;
    struct raw c;

    stream(w, &s, &c);
    CHECK(!weft_link_is_awake(&s)); /* at rest as small as the others */
    CHECK(say(&s, "one") == WEFT_OK);
    CHECK(weft_link_send(&s, WEFT_BINARY, "\1\2\3", 3) == WEFT_OK);
    CHECK(!weft_link_send_short(&s, WEFT_TEXT, "x", 1));
    quiet(w);
    CHECK(came(&c, "data: one\n\nevent: binary\ndata: AQID\n\n"));
    CHECK(say(&s, "again") == WEFT_OK); /* awake anew, and still a stream */
    quiet(w);
    CHECK(came(&c, "data: again\n\n"));
    memset(big, 'x', sizeof(big));
    CHECK(weft_link_send_borrowed(&s, WEFT_TEXT, big, sizeof(big)) == WEFT_OK);
    CHECK(s.flow->session.out.borrowed == 0);
    weft_buf_add(&want, "data: ", 6);
    weft_buf_add(&want, big, sizeof(big));
    weft_buf_add(&want, "\n\n", 3);
    quiet(w);
    CHECK(came(&c, (char *)weft_buf_head(&want)));
    weft_buf_deinit(&want);
    weft_link_deinit(&s);
    raw_close(&c);
}

/* Neither bytes behind the request nor later ones. */
static void
what_the_client_says_is_dropped(struct world *w)
{
    static uint8_t noise[100000];
    struct weft_link s;
    struct raw c;

    ask(w, &s, &c, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n");
    CHECK(weft_link_begin_events(&s, SPAN(""), -1) == WEFT_OK);
    CHECK(raw_greeted(w, &c));
    for (int i = 0; i < 30; i++) {
        struct weft_span span = { (const char *)noise, sizeof(noise) };

        weft_sock_sendv(c.fd, &span, 1);
        turn(w, 0);
    }
    raw_frame(&c, 0x88, "\x03\xE8");
    quiet(w);
    CHECK(weft_link_is_open(&s) && next(&s) == WEFT_MORE);
    CHECK(weft_buf_len(&s.flow->ahead) == 0 && came(&c, ""));
    weft_link_deinit(&s);
    raw_close(&c);
}

static void
the_client_goes(struct world *w)
{
    struct weft_room r;
    struct weft_link s;
    struct raw c;

    stream(w, &s, &c);
    weft_room_init(&r, WEFT_FULL_CLOSE);
    CHECK(weft_room_join(&r, &s) == WEFT_OK);
    raw_close(&c);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PEER, 1005) && s.clean);
    CHECK(strcmp(s.close_message, "the client closed the stream") == 0);
    CHECK(r.count == 0);
    CHECK(next(&s) == WEFT_E_CLOSED && say(&s, "x") == WEFT_E_CLOSED);
    weft_link_deinit(&s);
    weft_room_deinit(&r);
}

/* It went before it had everything: no orderly end. */
static void
the_client_goes_early(struct world *w)
{
    struct weft_link s;
    struct raw c;
    int small = 1;

    stream(w, &s, &c);
    setsockopt(s.watch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    while (weft_link_queued(&s) < 1000) {
        char text[1000] = { 'x' };

        CHECK(weft_link_send(&s, WEFT_TEXT, text, sizeof(text)) == WEFT_OK);
        turn(w, 0);
    }
    CHECK(shutdown(c.fd, SHUT_WR) == 0);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PEER, 1006) && !s.clean);
    weft_link_deinit(&s);
    raw_close(&c);
}

static void
it_is_closed(struct world *w)
{
    struct weft_link s;
    struct raw c;

    stream(w, &s, &c);
    say(&s, "last");
    goodbye(&s, 1001, "nobody hears this");
    CHECK(s.state == WEFT_LINK_LINGER && say(&s, "x") == WEFT_E_CLOSED);
    goodbye(&s, 1000, "");
    quiet(w);
    CHECK(came(&c, "data: last\n\n") && !raw_receive(&c)); /* and the end */
    CHECK(s.state == WEFT_LINK_LINGER);
    raw_close(&c);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_LOCAL, 1005) && s.clean);
    weft_link_deinit(&s);
}

static void
a_client_that_stays_is_dropped(struct world *w)
{
    int64_t kept = w->config->close_timeout;
    struct weft_link s;
    struct raw c;

    w->config->close_timeout = 20 * MS;
    stream(w, &s, &c);
    goodbye(&s, 1000, "");
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_TIMEOUT, 1006) && !s.clean);
    weft_link_deinit(&s);
    raw_close(&c);
    w->config->close_timeout = kept;
}

static void
a_head_request_gets_the_head(struct world *w)
{
    struct weft_link s;
    struct raw c;

    ask(w, &s, &c, head_request);
    CHECK(weft_link_begin_events(&s, SPAN(""), 1000) == WEFT_OK);
    CHECK(!weft_link_is_open(&s) && say(&s, "x") == WEFT_E_CLOSED);
    CHECK(raw_greeted(w, &c) && came(&c, ""));
    raw_close(&c);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_LOCAL, 1005));
    weft_link_deinit(&s);
}

/* Deadlines ---------------------------------------------------------------- */

static void
comments_keep_it_alive(struct world *w)
{
    struct weft_link s;
    struct raw c;
    int64_t begin;
    size_t len;

    w->config->ping_interval = 20 * MS;
    w->config->ping_timeout = 10 * MS; /* nobody waits for an answer */
    begin = weft_now();
    stream(w, &s, &c);
    while (weft_buf_len(&c.in) < 6 && weft_now() < begin + 20 * WEFT_SECOND) {
        turn(w, 2);
        raw_receive(&c);
    }
    CHECK(weft_link_is_open(&s));
    len = weft_buf_len(&c.in);
    CHECK(len % 3 == 0 && len >= 6);
    CHECK((int64_t)len / 3 <= (weft_now() - begin) / (20 * MS));
    CHECK(memcmp(weft_buf_head(&c.in), ":\n\n:\n\n", 6) == 0);
    weft_buf_consume(&c.in, len);
    w->config->ping_interval = WEFT_SECOND;
    weft_link_deinit(&s);
    raw_close(&c);
    stream(w, &s, &c);
    w->loop.now = s.last_message + WEFT_SECOND - 1;
    weft_link_expire(&s);
    CHECK(weft_link_queued(&s) == 0);
    say(&s, "x"); /* that says as much */
    weft_link_flush(&s);
    w->loop.now += WEFT_SECOND - 1;
    weft_link_expire(&s);
    CHECK(weft_link_queued(&s) == 0);
    w->loop.now += 1;
    weft_link_expire(&s);
    CHECK(weft_link_queued(&s) == 3);
    w->loop.now += WEFT_SECOND;
    weft_link_expire(&s); /* what waits is enough */
    CHECK(weft_link_queued(&s) == 3);
    weft_link_deinit(&s);
    raw_close(&c);
    w->config->ping_interval = WEFT_FOREVER;
}

static void
comments_are_no_messages(struct world *w)
{
    struct weft_link s;
    struct raw c;

    w->config->ping_interval = 5 * MS;
    w->config->idle_timeout = 40 * MS;
    stream(w, &s, &c);
    CHECK(reaches(w, &s, WEFT_LINK_LINGER));
    quiet(w);
    CHECK(!raw_receive(&c)); /* all of it: else its end would be a reset */
    raw_close(&c);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_IDLE, 1005));
    weft_link_deinit(&s);
    w->config->ping_interval = w->config->idle_timeout = WEFT_FOREVER;
}

static void
who_takes_nothing_is_slow(struct world *w)
{
    int64_t kept = w->config->write_timeout;
    static char big[4 << 20];
    struct weft_link s;
    struct raw c;

    w->config->write_timeout = 30 * MS;
    stream(w, &s, &c);
    memset(big, 'x', sizeof(big));
    CHECK(weft_link_send(&s, WEFT_TEXT, big, sizeof(big)) == WEFT_OK);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_SLOW, 1006));
    weft_link_deinit(&s);
    raw_close(&c);
    w->config->write_timeout = kept;
}

/* Rooms -------------------------------------------------------------------- */

/* A WebSocket and a stream in one room. */
struct party {
    struct weft_link ws, stream;
    struct raw wire, reader;
    struct weft_room r;
};

static void
party_begins(struct party *p, struct world *w, enum weft_on_full on_full)
{
    serve_open(w, &p->ws, &p->wire);
    stream(w, &p->stream, &p->reader);
    weft_room_init(&p->r, on_full);
    CHECK(weft_room_join(&p->r, &p->ws) == WEFT_OK);
    CHECK(weft_room_join(&p->r, &p->stream) == WEFT_OK);
    CHECK(p->r.count == 2);
}

static void
party_ends(struct party *p)
{
    raw_close(&p->wire);
    raw_close(&p->reader);
    weft_link_deinit(&p->ws);
    weft_link_deinit(&p->stream);
    CHECK(p->r.count == 0);
    weft_room_deinit(&p->r);
}

static bool
tells(struct weft_room *r, enum weft_opcode opcode, const char *text,
      const struct weft_link *except, size_t want)
{
    size_t queued, dropped;

    return weft_room_send(r, &(struct weft_letter){
                              .opcode = opcode, .data = text,
                              .len = strlen(text), .except = except },
                          &queued, &dropped)
               == WEFT_OK
           && queued == want && dropped == 0;
}

static void
both_hear_it(struct world *w)
{
    struct party p;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    CHECK(tells(&p.r, WEFT_TEXT, "to\nboth", NULL, 2));
    CHECK(tells(&p.r, WEFT_BINARY, "hi", NULL, 2));
    CHECK(tells(&p.r, WEFT_TEXT, "frames", &p.stream, 1));
    CHECK(tells(&p.r, WEFT_TEXT, "events", &p.ws, 1));
    quiet(w);
    CHECK(raw_heard(&p.wire, "text to\nboth\nbinary hi\ntext frames\n"));
    CHECK(came(&p.reader, "data: to\ndata: both\n\n"
                          "event: binary\ndata: aGk=\n\n"
                          "data: events\n\n"));
    CHECK(weft_room_leave(&p.r, &p.stream));
    CHECK(tells(&p.r, WEFT_TEXT, "alone", NULL, 1));
    CHECK(weft_room_join(&p.r, &p.stream) == WEFT_OK); /* in mid-turn */
    CHECK(tells(&p.r, WEFT_TEXT, "back", NULL, 2));
    quiet(w);
    CHECK(raw_heard(&p.wire, "text alone\ntext back\n"));
    CHECK(came(&p.reader, "data: back\n\n"));
    party_ends(&p);
}

static void
all_is_in_order(struct world *w)
{
    struct party p;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    CHECK(tells(&p.r, WEFT_TEXT, "1", NULL, 2));
    CHECK(say(&p.stream, "2") == WEFT_OK && say(&p.ws, "2") == WEFT_OK);
    CHECK(tells(&p.r, WEFT_TEXT, "3", NULL, 2));
    CHECK(say(&p.stream, "4") == WEFT_OK && say(&p.ws, "4") == WEFT_OK);
    CHECK(tells(&p.r, WEFT_TEXT, "5", NULL, 2));
    goodbye(&p.stream, 1000, "");
    CHECK(tells(&p.r, WEFT_TEXT, "6", NULL, 1));
    quiet(w);
    CHECK(raw_heard(&p.wire, "text 1\ntext 2\ntext 3\ntext 4\ntext 5\n"
                             "text 6\n"));
    CHECK(came(&p.reader, "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n"
                          "data: 5\n\n"));
    party_ends(&p);
}

/* A long message is made an event once, and shared. */
static void
streams_share_the_event(struct world *w)
{
    static char big[5001];
    struct weft_link other;
    struct raw reader;
    struct party p;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    stream(w, &other, &reader);
    CHECK(weft_room_join(&p.r, &other) == WEFT_OK);
    memset(big, 'x', sizeof(big) - 1);
    CHECK(tells(&p.r, WEFT_TEXT, big, NULL, 3));
    CHECK(p.stream.flow->session.out.refs[0].chunk
          == other.flow->session.out.refs[0].chunk);
    CHECK(p.stream.flow->session.out.refs[0].chunk->references == 2);
    CHECK(p.stream.flow->session.out.refs[0].chunk->len == 5008);
    quiet(w);
    weft_link_deinit(&other);
    raw_close(&reader);
    party_ends(&p);
}

static void
a_room_of_streams(struct world *w)
{
    struct party p;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    CHECK(weft_room_leave(&p.r, &p.ws));
    CHECK(tells(&p.r, WEFT_TEXT, "short", NULL, 1));
    CHECK(tells(&p.r, WEFT_TEXT, "nobody", &p.stream, 0));
    quiet(w);
    CHECK(came(&p.reader, "data: short\n\n"));
    party_ends(&p);
}

/* The stream's reader takes nothing; the other hears on. */
static void
a_slow_stream_is_left_behind(struct world *w, enum weft_on_full on_full)
{
    size_t queued = 0, dropped = 0;
    char text[2001];
    struct party p;

    party_begins(&p, w, on_full);
    memset(text, 'x', 2000);
    text[2000] = '\0';
    for (int i = 0; i < 2000 && dropped == 0; i++) {
        weft_room_send(&p.r, &(struct weft_letter){
                           .opcode = WEFT_TEXT, .data = text, .len = 2000 },
                       &queued, &dropped);
        turn(w, 0);
        raw_receive(&p.wire);
        weft_buf_consume(&p.wire.in, weft_buf_len(&p.wire.in));
    }
    CHECK(queued == 1 && dropped == 1 && weft_link_is_open(&p.ws));
    CHECK(weft_link_is_open(&p.stream) == (on_full == WEFT_FULL_DROP));
    if (on_full == WEFT_FULL_CLOSE) {
        CHECK(p.stream.state == WEFT_LINK_LINGER
              && p.stream.cause == WEFT_CAUSE_SLOW);
    } else {
        for (int i = 0; i < 200; i++) {
            raw_receive(&p.reader);
            turn(w, 0);
        }
        weft_buf_consume(&p.reader.in, weft_buf_len(&p.reader.in));
        CHECK(tells(&p.r, WEFT_TEXT, "back again", NULL, 2));
        quiet(w);
        CHECK(came(&p.reader, "data: back again\n\n"));
    }
    party_ends(&p);
}

int
main(void)
{
    struct world w;

    world_init(&w);
    it_begins_once(&w);
    messages_go_as_events(&w);
    what_the_client_says_is_dropped(&w);
    the_client_goes(&w);
    the_client_goes_early(&w);
    it_is_closed(&w);
    a_client_that_stays_is_dropped(&w);
    a_head_request_gets_the_head(&w);
    comments_keep_it_alive(&w);
    comments_are_no_messages(&w);
    who_takes_nothing_is_slow(&w);
    both_hear_it(&w);
    all_is_in_order(&w);
    streams_share_the_event(&w);
    a_room_of_streams(&w);
    a_slow_stream_is_left_behind(&w, WEFT_FULL_CLOSE);
    a_slow_stream_is_left_behind(&w, WEFT_FULL_DROP);
    world_deinit(&w);
    return check_report();
}
