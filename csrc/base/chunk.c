/*
 * Reference counting of shared bytes.  It must not know who shares them.
 */
#include "base/chunk.h"

#include "base/mem.h"

struct weft_chunk *
weft_chunk_new(size_t len)
{
    struct weft_chunk *c;

    if (len > SIZE_MAX - sizeof(*c))
        return NULL;
    c = weft_realloc(NULL, sizeof(*c) + len);
    if (c != NULL) {
        c->references = 1;
        c->len = len;
        c->sum = NULL;
    }
    return c;
}

void
weft_chunk_count(struct weft_chunk *c, size_t *sum)
{
    if (c == NULL)
        return;
    c->sum = sum;
    *sum += c->len;
}

struct weft_chunk *
weft_chunk_retain(struct weft_chunk *c)
{
    c->references++;
    return c;
}

void
weft_chunk_release(struct weft_chunk *c)
{
    if (c == NULL || --c->references > 0)
        return;
    if (c->sum != NULL)
        *c->sum -= c->len;
    weft_free(c);
}
