/*
 * What a server writes of HTTP/1.1 responses (RFC 9110, RFC 9112): heads, and
 * the framing of bodies.
 */
#ifndef WEFT_PROTO_HTTP_RESPONSE_H
#define WEFT_PROTO_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/status.h"
#include "proto/http.h"

/* What becomes of the connection behind the response. */
enum weft_http_then {
    WEFT_THEN_CLOSE,
    WEFT_THEN_KEEP,     /* what HTTP/1.1 means when nothing is said */
    WEFT_THEN_KEEP_OLD, /* to HTTP/1.0 it is said */
};

enum weft_http_framing {
    WEFT_FRAMED_LENGTH, /* Content-Length: `length` */
    WEFT_FRAMED_CHUNKS,
    WEFT_FRAMED_END,    /* the end of the connection is the body's */
};

enum { WEFT_DATE_TEXT = 30 }; /* "Fri, 27 Nov 2026 07:30:00 GMT" and its NUL */

struct weft_http_response {
    unsigned status;
    struct weft_span headers; /* lines, each ended by CRLF, or empty */
    enum weft_http_then then;
    enum weft_http_framing framing;
    uint64_t length;    /* of the body */
    const char *date;   /* the Date field, or NULL: without */
};

/*
 * Appends the head: the status line, Connection and Date where the lines do
 * not name it, the lines, and what frames the body, but on 1xx, 204 and 304.
 * When a body comes and they name no Content-Type, text/plain in UTF-8; when
 * they name Upgrade, so does Connection (RFC 9110, 7.8).  WEFT_OK or
 * WEFT_E_MEMORY, and then nothing is appended.
 */
enum weft_status weft_http_write_head(struct weft_buf *out,
                                      const struct weft_http_response *r);

/* RFC 9110, 6.4.1: whether responses of this status have no body. */
bool weft_http_never_has_body(unsigned status);

/*
 * A whole response with Connection: close and without Date; with head_only the
 * length is told and the body left out.  Nothing is appended when memory is
 * out.
 */
enum weft_status weft_http_respond(struct weft_buf *out, unsigned status,
                                   struct weft_span headers,
                                   struct weft_span body, bool head_only);

/* Whether one of the header lines is a field of this name. */
bool weft_http_lines_name(struct weft_span lines, const char *name);

enum { WEFT_CHUNK_HEAD = 18 }; /* room for a chunk's size line */

/* Writes the line that stands before a chunk of len bytes (RFC 9112, 7.1),
 * len > 0; returns how many bytes that took.  CRLF follows the chunk; the last
 * one is "0\r\n\r\n". */
size_t weft_http_chunk_head(char to[WEFT_CHUNK_HEAD], size_t len);

/* Writes seconds since 1970 as a Date (RFC 9110, 5.6.7), in any time zone and
 * locale. */
void weft_http_date(char to[WEFT_DATE_TEXT], int64_t seconds);

#endif
