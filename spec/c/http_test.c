/*
 * proto/http.h: heads whole, in pieces and byte by byte; what is refused, and
 * at which byte.
 */
#include "proto/http.h"

#include <stdlib.h>

#include "check.h"

static const size_t sizes[] = { 1, 2, 3, 7, 1000000 };

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* Feeds `size` bytes more at a time, each time from exactly that memory. */
static enum weft_status
feed(struct weft_http_head *h, const char *text, size_t len, size_t size)
{
    enum weft_status rc = WEFT_MORE;

    for (size_t at = 0; rc == WEFT_MORE && at < len;) {
        char *copy;

        at = size < len - at ? at + size : len;
        copy = malloc(at);
        if (copy == NULL)
            abort();
        memcpy(copy, text, at);
        rc = weft_http_read(h, copy, at);
        free(copy);
    }
    return rc;
}

static int
slice_is(const char *text, struct weft_slice s, const char *expected)
{
    return s.len == strlen(expected) &&
           memcmp(text + s.at, expected, s.len) == 0;
}

static int
field_is(const struct weft_http_head *h, const char *text, uint32_t i,
         const char *name, const char *value)
{
    return i < h->count && slice_is(text, h->fields[i].name, name) &&
           slice_is(text, h->fields[i].value, value);
}

static void
a_request(void)
{
    static const char text[] = "GET /chat?x=%20 HTTP/1.1\r\n"
                               "Host: server.example.com\r\n"
                               "Empty:\r\n"
                               "Padded: \t a b\xff\t \r\n"
                               "\r\n\x81\x85";

    for (int i = 0; i < SIZES; i++) {
        struct weft_http_head h;

        weft_http_init(&h, WEFT_HTTP_REQUEST, 16384, 100);
        CHECK(feed(&h, text, sizeof(text) - 1, sizes[i]) == WEFT_OK);
        CHECK(slice_is(text, h.method, "GET"));
        CHECK(slice_is(text, h.target, "/chat?x=%20"));
        CHECK(h.minor == 1);
        CHECK(h.count == 3);
        CHECK(field_is(&h, text, 0, "Host", "server.example.com"));
        CHECK(field_is(&h, text, 1, "Empty", ""));
        CHECK(field_is(&h, text, 2, "Padded", "a b\xff"));
        CHECK(h.length == sizeof(text) - 3);
        CHECK(weft_http_read(&h, text, sizeof(text) - 1) == WEFT_OK);
        weft_http_deinit(&h);
        weft_http_deinit(&h);
    }
}

static void
a_response(void)
{
    static const struct {
        const char *text, *reason;
        unsigned status;
    } cases[] = {
        { "HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n",
          "Switching Protocols", 101 },
        { "HTTP/1.0 404 \r\n\r\n", "", 404 },
        { "HTTP/1.1 200\r\n\r\n", "", 200 },
        { "HTTP/1.1 999 \xe4h\t\r\n\r\n", "\xe4h\t", 999 },
    };

    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
        for (int i = 0; i < SIZES; i++) {
            const char *text = cases[c].text;
            struct weft_http_head h;

            weft_http_init(&h, WEFT_HTTP_RESPONSE, 16384, 100);
            CHECK(feed(&h, text, strlen(text), sizes[i]) == WEFT_OK);
            CHECK(h.status == cases[c].status);
            CHECK(slice_is(text, h.reason, cases[c].reason));
            CHECK(h.length == strlen(text));
            weft_http_deinit(&h);
        }
}

/* Every cut: MORE up to the end, then as expected; `at` is the last byte. */
static void
check_head(enum weft_http_kind kind, const char *text, size_t len,
           unsigned error, const char *where, int line)
{
    int held = 1;

    for (int i = 0; i < SIZES; i++) {
        struct weft_http_head h;
        enum weft_status rc;

        weft_http_init(&h, kind, 4096, 100);
        held &= feed(&h, text, len - 1, sizes[i]) == WEFT_MORE;
        rc = weft_http_read(&h, text, len);
        held &= rc == (error == 0 ? WEFT_OK : WEFT_E_HEAD);
        held &= h.error == error;
        held &= (h.why != NULL) == (error != 0);
        held &= weft_http_read(&h, text, len) == rc;
        weft_http_deinit(&h);
    }
    check_that(held, where, __FILE__, line);
}

/* The head is complete or refused with its last byte, and not before. */
#define REQUEST(text, error)                                               \
    check_head(WEFT_HTTP_REQUEST, text, sizeof(text) - 1, error, #text,    \
               __LINE__)
#define RESPONSE(text, error)                                              \
    check_head(WEFT_HTTP_RESPONSE, text, sizeof(text) - 1, error, #text,   \
               __LINE__)
#define LINE "GET / HTTP/1.1\r\n"

static void
request_lines(void)
{
    REQUEST("GET / HTTP/1.1\r\n\r\n", 0);
    REQUEST("GET / HTTP/1.0\r\n\r\n", 0);
    REQUEST("GET / HTTP/1.9\r\n\r\n", 0);
    REQUEST("\r\nGET / HTTP/1.1\r\n\r\n", 0); /* RFC 9112, 2.2 */
    REQUEST("\r\n\r", 400);
    REQUEST("\r\r", 400);
    REQUEST("\n", 400);
    REQUEST(" ", 400);
    REQUEST("\x16", 400); /* a TLS client at the wrong door */
    REQUEST("G\0", 400);
    REQUEST("GET\t", 400);
    REQUEST("GET\r", 400);
    REQUEST("GET  ", 400);
    REQUEST("GET /\t", 400);
    REQUEST("GET /a\0", 400);
    REQUEST("GET /\x80", 400);
    REQUEST("GET /#", 400);
    REQUEST("GET /\x7f", 400);
    REQUEST("GET /\n", 400);
    REQUEST("GET /\r\n", 505); /* HTTP/0.9 */
    REQUEST("GET /\rH", 400);
    REQUEST("GET /  ", 400);
    REQUEST("GET / h", 400);
    REQUEST("GET / HTTP/2", 505);
    REQUEST("GET / HTTP/0", 505);
    REQUEST("PRI * HTTP/2", 505);
    REQUEST("GET / HTTP/11", 400);
    REQUEST("GET / HTTP/1.x", 400);
    REQUEST("GET / HTTP/1.11", 400);
    REQUEST("GET / HTTP/1.1 ", 400);
    REQUEST("GET / HTTP/1.1\n", 400);
    REQUEST("GET / HTTP/1.1\r\r", 400);
    REQUEST("GET / HTTP/1.1\rH", 400);
}

static void
targets(void)
{
    REQUEST("OPTIONS * HTTP/1.1\r\n\r\n", 0);
    REQUEST("GET * HTTP/1.1\r", 400);
    REQUEST("OPTIONS ** HTTP/1.1\r", 400);
    REQUEST("GET chat HTTP/1.1\r", 400);
    REQUEST("CONNECT example.com:443 HTTP/1.1\r", 400);
    REQUEST("GET http://example.com HTTP/1.1\r\n\r\n", 0);
    REQUEST("GET WSS://example.com:443/a HTTP/1.1\r\n\r\n", 0);
    REQUEST("GET ws://[::1]:8080?q HTTP/1.1\r\n\r\n", 0);
    REQUEST("GET ftp://example.com/ HTTP/1.1\r", 400);
    REQUEST("GET http:/// HTTP/1.1\r", 400);
    REQUEST("GET http://user@example.com/ HTTP/1.1\r", 400);
    REQUEST("GET http://example.com:99999/ HTTP/1.1\r", 400);
}

static void
status_lines(void)
{
    RESPONSE("h", 400);
    RESPONSE("\r", 400);
    RESPONSE("HTTP/1.1\r", 400);
    RESPONSE("HTTP/1.1  ", 400);
    RESPONSE("HTTP/1.1 0", 400);
    RESPONSE("HTTP/1.1 20\r", 400);
    RESPONSE("HTTP/1.1 2000", 400);
    RESPONSE("HTTP/1.1 20x", 400);
    RESPONSE("HTTP/2", 505);
    RESPONSE("HTTP/1.1 200 O\0", 400);
    RESPONSE("HTTP/1.1 200 OK\n", 400);
    RESPONSE("HTTP/1.1 200 OK\r ", 400);
}

static void
field_lines(void)
{
    REQUEST(LINE "a:b\r\n\r\n", 0);
    REQUEST(LINE "\n", 400);
    REQUEST(LINE " ", 400);
    REQUEST(LINE ":", 400);
    REQUEST(LINE "a ", 400);
    REQUEST(LINE "a\t", 400);
    REQUEST(LINE "a\r", 400);
    REQUEST(LINE "a\n", 400);
    REQUEST(LINE "a(", 400);
    REQUEST(LINE "a\x80", 400);
    REQUEST(LINE "a\0", 400);
    REQUEST(LINE "a: b\r\n ", 400); /* obs-fold */
    REQUEST(LINE "a: b\r\n\t", 400);
    REQUEST(LINE "a: b\n", 400);
    REQUEST(LINE "a: b\rc", 400);
    REQUEST(LINE "a: b\r\r", 400);
    REQUEST(LINE "a: b\0", 400);
    REQUEST(LINE "a: b\x01", 400);
    REQUEST(LINE "a: b\x7f", 400);
    REQUEST(LINE "a: b\r\n\rx", 400);
    REQUEST(LINE "a: b\r\n\0", 400);
}

/* A head of n bytes in all, its one field filled up with x. */
static size_t
make_head(char *to, size_t n)
{
    size_t len = (size_t)sprintf(to, LINE "a: ");

    memset(to + len, 'x', n - len - 4);
    memcpy(to + n - 4, "\r\n\r\n", 4);
    return n;
}

static void
the_limit_in_bytes(void)
{
    char text[400] = { 0 };

    for (int i = 0; i < SIZES; i++) {
        struct weft_http_head h;

        weft_http_init(&h, WEFT_HTTP_REQUEST, 300, 100);
        CHECK(feed(&h, text, make_head(text, 300), sizes[i]) == WEFT_OK);
        weft_http_deinit(&h);
        weft_http_init(&h, WEFT_HTTP_REQUEST, 300, 100);
        CHECK(feed(&h, text, make_head(text, 301), sizes[i]) == WEFT_E_HEAD);
        CHECK(h.error == 431 && h.at == 300);
        weft_http_deinit(&h);
        text[100] = '\0'; /* an earlier fault is the one that counts */
        weft_http_init(&h, WEFT_HTTP_REQUEST, 300, 100);
        CHECK(feed(&h, text, 400, sizes[i]) == WEFT_E_HEAD);
        CHECK(h.error == 400 && h.at == 100);
        weft_http_deinit(&h);
    }
}

static void
the_limit_in_fields(void)
{
    char text[4096];
    size_t len = (size_t)sprintf(text, LINE);

    for (int i = 0; i < 100; i++)
        len += (size_t)sprintf(text + len, "n%d: v\r\n", i);
    for (int i = 0; i < SIZES; i++) {
        struct weft_http_head h;

        memcpy(text + len, "\r\n", 2);
        weft_http_init(&h, WEFT_HTTP_REQUEST, 16384, 100);
        CHECK(feed(&h, text, len + 2, sizes[i]) == WEFT_OK);
        CHECK(h.count == 100);
        CHECK(field_is(&h, text, 99, "n99", "v"));
        weft_http_deinit(&h);
        memcpy(text + len, "n:", 2);
        weft_http_init(&h, WEFT_HTTP_REQUEST, 16384, 100);
        CHECK(feed(&h, text, len + 2, sizes[i]) == WEFT_E_HEAD);
        CHECK(h.error == 431 && h.at == len);
        weft_http_deinit(&h);
    }
}

static void
finding_fields(void)
{
    static const char text[] = LINE "A: 1\r\nb: 2\r\na: 3\r\naa: 4\r\n\r\n";
    struct weft_http_head h;

    weft_http_init(&h, WEFT_HTTP_REQUEST, 16384, 100);
    CHECK(weft_http_read(&h, text, sizeof(text) - 1) == WEFT_OK);
    CHECK(weft_http_find(&h, text, "a", 0) == 0);
    CHECK(weft_http_find(&h, text, "a", 1) == 2);
    CHECK(weft_http_find(&h, text, "a", 3) == -1);
    CHECK(weft_http_find(&h, text, "a", 99) == -1);
    CHECK(weft_http_count(&h, text, "a") == 2);
    CHECK(weft_http_count(&h, text, "c") == 0);
    CHECK(weft_http_value(&h, text, "b").len == 1);
    CHECK(weft_http_value(&h, text, "c").len == 0);
    weft_http_deinit(&h);
}

static void
lists(void)
{
    static const char text[] = LINE "l: a,, b c ,\"x,\\\",y\"\r\nm: a\r\n"
                                    "L:\r\nl: ,\tKeep-Alive\r\n\r\n";
    static const char *const expected[] = { "a", "b c", "\"x,\\\",y\"",
                                            "Keep-Alive" };
    uint32_t field = 0, at = 0, n = 0;
    struct weft_span e;
    struct weft_http_head h;

    weft_http_init(&h, WEFT_HTTP_REQUEST, 16384, 100);
    CHECK(weft_http_read(&h, text, sizeof(text) - 1) == WEFT_OK);
    while (n < 4 && weft_http_next_element(&h, text, "l", &field, &at, &e)) {
        CHECK(e.len == strlen(expected[n]));
        CHECK(memcmp(e.data, expected[n], e.len) == 0);
        n++;
    }
    CHECK(n == 4);
    CHECK(!weft_http_next_element(&h, text, "l", &field, &at, &e));
    CHECK(!weft_http_next_element(&h, text, "l", &field, &at, &e));
    CHECK(weft_http_has_token(&h, text, "l", "keep-alive"));
    CHECK(!weft_http_has_token(&h, text, "l", "y"));
    CHECK(!weft_http_has_token(&h, text, "m", "keep-alive"));
    CHECK(!weft_http_has_token(&h, text, "absent", "a"));
    weft_http_deinit(&h);
}

/* Lists are walked once: 100,000 commas take no time to speak of. */
static void
a_list_of_commas(void)
{
    enum { N = 100000 };
    char *text = malloc(N + 64);
    size_t len;
    struct weft_http_head h;

    if (text == NULL)
        abort();
    len = (size_t)sprintf(text, LINE "l: a");
    memset(text + len, ',', N);
    memcpy(text + len + N, "b\r\n\r\n", 5);
    weft_http_init(&h, WEFT_HTTP_REQUEST, 1 << 20, 100);
    CHECK(feed(&h, text, len + N + 5, 5000) == WEFT_OK);
    CHECK(weft_http_has_token(&h, text, "l", "b"));
    CHECK(!weft_http_has_token(&h, text, "l", "c"));
    weft_http_deinit(&h);
    free(text);
}

static void
small_grammars(void)
{
    CHECK(weft_http_is_token(weft_http_text("chat.v2")));
    CHECK(!weft_http_is_token(weft_http_text("")));
    CHECK(!weft_http_is_token(weft_http_text("a b")));
    CHECK(!weft_http_is_token(weft_http_text("a,b")));
    CHECK(!weft_http_is_token(weft_http_text("\xc3\xa4")));
    CHECK(weft_http_is_value(weft_http_text("a\tb \xc3\xa4")));
    CHECK(weft_http_is_value(weft_http_text("")));
    CHECK(!weft_http_is_value(weft_http_text("a\r\nb: c")));
    CHECK(!weft_http_is_value((struct weft_span){ "a\0", 2 }));
    CHECK(weft_http_same(weft_http_text("AbC-"), weft_http_text("aBc-")));
    CHECK(!weft_http_same(weft_http_text("["), weft_http_text("{")));
    CHECK(strcmp(weft_http_reason(426), "Upgrade Required") == 0);
    CHECK(strcmp(weft_http_reason(299), "Unknown") == 0);
}

static int
host_port(const char *authority, const char *host)
{
    struct weft_span h;
    int port;

    if (!weft_http_split_host(weft_http_text(authority), &h, &port))
        return -2;
    return weft_http_same(h, weft_http_text(host)) ? port : -3;
}

static void
hosts(void)
{
    CHECK(host_port("example.com", "example.com") == -1);
    CHECK(host_port("example.com:", "example.com") == -1);
    CHECK(host_port("example.com:0080", "example.com") == 80);
    CHECK(host_port("127.0.0.1:65535", "127.0.0.1") == 65535);
    CHECK(host_port("[::1]", "[::1]") == -1);
    CHECK(host_port("[fe80::1]:1", "[fe80::1]") == 1);
    CHECK(host_port("", "") == -2);
    CHECK(host_port(":80", "") == -2);
    CHECK(host_port("a:65536", "") == -2);
    CHECK(host_port("a:-1", "") == -2);
    CHECK(host_port("a:80:80", "") == -2);
    CHECK(host_port("::1", "") == -2);
    CHECK(host_port("[::1", "") == -2);
    CHECK(host_port("[]", "") == -2);
    CHECK(host_port("[::1]x", "") == -2);
    CHECK(host_port("user@a", "") == -2);
    CHECK(host_port("a/b", "") == -2);
    CHECK(host_port("a b", "") == -2);
    CHECK(host_port("a,b", "") == -2);
    CHECK(host_port("\xc3\xa4", "") == -2);
}

static int
host_of(const char *text, const char *expected)
{
    struct weft_http_head h;
    struct weft_span host;

    weft_http_init(&h, WEFT_HTTP_REQUEST, 16384, 100);
    if (weft_http_read(&h, text, strlen(text)) != WEFT_OK)
        return 0;
    host = weft_http_host(&h, text);
    weft_http_deinit(&h);
    return host.len == strlen(expected) &&
           memcmp(host.data, expected, host.len) == 0;
}

/* RFC 9112, 3.2.2: a URL in the target wins over the Host field. */
static void
the_host_of_a_request(void)
{
    CHECK(host_of(LINE "Host: a:1\r\n\r\n", "a:1"));
    CHECK(host_of(LINE "\r\n", ""));
    CHECK(host_of("GET ws://b:2/x HTTP/1.1\r\nHost: a:1\r\n\r\n", "b:2"));
}

int
main(void)
{
    a_request();
    a_response();
    request_lines();
    targets();
    status_lines();
    field_lines();
    the_limit_in_bytes();
    the_limit_in_fields();
    finding_fields();
    lists();
    a_list_of_commas();
    small_grammars();
    hosts();
    the_host_of_a_request();
    return check_report();
}
