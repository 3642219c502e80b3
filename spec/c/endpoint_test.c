/*
 * Openings and whole endpoints of both roles that talk to each other through
 * memory, in pieces of every size.
 */
#include "endpoint_kit.h"

#define HELLO "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REQUEST(more) "GET /chat?x=1 HTTP/1.1\r\nHost: h:80\r\n" HELLO \
                      "Sec-WebSocket-Version: 13\r\n" more "\r\n"

static const size_t cuts[] = { 1, 2, 3, 5, 7, 16, 100, 1000, 4096, SIZE_MAX };
enum { CUTS = sizeof(cuts) / sizeof(cuts[0]) };

static const struct weft_span spoken[] = { { "v2", 2 }, { "v1", 2 } };

static struct weft_endpoint_options
options(void)
{
    return (struct weft_endpoint_options){
        .limits = { .max_message = 1 << 20, .max_frame = 1 << 20,
                    .max_fragments = 16 },
        .max_header = 1000, .max_headers = 20,
        .request = { .host = SPAN("h:80"), .target = SPAN("/chat?x=1") },
    };
}

/* What happens, as lines of text ------------------------------------------ */

struct journal {
    char text[4096];
    size_t len;
};

static void
note(struct journal *j, const char *who, const char *what, const void *data,
     size_t len)
{
    size_t room = sizeof(j->text) - j->len;
    int n = len <= 100
                ? snprintf(j->text + j->len, room, "%s %s %.*s\n", who, what,
                           (int)len, (const char *)data)
                : snprintf(j->text + j->len, room, "%s %s (%zu)\n", who, what,
                           len);

    CHECK(n > 0 && (size_t)n < room);
    j->len += (size_t)n;
}

static void
note_event(struct journal *j, const char *who, const struct weft_event *ev)
{
    char what[16];

    switch (ev->type) {
    case WEFT_EVENT_PING:
        note(j, who, "ping", ev->data, ev->len);
        break;
    case WEFT_EVENT_PONG:
        note(j, who, "pong", ev->data, ev->len);
        break;
    case WEFT_EVENT_CLOSE:
        snprintf(what, sizeof(what), "close %u", ev->code);
        note(j, who, what, ev->data, ev->len);
        break;
    default:
        note(j, who, ev->opcode == WEFT_TEXT ? "text" : "binary", ev->data,
             ev->len);
    }
}

static void
note_open(struct journal *j, const char *who, const struct weft_endpoint *e)
{
    const char *bytes = (const char *)weft_buf_head(&e->opening->bytes);
    struct weft_slice what = e->session.role == WEFT_SERVER
                                 ? e->opening->head.target
                                 : e->opening->head.reason;

    note(j, who, e->protocol < 0 ? "open" : spoken[e->protocol].data,
         bytes + what.at, what.len);
}

static void
note_all(struct journal *j, const char *who, struct weft_endpoint *e)
{
    char what[16];

    while (weft_endpoint_look(e) == WEFT_EVENT) {
        switch (e->found) {
        case WEFT_FOUND_OPEN:
            note_open(j, who, e);
            break;
        case WEFT_FOUND_EVENT:
            note_event(j, who, &e->event);
            break;
        default:
            snprintf(what, sizeof(what), "error %u", e->code);
            note(j, who, what, "", 0);
            CHECK(e->error != NULL && strlen(e->error) > 5);
        }
        weft_endpoint_take(e);
    }
}

static bool
same(struct journal *j, const char *want)
{
    bool is = strcmp(j->text, want) == 0;

    if (!is)
        fprintf(stderr, "--- wanted\n%s--- noted\n%s---\n", want, j->text);
    *j = (struct journal){ .len = 0 };
    return is;
}

/* Feeds bytes `size` at a time. */
static void
feed(struct journal *j, const char *who, struct weft_endpoint *e,
     struct weft_span bytes, size_t size)
{
    while (feed_piece(e, &bytes, size))
        note_all(j, who, e);
}

/* Carries what `from` has to send to `to`; whether there was anything. */
static bool
carry(struct journal *j, const char *who, struct weft_endpoint *from,
      struct weft_endpoint *to, size_t size)
{
    struct weft_span out = weft_endpoint_output(from);

    feed(j, who, to, out, size);
    weft_endpoint_sent(from, out.len);
    return out.len > 0;
}

static void
talk(struct journal *j, struct weft_endpoint *c, struct weft_endpoint *s,
     size_t size)
{
    bool more = true;

    while (more) {
        more = carry(j, "server", c, s, size);
        more = carry(j, "client", s, c, size) || more;
    }
}

/* Two ends ---------------------------------------------------------------- */

static void
begin(struct weft_endpoint *c, struct weft_endpoint *s)
{
    struct weft_endpoint_options o = options();

    o.request.protocols = spoken + 1; /* the server knows v2 too */
    o.request.protocol_count = 1;
    CHECK(weft_endpoint_client(c, &o) == WEFT_OK);
    o.protocols = spoken + 1;
    o.protocol_count = 1;
    o.headers = SPAN("X-Served-By: weft\r\n");
    CHECK(weft_endpoint_server(s, &o) == WEFT_OK);
}

static void
end(struct weft_endpoint *e)
{
    weft_endpoint_deinit(e);
    weft_endpoint_deinit(e);
    CHECK(weft_endpoint_state(e) == WEFT_CLOSED);
    CHECK(weft_endpoint_look(e) == WEFT_MORE);
    CHECK(weft_endpoint_feed(e, "x", 1) == WEFT_E_CLOSED);
    CHECK(weft_endpoint_send(e, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    CHECK(weft_endpoint_output(e).len == 0);
}

static void
exchange(struct journal *j, struct weft_endpoint *c, struct weft_endpoint *s,
         size_t size)
{
    static uint8_t large[70000];

    CHECK(weft_endpoint_send(c, WEFT_TEXT, "h\xC3\xA9", 3) == WEFT_OK);
    CHECK(weft_endpoint_ping(c, "?", 1) == WEFT_OK);
    CHECK(weft_endpoint_send(c, WEFT_BINARY, large, 70000) == WEFT_OK);
    CHECK(weft_endpoint_send(s, WEFT_TEXT, NULL, 0) == WEFT_OK);
    CHECK(weft_endpoint_pong(s, "!", 1) == WEFT_OK);
    talk(j, c, s, size);
    CHECK(same(j, "server text h\xC3\xA9\nserver ping ?\n"
                  "server binary (70000)\n"
                  "client text \nclient pong !\nclient pong ?\n"));
}

static void
part(struct journal *j, struct weft_endpoint *c, struct weft_endpoint *s,
     size_t size)
{
    CHECK(weft_endpoint_close_code(c) == 1006);
    CHECK(weft_endpoint_close(c, 3000, "bye", 3) == WEFT_OK);
    CHECK(weft_endpoint_close(c, 3001, "", 0) == WEFT_OK);
    CHECK(weft_endpoint_state(c) == WEFT_CLOSING);
    CHECK(weft_endpoint_send(c, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    CHECK(weft_endpoint_ping(c, "x", 1) == WEFT_E_CLOSED);
    talk(j, c, s, size);
    CHECK(same(j, "server close 3000 bye\nclient close 3000 \n"));
    CHECK(weft_endpoint_state(c) == WEFT_CLOSED);
    CHECK(weft_endpoint_state(s) == WEFT_CLOSED);
    CHECK(weft_endpoint_close_code(s) == 3000 && s->reason_len == 3);
    CHECK(weft_endpoint_feed(s, "x", 1) == WEFT_E_CLOSED);
}

static void
test_conversation(size_t size)
{
    struct journal j = { .len = 0 };
    struct weft_endpoint c, s;

    begin(&c, &s);
    CHECK(weft_endpoint_state(&c) == WEFT_CONNECTING);
    CHECK(weft_endpoint_send(&c, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    CHECK(weft_endpoint_close(&s, 1000, "", 0) == WEFT_E_CLOSED);
    talk(&j, &c, &s, size);
    CHECK(same(&j, "server v2 /chat?x=1\nclient v2 Switching Protocols\n"));
    CHECK(c.opening == NULL && s.opening == NULL);
    CHECK(weft_endpoint_state(&s) == WEFT_OPEN);
    exchange(&j, &c, &s, size);
    part(&j, &c, &s, size);
    end(&c);
    end(&s);
}

/* One end, against bytes -------------------------------------------------- */

/* "Hi", a ping and a close, masked with zeros, right behind the request. */
static void
test_early_frames(size_t size)
{
    static const char request[] = REQUEST("")
        "\x81\x82\0\0\0\0Hi" "\x89\x80\0\0\0\0"
        "\x88\x82\0\0\0\0\x03\xE8" "after the close";
    struct weft_endpoint_options o = options();
    struct journal j = { .len = 0 };
    struct weft_endpoint s;
    struct weft_span out;

    CHECK(weft_endpoint_server(&s, &o) == WEFT_OK);
    feed(&j, "server", &s, SPAN(request), size);
    CHECK(same(&j, "server open /chat?x=1\nserver text Hi\nserver ping \n"
                   "server close 1000 \n"));
    out = weft_endpoint_output(&s);
    CHECK(out.len > 20 && memcmp(out.data, "HTTP/1.1 101 ", 13) == 0);
    CHECK(memcmp(out.data + out.len - 6, "\x8A\0\x88\2\x03\xE8", 6) == 0);
    end(&s);
}

/* What came before the bad frame is answered before the failure is. */
static void
test_fault(void)
{
    static const char request[] = REQUEST("")
        "\x81\x82\0\0\0\0Hi" "\x83\x80\0\0\0\0" "\x81\x81\0\0\0\0?";
    struct weft_endpoint_options o = options();
    struct journal j = { .len = 0 };
    struct weft_endpoint s;

    CHECK(weft_endpoint_server(&s, &o) == WEFT_OK);
    CHECK(weft_endpoint_feed(&s, request, sizeof(request) - 1) == WEFT_OK);
    CHECK(weft_endpoint_look(&s) == WEFT_EVENT);
    CHECK(s.found == WEFT_FOUND_OPEN);
    weft_endpoint_take(&s);
    weft_endpoint_sent(&s, weft_endpoint_output(&s).len);
    CHECK(weft_endpoint_look(&s) == WEFT_EVENT);
    CHECK(s.found == WEFT_FOUND_EVENT && s.event.opcode == WEFT_TEXT);
    weft_endpoint_take(&s);
    CHECK(weft_endpoint_send(&s, WEFT_TEXT, "Ho", 2) == WEFT_OK);
    note_all(&j, "server", &s);
    CHECK(same(&j, "server error 1002 \n"));
    CHECK(weft_endpoint_output(&s).len == 8);
    CHECK(memcmp(weft_endpoint_output(&s).data,
                 "\x81\2Ho\x88\2\x03\xEA", 8) == 0);
    CHECK(weft_endpoint_state(&s) == WEFT_CLOSED);
    CHECK(weft_endpoint_send(&s, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    CHECK(weft_endpoint_feed(&s, "x", 1) == WEFT_E_CLOSED);
    end(&s);
}

/* An event that nobody takes lends its bytes on, whatever else happens. */
static void
test_patience(const char *frame, size_t len)
{
    struct weft_endpoint_options o = options();
    struct journal j = { .len = 0 };
    struct weft_endpoint s;

    CHECK(weft_endpoint_server(&s, &o) == WEFT_OK);
    feed(&j, "server", &s, SPAN(REQUEST("")), SIZE_MAX);
    CHECK(weft_endpoint_feed(&s, frame, len) == WEFT_OK);
    for (int i = 0; i < 1000; i++) {
        CHECK(weft_endpoint_look(&s) == WEFT_EVENT);
        CHECK(s.event.len == 2 && memcmp(s.event.data, "Hi", 2) == 0);
        CHECK(weft_endpoint_feed(&s, "\x8A\x83\0\0\0\0Ooh", 9) == WEFT_OK);
        CHECK(weft_endpoint_send(&s, WEFT_TEXT, "Ho", 2) == WEFT_OK);
        CHECK(weft_endpoint_pong(&s, "Hu", 2) == WEFT_OK);
    }
    weft_endpoint_take(&s);
    for (int i = 0; i < 1000; i++) {
        CHECK(weft_endpoint_look(&s) == WEFT_EVENT);
        CHECK(s.event.len == 3 && memcmp(s.event.data, "Ooh", 3) == 0);
        weft_endpoint_take(&s);
    }
    CHECK(weft_endpoint_look(&s) == WEFT_MORE);
    end(&s);
}

static void
check_refused(struct weft_span request, unsigned status, size_t size)
{
    struct weft_endpoint_options o = options();
    char want[32], line[32];
    struct journal j = { .len = 0 };
    struct weft_endpoint s;
    struct weft_span out;

    CHECK(weft_endpoint_server(&s, &o) == WEFT_OK);
    feed(&j, "server", &s, request, size);
    snprintf(want, sizeof(want), "server error %u \n", status);
    CHECK(same(&j, want));
    out = weft_endpoint_output(&s);
    snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
    CHECK(out.len > 20 && memcmp(out.data, line, strlen(line)) == 0);
    CHECK(weft_endpoint_state(&s) == WEFT_CLOSED);
    CHECK(weft_endpoint_send(&s, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    CHECK(weft_endpoint_close(&s, 1000, "", 0) == WEFT_E_CLOSED);
    end(&s);
}

static void
test_refused_requests(size_t size)
{
    char large[1100];

    memset(large, 'A', sizeof(large)); /* a method that does not end */
    check_refused(SPAN("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 426, size);
    check_refused(SPAN("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), 426, size);
    check_refused(SPAN("GET / HTTP/1.1\r\n" HELLO "\r\n"), 400, size);
    check_refused(SPAN("GET / HTTP/1.1\r\nHost: h\r\n" HELLO
                       "Sec-WebSocket-Version: 8\r\n\r\n"), 426, size);
    check_refused(SPAN(REQUEST("Origin: http://evil\r\n")), 403, size);
    check_refused(SPAN(REQUEST("Origin: null\r\n")), 403, size);
    check_refused(SPAN(REQUEST("Origin:\r\n")), 403, size);
    check_refused(SPAN(REQUEST("Transfer-Encoding: chunked\r\n")), 400, size);
    check_refused(SPAN("GET / HTTP/1.1\nHost"), 400, size);
    check_refused(SPAN("\0"), 400, size);
    check_refused((struct weft_span){ large, sizeof(large) }, 431, size);
}

static void
check_origin(struct weft_span request, const char *allowed, bool welcome)
{
    struct weft_span origin = weft_http_text(allowed);
    struct weft_endpoint_options o = options();
    struct journal j = { .len = 0 };
    struct weft_endpoint s;

    o.origins = &origin;
    o.origin_count = origin.len > 0;
    CHECK(weft_endpoint_server(&s, &o) == WEFT_OK);
    feed(&j, "server", &s, request, SIZE_MAX);
    CHECK(same(&j, welcome ? "server open /chat?x=1\n"
                           : "server error 403 \n"));
    end(&s);
}

static void
test_origins(void)
{
    check_origin(SPAN(REQUEST("")), "", true);
    check_origin(SPAN(REQUEST("")), "https://a.b", true);
    check_origin(SPAN(REQUEST("Origin: http://h\r\n")), "", true);
    check_origin(SPAN(REQUEST("Origin: https://a.b\r\n")), "https://a.b",
                 true);
    check_origin(SPAN(REQUEST("Origin: http://h\r\n")), "https://a.b", false);
    check_origin(SPAN(REQUEST("Origin: null\r\n")), "*", true);
}

static void
check_answer(struct weft_span answer, unsigned code, const char *why,
             size_t size)
{
    struct weft_endpoint_options o = options();
    struct journal j = { .len = 0 };
    struct weft_endpoint c;
    char want[32];

    CHECK(weft_endpoint_client(&c, &o) == WEFT_OK);
    weft_endpoint_sent(&c, weft_endpoint_output(&c).len);
    for (size_t i = 0; i < answer.len && c.found == WEFT_FOUND_NOTHING;
         i += size) {
        size_t n = answer.len - i < size ? answer.len - i : size;

        CHECK(weft_endpoint_feed(&c, answer.data + i, n) == WEFT_OK);
        weft_endpoint_look(&c);
        if (size > answer.len)
            break;
    }
    CHECK(c.found == WEFT_FOUND_ERROR && strstr(c.error, why) != NULL);
    note_all(&j, "client", &c);
    snprintf(want, sizeof(want), "client error %u \n", code);
    CHECK(same(&j, want));
    CHECK(weft_endpoint_output(&c).len == 0);
    end(&c);
}

static void
test_refused_answers(size_t size)
{
    check_answer(SPAN("HTTP/1.1 401 No\r\n\r\nbody"), 401, "401 No", size);
    check_answer(SPAN("HTTP/1.1 103 Hint\r\nA: b\r\n\r\n"
                      "HTTP/1.1 100 Go on\r\n\r\n"
                      "HTTP/1.1 503 Busy\r\n\r\n"), 503, "503 Busy", size);
    check_answer(SPAN("HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
                      "\r\n\r\n"), 101, "Sec-WebSocket-Accept", size);
    check_answer(SPAN("SSH-2.0-OpenSSH_9.2\r\n"), 0, "HTTP", size);
}

/* Answers that promise another one count together: no end of them is read. */
static void
test_endless_answers(void)
{
    static const char hint[] = "HTTP/1.1 103 Hint\r\n\r\n";
    struct weft_endpoint_options o = options();
    struct weft_endpoint c;
    int n = 0;

    CHECK(weft_endpoint_client(&c, &o) == WEFT_OK);
    while (n < 1000 && c.found == WEFT_FOUND_NOTHING) {
        weft_endpoint_feed(&c, hint, sizeof(hint) - 1);
        weft_endpoint_look(&c);
        n++;
    }
    CHECK(c.found == WEFT_FOUND_ERROR);
    CHECK(n == 1000 / (int)(sizeof(hint) - 1) + 1);
    end(&c);
}

/* Openings alone ---------------------------------------------------------- */

static enum weft_status
read_pieces(struct weft_opening *o, struct weft_span bytes, size_t size)
{
    enum weft_status rc = WEFT_MORE;

    CHECK(weft_opening_read(o) == WEFT_MORE);
    for (size_t at = 0, n; at < bytes.len; at += n) {
        n = bytes.len - at < size ? bytes.len - at : size;
        CHECK(weft_opening_add(o, bytes.data + at, n) == WEFT_OK);
        rc = weft_opening_read(o);
    }
    return rc;
}

static bool
equal(struct weft_span a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

static struct weft_span
span_of(const struct weft_buf *b)
{
    return (struct weft_span){ (const char *)weft_buf_head(b),
                               weft_buf_len(b) };
}

static void
test_openings(size_t size)
{
    struct weft_client_request r = {
        .host = SPAN("h"), .target = SPAN("/"), .origin = SPAN("http://h"),
        .user_agent = SPAN("me"), .headers = SPAN("A: b\r\nA: c\r\n"),
        .protocols = spoken, .protocol_count = 2,
    };
    struct weft_random random = { .left = 0 };
    struct weft_opening *c = weft_opening_client(&r, &random, 1000, 20);
    struct weft_opening *s = weft_opening_server(1000, 20);
    struct weft_buf answer = { 0 };
    struct weft_span sent = span_of(&c->sent);

    CHECK(read_pieces(s, sent, size) == WEFT_OK);
    CHECK(s->kind == WEFT_REQUEST_WEBSOCKET);
    CHECK(weft_opening_read(s) == WEFT_OK);
    CHECK(weft_opening_head(s).len == sent.len);
    CHECK(equal(weft_opening_field(s, "host"), "h"));
    CHECK(equal(weft_opening_field(s, "origin"), "http://h"));
    CHECK(equal(weft_opening_field(s, "user-agent"), "me"));
    CHECK(equal(weft_opening_field(s, "sec-websocket-protocol"), "v2, v1"));
    CHECK(equal(weft_opening_field(s, "a"), "b"));
    CHECK(equal(weft_opening_field(s, "nothing"), ""));
    CHECK(weft_opening_rest(s).len == 0);

    CHECK(weft_handshake_accept(&answer, &s->head, weft_opening_head(s).data,
                                spoken[1], &s->agreed, SPAN(""), NULL) ==
          WEFT_OK);
    CHECK(weft_buf_add(&answer, "rest", 4) == WEFT_OK);
    CHECK(read_pieces(c, span_of(&answer), size) == WEFT_OK);
    CHECK(c->protocol == 1);
    CHECK(equal(weft_opening_rest(c), "rest"));
    weft_buf_deinit(&answer);
    weft_opening_free(c);
    weft_opening_free(s);
    weft_opening_free(NULL);
}

int
main(void)
{
    for (int i = 0; i < CUTS; i++) {
        test_openings(cuts[i]);
        test_conversation(cuts[i]);
        test_early_frames(cuts[i]);
        test_refused_requests(cuts[i]);
        test_refused_answers(cuts[i]);
    }
    test_origins();
    test_endless_answers();
    test_fault();
    test_patience("\x81\x82\0\0\0\0Hi", 8);
    test_patience("\x89\x82\0\0\0\0Hi", 8);
    test_patience("\x01\x81\0\0\0\0H\x80\x81\0\0\0\0i", 14);
    return check_report();
}
