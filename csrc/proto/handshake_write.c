/*
 * The heads that the two sides write (RFC 6455, 4.1 and 4.2.2), and the HTTP
 * responses around them.  It must not know which is right to send.
 *
 * Each head is written twice by the same function: first to nowhere, which
 * measures it, then into room reserved at once.  So it is appended whole or
 * not at all.
 */
#include "proto/handshake.h"

#include <stdio.h>

#include "base/crypto.h"

struct writer {
    char *to; /* NULL: only measures */
    size_t len;
};

static void
put(struct writer *w, struct weft_span s)
{
    if (w->to != NULL && s.len > 0)
        memcpy(w->to + w->len, s.data, s.len);
    w->len += s.len;
}

static void
put_text(struct writer *w, const char *s)
{
    put(w, weft_http_text(s));
}

/* A header line, or nothing when the value is empty. */
static void
put_field(struct writer *w, const char *name, struct weft_span value)
{
    if (value.len == 0)
        return;
    put_text(w, name);
    put_text(w, ": ");
    put(w, value);
    put_text(w, "\r\n");
}

/* Turns a writer that has measured into one that writes into out. */
static enum weft_status
make_room(struct writer *w, struct weft_buf *out)
{
    w->to = (char *)weft_buf_reserve(out, w->len);
    w->len = 0;
    return w->to != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

/* What the 101 says of its own. */
struct acceptance {
    char key[29]; /* 4.2.2, 5.4 */
    char extensions[WEFT_DEFLATE_TEXT];
    struct weft_span protocol, headers;
};

static void
put_accept(struct writer *w, const struct acceptance *a)
{
    put_text(w, "HTTP/1.1 101 Switching Protocols\r\n"
                "Upgrade: websocket\r\n"
                "Connection: Upgrade\r\n");
    put_field(w, "Sec-WebSocket-Accept", weft_http_text(a->key));
    put_field(w, "Sec-WebSocket-Protocol", a->protocol);
    put_field(w, "Sec-WebSocket-Extensions", weft_http_text(a->extensions));
    put(w, a->headers);
    put_text(w, "\r\n");
}

enum weft_status
weft_handshake_accept(struct weft_buf *out, const struct weft_http_head *h,
                      const char *bytes, struct weft_span protocol,
                      const struct weft_deflate_agreed *agreed,
                      struct weft_span headers, struct weft_digest *digest)
{
    struct weft_span key = weft_http_value(h, bytes, "sec-websocket-key");
    struct acceptance a = { .protocol = protocol, .headers = headers };
    struct writer w = { NULL, 0 };

    if (weft_accept_key(digest, key.data, key.len, a.key) != WEFT_OK)
        return WEFT_E_MEMORY;
    weft_deflate_answer(agreed, a.extensions);
    put_accept(&w, &a);
    if (make_room(&w, out) != WEFT_OK)
        return WEFT_E_MEMORY;
    put_accept(&w, &a);
    weft_buf_commit(out, w.len);
    return WEFT_OK;
}

/* 4.1, 10 */
static void
put_protocols(struct writer *w, const struct weft_client_request *r)
{
    if (r->protocol_count == 0)
        return;
    put_text(w, "Sec-WebSocket-Protocol: ");
    for (size_t i = 0; i < r->protocol_count; i++) {
        if (i > 0)
            put_text(w, ", ");
        put(w, r->protocols[i]);
    }
    put_text(w, "\r\n");
}

/* 4.1, 11 */
static void
put_extensions(struct writer *w, const struct weft_client_request *r)
{
    char offer[WEFT_DEFLATE_TEXT];

    weft_deflate_offer(&r->deflate, offer);
    put_field(w, "Sec-WebSocket-Extensions", weft_http_text(offer));
}

static void
put_request(struct writer *w, const struct weft_client_request *r)
{
    put_text(w, "GET ");
    put(w, r->target);
    put_text(w, " HTTP/1.1\r\n");
    put_field(w, "Host", r->host);
    put_text(w, "Upgrade: websocket\r\n"
                "Connection: Upgrade\r\n");
    put_field(w, "Sec-WebSocket-Key", weft_http_text(r->key));
    put_text(w, "Sec-WebSocket-Version: 13\r\n");
    put_protocols(w, r);
    put_extensions(w, r);
    put_field(w, "Origin", r->origin);
    put_field(w, "User-Agent", r->user_agent);
    put(w, r->headers);
    put_text(w, "\r\n");
}

enum weft_status
weft_handshake_request(struct weft_buf *out,
                       const struct weft_client_request *r)
{
    struct writer w = { NULL, 0 };

    put_request(&w, r);
    if (make_room(&w, out) != WEFT_OK)
        return WEFT_E_MEMORY;
    put_request(&w, r);
    weft_buf_commit(out, w.len);
    return WEFT_OK;
}

/* Whether one of the lines is a field of this name. */
static bool
lines_name(struct weft_span lines, const char *name)
{
    struct weft_span wanted = weft_http_text(name);
    size_t at = 0;

    while (at < lines.len) {
        struct weft_span field = { lines.data + at, 0 };

        while (at + field.len < lines.len &&
               weft_http_is_tchar(field.data[field.len]))
            field.len++;
        if (weft_http_same(field, wanted))
            return true;
        at += field.len;
        while (at < lines.len && lines.data[at++] != '\n')
            ;
    }
    return false;
}

struct response {
    unsigned status;
    struct weft_span headers, body;
    bool head_only;
};

/* RFC 9110, 6.4.1: these have no body, and so no length of one. */
static bool
never_has_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

static void
put_response(struct writer *w, const struct response *r)
{
    bool bodiless = never_has_body(r->status);
    char text[64];

    snprintf(text, sizeof(text), "HTTP/1.1 %u ", r->status);
    put_text(w, text);
    put_text(w, weft_http_reason(r->status));
    put_text(w, lines_name(r->headers, "upgrade")
                    ? "\r\nConnection: close, Upgrade\r\n"
                    : "\r\nConnection: close\r\n");
    put(w, r->headers);
    if (!bodiless && r->body.len > 0 &&
        !lines_name(r->headers, "content-type"))
        put_text(w, "Content-Type: text/plain; charset=utf-8\r\n");
    if (!bodiless) {
        snprintf(text, sizeof(text), "Content-Length: %zu\r\n", r->body.len);
        put_text(w, text);
    }
    put_text(w, "\r\n");
    if (!bodiless && !r->head_only)
        put(w, r->body);
}

enum weft_status
weft_http_respond(struct weft_buf *out, unsigned status,
                  struct weft_span headers, struct weft_span body,
                  bool head_only)
{
    struct response r = { status, headers, body, head_only };
    struct writer w = { NULL, 0 };

    put_response(&w, &r);
    if (make_room(&w, out) != WEFT_OK)
        return WEFT_E_MEMORY;
    put_response(&w, &r);
    weft_buf_commit(out, w.len);
    return WEFT_OK;
}
