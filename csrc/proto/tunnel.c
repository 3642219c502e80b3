/*
 * A tunnel through a proxy, and how HTTP does it.  It must not know how SOCKS5
 * does, nor who carries the bytes.
 */
#include "proto/tunnel.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "proto/tunnel_inner.h"

enum { MAX_HEAD = 16384, MAX_FIELDS = 100 };

enum weft_status
weft_tunnel_fail(struct weft_tunnel *t, const char *why)
{
    t->state = WEFT_TUNNEL_FAILED;
    snprintf(t->why, sizeof(t->why), "%s", why);
    return WEFT_E_HEAD;
}

static enum weft_status
copy_request(struct weft_tunnel *t, const struct weft_tunnel_request *r)
{
    size_t size = r->host.len + r->user.len + r->password.len + 1;

    if (weft_buf_reserve(&t->storage, size) == NULL)
        return WEFT_E_MEMORY;
    t->host = weft_buf_keep(&t->storage, r->host);
    t->user = weft_buf_keep(&t->storage, r->user);
    t->password = weft_buf_keep(&t->storage, r->password);
    t->port = r->port;
    return WEFT_OK;
}

/* What is written into `out` one after the other; rc is the first failure. */
struct writer {
    struct weft_buf *out;
    enum weft_status rc;
};

static void
put(struct writer *w, struct weft_span s)
{
    if (w->rc == WEFT_OK)
        w->rc = weft_buf_add(w->out, s.data, s.len);
}

static void
put_text(struct writer *w, const char *s)
{
    put(w, weft_http_text(s));
}

/* RFC 9110, 9.3.6: host and port, even where the port is the usual one */
static void
put_authority(struct writer *w, const struct weft_tunnel *t)
{
    bool ipv6 = memchr(t->host.data, ':', t->host.len) != NULL;
    char port[8];

    snprintf(port, sizeof(port), ":%u", (unsigned)t->port);
    put_text(w, ipv6 ? "[" : "");
    put(w, t->host);
    put_text(w, ipv6 ? "]" : "");
    put_text(w, port);
}

/* RFC 7617, 2: "user:password" in base64, on the heap, or NULL */
static char *
encode_login(const struct weft_tunnel *t)
{
    size_t len = t->user.len + 1 + t->password.len;
    size_t size = WEFT_BASE64_SIZE(len);
    char *encoded = weft_realloc(NULL, size + len), *plain;

    if (encoded == NULL)
        return NULL;
    plain = encoded + size;
    memcpy(plain, t->user.data, t->user.len);
    plain[t->user.len] = ':';
    memcpy(plain + t->user.len + 1, t->password.data, t->password.len);
    weft_base64(plain, len, encoded);
    return encoded;
}

static void
put_login(struct writer *w, const struct weft_tunnel *t)
{
    char *encoded = encode_login(t);

    if (encoded == NULL) {
        w->rc = WEFT_E_MEMORY;
        return;
    }
    put_text(w, "Proxy-Authorization: Basic ");
    put_text(w, encoded);
    put_text(w, "\r\n");
    weft_free(encoded);
}

static enum weft_status
ask(struct weft_tunnel *t, struct weft_span user_agent)
{
    struct writer w = { &t->out, WEFT_OK };

    put_text(&w, "CONNECT ");
    put_authority(&w, t);
    put_text(&w, " HTTP/1.1\r\nHost: ");
    put_authority(&w, t);
    put_text(&w, "\r\n");
    if (user_agent.len > 0) {
        put_text(&w, "User-Agent: ");
        put(&w, user_agent);
        put_text(&w, "\r\n");
    }
    if (weft_tunnel_has_login(t))
        put_login(&w, t);
    put_text(&w, "\r\n");
    return w.rc;
}

static enum weft_status
start(struct weft_tunnel *t, const struct weft_tunnel_request *r)
{
    if (copy_request(t, r) != WEFT_OK)
        return WEFT_E_MEMORY;
    t->kind = r->kind;
    if (r->kind == WEFT_TUNNEL_SOCKS5)
        return weft_tunnel_socks_greet(t);
    t->state = WEFT_TUNNEL_RESPONSE;
    weft_http_init(&t->head, WEFT_HTTP_RESPONSE, MAX_HEAD, MAX_FIELDS);
    return ask(t, r->user_agent);
}

struct weft_tunnel *
weft_tunnel_new(const struct weft_tunnel_request *r)
{
    struct weft_tunnel *t = weft_zalloc(sizeof(*t));

    assert(r->host.len > 0 && r->host.len <= 255);
    if (t != NULL && start(t, r) != WEFT_OK) {
        weft_tunnel_free(t);
        t = NULL;
    }
    return t;
}

void
weft_tunnel_free(struct weft_tunnel *t)
{
    if (t == NULL)
        return;
    weft_http_deinit(&t->head);
    weft_buf_deinit(&t->in);
    weft_buf_deinit(&t->out);
    weft_buf_deinit(&t->storage);
    weft_free(t);
}

static bool
contains(struct weft_span s, struct weft_span part)
{
    for (size_t at = 0; part.len > 0 && at + part.len <= s.len; at++)
        if (memcmp(s.data + at, part.data, part.len) == 0)
            return true;
    return false;
}

/* Whether the proxy tells everybody what it was told, or may do so. */
static bool
tells_login(const struct weft_tunnel *t, struct weft_span phrase)
{
    char *encoded;
    bool tells;

    if (!weft_tunnel_has_login(t))
        return false;
    if (contains(phrase, t->user) || contains(phrase, t->password))
        return true;
    encoded = encode_login(t);
    tells = encoded == NULL || contains(phrase, weft_http_text(encoded));
    weft_free(encoded);
    return tells;
}

/* "403 Forbidden", or in the proxy's own words, which may say more. */
static enum weft_status
fail_refused(struct weft_tunnel *t, const char *bytes)
{
    unsigned status = t->head.status;
    struct weft_span phrase = weft_http_span(bytes, t->head.reason);
    int len;

    if (phrase.len == 0 || tells_login(t, phrase))
        phrase = weft_http_text(weft_http_reason(status));
    len = phrase.len < 128 ? (int)phrase.len : 128;
    snprintf(t->why, sizeof(t->why), "%u %.*s", status, len, phrase.data);
    for (char *c = t->why; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    t->state = WEFT_TUNNEL_FAILED;
    return WEFT_E_HEAD;
}

static enum weft_status
fail_head(struct weft_tunnel *t)
{
    t->state = WEFT_TUNNEL_FAILED;
    snprintf(t->why, sizeof(t->why), "its answer is no HTTP response: %s",
             t->head.why);
    return WEFT_E_HEAD;
}

/* RFC 9110, 15.2: another response follows, but not where the proxy believes
 * that it changes the protocol. */
static bool
is_interim(const struct weft_http_head *h)
{
    return h->status < 200 && h->status != 101;
}

/* Forgets the head that was read; all heads together stay in its limits. */
static void
drop_head(struct weft_tunnel *t)
{
    uint32_t max_bytes = t->head.max_bytes - t->head.length;
    uint32_t max_fields = t->head.max_fields - t->head.count;

    weft_buf_consume(&t->in, t->head.length);
    weft_http_deinit(&t->head);
    weft_http_init(&t->head, WEFT_HTTP_RESPONSE, max_bytes, max_fields);
}

static enum weft_status
read_head(struct weft_tunnel *t)
{
    size_t len = weft_buf_len(&t->in);

    if (len == 0)
        return WEFT_MORE;
    return weft_http_read(&t->head, (const char *)weft_buf_head(&t->in), len);
}

static enum weft_status
read_response(struct weft_tunnel *t)
{
    enum weft_status rc = read_head(t);

    while (rc == WEFT_OK && is_interim(&t->head)) {
        drop_head(t);
        rc = read_head(t);
    }
    if (rc == WEFT_E_HEAD)
        return fail_head(t);
    if (rc != WEFT_OK)
        return rc;
    if (t->head.status < 200 || t->head.status > 299)
        return fail_refused(t, (const char *)weft_buf_head(&t->in));
    weft_buf_consume(&t->in, t->head.length);
    t->state = WEFT_TUNNEL_STANDS;
    return WEFT_OK;
}

enum weft_status
weft_tunnel_read(struct weft_tunnel *t)
{
    switch ((enum weft_tunnel_state)t->state) {
    case WEFT_TUNNEL_RESPONSE:
        return read_response(t);
    case WEFT_TUNNEL_METHOD:
    case WEFT_TUNNEL_LOGIN:
    case WEFT_TUNNEL_REPLY:
        return weft_tunnel_socks_read(t);
    case WEFT_TUNNEL_STANDS:
        return WEFT_OK;
    case WEFT_TUNNEL_FAILED:
        break;
    }
    return WEFT_E_HEAD;
}
