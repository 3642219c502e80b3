/*
 * Plaintext in, ciphertext out: spans gathered into records.  It must not know
 * what they hold.
 */
#include "net/tls_inner.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/*
 * Encrypts len bytes; OpenSSL cuts them into records.  -EAGAIN only for the
 * first of a call: half a message of TLS itself has come, such as a ticket in
 * several records, and OpenSSL writes nothing before it has the rest.
 */
static int
encrypt(struct weft_tls *t, const void *bytes, size_t len)
{
    size_t written;

    if (len == 0 || SSL_write_ex(t->ssl, bytes, len, &written) == 1)
        return 0;
    t->stuck = SSL_get_error(t->ssl, 0) == SSL_ERROR_WANT_READ &&
               !t->no_memory;
    return t->stuck ? -EAGAIN : weft_tls_break(t);
}

/* Where a walk over spans is. */
struct walk {
    const struct weft_span *span, *end;
    size_t at, left; /* in the span; of what may be taken */
};

static size_t
part(const struct walk *w)
{
    size_t n = w->span->len - w->at;

    return n < w->left ? n : w->left;
}

static void
pass(struct walk *w, size_t len)
{
    w->at += len;
    w->left -= len;
    if (w->at == w->span->len) {
        w->span++;
        w->at = 0;
    }
}

/* The bytes of several spans as one record; a span that fills one, or has all
   that is left, is not copied. */
static int
encrypt_some(struct weft_tls *t, struct walk *w)
{
    char record[WEFT_TLS_RECORD];
    size_t used = 0, n = part(w);
    const char *from = w->span->data + w->at;

    if (n >= sizeof(record) || n == w->left) {
        n -= n < w->left ? n % sizeof(record) : 0;
        pass(w, n);
        return encrypt(t, from, n);
    }
    while (w->left > 0 && w->span < w->end && used < sizeof(record)) {
        n = part(w);
        if (n > sizeof(record) - used)
            n = sizeof(record) - used;
        if (n > 0)
            memcpy(record + used, w->span->data + w->at, n);
        used += n;
        pass(w, n);
    }
    return encrypt(t, record, used);
}

/* What encrypting n bytes adds: 5.2 of RFC 8446; TLS 1.2 adds 29 bytes. */
static size_t
with_overhead(size_t n)
{
    return n + (n / WEFT_TLS_RECORD + 2) * 64;
}

bool
weft_tls_is_stuck(const struct weft_tls *t)
{
    return t->stuck && weft_buf_len(&t->pending) == 0;
}

long
weft_tls_write(struct weft_tls *t, const struct weft_span *spans, int count,
               size_t most, struct weft_buf *out)
{
    struct walk w = { spans, spans + count, 0, 0 };
    size_t total = 0;
    int error = 0;

    assert(t->state != WEFT_TLS_SHAKING);
    if (t->state == WEFT_TLS_BROKEN)
        return t->error;
    if (t->ending)
        return -EPROTO;
    for (int i = 0; i < count; i++)
        total += spans[i].len;
    w.left = total = total < most ? total : most;
    if (total == 0)
        return 0;
    /* first of all, so that nothing is encrypted that has no room */
    if (weft_buf_reserve(out, with_overhead(total)) == NULL)
        return -ENOMEM;
    weft_tls_begin();
    t->stuck = false;
    t->out = out;
    while (error == 0 && w.left > 0)
        error = encrypt_some(t, &w);
    t->out = NULL;
    if (error == 0)
        weft_tls_tidy(t);
    return error != 0 ? error : (long)total;
}
