/*
 * What the tunnel's own files share.  Nobody else includes it.
 */
#ifndef WEFT_PROTO_TUNNEL_INNER_H
#define WEFT_PROTO_TUNNEL_INNER_H

#include <stdbool.h>

#include "proto/tunnel.h"

enum weft_tunnel_state {
    WEFT_TUNNEL_RESPONSE, /* HTTP: the proxy's head is awaited */
    WEFT_TUNNEL_METHOD,   /* SOCKS5: which way to authenticate */
    WEFT_TUNNEL_LOGIN,    /* whether user name and password will do */
    WEFT_TUNNEL_REPLY,    /* whether it has connected */
    WEFT_TUNNEL_STANDS,
    WEFT_TUNNEL_FAILED,
};

/* Whether the proxy is told who asks. */
static inline bool
weft_tunnel_has_login(const struct weft_tunnel *t)
{
    return t->user.len > 0 || t->password.len > 0;
}

/* It has failed for this reason, which the caller may overwrite. */
enum weft_status weft_tunnel_fail(struct weft_tunnel *t, const char *why);

/* Queues the first bytes to a SOCKS5 proxy: WEFT_OK or WEFT_E_MEMORY. */
enum weft_status weft_tunnel_socks_greet(struct weft_tunnel *t);

/* The three states of SOCKS5, as weft_tunnel_read(). */
enum weft_status weft_tunnel_socks_read(struct weft_tunnel *t);

#endif
