/*
 * Bodies out of their framing.  It must not know what they are for.
 */
#include "proto/http_body.h"

enum {
    MOST_LINE = 1024,        /* a chunk's size with its extensions */
    MOST_TRAILERS = 8 * 1024,
    MOST_IDLE = 64 * 1024,   /* of size lines, past what their chunks hold */
    SIZE_DIGITS = 16,
};

static enum weft_status
fault(struct weft_http_body *b, uint16_t error, const char *why)
{
    b->state = WEFT_BODY_BAD;
    b->error = error;
    b->why = why;
    return WEFT_E_HEAD;
}

static enum weft_status
too_long(struct weft_http_body *b)
{
    return fault(b, 413, "the body is longer than is taken here");
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What Content-Length says, as far as it can be counted, or `missing`, also
 * for one that is no number, which a server has refused. */
static uint64_t
announced(const struct weft_http_head *h, const char *bytes, uint64_t missing)
{
    int i = weft_http_find(h, bytes, "content-length", 0);
    struct weft_span s;
    uint64_t n = 0;

    if (i < 0)
        return missing;
    s = weft_http_span(bytes, h->fields[i].value);
    for (size_t j = 0; j < s.len; j++) {
        if (s.data[j] < '0' || s.data[j] > '9')
            return missing;
        if (n > UINT64_MAX / 16)
            return UINT64_MAX - 1;
        n = n * 10 + (uint64_t)(s.data[j] - '0');
    }
    return n;
}

static bool
never_has_body(const struct weft_http_head *h)
{
    return h->kind == WEFT_HTTP_RESPONSE
           && (h->status < 200 || h->status == 204 || h->status == 304);
}

enum weft_status
weft_http_body_begin(struct weft_http_body *b, const struct weft_http_head *h,
                     const char *bytes, uint64_t most)
{
    bool request = h->kind == WEFT_HTTP_REQUEST;

    *b = (struct weft_http_body){ .most = most };
    if (never_has_body(h))
        return WEFT_OK;
    if (weft_http_has_token(h, bytes, "transfer-encoding", "chunked")) {
        b->state = WEFT_BODY_SIZE;
        return WEFT_MORE;
    }
    b->left = announced(h, bytes, request ? 0 : UINT64_MAX);
    if (b->left == 0)
        return WEFT_OK;
    b->state = b->left == UINT64_MAX ? WEFT_BODY_TO_END : WEFT_BODY_LENGTH;
    if (b->state == WEFT_BODY_TO_END || b->left <= most)
        return WEFT_MORE;
    b->error = 413;
    b->why = "the body is longer than is taken here";
    return WEFT_E_HEAD;
}

/* A whole line with its CRLF, from raw; WEFT_MORE: not yet. */
static enum weft_status
take_line(struct weft_http_body *b, struct weft_span raw, size_t *used,
          size_t most, struct weft_span *line)
{
    const char *from = raw.data + *used;
    size_t len = raw.len - *used;
    const char *end = len > 0 ? memchr(from, '\n', len < most ? len : most)
                              : NULL;

    if (end == NULL)
        return len < most ? WEFT_MORE
                          : fault(b, 400, "a line of the chunked body is too"
                                          " long");
    if (end == from || end[-1] != '\r')
        return fault(b, 400, "a line of the chunked body ends without CR");
    *line = (struct weft_span){ from, (size_t)(end - from) - 1 };
    if (!weft_http_is_value(*line))
        return fault(b, 400, "a control in a line of the chunked body");
    *used += line->len + 2;
    return WEFT_OK;
}

/* 7.1.1: what is passed over has a limit of its own: else chunks of a byte would
 * bring a thousand times what they hold.  What a chunk holds makes up for as
 * much, so that long ones may each be signed. */
static enum weft_status
count_idle(struct weft_http_body *b, size_t len)
{
    if (len > SIZE_DIGITS)
        b->idle += (uint32_t)(len - SIZE_DIGITS);
    if (b->idle > MOST_IDLE)
        return fault(b, 400, "the lines of the chunked body are too long");
    b->idle -= b->left < b->idle ? (uint32_t)b->left : b->idle;
    return WEFT_OK;
}

/* 7.1: the size, and extensions, which are passed over */
static enum weft_status
read_size(struct weft_http_body *b, struct weft_span raw, size_t *used)
{
    struct weft_span line;
    enum weft_status rc = take_line(b, raw, used, MOST_LINE, &line);
    size_t i = 0;

    if (rc != WEFT_OK)
        return rc;
    b->left = 0;
    for (; i < line.len && hex_digit(line.data[i]) >= 0; i++) {
        if (b->left > UINT64_MAX / 32)
            return too_long(b);
        b->left = b->left * 16 + (uint64_t)hex_digit(line.data[i]);
    }
    if (i == 0)
        return fault(b, 400, "a chunk has no size");
    while (i < line.len && weft_http_is_blank(line.data[i]))
        i++;
    if (i < line.len && line.data[i] != ';')
        return fault(b, 400, "the size of a chunk is malformed");
    rc = count_idle(b, line.len);
    if (rc != WEFT_OK)
        return rc;
    b->state = b->left > 0 ? WEFT_BODY_CHUNK : WEFT_BODY_TRAILERS;
    return WEFT_OK;
}

/* 5.1: a name and a colon, nothing between them; a line that goes on from the
 * one before, or is none, might be a request to somebody else. */
static bool
is_field(struct weft_span line)
{
    const char *colon = memchr(line.data, ':', line.len);

    return colon != NULL
           && weft_http_is_token((struct weft_span){
               line.data, (size_t)(colon - line.data) });
}

/* 7.1.2: up to the empty line */
static enum weft_status
read_trailers(struct weft_http_body *b, struct weft_span raw, size_t *used)
{
    struct weft_span line;
    size_t most = MOST_TRAILERS - b->lines;
    enum weft_status rc = take_line(b, raw, used, most, &line);

    if (rc != WEFT_OK)
        return rc;
    b->lines += (uint32_t)line.len + 2;
    if (line.len == 0)
        b->state = WEFT_BODY_DONE;
    else if (!is_field(line))
        return fault(b, 400, "a trailer is malformed");
    else if (b->lines >= MOST_TRAILERS)
        return fault(b, 400, "the trailers are too long");
    return WEFT_OK;
}

static enum weft_status
read_chunk_end(struct weft_http_body *b, struct weft_span raw, size_t *used)
{
    if (raw.len - *used < 2)
        return WEFT_MORE;
    if (memcmp(raw.data + *used, "\r\n", 2) != 0)
        return fault(b, 400, "a chunk is longer than its size");
    *used += 2;
    b->state = WEFT_BODY_SIZE;
    return WEFT_OK;
}

static enum weft_status
read_data(struct weft_http_body *b, struct weft_span raw, size_t *used,
          struct weft_buf *to)
{
    size_t n = raw.len - *used;

    if (n > b->left)
        n = (size_t)b->left;
    if (n == 0)
        return WEFT_MORE;
    if (b->most == 0)
        return too_long(b);
    if (n > b->most)
        n = (size_t)b->most;
    if (weft_buf_add(to, raw.data + *used, n) != WEFT_OK)
        return WEFT_E_MEMORY;
    *used += n;
    b->most -= n;
    if (b->state != WEFT_BODY_TO_END)
        b->left -= n;
    if (b->left == 0)
        b->state = b->state == WEFT_BODY_LENGTH ? WEFT_BODY_DONE
                                                : WEFT_BODY_CHUNK_END;
    return WEFT_OK;
}

enum weft_status
weft_http_body_read(struct weft_http_body *b, struct weft_span raw,
                    size_t *used, struct weft_buf *to)
{
    enum weft_status rc = WEFT_OK;

    while (rc == WEFT_OK) {
        switch (b->state) {
        case WEFT_BODY_DONE:
            return WEFT_OK;
        case WEFT_BODY_BAD:
            return WEFT_E_HEAD;
        case WEFT_BODY_LENGTH:
        case WEFT_BODY_TO_END:
        case WEFT_BODY_CHUNK:
            rc = read_data(b, raw, used, to);
            break;
        case WEFT_BODY_SIZE:
            rc = read_size(b, raw, used);
            break;
        case WEFT_BODY_CHUNK_END:
            rc = read_chunk_end(b, raw, used);
            break;
        case WEFT_BODY_TRAILERS:
            rc = read_trailers(b, raw, used);
            break;
        }
    }
    return rc;
}
