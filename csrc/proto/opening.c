/*
 * The opening handshake in progress.  It must not know where the bytes come
 * from, nor who decides whether a request is welcome.
 */
#include "proto/opening.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static struct weft_opening *
opening_new(enum weft_role role, uint32_t max_header, uint32_t max_headers)
{
    struct weft_opening *o = weft_zalloc(sizeof(*o));

    if (o == NULL)
        return NULL;
    o->role = role;
    o->protocol = -1;
    o->refusal.headers = "";
    weft_http_init(&o->head,
                   role == WEFT_SERVER ? WEFT_HTTP_REQUEST
                                       : WEFT_HTTP_RESPONSE,
                   max_header, max_headers);
    return o;
}

struct weft_opening *
weft_opening_server(uint32_t max_header, uint32_t max_headers)
{
    return opening_new(WEFT_SERVER, max_header, max_headers);
}

static enum weft_status
copy_request(struct weft_opening *o, const struct weft_client_request *r)
{
    size_t size = r->host.len + r->target.len + r->origin.len
                  + r->user_agent.len + r->headers.len + 1;
    size_t n = r->protocol_count;

    for (size_t i = 0; i < n; i++)
        size += r->protocols[i].len;
    if (weft_buf_reserve(&o->storage, size) == NULL)
        return WEFT_E_MEMORY;
    if (n > 0) {
        o->protocols = weft_zalloc(n * sizeof(*o->protocols));
        if (o->protocols == NULL)
            return WEFT_E_MEMORY;
    }
    o->request.host = weft_buf_keep(&o->storage, r->host);
    o->request.target = weft_buf_keep(&o->storage, r->target);
    o->request.origin = weft_buf_keep(&o->storage, r->origin);
    o->request.user_agent = weft_buf_keep(&o->storage, r->user_agent);
    o->request.headers = weft_buf_keep(&o->storage, r->headers);
    for (size_t i = 0; i < n; i++)
        o->protocols[i] = weft_buf_keep(&o->storage, r->protocols[i]);
    o->request.protocols = o->protocols;
    o->request.protocol_count = n;
    o->request.deflate = r->deflate;
    o->request.key = o->key;
    return WEFT_OK;
}

struct weft_opening *
weft_opening_client(const struct weft_client_request *r,
                    struct weft_random *random, uint32_t max_header,
                    uint32_t max_headers)
{
    struct weft_opening *o = opening_new(WEFT_CLIENT, max_header,
                                         max_headers);

    if (o == NULL)
        return NULL;
    if (weft_new_key(random, o->key) != WEFT_OK
        || copy_request(o, r) != WEFT_OK
        || weft_handshake_request(&o->sent, &o->request) != WEFT_OK) {
        weft_opening_free(o);
        return NULL;
    }
    return o;
}

void
weft_opening_free(struct weft_opening *o)
{
    if (o == NULL)
        return;
    weft_http_deinit(&o->head);
    weft_buf_deinit(&o->bytes);
    weft_buf_deinit(&o->storage);
    weft_buf_deinit(&o->sent);
    weft_buf_deinit(&o->body);
    weft_free(o->protocols);
    weft_free(o);
}

enum weft_status
weft_opening_add(struct weft_opening *o, const void *bytes, size_t len)
{
    return weft_buf_add(&o->bytes, bytes, len);
}

/* The head itself is bad: a server says so in words of HTTP, for a client
 * there is no status to tell. */
static enum weft_status
refuse_head(struct weft_opening *o)
{
    o->refusal.status = o->role == WEFT_SERVER ? o->head.error : 0;
    o->refusal.headers = "";
    snprintf(o->refusal.why, sizeof(o->refusal.why), "%s",
             o->head.why != NULL ? o->head.why : "bad head");
    o->kind = WEFT_REQUEST_REFUSED;
    return WEFT_E_HEAD;
}

/* An answer that another one follows (RFC 9110, 15.2). */
static bool
is_interim(const struct weft_http_head *h)
{
    return h->kind == WEFT_HTTP_RESPONSE && h->status < 200 &&
           h->status != 101;
}

/* Forgets the head that was read; all heads together stay in its limits. */
static void
drop_head(struct weft_opening *o)
{
    struct weft_http_head *h = &o->head;
    uint32_t max_bytes = h->max_bytes - h->length;
    uint32_t max_fields = h->max_fields - h->count;

    weft_buf_consume(&o->bytes, h->length);
    weft_http_deinit(h);
    weft_http_init(h, WEFT_HTTP_RESPONSE, max_bytes, max_fields);
}

static enum weft_status
read_head(struct weft_opening *o)
{
    size_t len = weft_buf_len(&o->bytes);

    if (len == 0)
        return WEFT_MORE;
    return weft_http_read(&o->head, (const char *)weft_buf_head(&o->bytes),
                          len);
}

enum weft_status
weft_opening_read(struct weft_opening *o)
{
    enum weft_status rc = read_head(o);
    const char *bytes;

    while (rc == WEFT_OK && is_interim(&o->head)) {
        drop_head(o);
        rc = read_head(o);
    }
    if (rc == WEFT_E_HEAD)
        return refuse_head(o);
    if (rc != WEFT_OK)
        return rc;
    bytes = (const char *)weft_buf_head(&o->bytes);
    if (o->role == WEFT_CLIENT)
        return weft_handshake_verify(&o->head, bytes, &o->request,
                                     &o->protocol, &o->agreed, &o->refusal);
    o->kind = weft_handshake_check(&o->head, bytes, &o->refusal);
    return o->kind == WEFT_REQUEST_REFUSED ? WEFT_E_HEAD : WEFT_OK;
}

enum weft_status
weft_opening_begin_body(struct weft_opening *o, uint64_t most)
{
    return weft_http_body_begin(&o->framing, &o->head,
                                (const char *)weft_buf_head(&o->bytes), most);
}

enum weft_status
weft_opening_read_body(struct weft_opening *o)
{
    struct weft_span raw = weft_opening_rest(o);
    uint8_t *from = weft_buf_head(&o->bytes) + o->head.length;
    size_t used = 0;
    enum weft_status rc = weft_http_body_read(&o->framing, raw, &used,
                                              &o->body);

    if (used > 0) { /* what is left is a line at most, or the next request */
        memmove(from, from + used, raw.len - used);
        o->bytes.tail -= used;
    }
    return rc;
}

void
weft_opening_again(struct weft_opening *o)
{
    uint32_t max_bytes = o->head.max_bytes, max_fields = o->head.max_fields;

    weft_buf_consume(&o->bytes, o->head.length);
    weft_http_deinit(&o->head);
    weft_http_init(&o->head, WEFT_HTTP_REQUEST, max_bytes, max_fields);
    weft_buf_deinit(&o->body);
    o->framing = (struct weft_http_body){ 0 };
}

void
weft_opening_drop_body(struct weft_opening *o)
{
    o->bytes.tail = o->bytes.head + o->head.length;
    weft_buf_deinit(&o->body);
}

struct weft_span
weft_opening_head(const struct weft_opening *o)
{
    return (struct weft_span){ (const char *)weft_buf_head(&o->bytes),
                               o->head.length };
}

struct weft_span
weft_opening_rest(const struct weft_opening *o)
{
    return (struct weft_span){
        (const char *)weft_buf_head(&o->bytes) + o->head.length,
        weft_buf_len(&o->bytes) - o->head.length
    };
}

struct weft_span
weft_opening_field(const struct weft_opening *o, const char *name)
{
    const char *bytes = (const char *)weft_buf_head(&o->bytes);
    int i = weft_http_find(&o->head, bytes, name, 0);

    if (i < 0)
        return (struct weft_span){ "", 0 };
    return weft_http_span(bytes, o->head.fields[i].value);
}
