/*
 * Inflating (RFC 7692, 7.2.2).  It must not know of frames, nor of limits.
 *
 * What comes out, and whether it is good, depends on the bytes alone: not on
 * how they are cut, nor on how much room there is.
 */
#include "proto/deflate_inner.h"

#include <string.h>

#include "base/mem.h"

/* What the sender has left out at a message's end. */
static const uint8_t tail[4] = { 0x00, 0x00, 0xFF, 0xFF };

/* Takeover -------------------------------------------------------------- */

/*
 * A stream with a window of 15 bits is kept as it is.  Of a smaller window its
 * bytes are kept, for whichever stream reads the next message: that is less,
 * and zlib's streams with small windows refuse a distance beyond them or not,
 * by how their input was cut.
 */
static bool
owns_stream(const struct weft_deflate *d)
{
    return d->in_takeover && d->in_bits == WEFT_WINDOW_BITS;
}

static enum weft_status
take_stream(struct weft_deflate *d)
{
    if (d->in != NULL)
        return WEFT_OK;
    d->in = weft_inflater_take(d->pool);
    if (d->in == NULL)
        return WEFT_E_MEMORY;
    if (d->window_len > 0 &&
        inflateSetDictionary(&d->in->z, d->window, d->window_len) != Z_OK)
        return WEFT_E_MEMORY;
    return WEFT_OK;
}

static void
give_stream(struct weft_deflate *d)
{
    if (d->in != NULL)
        weft_inflater_give(d->pool, d->in);
    d->in = NULL;
    d->in_ended = false;
}

/* The last bytes of len, as many as the peer's window has; they become more
 * until it is full. */
static enum weft_status
keep_bytes(struct weft_deflate *d, const uint8_t *bytes, uInt len)
{
    uint32_t most = UINT32_C(1) << d->in_bits;
    uint32_t n = len < most ? len : most;

    if (n > d->window_len) {
        uint8_t *to = weft_realloc(d->window, n);

        if (to == NULL)
            return WEFT_E_MEMORY;
        d->window = to;
    }
    if (n > 0)
        memcpy(d->window, bytes + (len - n), n);
    d->window_len = n;
    return WEFT_OK;
}

static enum weft_status
keep_window(struct weft_deflate *d)
{
    struct weft_buf *b = &d->pool->scratch; /* nothing stands in it now */
    uint8_t *all;
    uInt len = 0;

    weft_buf_consume(b, weft_buf_len(b));
    all = weft_buf_reserve(b, (size_t)1 << WEFT_WINDOW_BITS);
    if (all == NULL)
        return WEFT_E_MEMORY;
    inflateGetDictionary(&d->in->z, all, &len);
    return keep_bytes(d, all, len);
}

/* Inflating ------------------------------------------------------------- */

/* One call of zlib's. */
static int
inflate_some(z_stream *z, const uint8_t **in, size_t *len, uint8_t *to,
             size_t room, size_t *made)
{
    uInt give = weft_zlib_len(*len), space = weft_zlib_len(room - *made);
    int rc;

    z->next_in = *in;
    z->avail_in = give;
    z->next_out = to + *made;
    z->avail_out = space;
    rc = inflate(z, Z_SYNC_FLUSH);
    *in += give - z->avail_in;
    *len -= give - z->avail_in;
    *made += space - z->avail_out;
    return rc;
}

static enum weft_status
status_of(int rc)
{
    switch (rc) {
    case Z_OK:
    case Z_STREAM_END:
    case Z_BUF_ERROR: /* there was nothing to do */
        return WEFT_OK;
    case Z_MEM_ERROR:
        return WEFT_E_MEMORY;
    default:
        return WEFT_E_DEFLATE;
    }
}

/*
 * Between two blocks and two bytes, or behind a final block: all was said, and
 * has come out.  (zlib says so once: not if it is called again in vain.)
 */
static bool
is_whole(const struct weft_deflate *d)
{
    int where;

    if (!d->in_begun || d->in_ended)
        return true;
    where = d->in->z.data_type; /* 128: after a block, 63: bits not used */
    return (where & 128) != 0 && (where & 63) == 0;
}

enum weft_status
weft_deflate_inflate(struct weft_deflate *d, const uint8_t **in, size_t *len,
                     uint8_t *to, size_t room, size_t *made)
{
    enum weft_status rc = WEFT_OK;

    *made = 0;
    if (*len > 0) {
        rc = take_stream(d);
        d->in_begun = rc == WEFT_OK;
    }
    while (rc == WEFT_OK && *made < room && d->in_begun) {
        int z;

        if (*len == 0 && is_whole(d))
            return WEFT_OK;
        /* 7.2.3.5: more blocks, whose window is still that of the message */
        if (d->in_ended)
            inflateResetKeep(&d->in->z);
        z = inflate_some(&d->in->z, in, len, to, room, made);
        d->in_ended = z == Z_STREAM_END;
        rc = status_of(z);
        if (*len == 0 && *made < room)
            return rc;
    }
    return rc == WEFT_OK && d->in_begun ? WEFT_MORE : rc;
}

enum weft_status
weft_deflate_end(struct weft_deflate *d, uint8_t *to, size_t room,
                 size_t *made)
{
    enum weft_status rc = WEFT_OK;

    *made = 0;
    if (d->in_tail > 0 || !is_whole(d)) {
        const uint8_t *at = tail + d->in_tail;
        size_t left = sizeof(tail) - d->in_tail;

        rc = weft_deflate_inflate(d, &at, &left, to, room, made);
        d->in_tail = (uint8_t)(sizeof(tail) - left);
        if (rc == WEFT_OK && !is_whole(d))
            rc = WEFT_E_DEFLATE;
    }
    if (rc != WEFT_OK)
        return rc;
    if (d->in != NULL && !owns_stream(d)) {
        if (d->in_takeover)
            rc = keep_window(d);
        give_stream(d);
    }
    d->in_begun = false;
    d->in_tail = 0;
    return rc;
}

void
weft_deflate_stop(struct weft_deflate *d)
{
    give_stream(d);
    weft_free(d->window);
    d->window = NULL;
    d->window_len = 0;
    d->in_begun = false;
    d->in_tail = 0;
}
