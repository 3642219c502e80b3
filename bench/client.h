/*
 * Opening a WebSocket connection: TCP, TLS if it is asked for, and the
 * handshake.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "proto/deflate_offer.h"
#include "wire.h"

struct weft_opening;

struct client_target {
    const char *host; /* a numeric IPv4 address */
    uint16_t port;
    bool raw;         /* no handshake: frames from the first byte on */
    struct weft_tls_context *tls; /* NULL: without */
    struct weft_deflate_options deflate; /* where it is on, the server must
                                            agree to it */
};

struct client {
    struct wire wire; /* without Nagle's delay */
    struct weft_opening *opening; /* until it is open */
    struct weft_deflate_agreed agreed;
};

/*
 * What connections over TLS share.  Any certificate is accepted: what it costs
 * is the same, but for a chain.  NULL, and *why is a sentence.
 */
struct weft_tls_context *client_tls(const char **why);

/*
 * Begins to open a connection: waits for TCP alone.  TLS sessions of the same
 * `family` are resumed, a family of 0 resumes none.  0; or -1, and *why is a
 * sentence.
 */
int client_begin(struct client *c, const struct client_target *to,
                 uint16_t family, struct weft_random *random, const char **why);

/*
 * Goes on; flags are MSG_DONTWAIT or 0, to wait.  1 when it is open, 0 when
 * bytes have to come first; or -1, it is closed, and *why is a sentence.
 */
int client_step(struct client *c, int flags, const char **why);

/* Both, waiting for the end: 0 or -1. */
int client_open(struct client *c, const struct client_target *to,
                struct weft_random *random, const char **why);

void client_close(struct client *c);

#endif
