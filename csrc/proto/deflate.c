/*
 * The streams of permessage-deflate: making them, and the pool that those
 * without a window of their own take them from.  It must not know what is
 * compressed.
 */
#include "proto/deflate_inner.h"

#include "base/mem.h"

/* Idle ones in a pool; a compressor takes some 256 KiB, the other 40. */
enum { KEPT_STREAMS = 8 };

bool
weft_deflate_available(void)
{
    return true;
}

/* Streams --------------------------------------------------------------- */

static voidpf
allocate(voidpf unused, uInt items, uInt size)
{
    (void)unused;
    if (size > 0 && items > SIZE_MAX / size)
        return Z_NULL;
    return weft_realloc(NULL, (size_t)items * size);
}

static void
release(voidpf unused, voidpf p)
{
    (void)unused;
    weft_free(p);
}

static struct weft_deflater *
make_deflater(int8_t level, uint8_t mem_level, uint8_t bits)
{
    struct weft_deflater *s = weft_zalloc(sizeof(*s));
    int window = bits > 8 ? bits : 9; /* zlib cannot write with 256 bytes */

    if (s == NULL)
        return NULL;
    s->level = level;
    s->mem_level = mem_level;
    s->bits = bits;
    s->z.zalloc = allocate;
    s->z.zfree = release;
    if (deflateInit2(&s->z, level, Z_DEFLATED, -window, mem_level,
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return s;
    weft_free(s);
    return NULL;
}

static struct weft_inflater *
make_inflater(void)
{
    struct weft_inflater *s = weft_zalloc(sizeof(*s));

    if (s == NULL)
        return NULL;
    s->z.zalloc = allocate;
    s->z.zfree = release;
    if (inflateInit2(&s->z, -WEFT_WINDOW_BITS) == Z_OK)
        return s;
    weft_free(s);
    return NULL;
}

void
weft_deflater_free(struct weft_deflater *s)
{
    deflateEnd(&s->z);
    weft_free(s);
}

static void
free_inflater(struct weft_inflater *s)
{
    inflateEnd(&s->z);
    weft_free(s);
}

/* The pool -------------------------------------------------------------- */

struct weft_deflater *
weft_deflater_take(const struct weft_deflate *d)
{
    struct weft_deflate_pool *pool = d->pool;

    for (struct weft_deflater **at = &pool->deflaters; *at != NULL;
         at = &(*at)->next) {
        struct weft_deflater *s = *at;

        if (s->level != d->level || s->mem_level != d->mem_level ||
            s->bits != d->out_bits)
            continue;
        *at = s->next;
        pool->deflater_count--;
        deflateReset(&s->z);
        return s;
    }
    return make_deflater(d->level, d->mem_level, d->out_bits);
}

struct weft_inflater *
weft_inflater_take(struct weft_deflate_pool *pool)
{
    struct weft_inflater *s = pool->inflaters;

    if (s == NULL)
        return make_inflater();
    pool->inflaters = s->next;
    pool->inflater_count--;
    inflateReset(&s->z);
    return s;
}

/* The last of them, of two or more, was idle for longest. */
static void
drop_last(struct weft_deflate_pool *pool)
{
    struct weft_deflater *s = pool->deflaters;

    while (s->next->next != NULL)
        s = s->next;
    weft_deflater_free(s->next);
    s->next = NULL;
    pool->deflater_count--;
}

void
weft_deflater_give(struct weft_deflate_pool *pool, struct weft_deflater *s)
{
    s->next = pool->deflaters;
    pool->deflaters = s;
    if (++pool->deflater_count > KEPT_STREAMS)
        drop_last(pool);
}

void
weft_inflater_give(struct weft_deflate_pool *pool, struct weft_inflater *s)
{
    if (pool->inflater_count >= KEPT_STREAMS) { /* they are all alike */
        free_inflater(s);
        return;
    }
    s->next = pool->inflaters;
    pool->inflaters = s;
    pool->inflater_count++;
}

void
weft_deflate_pool_deinit(struct weft_deflate_pool *pool)
{
    while (pool->deflaters != NULL) {
        struct weft_deflater *s = pool->deflaters;

        pool->deflaters = s->next;
        weft_deflater_free(s);
    }
    while (pool->inflaters != NULL) {
        struct weft_inflater *s = pool->inflaters;

        pool->inflaters = s->next;
        free_inflater(s);
    }
    pool->deflater_count = pool->inflater_count = 0;
    weft_buf_deinit(&pool->scratch);
}

/* A connection ---------------------------------------------------------- */

static uint8_t
within(uint8_t bits, uint8_t most)
{
    return bits < most ? bits : most;
}

struct weft_deflate *
weft_deflate_new(bool server, const struct weft_deflate_options *o,
                 const struct weft_deflate_agreed *a,
                 struct weft_deflate_pool *pool)
{
    struct weft_deflate *d = weft_zalloc(sizeof(*d));

    if (d == NULL)
        return NULL;
    d->pool = pool;
    d->threshold = o->threshold;
    d->level = o->level;
    /* 7.1.1.2: a client may do without its window though nobody asked */
    d->out_takeover = server ? !a->server_no_context_takeover
                             : !a->client_no_context_takeover &&
                                   !o->client_no_context_takeover;
    d->in_takeover = server ? !a->client_no_context_takeover
                            : !a->server_no_context_takeover;
    d->out_bits = server ? a->server_max_window_bits
                         : a->client_max_window_bits;
    d->in_bits = server ? a->client_max_window_bits
                        : a->server_max_window_bits;
    if (d->out_takeover)
        d->out_bits = within(d->out_bits, o->window_bits);
    d->mem_level = o->mem_level;
    if (d->mem_level == 0)
        d->mem_level = d->out_takeover ? 5 : 8;
    return d;
}

void
weft_deflate_free(struct weft_deflate *d)
{
    if (d == NULL)
        return;
    weft_deflate_mute(d);
    weft_deflate_stop(d);
    weft_free(d);
}

bool
weft_deflate_same(const struct weft_deflate *a, const struct weft_deflate *b)
{
    return a->out_bits == b->out_bits && a->level == b->level &&
           a->mem_level == b->mem_level;
}
