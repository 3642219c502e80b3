/*
 * Events as bytes.  It must not know who sends them.
 *
 * What is written is counted first, by the same code.
 */
#include "proto/events.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "proto/http_response.h"

enum { PORTION = 3 << 18 }; /* bytes put in base64 at a time */

struct writer {
    uint8_t *to; /* NULL: it only counts */
    size_t len;  /* SIZE_MAX: more than there can be */
};

static void
add(struct writer *w, size_t len)
{
    w->len = len < SIZE_MAX - w->len ? w->len + len : SIZE_MAX;
}

static void
put(struct writer *w, const void *bytes, size_t len)
{
    if (w->to != NULL && len > 0)
        memcpy(w->to + w->len, bytes, len);
    add(w, len);
}

static void
put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void
put_line(struct writer *w, const char *field, const char *value, size_t len)
{
    put_text(w, field);
    put(w, value, len);
    put_text(w, "\n");
}

static const char *
find(const char *at, const char *end, int c)
{
    const char *found = at < end ? memchr(at, c, (size_t)(end - at)) : NULL;

    return found != NULL ? found : end;
}

/* Each is looked for again only when it was passed, so that text of nothing
 * but one of them is not searched for the other at every line. */
static void
put_lines(struct writer *w, const char *field, struct weft_span text)
{
    const char *at = text.data, *end = at + text.len;
    const char *lf = find(at, end, '\n'), *cr = find(at, end, '\r');

    for (;;) {
        const char *stop = lf < cr ? lf : cr;

        put_line(w, field, at, (size_t)(stop - at));
        if (stop == end)
            return;
        at = stop + 1;
        if (stop == cr && at == lf && at < end)
            at++;
        if (lf < at)
            lf = find(at, end, '\n');
        if (cr < at)
            cr = find(at, end, '\r');
    }
}

static void
put_base64(struct writer *w, struct weft_span bytes)
{
    size_t n;

    put_text(w, "data: ");
    for (size_t at = 0; at < bytes.len; at += n) {
        n = bytes.len - at < PORTION ? bytes.len - at : PORTION;
        if (w->to != NULL) /* its NUL is written over: more comes */
            weft_base64(bytes.data + at, n, (char *)w->to + w->len);
        add(w, WEFT_BASE64_SIZE(n) - 1);
    }
    put_text(w, "\n");
}

static void
put_event(struct writer *w, const struct weft_sse *e)
{
    char retry[32];

    if (e->comment.data != NULL)
        put_lines(w, ": ", e->comment);
    if (e->name.data != NULL)
        put_line(w, "event: ", e->name.data, e->name.len);
    if (e->id.data != NULL)
        put_line(w, "id: ", e->id.data, e->id.len);
    if (e->retry >= 0) {
        snprintf(retry, sizeof(retry), "%lld", (long long)e->retry);
        put_line(w, "retry: ", retry, strlen(retry));
    }
    if (e->data.data != NULL && e->base64)
        put_base64(w, e->data);
    else if (e->data.data != NULL)
        put_lines(w, "data: ", e->data);
    put_text(w, "\n");
}

struct weft_sse
weft_sse_message(unsigned opcode, const void *data, size_t len)
{
    struct weft_sse e = { .retry = -1, .base64 = opcode == WEFT_BINARY };

    e.data = (struct weft_span){ len > 0 ? data : "", len };
    if (e.base64)
        e.name = (struct weft_span){ "binary", 6 };
    return e;
}

size_t
weft_sse_size(const struct weft_sse *e)
{
    struct writer w = { NULL, 0 };

    put_event(&w, e);
    return w.len;
}

void
weft_sse_write(const struct weft_sse *e, uint8_t *to)
{
    struct writer w = { to, 0 };

    put_event(&w, e);
}

enum weft_status
weft_sse_queue(struct weft_outq *q, const struct weft_sse *e)
{
    size_t size = weft_sse_size(e);
    uint8_t *to = size < SIZE_MAX ? weft_outq_reserve(q, size) : NULL;

    if (to == NULL)
        return WEFT_E_MEMORY;
    weft_sse_write(e, to);
    weft_outq_commit(q, size);
    return WEFT_OK;
}

struct weft_chunk *
weft_sse_chunk(const struct weft_sse *e)
{
    size_t size = weft_sse_size(e);
    struct weft_chunk *c = size < SIZE_MAX ? weft_chunk_new(size) : NULL;

    if (c != NULL)
        weft_sse_write(e, c->bytes);
    return c;
}

static enum weft_status
add_retry(struct weft_buf *b, int64_t retry)
{
    struct weft_sse e = { .retry = retry };
    uint8_t *to;

    if (retry < 0)
        return WEFT_OK;
    to = weft_buf_reserve(b, weft_sse_size(&e));
    if (to == NULL)
        return WEFT_E_MEMORY;
    weft_sse_write(&e, to);
    weft_buf_commit(b, weft_sse_size(&e));
    return WEFT_OK;
}

enum weft_status
weft_sse_head(struct weft_buf *b, struct weft_span headers, const char *date,
              int64_t retry)
{
    static const char own[] = "Content-Type: text/event-stream\r\n"
                              "Cache-Control: no-store\r\n"
                              "X-Accel-Buffering: no\r\n"; /* nginx's word */
    struct weft_http_response r = { .status = 200, .then = WEFT_THEN_CLOSE,
                                    .framing = WEFT_FRAMED_END,
                                    .date = date };
    struct weft_buf lines = { 0 };
    size_t before = b->tail;
    enum weft_status rc = weft_buf_add(&lines, own, sizeof(own) - 1);

    if (rc == WEFT_OK)
        rc = weft_buf_add(&lines, headers.data, headers.len);
    r.headers = (struct weft_span){ (const char *)weft_buf_head(&lines),
                                    weft_buf_len(&lines) };
    if (rc == WEFT_OK)
        rc = weft_http_write_head(b, &r);
    if (rc == WEFT_OK)
        rc = add_retry(b, retry);
    if (rc != WEFT_OK)
        b->tail = before;
    weft_buf_deinit(&lines);
    return rc;
}
