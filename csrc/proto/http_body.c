/*
 * Response bodies.  It must not know what they are for.
 */
#include "proto/http_body.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Reads a chunk's size line (7.1): WEFT_OK and *at behind it, WEFT_MORE, or
 * WEFT_E_HEAD.  Extensions are passed over; a size is bounded far below
 * overflow.
 */
static enum weft_status
chunk_size(struct weft_span raw, size_t *at, size_t *size)
{
    size_t i = *at, digits = 0;

    *size = 0;
    for (; i < raw.len && hex_digit(raw.data[i]) >= 0; i++, digits++) {
        if (digits >= 7)
            return WEFT_E_HEAD;
        *size = *size * 16 + (size_t)hex_digit(raw.data[i]);
    }
    while (i < raw.len && raw.data[i] != '\n')
        i++;
    if (i >= raw.len)
        return WEFT_MORE;
    if (digits == 0)
        return WEFT_E_HEAD;
    *at = i + 1;
    return WEFT_OK;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum weft_status
read_chunks(struct weft_span raw, size_t most, struct weft_buf *body)
{
    size_t at = 0, size = 0, there;
    enum weft_status rc;

    while ((rc = chunk_size(raw, &at, &size)) == WEFT_OK) {
        if (size == 0)
            return WEFT_OK; /* trailers are nobody's */
        there = smaller(size, raw.len - at);
        there = smaller(there, most - weft_buf_len(body));
        if (weft_buf_add(body, raw.data + at, there) != WEFT_OK)
            return WEFT_E_MEMORY;
        if (weft_buf_len(body) >= most)
            return WEFT_OK;
        if (raw.len - at < size + 2)
            return WEFT_MORE;
        at += size + 2; /* and its CRLF */
    }
    return rc;
}

/* What Content-Length says, or `missing`; a strict head has checked it. */
static size_t
announced(const struct weft_http_head *h, const char *bytes, size_t missing)
{
    int i = weft_http_find(h, bytes, "content-length", 0);
    struct weft_span s;
    size_t n = 0;

    if (i < 0)
        return missing;
    s = weft_http_span(bytes, h->fields[i].value);
    for (size_t j = 0; j < s.len; j++) {
        if (s.data[j] < '0' || s.data[j] > '9' || n > SIZE_MAX / 16)
            return missing;
        n = n * 10 + (size_t)(s.data[j] - '0');
    }
    return n;
}

enum weft_status
weft_http_body(const struct weft_http_head *h, const char *head_bytes,
               struct weft_span raw, size_t most, struct weft_buf *body)
{
    size_t len;

    body->head = body->tail = 0;
    if (h->status < 200 || h->status == 204 || h->status == 304)
        return WEFT_OK; /* 6.3: these have none */
    if (weft_http_has_token(h, head_bytes, "transfer-encoding", "chunked"))
        return read_chunks(raw, most, body);
    len = announced(h, head_bytes, SIZE_MAX);
    if (weft_buf_add(body, raw.data, smaller(smaller(raw.len, len), most))
        != WEFT_OK)
        return WEFT_E_MEMORY;
    return weft_buf_len(body) >= smaller(len, most) ? WEFT_OK : WEFT_MORE;
}
