/*
 * Ranges of addresses: "10.0.0.0/8", "2001:db8::/32", one address alone, and
 * "unix" for whoever comes by a Unix-domain socket.
 */
#ifndef WEFT_NET_RANGE_H
#define WEFT_NET_RANGE_H

#include "net/addr.h"

struct weft_range {
    int family;        /* AF_INET, AF_INET6 or AF_UNIX */
    uint8_t bytes[16]; /* as it stands in packets */
    uint8_t bits;      /* of them that count */
};

/*
 * False: the text is none of these.  What an address mapped into IPv6 is as
 * IPv4 is what counts; bits of it past those that count may be set.
 */
bool weft_range_parse(struct weft_range *r, const char *text);

/* Whether the address is in one of them; its port does not matter. */
bool weft_ranges_hold(const struct weft_range *ranges, size_t count,
                      const struct weft_addr *a);

#endif
