/*
 * What a server counts.  A listener has one of these, and each of its
 * connections adds to it; connections without a listener add to their loop's,
 * which nobody reads, so that whoever counts need not ask.
 *
 * What can be had by looking at the connections there are is not counted.
 */
#ifndef WEFT_LOOP_COUNTERS_H
#define WEFT_LOOP_COUNTERS_H

#include <stdint.h>

#include "base/histogram.h"
#include "loop/cause.h"

/* What a request or a handshake was refused for. */
enum weft_refused {
    WEFT_REFUSED_REQUEST, /* it is none, or is not understood */
    WEFT_REFUSED_HEADER,  /* its head is too long */
    WEFT_REFUSED_BODY,    /* its body is */
    WEFT_REFUSED_TIMEOUT, /* it took too long */
    WEFT_REFUSED_TLS,
    WEFT_REFUSED_PROXY,   /* the PROXY protocol's head */
    WEFT_REFUSED_ADDRESS, /* that has too many connections */
    WEFT_REFUSED_HOST,    /* and on from here: by whoever was asked */
    WEFT_REFUSED_ORIGIN,
    WEFT_REFUSED_ROUTE,
    WEFT_REFUSED_UPGRADE,
    WEFT_REFUSED_CLOSING,
    WEFT_REFUSED_ERROR,
    WEFT_REFUSALS, /* how many */
};

/* Where close codes are counted: from 1000 to 1015 one by one, then those of
 * 3000 to 3999 as one, and those of 4000 to 4999. */
enum {
    WEFT_CODE_FIRST = 1000,
    WEFT_CODE_LAST = 1015,
    WEFT_PLACE_3000 = WEFT_CODE_LAST - WEFT_CODE_FIRST + 1,
    WEFT_PLACE_4000,
    WEFT_CODE_PLACES, /* how many */
};

struct weft_counters {
    uint64_t messages_in, messages_out; /* whole ones, and events */
    uint64_t bytes_in, bytes_out; /* of all connections, inside TLS */
    uint64_t accepted;
    uint64_t upgraded;    /* to WebSockets */
    uint64_t streams;     /* event streams that began */
    uint64_t requests;    /* plain ones */
    uint64_t refused[WEFT_REFUSALS];
    uint64_t turned_away; /* for their address; dropped ones too */
    uint64_t too_fast;    /* closed for the rate of what they sent */
    uint64_t over_memory; /* closed when memory_limit was passed */
    uint64_t closed[WEFT_CAUSES]; /* WebSockets and event streams */
    uint64_t codes[WEFT_CODE_PLACES]; /* WebSockets */
    uint64_t pings;       /* sent */
    struct weft_histogram round_trips; /* of those that were answered */
};

/* The public word. */
const char *weft_refused_name(enum weft_refused why);

/* The name of the option that refuses for that, or NULL. */
const char *weft_refused_option(enum weft_refused why);

/* What an answer of that status refuses a request for. */
enum weft_refused weft_refused_by(unsigned status);

/* Counts a close code. */
void weft_counters_add_code(struct weft_counters *c, unsigned code);

#endif
