/*
 * The opening handshake of RFC 6455, section 4, both sides, and the plain HTTP
 * responses around it.  Works on heads that http.h parsed; writes heads into a
 * buffer of the caller's.
 */
#ifndef WEFT_PROTO_HANDSHAKE_H
#define WEFT_PROTO_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"
#include "proto/deflate_offer.h"
#include "proto/http.h"
#include "proto/http_response.h"

/* Why a handshake does not come about.  Holds no pointers to be freed. */
struct weft_refusal {
    unsigned status;      /* HTTP status to answer with (a server) */
    const char *headers;  /* header lines it needs, each ended by CRLF, or "" */
    char why[192];        /* a sentence for people, NUL-terminated */
};

enum weft_request_kind {
    WEFT_REQUEST_WEBSOCKET, /* a valid opening handshake */
    WEFT_REQUEST_HTTP,      /* another request, well-formed */
    WEFT_REQUEST_REFUSED,   /* answer with the refusal and close */
};

/*
 * What a complete request head asks for (4.2.1).  A request is taken as meant
 * for WebSocket when Upgrade names websocket, or when it carries
 * Sec-WebSocket-Key.  Refused then, with 400: a method other than GET,
 * HTTP/1.0, no Connection: upgrade, no Upgrade, a missing, repeated or wrong
 * key (16 bytes in base64), a Content-Length other than 0, a
 * Transfer-Encoding, a repeated Sec-WebSocket-Version or Origin, malformed
 * Sec-WebSocket-Protocol (not tokens, one twice, or more than 64), malformed
 * Sec-WebSocket-Extensions (9.1), an empty Host.  With 426 and
 * "Sec-WebSocket-Version: 13": any version but 13, or none.
 * Refused in either case, with 400: no Host in HTTP/1.1, two Hosts or one that
 * is malformed, Content-Length beside Transfer-Encoding, a Content-Length that
 * is no number or differs, a Transfer-Encoding in HTTP/1.0; with 501: one that
 * is not "chunked" alone; with 417: an Expect that is not 100-continue.
 * *why is filled when the request is refused.  The host to compare an Origin
 * with is weft_http_host().
 */
enum weft_request_kind weft_handshake_check(const struct weft_http_head *h,
                                            const char *bytes,
                                            struct weft_refusal *why);

/*
 * Whether a browser page of this origin may connect (10.2).  Without a list
 * (count 0): the origin's host and port must be those of `host`, the request's
 * Host; schemes are ignored but for their default port, which equals none
 * (80 and 443); hosts compare without case; "null" is refused.
 * With a list: "*" is any; else exact (without case, default ports as none,
 * scheme included), or with a leading "*." in the host: any name below that
 * ("*.example.com" is www.example.com, but not example.com itself).
 */
bool weft_origin_allowed(struct weft_span origin, struct weft_span host,
                         const struct weft_span *allowed, size_t count);

/*
 * Whether `host`, that of a request, is one of those allowed: without case,
 * default ports as none; "*.example.com" is any name below that.  What is
 * allowed without a port is so with `own`, too, the port that was connected to
 * (or -1).
 */
bool weft_host_allowed(struct weft_span host, int own,
                       const struct weft_span *allowed, size_t count);

/*
 * The first of `spoken` (in our order of preference) that the client offers,
 * as an index, or -1.  (4.2.2, compared with case.)
 */
int weft_handshake_choose(const struct weft_http_head *h, const char *bytes,
                          const struct weft_span *spoken, size_t count);

/*
 * Appends the 101 response for an accepted request.  `protocol` may be empty,
 * `agreed` all zero; `headers` is further header lines, each ended by CRLF, or
 * empty; digest as in weft_accept_key().
 */
enum weft_status weft_handshake_accept(struct weft_buf *out,
                                       const struct weft_http_head *h,
                                       const char *bytes,
                                       struct weft_span protocol,
                                       const struct weft_deflate_agreed *agreed,
                                       struct weft_span headers,
                                       struct weft_digest *digest);

/* What a client's request says. Spans may be empty where marked. */
struct weft_client_request {
    struct weft_span host;      /* the Host field, port included as needed */
    struct weft_span target;    /* path and query, at least "/" */
    struct weft_span origin;    /* may be empty */
    struct weft_span user_agent; /* may be empty */
    const struct weft_span *protocols; /* offered, in order of preference */
    size_t protocol_count;
    struct weft_span headers;   /* further lines, each ended by CRLF */
    struct weft_deflate_options deflate; /* what is offered of RFC 7692 */
    const char *key;            /* 24 characters */
};

/* Appends the request (4.1). */
enum weft_status weft_handshake_request(struct weft_buf *out,
                                        const struct weft_client_request *r);

/*
 * Checks a complete response head against what was asked (4.1, 4.2.2).
 * WEFT_OK: *protocol is the agreed one's index among the offered, or -1, and
 * *agreed the compression, all zero for none.
 * WEFT_E_HEAD: why->why says what was wrong ("handshake refused: 401
 * Unauthorized"; "the server's Sec-WebSocket-Accept is wrong"...), and
 * why->status is the response's status.  Refused: any status but 101, HTTP/1.0,
 * Upgrade or Connection missing or wrong, Sec-WebSocket-Accept missing, twice
 * or wrong, a subprotocol never offered or more than one, an extension never
 * offered or one that weft_deflate_verify() finds fault with, a
 * Transfer-Encoding or a Content-Length other than 0.  WEFT_E_MEMORY.
 * Interim responses (100, 102 to 199) are no answer yet: the caller skips them,
 * up to a bound of its own, before it asks (RFC 9110, 15.2).
 */
enum weft_status weft_handshake_verify(const struct weft_http_head *h,
                                       const char *bytes,
                                       const struct weft_client_request *r,
                                       int *protocol,
                                       struct weft_deflate_agreed *agreed,
                                       struct weft_refusal *why);

#endif
