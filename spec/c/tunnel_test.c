/*
 * proto/tunnel.h over HTTP: what a proxy is asked, and what comes of each
 * answer, in whatever pieces it arrives.
 */
#include "tunnel_kit.h"

static const struct weft_tunnel_request http = {
    .kind = WEFT_TUNNEL_HTTP, .host = SPAN("example.com"), .port = 443,
};
static const struct weft_tunnel_request http_login = {
    .kind = WEFT_TUNNEL_HTTP, .host = SPAN("example.com"), .port = 443,
    .user = SPAN("Aladdin"), .password = SPAN("open sesame"),
};

static void
http_asks_for_host_and_port(void)
{
    struct weft_tunnel_request r = http;
    struct outcome o = RUN(r, "");

    CHECK(o.rc == WEFT_MORE);
    SENT(&o, "CONNECT example.com:443 HTTP/1.1\r\n"
             "Host: example.com:443\r\n\r\n");
    r.host = (struct weft_span)SPAN("2001:db8::1");
    r.port = 80;
    r.user_agent = (struct weft_span)SPAN("weft/1.0.0");
    o = RUN(r, "");
    SENT(&o, "CONNECT [2001:db8::1]:80 HTTP/1.1\r\n"
             "Host: [2001:db8::1]:80\r\n"
             "User-Agent: weft/1.0.0\r\n\r\n");
    r.host = (struct weft_span)SPAN("192.0.2.1");
    r.port = 65535;
    r.user_agent.len = 0;
    o = RUN(r, "");
    SENT(&o, "CONNECT 192.0.2.1:65535 HTTP/1.1\r\n"
             "Host: 192.0.2.1:65535\r\n\r\n");
}

/* RFC 7617, 2 */
static void
http_says_who_asks(void)
{
    struct weft_tunnel_request r = http_login;
    struct outcome o = RUN(r, "HTTP/1.1 200 OK\r\n\r\n");

    SENT(&o, "CONNECT example.com:443 HTTP/1.1\r\n"
             "Host: example.com:443\r\n"
             "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
             "\r\n");
    STANDS(&o, "");
    r.user.len = 0;
    o = RUN(r, "");
    SENT(&o, "CONNECT example.com:443 HTTP/1.1\r\n"
             "Host: example.com:443\r\n"
             "Proxy-Authorization: Basic Om9wZW4gc2VzYW1l\r\n\r\n");
    r = http_login;
    r.password.len = 0;
    o = RUN(r, "");
    SENT(&o, "CONNECT example.com:443 HTTP/1.1\r\n"
             "Host: example.com:443\r\n"
             "Proxy-Authorization: Basic QWxhZGRpbjo=\r\n\r\n");
}

static void
any_2xx_is_yes(void)
{
    struct outcome o = RUN(http, "HTTP/1.0 200 Connection established\r\n"
                                 "Proxy-Agent: x\r\n\r\n");

    STANDS(&o, "");
    o = RUN(http, "HTTP/1.1 299 \r\n\r\n");
    STANDS(&o, "");
    o = RUN(http, "HTTP/1.1 204\r\nContent-Length: 5\r\n"
                  "Transfer-Encoding: chunked\r\n\r\nhello\r\n");
    STANDS(&o, "hello\r\n");
    o = RUN(http, "HTTP/1.1 100 Continue\r\n\r\n"
                  "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
                  "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03\0\1");
    STANDS(&o, "\x16\x03\x03\0\1");
}

static void
a_refusal_is_named(void)
{
    struct outcome o = RUN(http, "HTTP/1.1 407 Proxy Authentication Required"
                                 "\r\nProxy-Authenticate: Basic realm=\"x\""
                                 "\r\nContent-Length: 2\r\n\r\nno");

    FAILS(&o, "407 Proxy Authentication Required");
    o = RUN(http, "HTTP/1.1 403 Filtered by policy 7\r\n\r\n");
    FAILS(&o, "403 Filtered by policy 7");
    o = RUN(http, "HTTP/1.1 502\r\n\r\n");
    FAILS(&o, "502 Bad Gateway");
    o = RUN(http, "HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n");
    FAILS(&o, "302 Found");
    o = RUN(http, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    FAILS(&o, "101 Switching Protocols");
    o = RUN(http, "HTTP/1.1 999 \t\x80\xc3\xbc\r\n\r\n");
    FAILS(&o, "999 ????");
}

/* A proxy that repeats what it was told is not repeated. */
static void
no_password_is_repeated(void)
{
    struct weft_tunnel_request r = http_login;
    struct outcome o = RUN(r, "HTTP/1.1 407 Who is Aladdin?\r\n\r\n");

    FAILS(&o, "407 Proxy Authentication Required");
    o = RUN(r, "HTTP/1.1 403 What is open sesame\r\n\r\n");
    FAILS(&o, "403 Forbidden");
    o = RUN(r, "HTTP/1.1 502 QWxhZGRpbjpvcGVuIHNlc2FtZQ==?\r\n\r\n");
    FAILS(&o, "502 Bad Gateway");
    o = RUN(r, "HTTP/1.1 500 Who is Ali, open to whom?\r\n\r\n");
    FAILS(&o, "500 Who is Ali, open to whom?");
    r.user.len = 0;
    o = RUN(r, "HTTP/1.1 407 Who is Aladdin?\r\n\r\n");
    FAILS(&o, "407 Who is Aladdin?");
}

static void
a_long_reason_is_cut(void)
{
    static char bytes[4000];
    struct outcome o;

    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "HTTP/1.1 503 ", 13);
    memcpy(bytes + sizeof(bytes) - 4, "\r\n\r\n", 4);
    o = run(&http, bytes, sizeof(bytes));
    CHECK(o.rc == WEFT_E_HEAD);
    CHECK(strlen(o.why) == 4 + 128 && memcmp(o.why, "503 xxxx", 8) == 0);
}

static void
what_is_not_http_is_refused(void)
{
    static const char *const heads[] = {
        "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/2 200\r\n\r\n", "\5\0",
        "HTTP/1.1 200 OK\n\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: a\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 099 a\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n220 mail\r\n",
    };
    static const char prefix[] = "its answer is no HTTP response: ";

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct outcome o = run(&http, heads[i], strlen(heads[i]));

        CHECK(o.rc == WEFT_E_HEAD);
        CHECK(memcmp(o.why, prefix, sizeof(prefix) - 1) == 0);
        CHECK(strlen(o.why) > sizeof(prefix));
    }
}

static enum weft_status
feed(struct weft_tunnel *t, const char *bytes)
{
    weft_buf_add(&t->in, bytes, strlen(bytes));
    return weft_tunnel_read(t);
}

/* One head, or heads that never end. */
static void
a_head_is_bounded(void)
{
    static const char *const lines[] = {
        "X-Some: thing\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 a\r\n\r\n",
        "y",
    };
    static const char *const starts[] = {
        "HTTP/1.1 200 OK\r\n", "", "HTTP/1.1 200 OK\r\nX: ",
    };

    for (int i = 0; i < 3; i++) {
        struct weft_tunnel *t = weft_tunnel_new(&http);
        enum weft_status rc = feed(t, starts[i]);
        size_t fed = 0;

        while (rc == WEFT_MORE && fed < 100000) {
            fed += strlen(lines[i]);
            rc = feed(t, lines[i]);
        }
        CHECK(rc == WEFT_E_HEAD && fed <= 16384 + 100);
        CHECK(strstr(t->why, i == 0 ? "too many" : "too large") != NULL);
        weft_tunnel_free(t);
    }
}

static void
a_cut_answer_wants_more(void)
{
    static const char yes[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";

    for (size_t len = 0; len < sizeof(yes) - 1; len++)
        CHECK(run(&http, yes, len).rc == WEFT_MORE);
    CHECK(run(&http, yes, sizeof(yes) - 1).rc == WEFT_OK);
}

static void
memory_may_run_out(void)
{
    static const char yes[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";

    CHECK(survives(&http_login, yes, sizeof(yes) - 1) >= 5);
}

int
main(void)
{
    http_asks_for_host_and_port();
    http_says_who_asks();
    any_2xx_is_yes();
    a_refusal_is_named();
    no_password_is_repeated();
    a_long_reason_is_cut();
    what_is_not_http_is_refused();
    a_head_is_bounded();
    a_cut_answer_wants_more();
    memory_may_run_out();
    weft_tunnel_free(NULL);
    return check_report();
}
