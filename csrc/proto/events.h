/*
 * Server-Sent Events (HTML, 9.2): an event, or a comment, as bytes of a
 * text/event-stream.  No I/O, no Lua.
 *
 * A reader takes CR LF, LF and a lone CR each for the end of a line.  So where
 * any of them stands in the data, another `data:` line begins, and the reader
 * joins the lines with LF: nothing in the data can be taken for a field.  The
 * event's name and its id are lines of their own; the caller has seen to it
 * that neither has CR or LF (nor an id NUL, for which it would be ignored), and
 * that all text is UTF-8, which a stream always is.
 *
 *     event: price
 *     id: 42
 *     data: {"of": "tea",
 *     data:  "is": 3}
 *     (an empty line)
 */
#ifndef WEFT_PROTO_EVENTS_H
#define WEFT_PROTO_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/chunk.h"
#include "base/status.h"
#include "proto/frame.h"
#include "proto/outq.h"

/* What one says.  Of a part that is left out, the span's data is NULL. */
struct weft_sse {
    struct weft_span comment; /* lines that readers ignore */
    struct weft_span name;    /* whom it is for; left out: "message" */
    struct weft_span id;      /* empty: the reader forgets the last one */
    int64_t retry;            /* milliseconds; below 0: left out */
    struct weft_span data;    /* left out: nothing is dispatched */
    bool base64;              /* the data is bytes, not text */
};

/* The event of one message: text as it is; binary in base64, named "binary". */
struct weft_sse weft_sse_message(unsigned opcode, const void *data, size_t len);

/* How many bytes it is, SIZE_MAX when that is too much. */
size_t weft_sse_size(const struct weft_sse *e);
/* Writes so many. */
void weft_sse_write(const struct weft_sse *e, uint8_t *to);

/* Queues it whole, or not at all: WEFT_E_MEMORY. */
enum weft_status weft_sse_queue(struct weft_outq *q, const struct weft_sse *e);

/* A chunk that holds it, or NULL. */
struct weft_chunk *weft_sse_chunk(const struct weft_sse *e);

/*
 * Appends the head that begins a stream, `headers` in it (whole lines, each
 * with its CR LF), and the retry behind it unless that is below 0: all of it or
 * nothing, WEFT_E_MEMORY.  The body ends with the connection (RFC 9112, 6.3), so
 * that nothing stands between the events.  date: for that field, or NULL.
 */
enum weft_status weft_sse_head(struct weft_buf *b, struct weft_span headers,
                               const char *date, int64_t retry);

#endif
