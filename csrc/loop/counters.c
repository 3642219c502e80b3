/*
 * What a server counts: the kinds of what is refused, and close codes.
 */
#include "loop/counters.h"

#include <stddef.h>

const char *
weft_refused_name(enum weft_refused why)
{
    static const char *const names[] = {
        [WEFT_REFUSED_REQUEST] = "request",
        [WEFT_REFUSED_HEADER] = "header",
        [WEFT_REFUSED_BODY] = "body",
        [WEFT_REFUSED_TIMEOUT] = "timeout",
        [WEFT_REFUSED_TLS] = "tls",
        [WEFT_REFUSED_PROXY] = "proxy",
        [WEFT_REFUSED_ADDRESS] = "address",
        [WEFT_REFUSED_HOST] = "host",
        [WEFT_REFUSED_ORIGIN] = "origin",
        [WEFT_REFUSED_ROUTE] = "route",
        [WEFT_REFUSED_UPGRADE] = "upgrade",
        [WEFT_REFUSED_CLOSING] = "closing",
        [WEFT_REFUSED_ERROR] = "error",
    };

    return names[why];
}

const char *
weft_refused_option(enum weft_refused why)
{
    switch (why) {
    case WEFT_REFUSED_HOST:
        return "hosts";
    case WEFT_REFUSED_ORIGIN:
        return "origins";
    case WEFT_REFUSED_UPGRADE:
        return "upgrade";
    default:
        return NULL;
    }
}

enum weft_refused
weft_refused_by(unsigned status)
{
    switch (status) {
    case 408:
        return WEFT_REFUSED_TIMEOUT;
    case 413:
        return WEFT_REFUSED_BODY;
    case 429:
        return WEFT_REFUSED_ADDRESS;
    case 431:
        return WEFT_REFUSED_HEADER;
    default:
        return WEFT_REFUSED_REQUEST;
    }
}

void
weft_counters_add_code(struct weft_counters *c, unsigned code)
{
    if (code >= 4000)
        c->codes[WEFT_PLACE_4000]++;
    else if (code >= 3000)
        c->codes[WEFT_PLACE_3000]++;
    else if (code >= WEFT_CODE_FIRST && code <= WEFT_CODE_LAST)
        c->codes[code - WEFT_CODE_FIRST]++;
}
