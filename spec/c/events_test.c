/*
 * Events as bytes: each field, every kind of line end, base64, and what is left
 * in a queue when memory is out.
 */
#include "proto/events.h"

#include <stdlib.h>

#include "check.h"
#include "failing_mem.h"
#include "proto/session.h"

#define SPAN(text) ((struct weft_span){ text, sizeof(text) - 1 })

static bool
writes(const struct weft_sse *e, const char *want)
{
    size_t len = strlen(want), size = weft_sse_size(e);
    struct weft_chunk *c = weft_sse_chunk(e);
    struct weft_outq q = { 0 };
    struct weft_span span;
    bool same;

    CHECK(c != NULL && size == c->len && weft_sse_queue(&q, e) == WEFT_OK);
    CHECK(weft_outq_spans(&q, &span, 1) == 1 && span.len == size);
    CHECK(memcmp(span.data, c->bytes, size) == 0);
    same = size == len && memcmp(c->bytes, want, len) == 0;
    if (!same)
        fprintf(stderr, "--- wrote: %.*s\n", (int)c->len,
                (const char *)c->bytes);
    weft_chunk_release(c);
    weft_outq_deinit(&q);
    return same;
}

static bool
says(struct weft_span text, const char *want)
{
    struct weft_sse e = weft_sse_message(WEFT_TEXT, text.data, text.len);

    return writes(&e, want);
}

static void
fields(void)
{
    struct weft_sse e = { .name = SPAN("price"), .id = SPAN("42"),
                          .retry = 1500, .data = SPAN("3"),
                          .comment = SPAN("for people") };

    CHECK(writes(&e, ": for people\nevent: price\nid: 42\nretry: 1500\n"
                     "data: 3\n\n"));
    e = (struct weft_sse){ .retry = 0 };
    CHECK(writes(&e, "retry: 0\n\n"));
    e = (struct weft_sse){ .retry = INT64_MAX };
    CHECK(writes(&e, "retry: 9223372036854775807\n\n"));
    e = (struct weft_sse){ .retry = -1, .id = SPAN("") };
    CHECK(writes(&e, "id: \n\n"));
    e = (struct weft_sse){ .retry = -1, .comment = SPAN("a\nb") };
    CHECK(writes(&e, ": a\n: b\n\n"));
}

static void
lines(void)
{
    CHECK(says(SPAN("hello"), "data: hello\n\n"));
    CHECK(says(SPAN(""), "data: \n\n"));
    CHECK(says((struct weft_span){ NULL, 0 }, "data: \n\n"));
    CHECK(says(SPAN(" two "), "data:  two \n\n"));
    CHECK(says(SPAN("a\nb"), "data: a\ndata: b\n\n"));
    CHECK(says(SPAN("a\r\nb"), "data: a\ndata: b\n\n"));
    CHECK(says(SPAN("a\rid: 1"), "data: a\ndata: id: 1\n\n"));
    CHECK(says(SPAN("a\n\rb"), "data: a\ndata: \ndata: b\n\n"));
    CHECK(says(SPAN("\n"), "data: \ndata: \n\n"));
    CHECK(says(SPAN("\r\r\n\n"), "data: \ndata: \ndata: \ndata: \n\n"));
    CHECK(says(SPAN("a\r"), "data: a\ndata: \n\n"));
    CHECK(says(SPAN("\r\na\n"), "data: \ndata: a\ndata: \n\n"));
}

/* What a reader makes of the data lines, by the rules of HTML, 9.2.6. */
static size_t
read_back(const uint8_t *at, size_t len, char *to)
{
    size_t n = 0, start = 0;

    for (size_t i = 0; i < len; i++) {
        if (at[i] != '\n' && at[i] != '\r')
            continue;
        CHECK(at[i] == '\n'); /* no CR is ever left */
        if (i > start) {
            CHECK(i - start >= 6 && memcmp(at + start, "data: ", 6) == 0);
            memcpy(to + n, at + start + 6, i - start - 6);
            n += i - start - 6;
            to[n++] = '\n';
        }
        start = i + 1;
    }
    CHECK(start == len && n > 0);
    return n - 1;
}

/* Whatever stands in it, it comes out as it went in, its line ends as LF. */
static void
any_text_is_data(void)
{
    char text[12], got[32], want[12];
    uint32_t seed = 7;

    for (int i = 0; i < 4000; i++) {
        size_t len, n = 0;
        struct weft_sse e;
        struct weft_chunk *c;

        seed = seed * 1664525 + 1013904223;
        len = seed >> 8 & 7;
        for (size_t k = 0; k < len; k++)
            text[k] = "\n\r\n\ra: "[seed >> (11 + 3 * k) & 7];
        for (size_t k = 0; k < len; k++)
            if (text[k] != '\n' || k == 0 || text[k - 1] != '\r')
                want[n++] = text[k] == '\r' ? '\n' : text[k];
        e = weft_sse_message(WEFT_TEXT, text, len);
        c = weft_sse_chunk(&e);
        CHECK(c != NULL && read_back(c->bytes, c->len, got) == n
              && memcmp(got, want, n) == 0);
        weft_chunk_release(c);
    }
}

/* As fast as long: each line would else be searched to the end of the text. */
static void
many_lines_take_no_square(void)
{
    size_t len = 4 << 20;
    char *text = malloc(len);
    struct weft_sse e = weft_sse_message(WEFT_TEXT, text, len);

    memset(text, '\r', len);
    CHECK(weft_sse_size(&e) == (len + 1) * 7 + 1);
    memset(text, '\n', len);
    CHECK(weft_sse_size(&e) == (len + 1) * 7 + 1);
    free(text);
}

static void
binary(void)
{
    size_t len = 3 * 786432 + 1;
    uint8_t *bytes = calloc(1, len);
    struct weft_sse e = weft_sse_message(WEFT_BINARY, "\0\xFF\r\n", 4);
    struct weft_chunk *c;

    CHECK(writes(&e, "event: binary\ndata: AP8NCg==\n\n"));
    e = weft_sse_message(WEFT_BINARY, NULL, 0);
    CHECK(writes(&e, "event: binary\ndata: \n\n"));
    e = weft_sse_message(WEFT_BINARY, bytes, len);
    c = weft_sse_chunk(&e);
    CHECK(c != NULL && c->len == 14 + 6 + (len + 2) / 3 * 4 + 2);
    for (size_t i = 20; i < c->len - 4; i++)
        if (c->bytes[i] != 'A') {
            CHECK(false);
            break;
        }
    CHECK(memcmp(c->bytes + c->len - 4, "==\n\n", 4) == 0);
    weft_chunk_release(c);
    free(bytes);
}

static void
heads(void)
{
    struct weft_buf b = { 0 };
    static const char want[] = "HTTP/1.1 200 OK\r\n"
                               "Connection: close\r\n"
                               "Date: today\r\n"
                               "Content-Type: text/event-stream\r\n"
                               "Cache-Control: no-store\r\n"
                               "X-Accel-Buffering: no\r\n"
                               "A: b\r\n\r\nretry: 2000\n\n";
    size_t len;

    CHECK(weft_sse_head(&b, SPAN("A: b\r\n"), "today", 2000) == WEFT_OK);
    len = weft_buf_len(&b);
    CHECK(len == sizeof(want) - 1
          && memcmp(weft_buf_head(&b), want, len) == 0);
    weft_buf_consume(&b, len);
    CHECK(weft_sse_head(&b, SPAN(""), NULL, -1) == WEFT_OK);
    len = weft_buf_len(&b);
    CHECK(memcmp(weft_buf_head(&b) + len - 4, "\r\n\r\n", 4) == 0);
    weft_buf_deinit(&b);
}

/* Sessions that speak events ----------------------------------------------- */

static const struct weft_limits limits = { 1000, 1000, 10 };

static void
begin(struct weft_session *s)
{
    weft_session_init(s, WEFT_EVENTS, &limits, NULL);
}

static bool
sends(struct weft_session *s, const char *want)
{
    struct weft_span span = { "", 0 };
    int n = weft_outq_spans(&s->out, &span, 1);
    bool same = n <= 1 && span.len == strlen(want)
                && memcmp(span.data, want, span.len) == 0;

    weft_outq_consume(&s->out, span.len);
    return same;
}

static void
messages_are_events(void)
{
    struct weft_sse e = weft_sse_message(WEFT_TEXT, "x", 1);
    struct weft_chunk *c = weft_sse_chunk(&e);
    struct weft_session s;

    begin(&s);
    CHECK(weft_session_send(&s, WEFT_TEXT, "hi", 2) == WEFT_OK);
    CHECK(sends(&s, "data: hi\n\n"));
    CHECK(weft_session_send_plain(&s, WEFT_BINARY, "hi", 2) == WEFT_OK);
    CHECK(sends(&s, "event: binary\ndata: aGk=\n\n"));
    CHECK(weft_session_send_borrowed(&s, WEFT_TEXT, "hi", 2) == WEFT_OK);
    CHECK(s.out.borrowed == 0 && sends(&s, "data: hi\n\n"));
    CHECK(weft_session_send(&s, (enum weft_opcode)WEFT_ENCODED, ":\n\n", 3)
          == WEFT_OK);
    CHECK(sends(&s, ":\n\n"));
    CHECK(weft_session_send_chunk(&s, c) == WEFT_OK);
    CHECK(!weft_session_copy_frame(&s, c)); /* which takes it for a frame */
    CHECK(sends(&s, "data: x\n\n"));
    CHECK(weft_session_rests(&s));
    weft_chunk_release(c);
    weft_session_deinit(&s);
}

static void
nothing_is_read(void)
{
    uint8_t frame[] = "\x81\x82\0\0\0\0hi", rest[] = "GET / HTTP/1.1\r\n\r\n";
    struct weft_input in = { frame, 8 };
    struct weft_session s;
    struct weft_event ev;

    begin(&s);
    CHECK(weft_session_read(&s, &in, &ev) == WEFT_MORE && in.len == 0);
    in = (struct weft_input){ rest, sizeof(rest) - 1 };
    CHECK(weft_session_read(&s, &in, &ev) == WEFT_MORE && in.len == 0);
    CHECK(!weft_session_pending(&s) && weft_session_rests(&s));
    weft_session_deinit(&s);
}

static void
a_close_says_nothing(void)
{
    struct weft_session s;

    begin(&s);
    CHECK(weft_session_close(&s, 1001, "bye", 3) == WEFT_OK);
    CHECK(sends(&s, "") && s.close_sent && !weft_session_closed(&s));
    CHECK(weft_session_send(&s, WEFT_TEXT, "hi", 2) == WEFT_E_CLOSED);
    CHECK(weft_session_close(&s, 1000, NULL, 0) == WEFT_OK);
    weft_session_deinit(&s);
}

/* When memory is out -------------------------------------------------------- */

static void
whole_or_not_at_all(void)
{
    static const char text[6000] = { 'x' };
    struct weft_outq q = { 0 };
    struct weft_buf b = { 0 };
    struct weft_sse e = weft_sse_message(WEFT_BINARY, text, sizeof(text));
    struct weft_sse small = weft_sse_message(WEFT_TEXT, "x", 1);
    struct weft_session s;
    long heads = 0;
    size_t len;

    CHECK(weft_sse_queue(&q, &small) == WEFT_OK);
    len = weft_outq_len(&q);
    allowed = 0;
    CHECK(weft_sse_queue(&q, &e) == WEFT_E_MEMORY);
    CHECK(weft_outq_len(&q) == len);
    CHECK(weft_sse_chunk(&e) == NULL);
    for (allowed = 0; weft_sse_head(&b, SPAN("A: b\r\n"), "now", 1) != WEFT_OK;
         allowed = ++heads)
        CHECK(weft_buf_len(&b) == 0 && heads < 10);
    CHECK(heads > 1);
    weft_buf_deinit(&b);
    allowed = 0;
    begin(&s);
    CHECK(weft_session_send(&s, WEFT_TEXT, "x", 1) == WEFT_E_MEMORY);
    CHECK(weft_session_send(&s, (enum weft_opcode)WEFT_ENCODED, ":\n\n", 3)
          == WEFT_E_MEMORY);
    CHECK(weft_outq_len(&s.out) == 0 && !s.muted);
    allowed = -1;
    CHECK(weft_sse_queue(&q, &e) == WEFT_OK);
    CHECK(weft_outq_len(&q) == len + weft_sse_size(&e));
    weft_outq_deinit(&q);
    weft_session_deinit(&s);
}

int
main(void)
{
    fields();
    lines();
    any_text_is_data();
    many_lines_take_no_square();
    binary();
    heads();
    messages_are_events();
    nothing_is_read();
    a_close_says_nothing();
    whole_or_not_at_all();
    CHECK(unfreed == 0);
    return check_report();
}
