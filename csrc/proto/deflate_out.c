/*
 * Compressing (RFC 7692, 7.2.1).  It must not know of frames.
 *
 * Each piece is flushed (Z_SYNC_FLUSH), so it ends on a byte with an empty
 * stored block, 00 00 ff ff, that the end of a message leaves out.  A piece
 * whose compressor starts anew fits behind any other.
 */
#include "proto/deflate_inner.h"

#include <assert.h>
#include <string.h>

enum {
    KEPT_SCRATCH = 64 * 1024, /* a larger one is given back after use */
    FIRST_ROOM = 1024,
    TAIL = 4,
};

static const uint8_t tail[TAIL] = { 0x00, 0x00, 0xFF, 0xFF };

/* Room to compress into, or false: memory, or `most` bytes are there. */
static bool
make_room(struct weft_buf *to, z_stream *z, size_t first, size_t most)
{
    size_t len = weft_buf_len(to), more = len > 0 ? len : first;
    uint8_t *at;

    if (more > most - len)
        more = most - len;
    at = more > 0 ? weft_buf_reserve(to, more) : NULL;
    if (at == NULL)
        return false;
    z->next_out = at;
    z->avail_out = weft_zlib_len(more);
    return true;
}

/*
 * Compresses all of the data to the pool's scratch.  WEFT_MORE: it would be
 * more than `most` bytes.  But for WEFT_OK the stream is in the middle of it.
 */
static enum weft_status
compress_all(struct weft_deflate *d, z_stream *z, const void *data, size_t len,
             size_t most)
{
    struct weft_buf *to = &d->pool->scratch;
    size_t first = len / 4 + FIRST_ROOM;

    weft_buf_consume(to, weft_buf_len(to));
    z->next_in = data;
    z->avail_in = 0;
    do {
        uInt room, step = weft_zlib_len(len);
        int rc;

        if (weft_buf_len(to) == most)
            return WEFT_MORE;
        if (!make_room(to, z, first, most))
            return WEFT_E_MEMORY;
        room = z->avail_out;
        z->avail_in = step;
        rc = deflate(z, step == len ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        assert(rc == Z_OK || rc == Z_BUF_ERROR); /* nothing to flush */
        (void)rc;
        len -= step - z->avail_in;
        weft_buf_commit(to, room - z->avail_out);
    } while (len > 0 || z->avail_out == 0);
    return WEFT_OK;
}

/* What was made, without the tail if it ends the message. */
static struct weft_span
made(const struct weft_deflate *d, bool last)
{
    const struct weft_buf *b = &d->pool->scratch;
    size_t len = weft_buf_len(b);
    const uint8_t *data = weft_buf_head(b);

    if (last) {
        assert(len > TAIL && memcmp(data + len - TAIL, tail, TAIL) == 0);
        len -= TAIL;
    }
    return (struct weft_span){ (const char *)data, len };
}

/*
 * Nothing to compress: no bytes, or, to end a message, the head of the empty
 * stored block whose rest is the tail (7.2.3.6).  The stream stands between
 * two bytes and does not notice.
 */
static struct weft_span
nothing(bool last)
{
    return (struct weft_span){ "", last ? 1 : 0 };
}

/* A message's compressor, in d->out, ready to go on or to begin. */
static enum weft_status
take_stream(struct weft_deflate *d)
{
    if (d->out == NULL)
        d->out = weft_deflater_take(d);
    else if (d->out_stale)
        deflateReset(&d->out->z);
    d->out_stale = false;
    return d->out != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

void
weft_deflate_sent_other(struct weft_deflate *d)
{
    d->out_stale = true;
    if (!d->out_takeover)
        weft_deflate_mute(d);
}

void
weft_deflate_mute(struct weft_deflate *d)
{
    if (d->out == NULL)
        return;
    if (d->out_takeover)
        weft_deflater_free(d->out);
    else
        weft_deflater_give(d->pool, d->out);
    d->out = NULL;
}

void
weft_deflate_done(struct weft_deflate *d)
{
    if (d->pool->scratch.cap > KEPT_SCRATCH)
        weft_buf_deinit(&d->pool->scratch);
}

/* What has not become smaller by then is not worth it (7.2.1 allows it). */
static size_t
worth(size_t len)
{
    return len < SIZE_MAX - TAIL ? len + TAIL : SIZE_MAX;
}

enum weft_status
weft_deflate_message(struct weft_deflate *d, const void *data, size_t len,
                     struct weft_span *out)
{
    return d->out_takeover ? weft_deflate_piece(d, data, len, true, out)
                           : weft_deflate_shared(d, data, len, out);
}

enum weft_status
weft_deflate_piece(struct weft_deflate *d, const void *data, size_t len,
                   bool last, struct weft_span *out)
{
    enum weft_status rc = WEFT_OK;

    if (len > 0) {
        rc = take_stream(d);
        if (rc == WEFT_OK)
            rc = compress_all(d, &d->out->z, data, len, SIZE_MAX);
    }
    if (rc != WEFT_OK) {
        weft_deflate_sent_other(d);
        weft_deflate_done(d);
        return rc;
    }
    *out = len > 0 ? made(d, last) : nothing(last);
    if (last && !d->out_takeover)
        weft_deflate_mute(d);
    return WEFT_OK;
}

enum weft_status
weft_deflate_shared(struct weft_deflate *d, const void *data, size_t len,
                    struct weft_span *out)
{
    struct weft_deflater *s;
    enum weft_status rc;

    if (len == 0) /* one byte would be more than none */
        return WEFT_MORE;
    s = weft_deflater_take(d);
    if (s == NULL)
        return WEFT_E_MEMORY;
    rc = compress_all(d, &s->z, data, len, worth(len));
    weft_deflater_give(d->pool, s);
    if (rc == WEFT_OK)
        *out = made(d, true);
    if (rc == WEFT_OK && out->len >= len)
        rc = WEFT_MORE;
    if (rc != WEFT_OK)
        weft_deflate_done(d);
    return rc;
}
