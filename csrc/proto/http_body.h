/*
 * The body behind an HTTP/1.1 head (RFC 9112, 6 and 7.1), a request's or a
 * response's, taken out of its framing as its bytes come.
 *
 * Everything is bounded: the body by what the caller allows, chunk sizes and
 * trailers (which are nobody's, and dropped) by bounds of their own.
 */
#ifndef WEFT_PROTO_HTTP_BODY_H
#define WEFT_PROTO_HTTP_BODY_H

#include "base/buf.h"
#include "proto/http.h"

enum weft_body_state {
    WEFT_BODY_DONE, /* all of it has been read, or there is none */
    WEFT_BODY_LENGTH,
    WEFT_BODY_TO_END, /* a response that the end of the stream ends */
    WEFT_BODY_SIZE,   /* the line that tells the size of a chunk */
    WEFT_BODY_CHUNK,
    WEFT_BODY_CHUNK_END,
    WEFT_BODY_TRAILERS,
    WEFT_BODY_BAD,
};

/* Owns nothing; all zero is a body that is done. */
struct weft_http_body {
    enum weft_body_state state;
    uint64_t left;    /* of the body or chunk: bytes to come */
    uint64_t most;    /* bytes that are still allowed */
    uint32_t lines;   /* bytes of trailers so far */
    uint32_t idle;    /* the same of size lines, past what their chunks hold */
    uint16_t error;   /* HTTP status of a fault: 400 or 413; else 0 */
    const char *why;  /* words for people; else NULL */
};

/*
 * Begins the body of a complete, well-formed head (of a request's,
 * weft_handshake_check() has checked what frames it).  WEFT_OK: there is none.
 * WEFT_MORE.  WEFT_E_HEAD: it is announced as longer than `most` (error 413);
 * up to there it may be read all the same.
 */
enum weft_status weft_http_body_begin(struct weft_http_body *b,
                                      const struct weft_http_head *h,
                                      const char *bytes, uint64_t most);

/*
 * Appends to `to` what there is of the body in the raw bytes behind the head
 * and *used further on, and moves *used behind what is done with; the rest is
 * shown again, with more behind it.  WEFT_OK: the body is complete, what comes
 * behind *used is not its.  WEFT_MORE.  WEFT_E_HEAD: a fault, see b->error;
 * what came before it, at most `most` bytes, has been appended.
 * WEFT_E_MEMORY: the call may be made again.
 */
enum weft_status weft_http_body_read(struct weft_http_body *b,
                                     struct weft_span raw, size_t *used,
                                     struct weft_buf *to);

#endif
