/*
 * A connected socket, with TLS on it or without.  What it takes and gives is
 * plaintext either way.
 *
 * The flags are those of send(2) and recv(2): MSG_DONTWAIT, or 0 to wait.
 * A call that fails returns a negative errno, which wire_why() explains.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"

struct wire {
    int fd;
    struct weft_tls *tls; /* NULL: without */
    bool begun;           /* its handshake */
};

/* Goes on with the TLS handshake: 0 when it is complete, -EAGAIN. */
long wire_secure(struct wire *w, int flags);

/*
 * Up to len bytes: a count above 0; 0 at the end of the stream.  From 64 KiB
 * up, one call gives all that it has received.
 */
long wire_receive(struct wire *w, void *to, size_t len, int flags);

/*
 * How many of the bytes it took.  -EAGAIN: none, the socket is full.  What it
 * took may wait in it: then wire_owes(), until a later call (of no bytes, too)
 * has sent it.
 */
long wire_send(struct wire *w, const void *bytes, size_t len, int flags);
bool wire_owes(const struct wire *w);

/* A sentence about what a call returned. */
const char *wire_why(const struct wire *w, long failure);

/* Ends it as far as that does not wait. */
void wire_close(struct wire *w);

#endif
