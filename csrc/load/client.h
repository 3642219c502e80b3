/*
 * Opening a WebSocket connection: TCP, TLS if it is asked for, and the
 * handshake.
 */
#ifndef WEFT_LOAD_CLIENT_H
#define WEFT_LOAD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "load/wire.h"
#include "net/addr.h"
#include "proto/deflate_offer.h"

struct weft_opening;

enum { WEFT_LOAD_WHY = 512 }; /* room for any sentence of this folder */

struct weft_load_target {
    struct weft_addr to;
    bool raw;            /* no handshake: frames from the first byte on */
    const char *host;    /* the Host field */
    const char *path;    /* path and query */
    const char *headers; /* further lines, each ended by CRLF; or NULL */
    struct weft_tls_context *tls; /* borrowed; NULL: without */
    const char *name;    /* whom TLS is to find there */
    struct weft_deflate_options deflate; /* where it is on, the server must
                                            agree to it */
};

/* What the connections of one owner share.  All zero is valid. */
struct weft_load_shared {
    struct weft_wire_room room;
    struct weft_random random;
    uint16_t alone; /* families that no other connection has */
};

void weft_load_shared_deinit(struct weft_load_shared *s);

struct weft_load_client {
    struct weft_wire wire; /* without Nagle's delay */
    bool connected;
    struct weft_opening *opening; /* until it is open */
    struct weft_deflate_agreed agreed;
};

/*
 * Begins to open a connection.  TLS sessions of the same `family` are resumed,
 * a family of 0 resumes none.  Both are borrowed until it is open, `shared`
 * until it is closed.  False: it has failed, why is a sentence, and it is there
 * to be closed.
 */
bool weft_load_client_begin(struct weft_load_client *c,
                            const struct weft_load_target *to, uint16_t family,
                            struct weft_load_shared *shared,
                            char why[WEFT_LOAD_WHY]);

/*
 * Goes on.  WEFT_OK: it is open; WEFT_MORE: the socket has to be as
 * weft_load_client_wants() says; WEFT_E_CLOSED: it has failed, why is a
 * sentence, and it is there to be closed.
 */
enum weft_status weft_load_client_step(struct weft_load_client *c,
                                       char why[WEFT_LOAD_WHY]);

/* WEFT_READABLE or WEFT_WRITABLE, while it opens. */
uint8_t weft_load_client_wants(const struct weft_load_client *c);

/* Also one that is all zero but for the descriptor of -1. */
void weft_load_client_close(struct weft_load_client *c);

/*
 * What connections over TLS share; NULL, and why is a sentence that names the
 * option.  Without verify any certificate is accepted; ca (NULL: the system's)
 * is a file or PEM text.
 */
struct weft_tls_context *weft_load_tls(bool verify, const char *ca,
                                       char why[WEFT_LOAD_WHY]);

/* What a browser offers of compression. */
struct weft_deflate_options weft_load_deflate(void);

#endif
