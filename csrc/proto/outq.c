/*
 * The output queue.  It must not know what the bytes say nor who sends them.
 *
 *     copied  before(0)  before(1)  after
 *            |ref 0     |ref 1     |
 *
 * The sum of all `before` and `after` is what the buffer holds.
 */
#include "proto/outq.h"

#include <string.h>

#include "base/mem.h"

enum {
    FEWEST_REFS = 4,
    MOST_REFS = 1 << 26,
    KEPT_REFS = 16,    /* an empty queue keeps no more memory than this */
    KEPT_BYTES = 4096,
};

static struct weft_outq_ref *
ref_at(const struct weft_outq *q, uint32_t i)
{
    return &q->refs[(q->first + i) & (q->cap - 1)];
}

enum weft_status
weft_outq_prepare_ref(struct weft_outq *q)
{
    struct weft_outq_ref *refs;
    uint32_t cap = q->cap > 0 ? q->cap * 2 : FEWEST_REFS;

    if (q->count < q->cap)
        return WEFT_OK;
    if (cap > MOST_REFS)
        return WEFT_E_MEMORY;
    refs = weft_realloc(q->refs, cap * sizeof(*refs));
    if (refs == NULL)
        return WEFT_E_MEMORY;
    /* the ring was full: what lay before `first` goes behind the old end */
    memcpy(refs + q->cap, refs, q->first * sizeof(*refs));
    q->refs = refs;
    q->cap = cap;
    return WEFT_OK;
}

/* There is room: weft_outq_prepare_ref() said so. */
static void
add_ref(struct weft_outq *q, struct weft_chunk *c, const uint8_t *data,
        size_t len)
{
    *ref_at(q, q->count++) = (struct weft_outq_ref){
        .chunk = c, .data = data, .len = len, .before = q->after
    };
    q->refs_len += len;
    q->after = 0;
}

enum weft_status
weft_outq_add_chunk(struct weft_outq *q, struct weft_chunk *c)
{
    enum weft_status rc;

    if (c->len == 0)
        return WEFT_OK;
    rc = weft_outq_prepare_ref(q);
    if (rc != WEFT_OK)
        return rc;
    add_ref(q, weft_chunk_retain(c), c->bytes, c->len);
    q->shared += c->len;
    return WEFT_OK;
}

enum weft_status
weft_outq_add_borrowed(struct weft_outq *q, const void *data, size_t len)
{
    enum weft_status rc;

    if (len == 0)
        return WEFT_OK;
    rc = weft_outq_prepare_ref(q);
    if (rc != WEFT_OK)
        return rc;
    add_ref(q, NULL, data, len);
    q->borrowed++;
    return WEFT_OK;
}

static int
add_span(struct weft_span *spans, int n, const uint8_t *data, size_t len)
{
    if (len > 0)
        spans[n++] = (struct weft_span){ (const char *)data, len };
    return n;
}

int
weft_outq_spans(const struct weft_outq *q, struct weft_span *spans, int max)
{
    const uint8_t *copied = q->bytes.data;
    size_t at = q->bytes.head;
    int n = 0;

    for (uint32_t i = 0; i < q->count && n < max; i++) {
        const struct weft_outq_ref *ref = ref_at(q, i);

        if (ref->before > 0) {
            n = add_span(spans, n, copied + at, ref->before);
            at += ref->before;
        }
        if (n < max)
            n = add_span(spans, n, ref->data, ref->len);
    }
    if (n < max && q->after > 0)
        n = add_span(spans, n, copied + at, q->after);
    return n;
}

static void
drop_first_ref(struct weft_outq *q)
{
    struct weft_outq_ref *ref = ref_at(q, 0);

    if (ref->chunk != NULL)
        weft_chunk_release(ref->chunk);
    else
        q->returned++;
    q->first = (q->first + 1) & (q->cap - 1);
    q->count--;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Drops from the first reference and the copied bytes before it; returns how
 * many. */
static size_t
consume_ref(struct weft_outq *q, size_t len)
{
    struct weft_outq_ref *ref = ref_at(q, 0);
    size_t copied = least(ref->before, len);
    size_t referred = least(ref->len, len - copied);

    weft_buf_consume(&q->bytes, copied);
    ref->before -= copied;
    ref->data += referred;
    ref->len -= referred;
    q->refs_len -= referred;
    if (ref->chunk != NULL)
        q->shared -= referred;
    if (ref->len == 0)
        drop_first_ref(q);
    return copied + referred;
}

/* What a busy moment took is given back, so that an idle queue is small. */
static void
shrink(struct weft_outq *q)
{
    if (q->bytes.cap > KEPT_BYTES)
        weft_buf_deinit(&q->bytes);
    if (q->cap > KEPT_REFS) {
        weft_free(q->refs);
        q->refs = NULL;
        q->first = q->cap = 0;
    }
}

void
weft_outq_consume(struct weft_outq *q, size_t len)
{
    while (len > 0 && q->count > 0)
        len -= consume_ref(q, len);
    weft_buf_consume(&q->bytes, len);
    q->after -= len;
    if (weft_outq_len(q) == 0)
        shrink(q);
}

bool
weft_outq_cut(struct weft_outq *q, size_t len)
{
    struct weft_buf kept = { 0 };
    uint8_t *to = len > 0 ? weft_buf_reserve(&kept, len) : NULL;
    struct weft_span first = { "", 0 };

    if (len > 0 && to == NULL)
        return false;
    while (weft_buf_len(&kept) < len && weft_outq_spans(q, &first, 1) > 0) {
        size_t n = least(first.len, len - weft_buf_len(&kept));

        memcpy(to + weft_buf_len(&kept), first.data, n);
        weft_buf_commit(&kept, n);
        weft_outq_consume(q, n);
    }
    weft_outq_deinit(q);
    q->bytes = kept;
    q->after = weft_buf_len(&kept);
    return true;
}

void
weft_outq_deinit(struct weft_outq *q)
{
    uint32_t borrowed = q->borrowed;

    while (q->count > 0)
        drop_first_ref(q);
    weft_free(q->refs);
    weft_buf_deinit(&q->bytes);
    *q = (struct weft_outq){ .borrowed = borrowed, .returned = borrowed };
}
