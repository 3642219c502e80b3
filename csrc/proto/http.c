/*
 * The head of an HTTP request or response, cut into slices as it arrives
 * (RFC 9112, sections 2 to 5).  It must not know what any field means.
 *
 * What a byte does depends on the bytes before it alone, so the head may come
 * in any pieces: each state below takes what it can of the new bytes.
 */
#include "proto/http.h"

#include "base/mem.h"

enum state {
    START, /* of a request, which one empty line may precede */
    EMPTY_LINE_END,
    METHOD,
    TARGET,
    SHORT_LINE_END, /* HTTP/0.9: a request line without a version */
    VERSION,
    VERSION_END,
    STATUS,
    REASON,
    START_LINE_END,
    LINE_START,
    NAME,
    VALUE,
    VALUE_END,
    HEAD_END,
    COMPLETE,
};

enum { FIRST_FIELDS = 16 };

void
weft_http_init(struct weft_http_head *h, enum weft_http_kind kind,
               uint32_t max_bytes, uint32_t max_fields)
{
    *h = (struct weft_http_head){ 0 };
    h->kind = kind;
    h->max_bytes = max_bytes;
    h->max_fields = max_fields;
    h->state = kind == WEFT_HTTP_REQUEST ? START : VERSION;
}

void
weft_http_deinit(struct weft_http_head *h)
{
    weft_free(h->fields);
    *h = (struct weft_http_head){ 0 };
}

static enum weft_status
fail(struct weft_http_head *h, uint16_t error, const char *why)
{
    h->error = error;
    h->why = why;
    return WEFT_E_HEAD;
}

/* Refuses the byte at h->at; some say more than the place they are in. */
static enum weft_status
fail_byte(struct weft_http_head *h, const char *bytes, const char *why)
{
    switch (bytes[h->at]) {
    case '\0':
        return fail(h, 400, "the head contains a NUL byte");
    case '\n':
        return fail(h, 400, "a line of the head ends in LF without CR");
    default:
        return fail(h, 400, why);
    }
}

/* Goes on with another part of the head, which begins at h->at. */
static void
enter(struct weft_http_head *h, enum state next)
{
    h->state = (uint8_t)next;
    h->mark = h->at;
}

/* Passes one byte; the next part begins behind it. */
static enum weft_status
step(struct weft_http_head *h, enum state next)
{
    h->at++;
    enter(h, next);
    return WEFT_OK;
}

/* The part that ends before h->at. */
static struct weft_slice
part(const struct weft_http_head *h)
{
    return (struct weft_slice){ h->mark, h->at - h->mark };
}

/* 2.2: a CR stands before an LF and nowhere else. */
static enum weft_status
read_lf(struct weft_http_head *h, const char *bytes, enum state next)
{
    if (bytes[h->at] != '\n')
        return fail(h, 400, "the head contains a CR without LF");
    return step(h, next);
}

static enum weft_status
read_start(struct weft_http_head *h, const char *bytes)
{
    if (bytes[h->at] == '\r')
        return step(h, EMPTY_LINE_END);
    enter(h, METHOD);
    return WEFT_OK;
}

static enum weft_status
read_method(struct weft_http_head *h, const char *bytes, uint32_t end)
{
    while (h->at < end && weft_http_is_tchar(bytes[h->at]))
        h->at++;
    if (h->at == end)
        return WEFT_OK;
    if (bytes[h->at] != ' ' || h->at == h->mark)
        return fail_byte(h, bytes, "the request's method is malformed");
    h->method = part(h);
    return step(h, TARGET);
}

static enum weft_status
read_target(struct weft_http_head *h, const char *bytes, uint32_t end)
{
    while (h->at < end && weft_http_is_target(bytes[h->at]))
        h->at++;
    if (h->at == end)
        return WEFT_OK;
    h->target = part(h);
    if (h->target.len > 0 && bytes[h->at] == ' ')
        return step(h, VERSION);
    if (h->target.len > 0 && bytes[h->at] == '\r')
        return step(h, SHORT_LINE_END);
    return fail_byte(h, bytes, "the request's target is malformed");
}

static enum weft_status
read_short_line_end(struct weft_http_head *h, const char *bytes)
{
    if (bytes[h->at] == '\n')
        return fail(h, 505, "the request line names no HTTP version");
    return fail(h, 400, "the head contains a CR without LF");
}

/* 2.3: HTTP-version; one byte at a time, since there are only eight. */
static enum weft_status
read_version(struct weft_http_head *h, const char *bytes)
{
    static const char form[] = "HTTP/1.";
    uint32_t i = h->at - h->mark;
    char c = bytes[h->at];
    bool digit = c >= '0' && c <= '9';

    if (i == 5 && digit && c != '1')
        return fail(h, 505, "the HTTP version is not 1.1");
    if (i < 7 ? c != form[i] : !digit)
        return fail_byte(h, bytes, "the HTTP version is malformed");
    if (i == 7) {
        h->minor = c != '0';
        return step(h, VERSION_END);
    }
    h->at++;
    return WEFT_OK;
}

/* 3.2: the four forms, less that of CONNECT, which nobody sends to us. */
static enum weft_status
check_target(struct weft_http_head *h, const char *bytes)
{
    struct weft_span target = weft_http_span(bytes, h->target);
    struct weft_span method = weft_http_span(bytes, h->method);
    struct weft_span authority, resource;

    if (!weft_http_split_target(target, &authority, &resource))
        return fail(h, 400, "the request's target is neither a path nor a "
                            "URL of http or ws");
    if (target.data[0] == '*' &&
        (method.len != 7 || memcmp(method.data, "OPTIONS", 7) != 0))
        return fail(h, 400, "the target \"*\" is for OPTIONS only");
    return WEFT_OK;
}

static enum weft_status
read_version_end(struct weft_http_head *h, const char *bytes)
{
    bool request = h->kind == WEFT_HTTP_REQUEST;

    if (bytes[h->at] != (request ? '\r' : ' '))
        return fail_byte(h, bytes, "the HTTP version is malformed");
    if (request && check_target(h, bytes) != WEFT_OK)
        return WEFT_E_HEAD;
    return step(h, request ? START_LINE_END : STATUS);
}

/* 4: three digits, then a reason, of which even the blank may be missing. */
static enum weft_status
read_status(struct weft_http_head *h, const char *bytes)
{
    uint32_t i = h->at - h->mark;
    char c = bytes[h->at];

    if (i == 3 && (c == ' ' || c == '\r'))
        return step(h, c == ' ' ? REASON : START_LINE_END);
    if (i == 3 || c < (i == 0 ? '1' : '0') || c > '9')
        return fail_byte(h, bytes, "the response's status is malformed");
    h->status = (uint16_t)(h->status * 10 + (c - '0'));
    h->at++;
    return WEFT_OK;
}

static enum weft_status
read_reason(struct weft_http_head *h, const char *bytes, uint32_t end)
{
    while (h->at < end && weft_http_is_vchar(bytes[h->at]))
        h->at++;
    if (h->at == end)
        return WEFT_OK;
    if (bytes[h->at] != '\r')
        return fail_byte(h, bytes, "the response's reason is malformed");
    h->reason = part(h);
    return step(h, START_LINE_END);
}

/* The first byte of a line that is a field's, or the head's end. */
static enum weft_status
read_line_start(struct weft_http_head *h, const char *bytes)
{
    char c = bytes[h->at];

    if (c == '\r')
        return step(h, HEAD_END);
    if (c == ' ' || c == '\t') /* 5.2: obs-fold; 2.2: before the first field */
        return fail(h, 400, "a line of the head begins with a blank");
    if (c == ':')
        return fail(h, 400, "a header field has no name");
    if (!weft_http_is_tchar(c))
        return fail_byte(h, bytes, "a header field's name is malformed");
    if (h->count == h->max_fields)
        return fail(h, 431, "there are too many header fields");
    enter(h, NAME);
    return WEFT_OK;
}

static enum weft_status
read_name(struct weft_http_head *h, const char *bytes, uint32_t end)
{
    while (h->at < end && weft_http_is_tchar(bytes[h->at]))
        h->at++;
    if (h->at == end)
        return WEFT_OK;
    switch (bytes[h->at]) {
    case ':':
        h->name = part(h);
        return step(h, VALUE);
    case ' ': /* 5.1: never, since proxies disagree about what it means */
    case '\t':
        return fail(h, 400, "a blank stands before a header field's colon");
    default:
        return fail_byte(h, bytes, "a header field's name is malformed");
    }
}

static enum weft_status
read_value(struct weft_http_head *h, const char *bytes, uint32_t end)
{
    while (h->at < end && weft_http_is_vchar(bytes[h->at]))
        h->at++;
    if (h->at == end)
        return WEFT_OK;
    if (bytes[h->at] != '\r')
        return fail_byte(h, bytes, "a header field's value contains a "
                                   "control character");
    h->at++; /* the mark stays: read_value_end() takes the value */
    h->state = VALUE_END;
    return WEFT_OK;
}

/* Makes room for one more field. */
static enum weft_status
grow(struct weft_http_head *h)
{
    uint32_t cap = h->cap > 0 ? h->cap * 2 : FIRST_FIELDS;
    struct weft_field *fields;

    if (h->count < h->cap)
        return WEFT_OK;
    if (cap > UINT32_MAX / sizeof(*fields))
        return WEFT_E_MEMORY;
    fields = weft_realloc(h->fields, cap * sizeof(*fields));
    if (fields == NULL)
        return WEFT_E_MEMORY;
    h->fields = fields;
    h->cap = cap;
    return WEFT_OK;
}

static enum weft_status
read_value_end(struct weft_http_head *h, const char *bytes)
{
    struct weft_slice v = { h->mark, h->at - 1 - h->mark }; /* less the CR */

    if (bytes[h->at] != '\n')
        return fail(h, 400, "the head contains a CR without LF");
    if (grow(h) != WEFT_OK)
        return WEFT_E_MEMORY;
    while (v.len > 0 && weft_http_is_blank(bytes[v.at])) {
        v.at++;
        v.len--;
    }
    while (v.len > 0 && weft_http_is_blank(bytes[v.at + v.len - 1]))
        v.len--;
    h->fields[h->count++] = (struct weft_field){ h->name, v };
    return step(h, LINE_START);
}

static enum weft_status
read_head_end(struct weft_http_head *h, const char *bytes)
{
    enum weft_status rc = read_lf(h, bytes, COMPLETE);

    if (rc == WEFT_OK)
        h->length = h->at;
    return rc;
}

/* Takes at least one of the bytes up to end, or goes on with another part. */
static enum weft_status
read_part(struct weft_http_head *h, const char *bytes, uint32_t end)
{
    switch ((enum state)h->state) {
    case START:
        return read_start(h, bytes);
    case EMPTY_LINE_END:
        return read_lf(h, bytes, METHOD);
    case METHOD:
        return read_method(h, bytes, end);
    case TARGET:
        return read_target(h, bytes, end);
    case SHORT_LINE_END:
        return read_short_line_end(h, bytes);
    case VERSION:
        return read_version(h, bytes);
    case VERSION_END:
        return read_version_end(h, bytes);
    case STATUS:
        return read_status(h, bytes);
    case REASON:
        return read_reason(h, bytes, end);
    case START_LINE_END:
        return read_lf(h, bytes, LINE_START);
    case LINE_START:
        return read_line_start(h, bytes);
    case NAME:
        return read_name(h, bytes, end);
    case VALUE:
        return read_value(h, bytes, end);
    case VALUE_END:
        return read_value_end(h, bytes);
    case HEAD_END:
        return read_head_end(h, bytes);
    case COMPLETE:
        break;
    }
    return WEFT_OK;
}

enum weft_status
weft_http_read(struct weft_http_head *h, const char *bytes, size_t len)
{
    uint32_t end = len < h->max_bytes ? (uint32_t)len : h->max_bytes;
    enum weft_status rc = WEFT_OK;

    if (h->error != 0)
        return WEFT_E_HEAD;
    while (rc == WEFT_OK && h->state != COMPLETE && h->at < end)
        rc = read_part(h, bytes, end);
    if (rc != WEFT_OK || h->state == COMPLETE)
        return rc;
    if (len > h->max_bytes)
        return fail(h, 431, "the head is too large");
    return WEFT_MORE;
}
