/*
 * The body behind a response's head (RFC 9112, 6 and 7.1), as far as a refused
 * handshake needs it: bounded, and for people to read.
 */
#ifndef WEFT_PROTO_HTTP_BODY_H
#define WEFT_PROTO_HTTP_BODY_H

#include "base/buf.h"
#include "proto/http.h"

/*
 * Looks at the raw bytes that have come behind the head.  The body so far, at
 * most `most` bytes of it, replaces what is in *body.  WEFT_OK: it is complete
 * or at its bound; WEFT_MORE: there may be more, up to the end of the stream;
 * WEFT_E_HEAD: the chunks are malformed, and what came before them is in
 * *body; WEFT_E_MEMORY.
 */
enum weft_status weft_http_body(const struct weft_http_head *h,
                                const char *head_bytes,
                                struct weft_span raw, size_t most,
                                struct weft_buf *body);

#endif
