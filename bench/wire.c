/*
 * The way of the bytes between a socket and whoever measures.  It must not know
 * what they mean.
 */
#include "wire.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SEALED = 256 * 1024,  /* ciphertext received at a time */
    SEALING = 128 * 1024, /* plaintext encrypted at a time */
    RECORD = 32 * 1024,   /* more than a record, which may have begun before */
};

/* Ciphertext from the socket, lent to the filter. */
static long
fill(struct wire *w, size_t len, int flags)
{
    static uint8_t sealed[SEALED];
    ssize_t n = recv(w->fd, sealed, len < SEALED ? len : SEALED, flags);

    if (n < 0)
        return -errno;
    if (n == 0) {
        weft_tls_cut_off(w->tls);
        return -EPROTO;
    }
    weft_tls_lend(w->tls, sealed, (size_t)n);
    return n;
}

/* 0 once everything in b is sent. */
static long
send_buffer(const struct wire *w, struct weft_buf *b, int flags)
{
    while (weft_buf_len(b) > 0) {
        ssize_t n = send(w->fd, weft_buf_head(b), weft_buf_len(b),
                         flags | MSG_NOSIGNAL);

        if (n < 0)
            return -errno;
        weft_buf_consume(b, (size_t)n);
    }
    return 0;
}

/* What the filter itself wants to be sent.  It waits for room, which small
 * things find. */
static long
settle(struct wire *w)
{
    if (weft_tls_settle(w->tls) != WEFT_OK)
        return -ENOMEM;
    return send_buffer(w, weft_tls_pending(w->tls), 0);
}

long
wire_secure(struct wire *w, int flags)
{
    enum weft_status rc;
    long n;

    for (;;) {
        if (w->begun) {
            n = fill(w, SEALED, flags);
            if (n < 0)
                return n;
        }
        w->begun = true;
        rc = weft_tls_handshake(w->tls);
        n = settle(w);
        if (rc < 0)
            return -EPROTO;
        if (n < 0 || rc == WEFT_OK)
            return n;
    }
}

long
wire_receive(struct wire *w, void *to, size_t len, int flags)
{
    size_t most = len > 2 * RECORD ? len - RECORD : len;
    long n;

    if (w->tls == NULL) {
        n = recv(w->fd, to, len, flags);
        return n < 0 ? -errno : n;
    }
    do {
        n = weft_tls_has_more(w->tls) ? 1 : fill(w, most, flags);
        if (n < 0)
            return n;
        n = weft_tls_read(w->tls, to, len);
        if (weft_tls_settle(w->tls) != WEFT_OK)
            return -ENOMEM;
    } while (n == -EAGAIN);
    return n;
}

/* The bytes encrypted and sent; what the socket does not take is owed. */
static long
seal(struct wire *w, const void *bytes, size_t len, int flags)
{
    static struct weft_buf sealing;
    struct weft_span span = { bytes, len };
    long took = weft_tls_write(w->tls, &span, 1, SEALING, &sealing);
    long n = took < 0 ? took : send_buffer(w, &sealing, flags);

    if (n == -EAGAIN || n == -EINTR)
        n = weft_buf_add(weft_tls_pending(w->tls), weft_buf_head(&sealing),
                         weft_buf_len(&sealing)) == WEFT_OK ? 0 : -ENOMEM;
    sealing.head = sealing.tail = 0;
    return n < 0 ? n : took;
}

long
wire_send(struct wire *w, const void *bytes, size_t len, int flags)
{
    long n;

    if (w->tls == NULL) {
        n = send(w->fd, bytes, len, flags | MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
    }
    n = send_buffer(w, weft_tls_pending(w->tls), flags);
    return n < 0 || len == 0 ? n : seal(w, bytes, len, flags);
}

bool
wire_owes(const struct wire *w)
{
    return w->tls != NULL && weft_buf_len(weft_tls_pending(w->tls)) > 0;
}

const char *
wire_why(const struct wire *w, long failure)
{
    if (failure == -EPROTO && w->tls != NULL)
        return weft_tls_why(w->tls);
    return strerror((int)-failure);
}

void
wire_close(struct wire *w)
{
    if (w->tls != NULL) {
        weft_tls_end(w->tls);
        wire_send(w, "", 0, MSG_DONTWAIT);
        weft_tls_free(w->tls);
    }
    if (w->fd >= 0)
        close(w->fd);
    *w = (struct wire){ .fd = -1 };
}
