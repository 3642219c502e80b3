/*
 * Opening a WebSocket connection, one at a time and waiting for it: what
 * comes before the measuring.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"

struct client_target {
    const char *host; /* a numeric IPv4 address */
    uint16_t port;
    bool raw;         /* no handshake: frames from the first byte on */
};

/*
 * A connected socket, handshake done, blocking and without Nagle's delay; or
 * -1, and *why is a sentence.  The caller closes it.
 */
int client_open(const struct client_target *to, struct weft_random *random,
                const char **why);

#endif
