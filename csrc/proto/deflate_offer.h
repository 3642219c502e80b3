/*
 * permessage-deflate as heads speak of it (RFC 7692, 5 and 7.1): what a client
 * offers, what a server makes of it, and what they have then agreed on.
 */
#ifndef WEFT_PROTO_DEFLATE_OFFER_H
#define WEFT_PROTO_DEFLATE_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/http.h"

/* What one side wants.  All zero: no compression. */
struct weft_deflate_options {
    bool on;           /* a client offers it, a server accepts it */
    bool server_no_context_takeover, client_no_context_takeover;
    uint8_t server_max_window_bits; /* 8 to 15; 15 or 0: no limit */
    uint8_t client_max_window_bits; /* the same */

    /* how this side compresses */
    uint8_t window_bits; /* with takeover, at most; 8 to 15 */
    int8_t level;        /* zlib's, -1 to 9 */
    uint8_t mem_level;   /* zlib's, 1 to 9; 0: 8, with takeover 5 */
    size_t threshold;    /* bytes; what is shorter goes as it is */
};

/* What both have agreed on.  All zero: no compression. */
struct weft_deflate_agreed {
    bool on;
    bool server_no_context_takeover, client_no_context_takeover;
    bool says_server_bits, says_client_bits; /* the answer names them */
    uint8_t server_max_window_bits, client_max_window_bits; /* 8 to 15 */
};

/* Room for what the two writers below write, NUL included. */
enum { WEFT_DEFLATE_TEXT = 160 };

/*
 * The server's choice: the first offer in the head that it can accept, in
 * *a; false, and *a is all zero, when there is none.  Offers are declined
 * (7.1) for a parameter that is unknown, stands twice, has no value where it
 * needs one, has one where it must not, or one that is no plain number from 8
 * to 15.  A value may be quoted (RFC 6455, 9.1).
 */
bool weft_deflate_choose(const struct weft_http_head *h, const char *bytes,
                         const struct weft_deflate_options *o,
                         struct weft_deflate_agreed *a);

/* The value of the server's Sec-WebSocket-Extensions, which ws.extensions
 * says too; "" for none.  Returns its length. */
size_t weft_deflate_answer(const struct weft_deflate_agreed *a,
                           char to[WEFT_DEFLATE_TEXT]);

/* The value of the client's Sec-WebSocket-Extensions; "" for none.  Unless
 * told otherwise: "permessage-deflate; client_max_window_bits". */
size_t weft_deflate_offer(const struct weft_deflate_options *o,
                          char to[WEFT_DEFLATE_TEXT]);

/*
 * The client's judgement of the answer: NULL, and *a is what was agreed on
 * (all zero: no compression), or what is wrong with it, which fails the
 * connection: an extension that was not offered, or twice; a parameter as
 * above; a window above what was asked for, or a demand of ours that it does
 * not repeat.  What the client says of itself (client_no_context_takeover, a
 * client_max_window_bits) holds and is in *a whether or not it is repeated.
 */
const char *weft_deflate_verify(const struct weft_http_head *h,
                                const char *bytes,
                                const struct weft_deflate_options *o,
                                struct weft_deflate_agreed *a);

#endif
