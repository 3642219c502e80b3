/*
 * A tunnel through a proxy, the client's side, without I/O: HTTP CONNECT
 * (RFC 9110, 9.3.6) with Basic auth (RFC 7617), or SOCKS5 (RFC 1928) with user
 * name and password (RFC 1929).  The proxy resolves the name.
 *
 * It lives on the heap only while a connection opens.
 */
#ifndef WEFT_PROTO_TUNNEL_H
#define WEFT_PROTO_TUNNEL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/status.h"
#include "proto/http.h"

enum weft_tunnel_kind {
    WEFT_TUNNEL_HTTP,
    WEFT_TUNNEL_SOCKS5,
};

/*
 * Where the tunnel leads, and what the proxy is told.  Spans may be empty; the
 * proxy is told user and password when one of them is not.  Nothing here is
 * checked for what cannot stand in a head: whoever parsed it has.
 */
struct weft_tunnel_request {
    enum weft_tunnel_kind kind;
    struct weft_span host; /* name or IP literal, without brackets or zone;
                              255 bytes at most */
    uint16_t port;
    struct weft_span user, password; /* 255 bytes each at most for SOCKS5 */
    struct weft_span user_agent;     /* HTTP only */
};

struct weft_tunnel {
    enum weft_tunnel_kind kind;
    struct weft_buf in;  /* what the proxy has said and is not used up */
    struct weft_buf out; /* to be sent; whoever sends it consumes it */
    char why[192];       /* why it failed: printable ASCII, and never user or
                            password, should the proxy repeat them */
    /* the rest is the tunnel's own */
    int state;
    struct weft_http_head head; /* of the proxy's response */
    uint16_t port;
    struct weft_buf storage; /* of the spans below */
    struct weft_span host, user, password;
};

/* Everything is copied; the first bytes are in `out`.  NULL: no memory. */
struct weft_tunnel *weft_tunnel_new(const struct weft_tunnel_request *r);
void weft_tunnel_free(struct weft_tunnel *t); /* NULL is fine */

/*
 * Looks at what was added to `in` (weft_buf_add()).  WEFT_OK: the tunnel
 * stands; what is left in `in` came through it.  WEFT_MORE: more is needed,
 * and `out` may have something to be sent.  WEFT_E_HEAD: refused or nonsense,
 * `why` says what ("407 Proxy Authentication Required", "the proxy refused
 * user name and password", "host unreachable (SOCKS5 reply 4)").  OK and
 * E_HEAD are final: later calls repeat them.  WEFT_E_MEMORY: as it was, the
 * call may be made again.
 * A response head above 16 KiB is refused; interim responses (1xx but 101) are
 * passed over, within the same 16 KiB; any 2xx is yes, and its Content-Length
 * means nothing.
 */
enum weft_status weft_tunnel_read(struct weft_tunnel *t);

#endif
