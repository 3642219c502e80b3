/*
 * permessage-deflate's data (RFC 7692, 7.2): messages compressed and inflated
 * for one connection, and the zlib streams that connections share.
 *
 * A side without context takeover keeps no stream between messages: it borrows
 * one from the pool, for the length of a call or, when the message comes or
 * goes in pieces, until its end.  With context takeover a compressor is owned,
 * made when it is first used, and so is what inflates, but for a window below
 * 15 bits: of that the bytes alone are kept.  So a connection that has
 * compressed nothing, or keeps no window, costs this small struct and no zlib
 * memory.
 *
 * Built without zlib (deflate_none.c), nothing is available, weft_deflate_new()
 * is never reached and the rest is never called.
 */
#ifndef WEFT_PROTO_DEFLATE_H
#define WEFT_PROTO_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/status.h"
#include "proto/deflate_offer.h"

struct weft_deflater; /* a compressor: a zlib stream and what it was made for */
struct weft_inflater; /* a decompressor */

/*
 * Streams that nobody uses now, and where a compressed message stands until it
 * is queued.  A loop owns one (so does an endpoint); it outlives the
 * connections that borrow from it.  All zero is a valid empty pool.
 */
struct weft_deflate_pool {
    struct weft_deflater *deflaters; /* idle, at most a few of each kind */
    struct weft_inflater *inflaters; /* idle, all alike: 15-bit windows */
    uint32_t deflater_count, inflater_count; /* idle ones */
    struct weft_buf scratch;
};

/* Frees what is idle; the pool is empty and valid. */
void weft_deflate_pool_deinit(struct weft_deflate_pool *pool);

/* What one connection has agreed on, and the streams it holds. */
struct weft_deflate {
    struct weft_deflate_pool *pool; /* borrowed */
    size_t threshold;    /* messages below it go as they are */
    int8_t level;        /* zlib's, -1 to 9 */
    uint8_t mem_level;   /* zlib's, 1 to 9 */
    uint8_t out_bits;    /* our window, 8 to 15; 8 is zlib's 9, see below */
    uint8_t in_bits;     /* the peer's */
    bool out_takeover, in_takeover; /* a window outlives its message */
    bool out_stale;      /* our own compressor starts anew before its next use */
    bool in_begun;       /* bytes of the message being read were inflated */
    bool in_ended;       /* the last of them ended with a final block */
    uint8_t in_tail;     /* bytes inflated of the tail that was left out */
    struct weft_deflater *out; /* owned, or borrowed for a message in pieces */
    struct weft_inflater *in;  /* owned, or borrowed for the message coming in */
    uint8_t *window;           /* owned: what a borrowed one goes on from */
    uint32_t window_len;
};

/* Whether this build can compress at all. */
bool weft_deflate_available(void);

/*
 * What was agreed on, for the server's end or the client's; it borrows the
 * pool.  NULL when memory is out.  Makes no stream yet.
 */
struct weft_deflate *weft_deflate_new(bool server,
                                      const struct weft_deflate_options *o,
                                      const struct weft_deflate_agreed *a,
                                      struct weft_deflate_pool *pool);

/* Frees it and what it owns, returns what it borrowed; NULL is fine. */
void weft_deflate_free(struct weft_deflate *d);

/* Whether a message of that length is to be compressed. */
static inline bool
weft_deflate_wants(const struct weft_deflate *d, size_t len)
{
    return d != NULL && len >= d->threshold;
}

/* Out ------------------------------------------------------------------- */

/*
 * Compresses a whole message (7.2.1): WEFT_OK, and *out is the payload, lent
 * by the pool until its next use, or weft_deflate_done().  WEFT_MORE: it did
 * not become smaller and goes as it is (said only without takeover, where that
 * is allowed).  WEFT_E_MEMORY: nothing was made.  An agreed window of 8 bits is
 * compressed with zlib's of 9, whose matches reach back 512 - 262 = 250 bytes
 * at most.
 */
enum weft_status weft_deflate_message(struct weft_deflate *d,
                                      const void *data, size_t len,
                                      struct weft_span *out);

/*
 * Compresses the next piece of a message, all of which comes out at once, so
 * that the peer can have it; `last` ends the message.  WEFT_OK, and *out is
 * lent as above; or WEFT_E_MEMORY: nothing was made, and the message may go on
 * with this piece or another, as it may after weft_deflate_sent_other().
 */
enum weft_status weft_deflate_piece(struct weft_deflate *d, const void *data,
                                    size_t len, bool last,
                                    struct weft_span *out);

/*
 * Compresses a whole message without any window from before, so that every
 * connection for which weft_deflate_same() holds can send it: as
 * weft_deflate_message().  Whoever sends it calls weft_deflate_sent_other().
 */
enum weft_status weft_deflate_shared(struct weft_deflate *d, const void *data,
                                     size_t len, struct weft_span *out);

/* Whether what weft_deflate_shared() makes for one suits the other. */
bool weft_deflate_same(const struct weft_deflate *a,
                       const struct weft_deflate *b);

/* What was lent has been copied: a large scratch is given back. */
void weft_deflate_done(struct weft_deflate *d);

/*
 * Something is sent that our own compressor has not seen, or what it has made
 * is not sent: its window is no longer the peer's, so it starts anew.  (What
 * is sent uncompressed is in nobody's window and needs no word, 7.2.)
 */
void weft_deflate_sent_other(struct weft_deflate *d);

/* Nothing more is compressed: the stream goes back, or is freed. */
void weft_deflate_mute(struct weft_deflate *d);

/* In -------------------------------------------------------------------- */

/*
 * Inflates from *in, of *len bytes, into room bytes at `to` (at least one),
 * and moves both past what was used; *made says how many came out.  WEFT_OK:
 * the input is used up and all it stands for has come out.  WEFT_MORE: there
 * was too little room; call again, with *len of 0 too.  WEFT_E_DEFLATE: it
 * cannot be inflated, and what was made of it before counts.  WEFT_E_MEMORY.
 */
enum weft_status weft_deflate_inflate(struct weft_deflate *d,
                                      const uint8_t **in, size_t *len,
                                      uint8_t *to, size_t room, size_t *made);

/*
 * The message is over (7.2.2, with the tail that its sender left out): as
 * above, but WEFT_OK means that it was complete; a borrowed stream goes back.
 * WEFT_E_DEFLATE also for a message that breaks off.  Taken as whole: one with
 * a tail of its own, one that ends with a final block, one without any bytes.
 */
enum weft_status weft_deflate_end(struct weft_deflate *d, uint8_t *to,
                                  size_t room, size_t *made);

/* Nothing more is inflated: the stream goes back, or is freed. */
void weft_deflate_stop(struct weft_deflate *d);

#endif
