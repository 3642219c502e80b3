/*
 * Socket addresses: from words and back.
 */
#ifndef WEFT_NET_ADDR_H
#define WEFT_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/inet.h"
#include "base/status.h"

struct weft_addr {
    struct sockaddr_storage storage;
    socklen_t len;
};

enum { WEFT_ADDR_TEXT = 128 }; /* room for any printed host or path */

/*
 * An IPv4 or IPv6 literal (without brackets; a zone after % is fine) and a
 * port as an address; false when host is not a literal.
 */
bool weft_addr_parse(struct weft_addr *a, const char *host, uint16_t port);

/* Whether only its zone, which no interface has, keeps it from being one. */
bool weft_addr_zone_unknown(const char *host);

/* The same from an address as it stands in packets: 4 bytes or 16. */
void weft_addr_from_bytes(struct weft_addr *a, const uint8_t *bytes,
                          size_t len, uint16_t port);

/* A Unix-domain socket's path; false when it is empty or too long. */
bool weft_addr_unix(struct weft_addr *a, const char *path);

/* The port, or 0 where there is none; and another port, where there is one. */
uint16_t weft_addr_port(const struct weft_addr *a);
void weft_addr_set_port(struct weft_addr *a, uint16_t port);

/*
 * Prints the host without port or brackets ("127.0.0.1", "::1"), an IPv4
 * address mapped into IPv6 as IPv4; a Unix-domain address prints its path, or
 * "unix" when the peer has none.  A link-local address keeps its zone
 * ("fe80::1%eth0").
 */
void weft_addr_host(const struct weft_addr *a, char to[WEFT_ADDR_TEXT]);

#endif
