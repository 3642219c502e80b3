/*
 * Bodies out of their framing, responses into it: every cut of the stream gives
 * the same bytes, and what is wrong shows.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "failing_mem.h"
#include "proto/http_body.h"
#include "proto/http_response.h"

struct outcome {
    enum weft_status rc;
    unsigned error;
    size_t len, left; /* of the body; of the raw bytes, unused */
    char body[256];
};

/* Reads what comes behind a head, `size` bytes at a time. */
static struct outcome
read_body(enum weft_http_kind kind, const char *text, size_t size,
          uint64_t most)
{
    struct outcome o = { 0 };
    struct weft_http_body b;
    struct weft_http_head h;
    struct weft_buf to = { 0 };
    size_t len = strlen(text), used, at;

    weft_http_init(&h, kind, 10000, 100);
    CHECK(weft_http_read(&h, text, len) == WEFT_OK);
    o.rc = weft_http_body_begin(&b, &h, text, most);
    used = 0;
    at = h.length;
    while (o.rc == WEFT_MORE && at < len) {
        at = at + size < len ? at + size : len;
        o.rc = weft_http_body_read(&b, (struct weft_span){
                                           text + h.length, at - h.length },
                                   &used, &to);
    }
    o.error = b.error;
    o.len = weft_buf_len(&to);
    o.left = len - h.length - used;
    if (o.len > 0 && o.len < sizeof(o.body))
        memcpy(o.body, weft_buf_head(&to), o.len);
    weft_buf_deinit(&to);
    weft_http_deinit(&h);
    return o;
}

static bool
reads(const struct outcome *o, const char *body, size_t left)
{
    return o->rc == WEFT_OK && o->len == strlen(body) && o->left == left
           && memcmp(o->body, body, o->len) == 0;
}

#define POST "POST / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void
whole_and_in_pieces(void)
{
    static const struct {
        const char *text, *body;
        size_t left;
    } cases[] = {
        { POST "\r\nGET /", "", 5 },
        { POST "Content-Length: 0\r\n\r\nGET /", "", 5 },
        { POST "Content-Length: 4\r\n\r\nfour", "four", 0 },
        { CHUNKED "0\r\n\r\n", "", 0 },
        { CHUNKED "4\r\nfour\r\nA\r\n and more!\r\n0\r\n\r\n",
          "four and more!", 0 },
        { CHUNKED "0004;a=\"b;c\" \r\nfour\r\n00\r\nA: b\r\nC:\r\n\r\n",
          "four", 0 },
        { CHUNKED "4 \t;x\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t size = 1; size < 80; size++) {
            struct outcome o = read_body(WEFT_HTTP_REQUEST, cases[i].text,
                                         size, 1000);

            CHECK(reads(&o, cases[i].body, cases[i].left));
        }
}

static void
what_comes_behind_stays(void)
{
    struct outcome o = read_body(WEFT_HTTP_REQUEST,
                                 CHUNKED "1\r\nx\r\n0\r\n\r\nGET / HTTP", 999,
                                 10);

    CHECK(reads(&o, "x", 10));
    o = read_body(WEFT_HTTP_REQUEST,
                  POST "Content-Length: 2\r\n\r\nabGET", 999, 10);
    CHECK(reads(&o, "ab", 3));
}

static void
malformed(void)
{
    static const char *const cases[] = {
        CHUNKED "\r\n", CHUNKED "g\r\n", CHUNKED "-1\r\n", CHUNKED "0x1\r\na",
        CHUNKED "1 1\r\na", CHUNKED "1\na\r\n", CHUNKED "1\r\nab\r\n",
        CHUNKED "1\r\na\n0\r\n", CHUNKED "1;\001\r\na", CHUNKED "1;\r\r\na",
        CHUNKED "0\r\nA: b\n\r\n", CHUNKED " 1\r\na",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t size = 1; size < 60; size++) {
            struct outcome o = read_body(WEFT_HTTP_REQUEST, cases[i], size,
                                         1000);

            CHECK(o.rc == WEFT_E_HEAD && o.error == 400);
        }
}

static void
too_long(void)
{
    struct outcome o;

    for (size_t size = 1; size < 60; size++) {
        o = read_body(WEFT_HTTP_REQUEST,
                      CHUNKED "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", size, 5);
        CHECK(o.rc == WEFT_E_HEAD && o.error == 413 && o.len <= 5);
        o = read_body(WEFT_HTTP_REQUEST, CHUNKED "fffffffffffffffff\r\n",
                      size, 5);
        CHECK(o.rc == WEFT_E_HEAD && o.error == 413);
    }
    o = read_body(WEFT_HTTP_REQUEST, POST "Content-Length: 6\r\n\r\n", 1, 5);
    CHECK(o.rc == WEFT_E_HEAD && o.error == 413);
    o = read_body(WEFT_HTTP_REQUEST,
                  POST "Content-Length: 18446744073709551615\r\n\r\n", 1,
                  UINT64_MAX - 10);
    CHECK(o.rc == WEFT_E_HEAD && o.error == 413);
}

static void
endless_lines(void)
{
    static char text[20000];
    struct outcome o;

    snprintf(text, sizeof(text), "%s1;%01500d", CHUNKED, 0);
    o = read_body(WEFT_HTTP_REQUEST, text, 100, 1000);
    CHECK(o.rc == WEFT_E_HEAD && o.error == 400);
    snprintf(text, sizeof(text), "%s0\r\nA: %09000d", CHUNKED, 0);
    o = read_body(WEFT_HTTP_REQUEST, text, 100, 1000);
    CHECK(o.rc == WEFT_E_HEAD && o.error == 400);
}

static void
of_responses(void)
{
    struct outcome o = read_body(WEFT_HTTP_RESPONSE,
                                 "HTTP/1.1 200 OK\r\n\r\nto the end", 3, 100);

    CHECK(o.rc == WEFT_MORE && o.len == 10);
    o = read_body(WEFT_HTTP_RESPONSE, "HTTP/1.1 200 OK\r\n\r\nto the end", 3,
                  4);
    CHECK(o.rc == WEFT_E_HEAD && o.len == 4);
    o = read_body(WEFT_HTTP_RESPONSE,
                  "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nabcde", 3, 4);
    CHECK(reads(&o, "", 5));
    o = read_body(WEFT_HTTP_RESPONSE,
                  "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 3, 4);
    CHECK(reads(&o, "no", 0));
}

static bool
dates(int64_t seconds, const char *expected)
{
    char text[WEFT_DATE_TEXT];

    weft_http_date(text, seconds);
    return strcmp(text, expected) == 0;
}

static void
the_date(void)
{
    CHECK(dates(0, "Thu, 01 Jan 1970 00:00:00 GMT"));
    CHECK(dates(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"));
    CHECK(dates(951782400, "Tue, 29 Feb 2000 00:00:00 GMT"));
    CHECK(dates(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"));
    CHECK(dates(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"));
    CHECK(dates(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"));
    CHECK(dates(-1, "Thu, 01 Jan 1970 00:00:00 GMT"));
}

static bool
heads(struct weft_http_response r, const char *headers, const char *expected)
{
    struct weft_buf b = { 0 };
    bool same;

    r.headers = weft_http_text(headers);
    same = weft_http_write_head(&b, &r) == WEFT_OK
           && weft_buf_len(&b) == strlen(expected)
           && memcmp(weft_buf_head(&b), expected, strlen(expected)) == 0;
    weft_buf_deinit(&b);
    return same;
}

static void
response_heads(void)
{
    struct weft_http_response r = { .status = 200, .then = WEFT_THEN_KEEP,
                                    .framing = WEFT_FRAMED_CHUNKS,
                                    .date = "now" };

    CHECK(heads(r, "Content-Type: a/b\r\n",
                "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: a/b\r\n"
                "Transfer-Encoding: chunked\r\n\r\n"));
    CHECK(heads(r, "date: then\r\n",
                "HTTP/1.1 200 OK\r\ndate: then\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Transfer-Encoding: chunked\r\n\r\n"));
    r.framing = WEFT_FRAMED_END;
    r.then = WEFT_THEN_CLOSE;
    r.date = NULL;
    CHECK(heads(r, "Content-Type: a/b\r\n",
                "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                "Content-Type: a/b\r\n\r\n"));
    r.framing = WEFT_FRAMED_LENGTH;
    r.then = WEFT_THEN_KEEP_OLD;
    CHECK(heads(r, "Upgrade: websocket\r\n",
                "HTTP/1.1 200 OK\r\nConnection: keep-alive, Upgrade\r\n"
                "Upgrade: websocket\r\nContent-Length: 0\r\n\r\n"));
    r.status = 304;
    r.length = 7;
    CHECK(heads(r, "", "HTTP/1.1 304 Not Modified\r\n"
                       "Connection: keep-alive\r\n\r\n"));
}

static void
chunk_heads(void)
{
    char to[WEFT_CHUNK_HEAD];

    CHECK(weft_http_chunk_head(to, 1) == 3 && memcmp(to, "1\r\n", 3) == 0);
    CHECK(weft_http_chunk_head(to, 15) == 3 && memcmp(to, "f\r\n", 3) == 0);
    CHECK(weft_http_chunk_head(to, 16) == 4 && memcmp(to, "10\r\n", 4) == 0);
    CHECK(weft_http_chunk_head(to, 65536) == 7
          && memcmp(to, "10000\r\n", 7) == 0);
    CHECK(weft_http_chunk_head(to, SIZE_MAX) <= WEFT_CHUNK_HEAD);
}

/* What fails for memory is as it was, and may be made again. */
static void
without_memory(void)
{
    struct weft_span raw = { "5\r\nhello\r\n0\r\n\r\n", 15 };
    struct weft_http_response r = { .status = 200 };
    struct weft_http_body b = { .state = WEFT_BODY_SIZE, .most = 10 };
    struct weft_buf to = { 0 };
    size_t used = 0;

    failing = 0, allocations = 0;
    CHECK(weft_http_body_read(&b, raw, &used, &to) == WEFT_E_MEMORY);
    failing = -1;
    CHECK(weft_http_body_read(&b, raw, &used, &to) == WEFT_OK);
    CHECK(used == 15 && weft_buf_len(&to) == 5);
    weft_buf_deinit(&to);
    failing = 0, allocations = 0;
    CHECK(weft_http_write_head(&to, &r) == WEFT_E_MEMORY);
    failing = -1;
    CHECK(weft_buf_len(&to) == 0);
    CHECK(weft_http_write_head(&to, &r) == WEFT_OK);
    weft_buf_deinit(&to);
    CHECK(unfreed == 0);
}

int
main(void)
{
    whole_and_in_pieces();
    what_comes_behind_stays();
    malformed();
    too_long();
    endless_lines();
    of_responses();
    the_date();
    response_heads();
    chunk_heads();
    without_memory();
    return check_report();
}
