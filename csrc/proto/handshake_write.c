/*
 * The heads that the two sides write (RFC 6455, 4.1 and 4.2.2).  It must not
 * know which is right to send.
 */
#include "proto/handshake.h"

#include "base/crypto.h"
#include "proto/writer.h"

/* What the 101 says of its own. */
struct acceptance {
    char key[29]; /* 4.2.2, 5.4 */
    char extensions[WEFT_DEFLATE_TEXT];
    struct weft_span protocol, headers;
};

static void
put_accept(struct weft_head_writer *w, const struct acceptance *a)
{
    weft_put_text(w, "HTTP/1.1 101 Switching Protocols\r\n"
                "Upgrade: websocket\r\n"
                "Connection: Upgrade\r\n");
    weft_put_field(w, "Sec-WebSocket-Accept", weft_http_text(a->key));
    weft_put_field(w, "Sec-WebSocket-Protocol", a->protocol);
    weft_put_field(w, "Sec-WebSocket-Extensions", weft_http_text(a->extensions));
    weft_put(w, a->headers);
    weft_put_text(w, "\r\n");
}

enum weft_status
weft_handshake_accept(struct weft_buf *out, const struct weft_http_head *h,
                      const char *bytes, struct weft_span protocol,
                      const struct weft_deflate_agreed *agreed,
                      struct weft_span headers, struct weft_digest *digest)
{
    struct weft_span key = weft_http_value(h, bytes, "sec-websocket-key");
    struct acceptance a = { .protocol = protocol, .headers = headers };
    struct weft_head_writer w = { NULL, 0 };

    if (weft_accept_key(digest, key.data, key.len, a.key) != WEFT_OK)
        return WEFT_E_MEMORY;
    weft_deflate_answer(agreed, a.extensions);
    put_accept(&w, &a);
    if (weft_writer_reserve(&w, out) != WEFT_OK)
        return WEFT_E_MEMORY;
    put_accept(&w, &a);
    weft_buf_commit(out, w.len);
    return WEFT_OK;
}

/* 4.1, 10 */
static void
put_protocols(struct weft_head_writer *w, const struct weft_client_request *r)
{
    if (r->protocol_count == 0)
        return;
    weft_put_text(w, "Sec-WebSocket-Protocol: ");
    for (size_t i = 0; i < r->protocol_count; i++) {
        if (i > 0)
            weft_put_text(w, ", ");
        weft_put(w, r->protocols[i]);
    }
    weft_put_text(w, "\r\n");
}

/* 4.1, 11 */
static void
put_extensions(struct weft_head_writer *w, const struct weft_client_request *r)
{
    char offer[WEFT_DEFLATE_TEXT];

    weft_deflate_offer(&r->deflate, offer);
    weft_put_field(w, "Sec-WebSocket-Extensions", weft_http_text(offer));
}

static void
put_request(struct weft_head_writer *w, const struct weft_client_request *r)
{
    weft_put_text(w, "GET ");
    weft_put(w, r->target);
    weft_put_text(w, " HTTP/1.1\r\n");
    weft_put_field(w, "Host", r->host);
    weft_put_text(w, "Upgrade: websocket\r\n"
                "Connection: Upgrade\r\n");
    weft_put_field(w, "Sec-WebSocket-Key", weft_http_text(r->key));
    weft_put_text(w, "Sec-WebSocket-Version: 13\r\n");
    put_protocols(w, r);
    put_extensions(w, r);
    weft_put_field(w, "Origin", r->origin);
    weft_put_field(w, "User-Agent", r->user_agent);
    weft_put(w, r->headers);
    weft_put_text(w, "\r\n");
}

enum weft_status
weft_handshake_request(struct weft_buf *out,
                       const struct weft_client_request *r)
{
    struct weft_head_writer w = { NULL, 0 };

    put_request(&w, r);
    if (weft_writer_reserve(&w, out) != WEFT_OK)
        return WEFT_E_MEMORY;
    put_request(&w, r);
    weft_buf_commit(out, w.len);
    return WEFT_OK;
}
