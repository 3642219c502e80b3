/*
 * The way of the bytes between a socket and whoever measures.  It must not know
 * what they mean.
 */
#include "load/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/sock.h"

enum {
    SEALED = 256 * 1024,  /* ciphertext received at a time */
    SEALING = 128 * 1024, /* plaintext encrypted at a time */
    RECORD = 32 * 1024,   /* more than a record, which may have begun before */
};

void
weft_wire_room_deinit(struct weft_wire_room *room)
{
    weft_free(room->sealed);
    weft_buf_deinit(&room->sealing);
    *room = (struct weft_wire_room){ 0 };
}

static long
send_bytes(const struct weft_wire *w, const void *bytes, size_t len)
{
    struct weft_span span = { bytes, len };

    return weft_sock_sendv(w->fd, &span, 1);
}

/* Ciphertext from the socket, lent to the filter. */
static long
fill(struct weft_wire *w, size_t len)
{
    struct weft_wire_room *room = w->room;
    long n;

    if (room->sealed == NULL)
        room->sealed = weft_realloc(NULL, SEALED);
    if (room->sealed == NULL)
        return -ENOMEM;
    n = weft_sock_recv(w->fd, room->sealed, len < SEALED ? len : SEALED);
    if (n == 0) {
        weft_tls_cut_off(w->tls);
        return -EPROTO;
    }
    if (n > 0)
        weft_tls_lend(w->tls, room->sealed, (size_t)n);
    return n;
}

/* 0 once everything in b is sent. */
static long
send_buffer(const struct weft_wire *w, struct weft_buf *b)
{
    while (weft_buf_len(b) > 0) {
        long n = send_bytes(w, weft_buf_head(b), weft_buf_len(b));

        if (n < 0)
            return n;
        weft_buf_consume(b, (size_t)n);
    }
    return 0;
}

/* One step of the handshake: 0 complete, 1 there is more to it. */
static long
shake(struct weft_wire *w)
{
    enum weft_status rc = weft_tls_handshake(w->tls);
    long n;

    if (weft_tls_settle(w->tls) != WEFT_OK)
        return -ENOMEM;
    n = send_buffer(w, weft_tls_pending(w->tls)); /* on failure the alert */
    if (rc < 0)
        return rc == WEFT_E_MEMORY ? -ENOMEM : -EPROTO;
    if (n < 0 && n != -EAGAIN)
        return n;
    return rc == WEFT_OK ? 0 : 1;
}

long
weft_wire_secure(struct weft_wire *w)
{
    long n = w->secured ? 0 : 1;

    while (n > 0) {
        n = send_buffer(w, weft_tls_pending(w->tls));
        if (n == 0 && w->begun)
            n = fill(w, SEALED);
        if (n < 0)
            return n;
        w->begun = true;
        n = shake(w);
    }
    w->secured = n == 0;
    return n;
}

long
weft_wire_receive(struct weft_wire *w, void *to, size_t len)
{
    size_t most = len > 2 * RECORD ? len - RECORD : len;
    long n;

    if (w->tls == NULL)
        return weft_sock_recv(w->fd, to, len);
    do {
        n = weft_tls_has_more(w->tls) ? 1 : fill(w, most);
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
seal(struct weft_wire *w, const void *bytes, size_t len)
{
    struct weft_buf *sealing = &w->room->sealing;
    struct weft_span span = { bytes, len };
    long took = weft_tls_write(w->tls, &span, 1, SEALING, sealing);
    long n = took < 0 ? took : send_buffer(w, sealing);

    if (n == -EAGAIN && took >= 0)
        n = weft_buf_add(weft_tls_pending(w->tls), weft_buf_head(sealing),
                         weft_buf_len(sealing)) == WEFT_OK ? 0 : -ENOMEM;
    sealing->head = sealing->tail = 0;
    return n < 0 ? n : took;
}

long
weft_wire_send(struct weft_wire *w, const void *bytes, size_t len)
{
    long n;

    if (w->tls == NULL)
        return send_bytes(w, bytes, len);
    n = send_buffer(w, weft_tls_pending(w->tls));
    return n < 0 || len == 0 ? n : seal(w, bytes, len);
}

bool
weft_wire_owes(const struct weft_wire *w)
{
    return w->tls != NULL && weft_buf_len(weft_tls_pending(w->tls)) > 0;
}

void
weft_wire_explain(const struct weft_wire *w, long failure, char *to,
                  size_t size)
{
    if (failure == -EPROTO && w->tls != NULL) {
        snprintf(to, size, "%s", weft_tls_why(w->tls));
        return;
    }
    snprintf(to, size, "%s", strerror((int)-failure));
    if (size > 0 && to[0] >= 'A' && to[0] <= 'Z')
        to[0] = (char)(to[0] - 'A' + 'a');
}

void
weft_wire_close(struct weft_wire *w)
{
    if (w->tls != NULL && w->fd >= 0) {
        weft_tls_end(w->tls);
        send_buffer(w, weft_tls_pending(w->tls));
    }
    weft_tls_free(w->tls);
    weft_sock_close(&w->fd);
    *w = (struct weft_wire){ .fd = -1 };
}
