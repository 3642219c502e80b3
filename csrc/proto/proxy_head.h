/*
 * The head of the PROXY protocol, versions 1 and 2, with which a proxy begins
 * a connection to say on whose behalf it has made it.
 *
 * The caller collects the connection's first bytes and calls
 * weft_proxy_head_read() with all of them whenever more have come.  Nothing is
 * owned, and nothing of the head is needed once it has been read.
 */
#ifndef WEFT_PROTO_PROXY_HEAD_H
#define WEFT_PROTO_PROXY_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    WEFT_PROXY_LINE_MAX = 107,   /* of version 1, with its CRLF */
    WEFT_PROXY_HEAD_MAX = 16384, /* of version 2, which may have extensions */
    WEFT_PROXY_PATH_MAX = 108,
};

enum weft_proxy_from {
    WEFT_PROXY_UNTOLD, /* LOCAL, UNKNOWN: whoever has made the connection */
    WEFT_PROXY_IPV4,
    WEFT_PROXY_IPV6,
    WEFT_PROXY_UNIX,
};

struct weft_proxy_head {
    enum weft_proxy_from from;
    uint8_t address[16]; /* of the client, as it stands in packets: 4 or 16 */
    uint16_t port;
    bool secure;         /* version 2 says that the client came by TLS */
    char path[WEFT_PROXY_PATH_MAX + 1]; /* its socket's, often empty */
    size_t length;       /* of the head; what follows is the client's */
    const char *why;     /* what was wrong, words for people; else NULL */
};

/*
 * Looks at the len bytes that have come since the connection's start.  WEFT_OK:
 * complete, h->length bytes long.  WEFT_MORE.  WEFT_E_HEAD: no such head, h->why
 * says how, and that shows as soon as the first wrong byte is there, but in a
 * line of version 1 only at its end, 107 bytes away at most.
 *
 * The connections of datagrams, which no proxy passes on, count as UNTOLD.
 */
enum weft_status weft_proxy_head_read(struct weft_proxy_head *h,
                                      const uint8_t *bytes, size_t len);

#endif
