/*
 * permessage-deflate in a build without zlib: never available, so never agreed
 * on, and what follows is never called.
 */
#include "proto/deflate.h"

bool
weft_deflate_available(void)
{
    return false;
}

void
weft_deflate_pool_deinit(struct weft_deflate_pool *pool)
{
    weft_buf_deinit(&pool->scratch);
}

struct weft_deflate *
weft_deflate_new(bool server, const struct weft_deflate_options *o,
                 const struct weft_deflate_agreed *a,
                 struct weft_deflate_pool *pool)
{
    (void)server, (void)o, (void)a, (void)pool;
    return NULL;
}

void
weft_deflate_free(struct weft_deflate *d)
{
    (void)d;
}

/* Out ------------------------------------------------------------------- */

enum weft_status
weft_deflate_message(struct weft_deflate *d, const void *data, size_t len,
                     struct weft_span *out)
{
    (void)d, (void)data, (void)len, (void)out;
    return WEFT_MORE;
}

enum weft_status
weft_deflate_piece(struct weft_deflate *d, const void *data, size_t len,
                   bool last, struct weft_span *out)
{
    (void)d, (void)data, (void)len, (void)last, (void)out;
    return WEFT_E_MEMORY;
}

enum weft_status
weft_deflate_shared(struct weft_deflate *d, const void *data, size_t len,
                    struct weft_span *out)
{
    return weft_deflate_message(d, data, len, out);
}

bool
weft_deflate_same(const struct weft_deflate *a, const struct weft_deflate *b)
{
    return a == b;
}

void
weft_deflate_done(struct weft_deflate *d)
{
    (void)d;
}

void
weft_deflate_sent_other(struct weft_deflate *d)
{
    (void)d;
}

void
weft_deflate_mute(struct weft_deflate *d)
{
    (void)d;
}

/* In -------------------------------------------------------------------- */

enum weft_status
weft_deflate_inflate(struct weft_deflate *d, const uint8_t **in, size_t *len,
                     uint8_t *to, size_t room, size_t *made)
{
    (void)d, (void)in, (void)len, (void)to, (void)room;
    *made = 0;
    return WEFT_E_DEFLATE;
}

enum weft_status
weft_deflate_end(struct weft_deflate *d, uint8_t *to, size_t room,
                 size_t *made)
{
    (void)d, (void)to, (void)room;
    *made = 0;
    return WEFT_E_DEFLATE;
}

void
weft_deflate_stop(struct weft_deflate *d)
{
    (void)d;
}
