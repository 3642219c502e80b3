/*
 * A hostile proxy.  The first byte says which tunnel is built: its low bits
 * the kind and what the proxy is told; the rest is what the proxy says.
 *
 * The oracle: whole, in pieces and byte by byte the same is sent, the same
 * comes of it, and the same bytes come through; what is final stays; and why
 * it failed is printable and holds no password.
 */
#include <stdlib.h>

#include "demand.h"
#include "proto/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hosts[] = {
    "example.com", "192.0.2.1", "2001:db8::1", "x",
};

static const char user[] = "Aladdin", password[] = "open sesame";

static struct weft_tunnel *
build(unsigned which)
{
    struct weft_tunnel_request r = {
        .kind = which & 1 ? WEFT_TUNNEL_SOCKS5 : WEFT_TUNNEL_HTTP,
        .host = weft_http_text(hosts[which >> 1 & 3]),
        .port = 443,
        .user = weft_http_text(which & 8 ? user : ""),
        .password = weft_http_text(which & 16 ? password : ""),
    };
    struct weft_tunnel *t = weft_tunnel_new(&r);

    if (t == NULL)
        abort();
    return t;
}

/* Moves what is to be sent behind what was sent before. */
static void
drain(struct weft_tunnel *t, struct weft_buf *sent)
{
    size_t len = weft_buf_len(&t->out);

    if (len == 0)
        return;
    if (weft_buf_add(sent, weft_buf_head(&t->out), len) != WEFT_OK)
        abort();
    weft_buf_consume(&t->out, len);
}

/* Sizes of pieces that depend on the data alone. */
static size_t
next_size(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return 1 + (*seed >> 24) % ((*seed >> 20 & 1) ? 4 : 64);
}

/* Seed 0: byte by byte.  What comes once it is decided is added too. */
static enum weft_status
exchange(struct weft_tunnel *t, struct weft_buf *sent, const uint8_t *data,
         size_t size, uint32_t seed, int whole)
{
    enum weft_status rc = WEFT_MORE;
    size_t at = 0;

    drain(t, sent);
    while (at < size) {
        size_t n = whole ? size : seed == 0 ? 1 : next_size(&seed);

        n = n < size - at ? n : size - at;
        if (weft_buf_add(&t->in, data + at, n) != WEFT_OK)
            abort();
        at += n;
        if (rc == WEFT_MORE)
            rc = weft_tunnel_read(t);
        drain(t, sent);
    }
    return rc;
}

static void
check_why(const struct weft_tunnel *t, enum weft_status rc)
{
    DEMAND((t->why[0] != '\0') == (rc == WEFT_E_HEAD));
    DEMAND(memchr(t->why, '\0', sizeof(t->why)) != NULL);
    for (const char *c = t->why; *c != '\0'; c++)
        DEMAND(*c >= 0x20 && *c <= 0x7e);
    if (weft_http_same(t->user, weft_http_text(user)))
        DEMAND(strstr(t->why, user) == NULL);
    if (weft_http_same(t->password, weft_http_text(password)))
        DEMAND(strstr(t->why, password) == NULL);
}

static void
check_shape(struct weft_tunnel *t, enum weft_status rc, size_t size)
{
    DEMAND(rc == WEFT_OK || rc == WEFT_MORE || rc == WEFT_E_HEAD);
    DEMAND(weft_tunnel_read(t) == rc && weft_buf_len(&t->out) == 0);
    DEMAND(weft_buf_len(&t->in) <= size);
    DEMAND(rc != WEFT_MORE || weft_buf_len(&t->in) <= 16384);
    check_why(t, rc);
}

static int
same_bytes(const struct weft_buf *a, const struct weft_buf *b)
{
    size_t len = weft_buf_len(a);

    return weft_buf_len(b) == len &&
           (len == 0 || memcmp(weft_buf_head(a), weft_buf_head(b), len) == 0);
}

static uint32_t
hash(const uint8_t *data, size_t size)
{
    uint32_t v = 2166136261u;

    for (size_t i = 0; i < size; i++)
        v = (v ^ data[i]) * 16777619u;
    return v | 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned which = size > 0 ? data[0] : 0;
    struct weft_tunnel *whole = build(which);
    struct weft_buf sent = { 0 };
    enum weft_status rc;

    if (size > 0) {
        data++;
        size--;
    }
    rc = exchange(whole, &sent, data, size, 0, 1);
    check_shape(whole, rc, size);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t seed = i == 0 ? 0 : hash(data, size / i);
        struct weft_tunnel *t = build(which);
        struct weft_buf again = { 0 };

        DEMAND(exchange(t, &again, data, size, seed, 0) == rc);
        check_shape(t, rc, size);
        DEMAND(same_bytes(&sent, &again));
        DEMAND(rc != WEFT_OK || same_bytes(&whole->in, &t->in));
        DEMAND(strcmp(whole->why, t->why) == 0);
        weft_buf_deinit(&again);
        weft_tunnel_free(t);
    }
    weft_buf_deinit(&sent);
    weft_tunnel_free(whole);
    return 0;
}
