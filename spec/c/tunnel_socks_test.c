/*
 * proto/tunnel.h over SOCKS5: what a proxy is asked, and what comes of each
 * answer, in whatever pieces it arrives.
 */
#include "tunnel_kit.h"

static const struct weft_tunnel_request socks = {
    .kind = WEFT_TUNNEL_SOCKS5, .host = SPAN("example.com"), .port = 443,
};
static const struct weft_tunnel_request socks_login = {
    .kind = WEFT_TUNNEL_SOCKS5, .host = SPAN("example.com"), .port = 443,
    .user = SPAN("ali"), .password = SPAN("open"),
};

#define CONNECT_NAME "\5\1\0\3\13example.com\1\273"
#define LOGIN "\1\3ali\4open"

static void
socks_asks_in_turn(void)
{
    struct outcome o = RUN(socks, "");

    CHECK(o.rc == WEFT_MORE);
    SENT(&o, "\5\1\0");
    o = RUN(socks, "\5\0");
    CHECK(o.rc == WEFT_MORE);
    SENT(&o, "\5\1\0" CONNECT_NAME);
    o = RUN(socks, "\5\0\5\0\0\1\12\0\0\1\4\322");
    STANDS(&o, "");
    SENT(&o, "\5\1\0" CONNECT_NAME);
}

static void
socks_says_who_asks(void)
{
    struct weft_tunnel_request r = socks_login;
    struct outcome o = RUN(r, "\5\2");

    SENT(&o, "\5\2\0\2" LOGIN);
    o = RUN(r, "\5\2\1\0");
    SENT(&o, "\5\2\0\2" LOGIN CONNECT_NAME);
    o = RUN(r, "\5\2\1\0\5\0\0\1\0\0\0\0\0\0early");
    STANDS(&o, "early");
    o = RUN(r, "\5\0\5\0\0\1\0\0\0\0\0\0"); /* it did not want to know */
    SENT(&o, "\5\2\0\2" CONNECT_NAME);
    STANDS(&o, "");
    o = RUN(r, "\5\2\5\0\5\0\0\1\0\0\0\0\0\0"); /* another version's */
    STANDS(&o, "");
    r.password.len = 0;
    o = RUN(r, "\5\2");
    SENT(&o, "\5\2\0\2\1\3ali\0");
    r = socks_login;
    r.user.len = 0;
    o = RUN(r, "\5\2");
    SENT(&o, "\5\2\0\2\1\0\4open");
}

static void
socks_sends_literals_as_bytes(void)
{
    struct weft_tunnel_request r = socks;
    struct outcome o;

    r.host = (struct weft_span)SPAN("192.0.2.1");
    o = RUN(r, "\5\0");
    SENT(&o, "\5\1\0\5\1\0\1\300\0\2\1\1\273");
    r.host = (struct weft_span)SPAN("2001:db8::1");
    o = RUN(r, "\5\0");
    SENT(&o, "\5\1\0\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\273");
    r.host = (struct weft_span)SPAN("192.0.2.256");
    o = RUN(r, "\5\0");
    SENT(&o, "\5\1\0\5\1\0\3\x0b" "192.0.2.256\1\273");
}

static void
socks_takes_what_fits(void)
{
    struct weft_tunnel_request r = socks_login;
    static char name[255];
    struct outcome o;

    memset(name, 'n', sizeof(name));
    r.host = r.user = r.password = (struct weft_span){ name, 255 };
    o = RUN(r, "\5\2\1\0");
    CHECK(o.rc == WEFT_MORE);
    CHECK(o.out_len == 4 + (1 + 256 + 256) + (4 + 256 + 2));
    CHECK(memcmp(o.out + 4, "\1\377nnn", 5) == 0);
    CHECK(memcmp(o.out + 4 + 257, "\377nnn", 4) == 0);
    CHECK(memcmp(o.out + 4 + 513, "\5\1\0\3\377nnn", 8) == 0);
    CHECK(memcmp(o.out + o.out_len - 3, "n\1\273", 3) == 0);
}

static void
socks_reads_any_address(void)
{
    struct outcome o = RUN(socks, "\5\0\5\0\0\4" "0123456789abcdef" "\0\0!");

    STANDS(&o, "!");
    o = RUN(socks, "\5\0\5\0\0\3\4name\0\0!");
    STANDS(&o, "!");
    o = RUN(socks, "\5\0\5\0\0\3\0\0\0!");
    STANDS(&o, "!");
    o = RUN(socks, "\5\0\5\0\xff\1" "1234" "\0\0!");
    STANDS(&o, "!");
    o = RUN(socks, "\5\0\5\0\0\2");
    FAILS(&o, "its reply has an unknown type of address");
}

static void
every_method_has_its_outcome(void)
{
    for (unsigned m = 0; m < 256; m++) {
        char bytes[2] = { 5, (char)m };
        struct outcome a = run(&socks, bytes, 2);
        struct outcome b = run(&socks_login, bytes, 2);

        CHECK((a.rc == WEFT_MORE) == (m == 0));
        CHECK((b.rc == WEFT_MORE) == (m == 0 || m == 2));
        if (m == 0xff) {
            FAILS(&a, "it wants a user name and password");
            FAILS(&b, "it takes no user name and password");
        } else if (m > 2) {
            FAILS(&a, "it chose a way to authenticate that was not offered");
            FAILS(&b, "it chose a way to authenticate that was not offered");
        }
    }
}

static void
every_login_answer_has_its_outcome(void)
{
    for (unsigned s = 0; s < 256; s++) {
        char bytes[4] = { 5, 2, 1, (char)s };
        struct outcome o = run(&socks_login, bytes, 4);

        CHECK((o.rc == WEFT_MORE) == (s == 0));
        if (s > 0)
            FAILS(&o, "the proxy refused user name and password");
    }
}

static void
every_reply_has_its_words(void)
{
    static const char *const words[] = {
        "general failure", "not allowed by the proxy's rules",
        "network unreachable", "host unreachable", "connection refused",
        "TTL expired", "command not supported", "address type not supported",
    };

    for (unsigned code = 1; code < 256; code++) {
        char bytes[4] = { 5, 0, 5, (char)code }, why[100];
        struct outcome o = run(&socks, bytes, 4);

        snprintf(why, sizeof(why), "%s (SOCKS5 reply %u)",
                 code <= 8 ? words[code - 1] : "unknown failure", code);
        FAILS(&o, why);
    }
}

static void
what_is_not_socks_is_refused(void)
{
    struct outcome o = RUN(socks, "HTTP/1.1 400 Bad Request\r\n\r\n");

    FAILS(&o, "it does not speak SOCKS5");
    o = RUN(socks, "\4");
    FAILS(&o, "it does not speak SOCKS5");
    o = RUN(socks, "\0\132");
    FAILS(&o, "it does not speak SOCKS5");
    o = RUN(socks, "\5\0\4\0\0\1");
    FAILS(&o, "it does not speak SOCKS5");
    o = RUN(socks_login, "\5\2\1\0H");
    FAILS(&o, "it does not speak SOCKS5");
}

static void
a_cut_answer_wants_more(void)
{
    static const char replies[] = "\5\2\1\0\5\0\0\3\4name\1\2";

    for (size_t len = 0; len < sizeof(replies) - 1; len++)
        CHECK(run(&socks_login, replies, len).rc == WEFT_MORE);
    CHECK(run(&socks_login, replies, sizeof(replies) - 1).rc == WEFT_OK);
}

static void
memory_may_run_out(void)
{
    static const char replies[] = "\5\2\1\0\5\0\0\1\0\0\0\0\0\0";
    struct weft_tunnel_request r = socks_login;
    char name[255];

    memset(name, 'n', sizeof(name)); /* so that `out` must grow */
    r.host = r.user = r.password = (struct weft_span){ name, 255 };
    CHECK(survives(&r, replies, sizeof(replies) - 1) >= 4);
}

int
main(void)
{
    socks_asks_in_turn();
    socks_says_who_asks();
    socks_sends_literals_as_bytes();
    socks_takes_what_fits();
    socks_reads_any_address();
    every_method_has_its_outcome();
    every_login_answer_has_its_outcome();
    every_reply_has_its_words();
    what_is_not_socks_is_refused();
    a_cut_answer_wants_more();
    memory_may_run_out();
    return check_report();
}
