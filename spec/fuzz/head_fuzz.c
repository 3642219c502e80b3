/*
 * The head parser and the handshake under hostile bytes.  The input is a head,
 * taken as a request and as a response, under wide and under narrow limits.
 *
 * The oracle: read whole, in pieces of any size and byte by byte it comes to
 * the same, slice for slice; it comes to it with the very byte that decides;
 * and what one side accepts and answers, the other side understands.
 */
#include <stdlib.h>

#include "demand.h"
#include "proto/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct limits {
    uint32_t bytes, fields;
} limits[] = { { 16384, 100 }, { 200, 3 } };

static void
check_slice(struct weft_slice s, uint32_t len)
{
    DEMAND(s.at <= len && s.len <= len - s.at);
}

/* What holds of every head, whatever came of it. */
static void
check_shape(const struct weft_http_head *h, enum weft_status rc, size_t size)
{
    uint32_t seen = h->at;

    DEMAND(seen <= size && seen <= h->max_bytes);
    DEMAND(h->count <= h->max_fields && h->count <= h->cap);
    DEMAND((h->error != 0) == (rc == WEFT_E_HEAD));
    DEMAND((h->why != NULL) == (rc == WEFT_E_HEAD));
    DEMAND(rc != WEFT_OK || (h->length == seen && seen > 0));
    DEMAND(rc != WEFT_MORE || seen == size);
    check_slice(h->method, seen);
    check_slice(h->target, seen);
    check_slice(h->reason, seen);
    for (uint32_t i = 0; i < h->count; i++) {
        check_slice(h->fields[i].name, seen);
        check_slice(h->fields[i].value, seen);
        DEMAND(h->fields[i].name.len > 0);
    }
}

static int
same_slice(struct weft_slice a, struct weft_slice b)
{
    return a.at == b.at && a.len == b.len;
}

static void
check_same(const struct weft_http_head *a, const struct weft_http_head *b)
{
    DEMAND(a->error == b->error && a->why == b->why && a->at == b->at);
    DEMAND(a->length == b->length && a->count == b->count);
    DEMAND(a->minor == b->minor && a->status == b->status);
    DEMAND(same_slice(a->method, b->method));
    DEMAND(same_slice(a->target, b->target));
    DEMAND(same_slice(a->reason, b->reason));
    for (uint32_t i = 0; i < a->count; i++) {
        DEMAND(same_slice(a->fields[i].name, b->fields[i].name));
        DEMAND(same_slice(a->fields[i].value, b->fields[i].value));
    }
}

/* Sizes of pieces that depend on the data alone. */
static size_t
next_size(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return 1 + (*seed >> 24) % ((*seed >> 20 & 1) ? 4 : 64);
}

/* Reads in pieces (seed 0: of one byte).  The bytes to come are junk that
 * would be taken for an end, should the parser look at them. */
static enum weft_status
read_in_pieces(struct weft_http_head *h, const uint8_t *data, size_t size,
               uint32_t seed)
{
    enum weft_status rc = WEFT_MORE;
    char *bytes = malloc(size + 1);
    size_t at = 0, before = 0;

    if (bytes == NULL)
        abort();
    memset(bytes, '\n', size + 1);
    while (rc == WEFT_MORE && at < size) {
        size_t n = seed == 0 ? 1 : next_size(&seed);

        before = at;
        n = n < size - at ? n : size - at;
        memcpy(bytes + at, data + at, n);
        at += n;
        rc = weft_http_read(h, bytes, at);
    }
    free(bytes);
    if (rc == WEFT_OK) /* no sooner and no later than its byte */
        DEMAND(h->at > before && h->at <= at);
    if (rc == WEFT_E_HEAD)
        DEMAND(h->at >= before && h->at < at);
    return rc;
}

static uint32_t
hash(const uint8_t *data, size_t size)
{
    uint32_t v = 2166136261u;

    for (size_t i = 0; i < size; i++)
        v = (v ^ data[i]) * 16777619u;
    return v | 1;
}

static void
check_pieces(const struct weft_http_head *whole, enum weft_status rc,
             const uint8_t *data, size_t size)
{
    uint32_t seeds[3] = { 0, hash(data, size), hash(data, size / 2) };

    for (int i = 0; i < 3; i++) {
        struct weft_http_head h;

        weft_http_init(&h, whole->kind, whole->max_bytes, whole->max_fields);
        DEMAND(read_in_pieces(&h, data, size, seeds[i]) == rc);
        check_shape(&h, rc, size);
        check_same(whole, &h);
        weft_http_deinit(&h);
    }
}

static const struct weft_span names[] = {
    { "chat", 4 }, { "mqtt", 4 }, { "http://*.example.com", 20 },
};

/* The client that sent this request takes our answer. */
static void
check_accept(const struct weft_http_head *request, const char *bytes)
{
    int chosen = weft_handshake_choose(request, bytes, names, 2), agreed;
    struct weft_span key = weft_http_value(request, bytes,
                                           "sec-websocket-key");
    struct weft_client_request r = { .protocols = names, .protocol_count = 2,
                                     .key = key.data };
    struct weft_deflate_agreed deflate = { .on = false };
    struct weft_span none = { "", 0 };
    struct weft_buf out = { 0 };
    struct weft_http_head h;
    struct weft_refusal why;

    DEMAND(weft_handshake_accept(&out, request, bytes,
                                 chosen >= 0 ? names[chosen] : none, &deflate,
                                 none, NULL) == WEFT_OK);
    bytes = (const char *)weft_buf_head(&out);
    weft_http_init(&h, WEFT_HTTP_RESPONSE, 16384, 100);
    DEMAND(weft_http_read(&h, bytes, weft_buf_len(&out)) == WEFT_OK);
    DEMAND(weft_handshake_verify(&h, bytes, &r, &agreed, &deflate, &why) ==
           WEFT_OK);
    DEMAND(agreed == chosen);
    weft_http_deinit(&h);
    weft_buf_deinit(&out);
}

/* A refusal makes a response that a client can read. */
static void
check_refusal(const struct weft_refusal *why)
{
    struct weft_buf out = { 0 };
    struct weft_http_head h;

    DEMAND(weft_http_respond(&out, why->status, weft_http_text(why->headers),
                             weft_http_text(why->why), false) == WEFT_OK);
    weft_http_init(&h, WEFT_HTTP_RESPONSE, 16384, 100);
    DEMAND(weft_http_read(&h, (const char *)weft_buf_head(&out),
                          weft_buf_len(&out)) == WEFT_OK);
    DEMAND(h.status == why->status);
    DEMAND(h.length + strlen(why->why) == weft_buf_len(&out));
    weft_http_deinit(&h);
    weft_buf_deinit(&out);
}

static void
check_request(const struct weft_http_head *h, const char *bytes)
{
    struct weft_span host = weft_http_host(h, bytes);
    struct weft_span origin = weft_http_value(h, bytes, "origin");
    struct weft_refusal why = { 0 };

    weft_origin_allowed(origin, host, NULL, 0);
    weft_origin_allowed(origin, host, names, 3);
    switch (weft_handshake_check(h, bytes, &why)) {
    case WEFT_REQUEST_WEBSOCKET:
        DEMAND(host.len > 0);
        check_accept(h, bytes);
        break;
    case WEFT_REQUEST_HTTP:
        break;
    case WEFT_REQUEST_REFUSED:
        check_refusal(&why);
        break;
    }
}

static void
check_response(const struct weft_http_head *h, const char *bytes)
{
    struct weft_client_request r = { .protocols = names, .protocol_count = 2,
                                     .key = "dGhlIHNhbXBsZSBub25jZQ==" };
    struct weft_deflate_agreed deflate;
    struct weft_refusal why = { 0 };
    int protocol;

    if (weft_handshake_verify(h, bytes, &r, &protocol, &deflate, &why) ==
        WEFT_OK)
        DEMAND(h->status == 101 && protocol < 2 && !deflate.on);
    else
        DEMAND(why.status == h->status && strlen(why.why) > 0);
}

static void
check_head(enum weft_http_kind kind, const struct limits *l,
           const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct weft_http_head h;
    enum weft_status rc;

    weft_http_init(&h, kind, l->bytes, l->fields);
    rc = weft_http_read(&h, bytes, size);
    check_shape(&h, rc, size);
    DEMAND(weft_http_read(&h, bytes, size) == rc);
    check_pieces(&h, rc, data, size);
    if (rc == WEFT_OK && kind == WEFT_HTTP_REQUEST)
        check_request(&h, bytes);
    if (rc == WEFT_OK && kind == WEFT_HTTP_RESPONSE)
        check_response(&h, bytes);
    weft_http_deinit(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int i = 0; i < 2; i++) {
        check_head(WEFT_HTTP_REQUEST, &limits[i], data, size);
        check_head(WEFT_HTTP_RESPONSE, &limits[i], data, size);
    }
    return 0;
}
