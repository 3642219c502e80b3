/*
 * A socket that is connected or about to be, with TLS on it or without.  What
 * it takes and gives is plaintext either way.
 *
 * Nothing waits here.  A call that fails returns a negated errno, which
 * weft_wire_explain() puts into words; -EAGAIN: not now.
 */
#ifndef WEFT_LOAD_WIRE_H
#define WEFT_LOAD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/tls.h"

/* Ciphertext on its way in and out, between no two calls: what all wires of
 * one owner share.  All zero is valid; wires borrow it. */
struct weft_wire_room {
    uint8_t *sealed;
    struct weft_buf sealing;
};

void weft_wire_room_deinit(struct weft_wire_room *room);

struct weft_wire {
    int fd;               /* -1: none */
    struct weft_tls *tls; /* NULL: without */
    bool begun, secured;  /* its handshake has begun; is complete */
    struct weft_wire_room *room;
};

/* Goes on with the TLS handshake: 0 when it is complete. */
long weft_wire_secure(struct weft_wire *w);

/*
 * Up to len bytes: a count above 0; 0 at the end of the stream.  From 64 KiB
 * up, one call gives all that it has received.
 */
long weft_wire_receive(struct weft_wire *w, void *to, size_t len);

/*
 * How many of the bytes it took.  -EAGAIN: none, the socket is full.  What it
 * took may wait in it: then weft_wire_owes(), until a later call (of no bytes,
 * too) has sent it.
 */
long weft_wire_send(struct weft_wire *w, const void *bytes, size_t len);
bool weft_wire_owes(const struct weft_wire *w);

/* A sentence about what a call returned. */
void weft_wire_explain(const struct weft_wire *w, long failure, char *to,
                       size_t size);

/* Ends it as far as that does not wait. */
void weft_wire_close(struct weft_wire *w);

#endif
