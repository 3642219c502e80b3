/*
 * Writing heads.  A head is written twice by the same function: first to
 * nowhere, which measures it, then into room reserved at once.  So it is
 * appended whole or not at all.
 */
#ifndef WEFT_PROTO_WRITER_H
#define WEFT_PROTO_WRITER_H

#include <string.h>

#include "base/buf.h"
#include "proto/http.h"

struct weft_head_writer {
    char *to; /* NULL: only measures */
    size_t len;
};

static inline void
weft_put(struct weft_head_writer *w, struct weft_span s)
{
    if (w->to != NULL && s.len > 0)
        memcpy(w->to + w->len, s.data, s.len);
    w->len += s.len;
}

static inline void
weft_put_text(struct weft_head_writer *w, const char *s)
{
    weft_put(w, weft_http_text(s));
}

/* A header line, or nothing when the value is empty. */
static inline void
weft_put_field(struct weft_head_writer *w, const char *name,
               struct weft_span value)
{
    if (value.len == 0)
        return;
    weft_put_text(w, name);
    weft_put_text(w, ": ");
    weft_put(w, value);
    weft_put_text(w, "\r\n");
}

/* Turns a writer that has measured into one that writes into out. */
static inline enum weft_status
weft_writer_reserve(struct weft_head_writer *w, struct weft_buf *out)
{
    w->to = (char *)weft_buf_reserve(out, w->len);
    w->len = 0;
    return w->to != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

#endif
