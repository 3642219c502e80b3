/*
 * The byte buffer.  It must know nothing of what the bytes mean.
 */
#include "base/buf.h"

#include <string.h>

#include "base/mem.h"

enum { SMALLEST = 256 };

static void
slide(struct weft_buf *b)
{
    size_t len = weft_buf_len(b);

    if (b->data != NULL && len > 0 && b->head > 0)
        memmove(b->data, b->data + b->head, len);
    b->head = 0;
    b->tail = len;
}

uint8_t *
weft_buf_reserve(struct weft_buf *b, size_t len)
{
    size_t used = weft_buf_len(b), cap;
    uint8_t *data;

    if (len <= b->cap - b->tail && b->data != NULL)
        return b->data + b->tail;
    /* moving pays when it frees at least as much as it moves */
    if (b->data != NULL && len <= b->cap - used && b->head >= used) {
        slide(b);
        return b->data + b->tail;
    }
    if (len > SIZE_MAX / 4 || used > SIZE_MAX / 4)
        return NULL;
    cap = b->cap > 0 ? b->cap : SMALLEST;
    while (cap < used + len)
        cap *= 2;
    slide(b);
    data = weft_realloc(b->data, cap);
    if (data == NULL)
        return NULL;
    b->data = data;
    b->cap = cap;
    return data + b->tail;
}

void
weft_buf_commit(struct weft_buf *b, size_t len)
{
    b->tail += len;
}

struct weft_span
weft_buf_keep(struct weft_buf *b, struct weft_span span)
{
    uint8_t *to = weft_buf_reserve(b, span.len);

    if (span.len == 0)
        return (struct weft_span){ "", 0 };
    memcpy(to, span.data, span.len);
    weft_buf_commit(b, span.len);
    return (struct weft_span){ (const char *)to, span.len };
}

enum weft_status
weft_buf_add(struct weft_buf *b, const void *bytes, size_t len)
{
    uint8_t *to;

    if (len == 0)
        return WEFT_OK;
    to = weft_buf_reserve(b, len);
    if (to == NULL)
        return WEFT_E_MEMORY;
    memcpy(to, bytes, len);
    weft_buf_commit(b, len);
    return WEFT_OK;
}

void
weft_buf_consume(struct weft_buf *b, size_t len)
{
    b->head += len;
    if (b->head == b->tail)
        b->head = b->tail = 0;
}

void
weft_buf_deinit(struct weft_buf *b)
{
    weft_free(b->data);
    *b = (struct weft_buf){ 0 };
}
