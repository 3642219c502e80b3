/*
 * What the first bytes of a connection are, and what is said to a peer that
 * came to the wrong port.  It needs no OpenSSL.
 */
#include "net/tls.h"

enum { LONGEST_METHOD = 16 };

/* RFC 8446, 5.1: a record of type handshake and version 3.x. */
static enum weft_first
tls_record(const uint8_t *p, size_t len)
{
    if ((len > 1 && p[1] != 3) || (len > 2 && p[2] > 4))
        return WEFT_FIRST_OTHER;
    return len > 2 ? WEFT_FIRST_TLS : WEFT_FIRST_MORE;
}

enum weft_first
weft_tls_first(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t i = 0;

    if (len == 0)
        return WEFT_FIRST_MORE;
    if (p[0] == 0x16)
        return tls_record(p, len);
    while (i < len && i <= LONGEST_METHOD &&
           ((p[i] >= 'A' && p[i] <= 'Z') || (p[i] == '-' && i > 0)))
        i++;
    if (i > LONGEST_METHOD)
        return WEFT_FIRST_OTHER;
    if (i == len)
        return WEFT_FIRST_MORE;
    return i > 0 && p[i] == ' ' ? WEFT_FIRST_HTTP : WEFT_FIRST_OTHER;
}
