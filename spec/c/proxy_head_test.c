/*
 * proto/proxy_head.h: which heads of the PROXY protocol are taken, what they
 * say, and that it does not matter in which pieces they come.
 */
#include <stdbool.h>

#include "base/bytes.h"
#include "check.h"
#include "proto/proxy_head.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) ((struct weft_span){ text, sizeof(text) - 1 })

static bool
same(const struct weft_proxy_head *a, const struct weft_proxy_head *b)
{
    return a->from == b->from && a->length == b->length && a->port == b->port
           && memcmp(a->address, b->address, sizeof(a->address)) == 0
           && memcmp(a->path, b->path, sizeof(a->path)) == 0
           && (a->why == NULL) == (b->why == NULL)
           && (a->why == NULL || strcmp(a->why, b->why) == 0);
}

/* With all cuts that there are: nothing is decided that more bytes change, a
 * head is complete with its last byte, and what follows changes nothing. */
static enum weft_status
read_head(struct weft_proxy_head *h, struct weft_span s, int line)
{
    const uint8_t *bytes = (const uint8_t *)s.data;
    enum weft_status rc = weft_proxy_head_read(h, bytes, s.len);
    bool decided = false, held = true;

    for (size_t n = 0; n <= s.len; n++) {
        struct weft_proxy_head cut;
        enum weft_status now = weft_proxy_head_read(&cut, bytes, n);

        if (now == WEFT_MORE) {
            held = held && !decided && cut.why == NULL;
            continue;
        }
        held = held && now == rc && same(&cut, h);
        held = held && (decided || rc != WEFT_OK || n == h->length);
        decided = true;
    }
    check_that(held && decided == (rc != WEFT_MORE), "every cut is the same",
               __FILE__, line);
    check_that((rc == WEFT_E_HEAD) == (h->why != NULL), "why it fails",
               __FILE__, line);
    return rc;
}

static void
takes(struct weft_span s, size_t length, enum weft_proxy_from from,
      const char *address, uint16_t port, int line)
{
    struct weft_proxy_head h;
    size_t size = from == WEFT_PROXY_IPV4 ? 4 : from == WEFT_PROXY_IPV6 ? 16
                                                                        : 0;

    check_that(read_head(&h, s, line) == WEFT_OK, "it is taken", __FILE__,
               line);
    check_that(h.length == length && h.from == from && h.port == port
                   && memcmp(h.address, address, size) == 0,
               "it says so", __FILE__, line);
}

static void
comes_to(struct weft_span s, enum weft_status rc, int line)
{
    struct weft_proxy_head h;

    check_that(read_head(&h, s, line) == rc, "what comes of it", __FILE__,
               line);
}

#define TAKES(s, length, from, address, port) \
    takes(BYTES(s), length, from, address, port, __LINE__)
#define UNTOLD(s, length) \
    takes(BYTES(s), length, WEFT_PROXY_UNTOLD, "", 0, __LINE__)
#define REFUSES(s) comes_to(BYTES(s), WEFT_E_HEAD, __LINE__)
#define WAITS(s) comes_to(BYTES(s), WEFT_MORE, __LINE__)

#define V6 "2001:db8:0:0:0:0:0:7"
#define V6_BYTES "\x20\1\r\270\0\0\0\0\0\0\0\0\0\0\0\7"

static void
lines(void)
{
    TAKES("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n", 41, WEFT_PROXY_IPV4,
          "\300\0\2\7", 56324);
    TAKES("PROXY TCP4 192.0.2.7 10.0.0.1 0 65535\r\nGET / HTTP/1.1\r\n", 39,
          WEFT_PROXY_IPV4, "\300\0\2\7", 0);
    TAKES("PROXY TCP6 " V6 " ::1 1 2\r\n", 41, WEFT_PROXY_IPV6, V6_BYTES, 1);
    TAKES("PROXY TCP6 ffff:f:f:f:f:f:f:ffff ::ffff:192.0.2.1 65535 65535\r\n\r\n",
          63, WEFT_PROXY_IPV6,
          "\377\377\0\17\0\17\0\17\0\17\0\17\0\17\377\377", 65535);
    UNTOLD("PROXY UNKNOWN\r\n", 15);
    UNTOLD("PROXY UNKNOWN ffff::1 what ever\t\1 it is\r\nPROXY", 41);
}

static void
bad_lines(void)
{
    REFUSES("GET / HTTP/1.1\r\n");
    REFUSES("PRO ");
    REFUSES("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n");
    REFUSES("PROXY\r\n");
    REFUSES("PROXY \r\n");
    REFUSES("PROXY TCP4\r\n");
    REFUSES("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4  1 2\r\n");
    REFUSES("PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3.4 1 0x2\r\n");
    REFUSES("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n");
    REFUSES("PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n");
    REFUSES("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n");
    REFUSES("PROXY TCP4 ::1 ::1 1 2\r\n");
    REFUSES("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n");
    REFUSES("PROXY TCP6 fe80::1%lo ::1 1 2\r\n");
    REFUSES("PROXY TCP6 [::1] [::1] 1 2\r\n");
    REFUSES("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n");
    REFUSES("PROXY UNKNOWNX\r\n");
    REFUSES("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n");
}

/* 107 bytes are the most, the CRLF included. */
static void
long_lines(void)
{
    char text[200] = "PROXY UNKNOWN ";

    memset(text + 14, 'x', sizeof(text) - 14);
    comes_to((struct weft_span){ text, 106 }, WEFT_MORE, __LINE__);
    comes_to((struct weft_span){ text, 107 }, WEFT_E_HEAD, __LINE__);
    memcpy(text + 105, "\r\n", 2);
    takes((struct weft_span){ text, sizeof(text) }, 107, WEFT_PROXY_UNTOLD,
          "", 0, __LINE__);
    memcpy(text + 105, "x\r\n", 3);
    comes_to((struct weft_span){ text, sizeof(text) }, WEFT_E_HEAD, __LINE__);
}

static void
binaries(void)
{
    struct weft_proxy_head h;
    char unix_head[16 + 216 + 3] = SIGNATURE "\x21\x31\0\330/run/a.sock";

    TAKES(SIGNATURE "\x21\x11\0\14\300\0\2\7\12\0\0\1\334\4\1\273GET", 28,
          WEFT_PROXY_IPV4, "\300\0\2\7", 56324);
    TAKES(SIGNATURE "\x21\x11\0\20\300\0\2\7\12\0\0\1\334\4\1\273\4\0\1\0", 32,
          WEFT_PROXY_IPV4, "\300\0\2\7", 56324);
    TAKES(SIGNATURE "\x21\x21\0\44" V6_BYTES V6_BYTES "\334\4\1\273", 52,
          WEFT_PROXY_IPV6, V6_BYTES, 56324);
    UNTOLD(SIGNATURE "\x20\0\0\0", 16);
    UNTOLD(SIGNATURE "\x20\x11\0\14\300\0\2\7\12\0\0\1\334\4\1\273", 28);
    UNTOLD(SIGNATURE "\x20\xff\0\1?x", 17); /* "discard the family" */
    UNTOLD(SIGNATURE "\x21\0\0\0", 16);
    UNTOLD(SIGNATURE "\x21\0\0\3abcd", 19);
    UNTOLD(SIGNATURE "\x21\x12\0\14\300\0\2\7\12\0\0\1\334\4\1\273", 28);
    CHECK(read_head(&h, (struct weft_span){ unix_head, sizeof(unix_head) },
                    __LINE__) == WEFT_OK);
    CHECK(h.from == WEFT_PROXY_UNIX && h.length == 232);
    CHECK(strcmp(h.path, "/run/a.sock") == 0);
    memset(unix_head + 16, 'p', 108); /* a path without a NUL */
    CHECK(read_head(&h, (struct weft_span){ unix_head, sizeof(unix_head) },
                    __LINE__) == WEFT_OK);
    CHECK(strlen(h.path) == 108);
}

static void
bad_binaries(void)
{
    static char large[WEFT_PROXY_HEAD_MAX + 1] = SIGNATURE "\x20\0\x3f\xf0";

    WAITS("");
    WAITS(SIGNATURE "\x21\x11\0");
    WAITS(SIGNATURE "\x21\x11\0\14\300\0\2\7\12\0\0\1\334\4\1");
    REFUSES("\r\n\r\n\0\r\nQUIT\r");
    REFUSES("\r\nGET");
    REFUSES(SIGNATURE "\x11");
    REFUSES(SIGNATURE "\x22");
    REFUSES(SIGNATURE "\x31");
    REFUSES(SIGNATURE "\x21\x13");
    REFUSES(SIGNATURE "\x21\x41");
    REFUSES(SIGNATURE "\x21\x11\0\13");
    REFUSES(SIGNATURE "\x21\x21\0\43");
    REFUSES(SIGNATURE "\x21\x31\0\327");
    REFUSES(SIGNATURE "\x21\x11\xff\xff");
    REFUSES(SIGNATURE "\x20\0\x3f\xf1");
    takes((struct weft_span){ large, sizeof(large) }, WEFT_PROXY_HEAD_MAX,
          WEFT_PROXY_UNTOLD, "", 0, __LINE__);
}

int
main(void)
{
    lines();
    bad_lines();
    long_lines();
    binaries();
    bad_binaries();
    return check_report();
}
