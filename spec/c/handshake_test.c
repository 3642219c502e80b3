/*
 * proto/handshake.h: requests and responses as text in, verdicts and text out.
 */
#include "proto/handshake.h"

#include <stdio.h>

#include "check.h"
#include "proto/deflate.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define HOST "Host: server.example.com\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define GET "GET /chat HTTP/1.1\r\n"
#define VALID GET HOST UPGRADE KEY VERSION

static struct weft_refusal why;

static struct weft_span
text(const char *s)
{
    return weft_http_text(s);
}

static int
parse(struct weft_http_head *h, enum weft_http_kind kind, const char *bytes)
{
    weft_http_init(h, kind, 1 << 20, 100);
    return weft_http_read(h, bytes, strlen(bytes)) == WEFT_OK;
}

/* The kind of a request, or the status it is refused with. */
static unsigned
verdict(const char *bytes)
{
    struct weft_http_head h;
    enum weft_request_kind kind;

    memset(&why, 'x', sizeof(why));
    if (!parse(&h, WEFT_HTTP_REQUEST, bytes)) {
        weft_http_deinit(&h);
        return 0;
    }
    kind = weft_handshake_check(&h, bytes, &why);
    weft_http_deinit(&h);
    return kind == WEFT_REQUEST_REFUSED ? why.status : (unsigned)kind;
}

enum { OPEN = WEFT_REQUEST_WEBSOCKET, HTTP = WEFT_REQUEST_HTTP };

#define IS(lines, expected) CHECK(verdict(lines "\r\n") == (expected))

static void
opening_handshakes(void)
{
    IS(VALID, OPEN);
    IS(VALID "Content-Length: 0\r\n", OPEN);
    IS(VALID "Origin: http://example.com\r\n", OPEN);
    IS("GET ws://server.example.com/ HTTP/1.1\r\n" HOST UPGRADE KEY VERSION,
       OPEN);
    IS(GET "host: [::1]:80\r\nupgrade: h2c, WebSocket\r\n"
           "connection: keep-alive, upgrade\r\n" KEY VERSION, OPEN);
    IS(GET HOST UPGRADE VERSION
       "Sec-WebSocket-Key:  x3JJHMbDL1EzLkh9GBhXDw==\r\n", OPEN);
}

static void
requests_that_want_no_websocket(void)
{
    IS(GET HOST, HTTP);
    IS(GET HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n", HTTP);
    IS("HEAD / HTTP/1.0\r\n", HTTP);
    IS("POST / HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n", HTTP);
    IS("OPTIONS * HTTP/1.1\r\n" HOST, HTTP);
    IS("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n", HTTP);
    IS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n", HTTP);
    IS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n", HTTP);
    IS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n", 501);
    IS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n",
       501);
    IS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
       "Transfer-Encoding: chunked\r\n", 501);
    IS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \r\n", 501);
    IS("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n", 400);
    IS("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n"
       "Expect: 100-continue\r\n", HTTP);
    IS("POST / HTTP/1.1\r\n" HOST "Expect: a-miracle\r\n", 417);
}

static void
smuggling_shapes(void)
{
    IS(GET UPGRADE KEY VERSION, 400);
    IS(VALID HOST, 400);
    IS(GET, 400);
    IS(GET HOST HOST, 400);
    IS(GET "Host: a b\r\n", 400);
    IS(GET "Host: a, b\r\n", 400);
    IS(GET "Host: user@a\r\n", 400);
    IS(GET "Host: a/b\r\n", 400);
    IS("GET / HTTP/1.0\r\n" HOST HOST, 400);
    IS(GET "Host:\r\n" UPGRADE KEY VERSION, 400);
    IS(VALID "Transfer-Encoding: chunked\r\n", 400);
    IS(VALID "Transfer-Encoding: identity\r\n", 400);
    IS(VALID "Transfer-Encoding:\r\n", 400);
    IS(VALID "Content-Length: 1\r\n", 400);
    IS(VALID "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400);
    IS(VALID "Content-Length: 0\r\nContent-Length: 5\r\n", 400);
}

static void
lengths(void)
{
    IS(GET HOST "Content-Length:\r\n", 400);
    IS(GET HOST "Content-Length: +1\r\n", 400);
    IS(GET HOST "Content-Length: -1\r\n", 400);
    IS(GET HOST "Content-Length: 0x0\r\n", 400);
    IS(GET HOST "Content-Length: 0, 0\r\n", 400);
    IS(GET HOST "Content-Length: 1\r\nContent-Length: 2\r\n", 400);
    IS(GET HOST "Content-Length: 0\r\nContent-Length: 00\r\n", HTTP);
    IS(GET HOST "Content-Length: 18446744073709551615\r\n", HTTP);
    IS(GET HOST "Content-Length: 18446744073709551616\r\n", 400);
    IS(GET HOST "Content-Length: 99999999999999999999999\r\n", 400);
    IS(GET HOST "Content-Length: 1\r\nTransfer-Encoding: x\r\n", 400);
}

static void
what_an_upgrade_needs(void)
{
    IS("POST / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION, 400);
    IS("get / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION, 400);
    IS("GET / HTTP/1.0\r\n" HOST UPGRADE KEY VERSION, 400);
    IS(GET HOST KEY VERSION, 400);
    IS(GET HOST "Connection: Upgrade\r\n" KEY VERSION, 400);
    IS(GET HOST "Upgrade: websocket\r\n" KEY VERSION, 400);
    IS(GET HOST "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION,
       400);
    IS(VALID VERSION, 400);
    IS(VALID "Origin: http://a\r\nOrigin: http://b\r\n", 400);
}

static void
keys(void)
{
    IS(GET HOST UPGRADE VERSION, 400);
    IS(VALID KEY, 400);
    IS(GET HOST UPGRADE VERSION "Sec-WebSocket-Key:\r\n", 400);
    IS(GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIA==\r\n", 400);
    IS(GET HOST UPGRADE VERSION
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n", 400);
    IS(GET HOST UPGRADE VERSION
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n", 400);
    IS(GET HOST UPGRADE VERSION
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n", 400);
    IS(GET HOST UPGRADE VERSION
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n", 400);
}

static void
versions(void)
{
    IS(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n", 426);
    CHECK(strstr(why.headers, "Sec-WebSocket-Version: 13\r\n") != NULL);
    CHECK(strstr(why.headers, "Upgrade: websocket\r\n") != NULL);
    IS(GET HOST UPGRADE KEY, 426);
    IS(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n", 426);
    IS(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 013\r\n", 426);
    IS(GET HOST UPGRADE "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n", 426);
    IS(VALID KEY, 400);
    CHECK(strcmp(why.headers, "") == 0);
    CHECK(strcmp(why.why, "there is more than one Sec-WebSocket-Key") == 0);
}

#define PROTOCOLS(list) VALID "Sec-WebSocket-Protocol: " list "\r\n"
#define EXTENSIONS(list) VALID "Sec-WebSocket-Extensions: " list "\r\n"

static void
offers(void)
{
    IS(PROTOCOLS("chat, superchat"), OPEN);
    IS(PROTOCOLS("chat, Chat"), OPEN);
    IS(PROTOCOLS(""), 400);
    IS(PROTOCOLS(",,"), 400);
    IS(PROTOCOLS("a b"), 400);
    IS(PROTOCOLS("a, b/c"), 400);
    IS(PROTOCOLS("a, b, a"), 400);
    IS(PROTOCOLS("a") "Sec-WebSocket-Protocol: a\r\n", 400);
    IS(EXTENSIONS("permessage-deflate; client_max_window_bits"), OPEN);
    IS(EXTENSIONS("a;b=1;c=\"2\", d ; e = f,, g"), OPEN);
    IS(EXTENSIONS("a; b=\"\\c\""), OPEN);
    IS(EXTENSIONS(""), 400);
    IS(EXTENSIONS("a;"), 400);
    IS(EXTENSIONS("a b"), 400);
    IS(EXTENSIONS("a; =b"), 400);
    IS(EXTENSIONS("a; b="), 400);
    IS(EXTENSIONS("a; b=\"\""), 400);
    IS(EXTENSIONS("a; b=\"c d\""), 400);
    IS(EXTENSIONS("a; b=\"c"), 400);
    IS(EXTENSIONS("a; b=\"c\\"), 400);
    IS(EXTENSIONS("a; b=\"c,d\""), 400);
}

/* What no server can accept is declined, not refused (RFC 7692, 5.1). */
static void
offers_nobody_meets(void)
{
    IS(EXTENSIONS("permessage-deflate; unknown"), OPEN);
    IS(EXTENSIONS("permessage-deflate; server_max_window_bits"), OPEN);
    IS(EXTENSIONS("permessage-deflate; server_max_window_bits=99"), OPEN);
    IS(EXTENSIONS("permessage-deflate; client_no_context_takeover=1"), OPEN);
    IS(EXTENSIONS("foo") "Sec-WebSocket-Extensions: bar; a=b\r\n", OPEN);
    IS(EXTENSIONS("foo") "Sec-WebSocket-Extensions: bar; a=\r\n", 400);
    IS(EXTENSIONS("permessage-deflate; server_max_window_bits="), 400);
    IS(EXTENSIONS("permessage-deflate; server_max_window_bits=\" 9\""), 400);
}

static void
a_limit_on_subprotocols(void)
{
    char bytes[4096];
    size_t len = (size_t)sprintf(bytes, VALID "Sec-WebSocket-Protocol: p");

    for (int i = 1; i < 64; i++)
        len += (size_t)sprintf(bytes + len, ",p%d", i);
    memcpy(bytes + len, "\r\n\r\n", 5);
    CHECK(verdict(bytes) == OPEN);
    memcpy(bytes + len, ",p64\r\n\r\n", 9);
    CHECK(verdict(bytes) == 400);
}

static int
choice(const char *bytes, const char *first, const char *second)
{
    struct weft_span spoken[2] = { text(first), text(second) };
    struct weft_http_head h;
    int chosen;

    CHECK(parse(&h, WEFT_HTTP_REQUEST, bytes));
    chosen = weft_handshake_choose(&h, bytes, spoken, 2);
    weft_http_deinit(&h);
    return chosen;
}

static void
choosing_a_subprotocol(void)
{
    CHECK(choice(PROTOCOLS("a, b") "\r\n", "b", "a") == 0);
    CHECK(choice(PROTOCOLS("a, b") "\r\n", "c", "b") == 1);
    CHECK(choice(PROTOCOLS("a, b") "\r\n", "A", "c") == -1);
    CHECK(choice(PROTOCOLS("a") "Sec-WebSocket-Protocol: b\r\n\r\n", "b",
                 "c") == 0);
    CHECK(choice(VALID "\r\n", "a", "b") == -1);
}

static int
allowed(const char *origin, const char *host, const char *list)
{
    struct weft_span entry = text(list != NULL ? list : "");

    return weft_origin_allowed(text(origin), text(host), &entry,
                               list != NULL ? 1 : 0);
}

static void
origins_against_the_host(void)
{
    CHECK(allowed("http://example.com", "example.com", NULL));
    CHECK(allowed("https://EXAMPLE.com", "example.COM", NULL));
    CHECK(allowed("http://example.com:80", "example.com", NULL));
    CHECK(allowed("https://example.com", "example.com:443", NULL));
    CHECK(allowed("http://example.com:8080", "example.com:8080", NULL));
    CHECK(allowed("http://[::1]:8080", "[::1]:8080", NULL));
    CHECK(allowed("http://example.com:443", "example.com:443", NULL));
    CHECK(!allowed("http://example.com:443", "example.com", NULL));
    CHECK(!allowed("http://example.com:8080", "example.com", NULL));
    CHECK(!allowed("http://example.com", "example.com:8080", NULL));
    CHECK(!allowed("http://example.com:8080", "example.com:8081", NULL));
    CHECK(!allowed("http://evil.com", "example.com", NULL));
    CHECK(!allowed("http://example.com.evil.com", "example.com", NULL));
    CHECK(!allowed("http://a.example.com", "example.com", NULL));
    CHECK(!allowed("null", "example.com", NULL));
    CHECK(!allowed("null", "null", NULL));
    CHECK(!allowed("", "", NULL));
    CHECK(!allowed("http://", "", NULL));
    CHECK(!allowed("://example.com", "example.com", NULL));
    CHECK(!allowed("http:/example.com", "example.com", NULL));
    CHECK(!allowed("http://example.com/", "example.com", NULL));
    CHECK(!allowed("http://u@example.com", "example.com", NULL));
}

static void
origins_against_a_list(void)
{
    CHECK(allowed("https://a.com", "b.com", "https://a.com"));
    CHECK(allowed("https://A.com:443", "b.com", "HTTPS://a.com"));
    CHECK(allowed("http://a.com", "b.com", "http://a.com:80"));
    CHECK(!allowed("http://a.com", "b.com", "https://a.com"));
    CHECK(!allowed("https://a.com:8443", "b.com", "https://a.com"));
    CHECK(!allowed("https://b.com", "b.com", "https://a.com"));
    CHECK(allowed("https://x.a.com", "b.com", "https://*.a.com"));
    CHECK(allowed("https://y.x.A.com", "b.com", "https://*.a.com"));
    CHECK(allowed("https://x.a.com:1", "b.com", "https://*.a.com:1"));
    CHECK(!allowed("https://a.com", "b.com", "https://*.a.com"));
    CHECK(!allowed("https://.a.com", "b.com", "https://*.a.com"));
    CHECK(!allowed("https://xa.com", "b.com", "https://*.a.com"));
    CHECK(!allowed("https://x.a.com.evil.com", "b.com", "https://*.a.com"));
    CHECK(!allowed("http://x.a.com", "b.com", "https://*.a.com"));
    CHECK(allowed("anything", "b.com", "*"));
    CHECK(allowed("null", "b.com", "null"));
    CHECK(!allowed("null", "b.com", "https://a.com"));
}

static int
holds(struct weft_buf *b, const char *expected)
{
    int same = weft_buf_len(b) == strlen(expected) &&
               memcmp(weft_buf_head(b), expected, strlen(expected)) == 0;

    weft_buf_deinit(b);
    return same;
}

static void
accepting(void)
{
    static const char bytes[] = VALID "\r\n";
    struct weft_deflate_agreed none = { .on = false }, deflate = {
        .on = true, .server_no_context_takeover = true,
        .says_server_bits = true, .server_max_window_bits = 9,
        .client_max_window_bits = 15,
    };
    struct weft_buf b = { 0 };
    struct weft_http_head h;

    CHECK(parse(&h, WEFT_HTTP_REQUEST, bytes));
    CHECK(weft_handshake_accept(&b, &h, bytes, text(""), &none, text(""),
                                NULL) == WEFT_OK);
    CHECK(holds(&b, "HTTP/1.1 101 Switching Protocols\r\n" UPGRADE
                    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                    "\r\n"));
    CHECK(weft_handshake_accept(&b, &h, bytes, text("chat"), &deflate,
                                text("X: y\r\n"), NULL) == WEFT_OK);
    CHECK(holds(&b, "HTTP/1.1 101 Switching Protocols\r\n" UPGRADE
                    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                    "Sec-WebSocket-Protocol: chat\r\n"
                    "Sec-WebSocket-Extensions: permessage-deflate; "
                    "server_no_context_takeover; server_max_window_bits=9\r\n"
                    "X: y\r\n\r\n"));
    weft_http_deinit(&h);
}

static int
responds(unsigned status, const char *headers, const char *body,
         bool head_only, const char *expected)
{
    struct weft_buf b = { 0 };

    return weft_http_respond(&b, status, text(headers), text(body),
                             head_only) == WEFT_OK && holds(&b, expected);
}

static void
responding(void)
{
    CHECK(responds(400, "", "no", false,
                   "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Length: 2\r\n\r\nno"));
    CHECK(responds(200, "A: b\r\ncontent-type: text/html\r\n", "<p>", true,
                   "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                   "A: b\r\ncontent-type: text/html\r\n"
                   "Content-Length: 3\r\n\r\n"));
    CHECK(responds(200, "X: Content-Type: y\r\n", "", false,
                   "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                   "X: Content-Type: y\r\nContent-Length: 0\r\n\r\n"));
    CHECK(responds(204, "", "never", false,
                   "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
    CHECK(responds(426, "Upgrade: websocket\r\n", "", false,
                   "HTTP/1.1 426 Upgrade Required\r\n"
                   "Connection: close, Upgrade\r\nUpgrade: websocket\r\n"
                   "Content-Length: 0\r\n\r\n"));
}

static struct weft_span offered[2] = { { "chat", 4 }, { "mqtt", 4 } };

static struct weft_client_request
plain_request(void)
{
    return (struct weft_client_request){
        .host = text("server.example.com"),
        .target = text("/chat"),
        .key = "dGhlIHNhbXBsZSBub25jZQ==",
    };
}

static void
requesting(void)
{
    struct weft_client_request r = plain_request();
    struct weft_buf b = { 0 };

    CHECK(weft_handshake_request(&b, &r) == WEFT_OK);
    CHECK(holds(&b, VALID "\r\n"));
    r.origin = text("http://example.com");
    r.user_agent = text("weft");
    r.protocols = offered;
    r.protocol_count = 2;
    r.headers = text("Cookie: a=b\r\n");
    CHECK(weft_handshake_request(&b, &r) == WEFT_OK);
    CHECK(holds(&b, VALID "Sec-WebSocket-Protocol: chat, mqtt\r\n"
                          "Origin: http://example.com\r\n"
                          "User-Agent: weft\r\nCookie: a=b\r\n\r\n"));
}

static void
requesting_compression(void)
{
    struct weft_client_request r = plain_request();
    struct weft_buf b = { 0 };

    r.protocols = offered;
    r.protocol_count = 1;
    r.deflate.on = true;
    r.headers = text("Cookie: a=b\r\n");
    CHECK(weft_handshake_request(&b, &r) == WEFT_OK);
    if (weft_deflate_available())
        CHECK(holds(&b, VALID "Sec-WebSocket-Protocol: chat\r\n"
                              "Sec-WebSocket-Extensions: permessage-deflate; "
                              "client_max_window_bits\r\n"
                              "Cookie: a=b\r\n\r\n"));
    else
        CHECK(holds(&b, VALID "Sec-WebSocket-Protocol: chat\r\n"
                              "Cookie: a=b\r\n\r\n"));
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static struct weft_deflate_agreed agreed;

/* The agreed subprotocol, -1 for none, -2 for a refusal (see `why`). */
static int
answer_to(const struct weft_client_request *r, const char *bytes)
{
    struct weft_http_head h;
    enum weft_status rc;
    int protocol;

    memset(&agreed, 'x', sizeof(agreed));
    CHECK(parse(&h, WEFT_HTTP_RESPONSE, bytes));
    rc = weft_handshake_verify(&h, bytes, r, &protocol, &agreed, &why);
    weft_http_deinit(&h);
    CHECK(rc == WEFT_OK || rc == WEFT_E_HEAD);
    return rc == WEFT_OK ? protocol : -2;
}

static int
answer(const char *bytes)
{
    struct weft_client_request r = plain_request();
    int protocol;

    r.protocols = offered;
    r.protocol_count = 2;
    protocol = answer_to(&r, bytes);
    CHECK(!agreed.on);
    return protocol;
}

#define GIVES(lines, expected) CHECK(answer(lines "\r\n") == (expected))

static void
good_answers(void)
{
    GIVES(SWITCH UPGRADE ACCEPT, -1);
    GIVES(SWITCH "UPGRADE: WebSocket\r\nConnection: x, upgrade\r\n" ACCEPT,
          -1);
    GIVES(SWITCH UPGRADE ACCEPT "Content-Length: 0\r\n", -1);
    GIVES(SWITCH UPGRADE ACCEPT "Sec-WebSocket-Protocol: mqtt\r\n", 1);
}

static void
wrong_answers(void)
{
    GIVES("HTTP/1.0 101 x\r\n" UPGRADE ACCEPT, -2);
    GIVES(SWITCH ACCEPT, -2);
    GIVES(SWITCH "Upgrade: websocket\r\n" ACCEPT, -2);
    GIVES(SWITCH "Connection: Upgrade\r\n" ACCEPT, -2);
    GIVES(SWITCH "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n" ACCEPT,
          -2);
    GIVES(SWITCH UPGRADE, -2);
    GIVES(SWITCH UPGRADE ACCEPT ACCEPT, -2);
    GIVES(SWITCH UPGRADE
          "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", -2);
    CHECK(strcmp(why.why, "the server's Sec-WebSocket-Accept is wrong") == 0);
    GIVES(SWITCH UPGRADE "Sec-WebSocket-Accept: s3pPLMBi\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT "Sec-WebSocket-Protocol: wamp\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT "Sec-WebSocket-Protocol: CHAT\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT "Sec-WebSocket-Protocol:\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT "Sec-WebSocket-Protocol: chat, mqtt\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT "Sec-WebSocket-Protocol: chat\r\n"
          "Sec-WebSocket-Protocol: chat\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT
          "Sec-WebSocket-Extensions: permessage-deflate\r\n", -2);
    CHECK(strstr(why.why, "extension that was not offered") != NULL);
    GIVES(SWITCH UPGRADE ACCEPT "Sec-WebSocket-Extensions:\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT "Transfer-Encoding: chunked\r\n", -2);
    GIVES(SWITCH UPGRADE ACCEPT "Content-Length: 5\r\n", -2);
}

#define COMPRESSED(parameters) \
    SWITCH UPGRADE ACCEPT DEFLATE parameters "\r\n\r\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate"

static void
answers_about_compression(void)
{
    struct weft_client_request r = plain_request();

    r.deflate.on = true;
    CHECK(answer_to(&r, SWITCH UPGRADE ACCEPT "\r\n") == -1 && !agreed.on);
    if (!weft_deflate_available()) {
        CHECK(answer_to(&r, COMPRESSED("")) == -2);
        return;
    }
    CHECK(answer_to(&r, COMPRESSED("")) == -1 && agreed.on);
    CHECK(answer_to(&r, COMPRESSED("; client_max_window_bits=9")) == -1);
    CHECK(agreed.on && agreed.client_max_window_bits == 9);
    CHECK(answer_to(&r, COMPRESSED("; client_max_window_bits")) == -2);
    CHECK(!agreed.on && strstr(why.why, "window") != NULL);
    CHECK(answer_to(&r, COMPRESSED("\r\n" DEFLATE)) == -2);
    CHECK(answer_to(&r, COMPRESSED(", other")) == -2);
}

static void
refusals_in_the_servers_words(void)
{
    GIVES("HTTP/1.1 401 Unauthorized\r\n", -2);
    CHECK(strcmp(why.why, "handshake refused: 401 Unauthorized") == 0);
    CHECK(why.status == 401);
    GIVES("HTTP/1.0 503\r\n", -2);
    CHECK(strcmp(why.why, "handshake refused: 503 Service Unavailable") == 0);
    GIVES("HTTP/1.1 403 Nicht m\xf6glich\t\r\n", -2);
    CHECK(strcmp(why.why, "handshake refused: 403 Nicht m?glich?") == 0);
}

int
main(void)
{
    opening_handshakes();
    requests_that_want_no_websocket();
    smuggling_shapes();
    lengths();
    what_an_upgrade_needs();
    keys();
    versions();
    offers();
    offers_nobody_meets();
    a_limit_on_subprotocols();
    choosing_a_subprotocol();
    origins_against_the_host();
    origins_against_a_list();
    accepting();
    responding();
    requesting();
    requesting_compression();
    good_answers();
    wrong_answers();
    answers_about_compression();
    refusals_in_the_servers_words();
    return check_report();
}
