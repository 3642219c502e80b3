/*
 * A load: connections to an echo server, messages outstanding on each, echoes
 * checked, counted and timed.  Or to a server that sends every message to all
 * its members, of which one publishes.
 *
 * It has to be cheaper than any server.  So what it sends is written and
 * masked once, frames behind each other in one block that all connections send
 * from; and of what comes it reads the frame heads alone.  The payload is
 * compared byte by byte in the warm-up, and in each connection's first echo;
 * where it is compressed, it is inflated then.  Latency is from the send of a
 * message to the receive of its last byte, including the wait behind those
 * before it; of a broadcast, to its receive by the last member.
 *
 * Whatever goes wrong ends the load with a sentence: a figure of a run with
 * faults is none.
 */
#ifndef WEFT_LOAD_LOAD_H
#define WEFT_LOAD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/client.h"
#include "load/message.h"
#include "proto/deflate_offer.h"

/* What is asked for. */
struct weft_load_plan {
    struct weft_load_target to;
    unsigned connections, depth; /* depth: messages outstanding on each */
    unsigned at_once;            /* openings in progress */
    bool broadcast;              /* the first connection publishes for all */
    size_t size;                 /* bytes of a message */
    enum weft_load_kind kind;
    double seconds, warmup;
    double patience;             /* seconds without any progress */
    uint64_t messages;           /* 0: by time; else so many, no warm-up */
};

enum weft_load_phase {
    WEFT_LOAD_OPENING,   /* connections */
    WEFT_LOAD_WARMING,   /* nothing counts yet */
    WEFT_LOAD_MEASURING,
    WEFT_LOAD_DRAINING,  /* what is still to come comes */
    WEFT_LOAD_DONE,
};

/* What has been measured so far. */
struct weft_load_report {
    enum weft_load_phase phase;
    unsigned opened;        /* connections ... */
    double opening_seconds; /* ... in this time */
    uint64_t total;         /* echoes, the warm-up's too */
    uint64_t echoes;        /* while measuring; of a broadcast: deliveries */
    double seconds;         /* of measuring */
    double rate;            /* echoes in a second */
    double cpu;             /* of this process: share of a core */
    double p50, p99, p999, max; /* latency, microseconds */
    const char *tls_version, *tls_cipher; /* static, "" without */
    char deflate[WEFT_DEFLATE_TEXT];      /* what was agreed on, "" without */
    double carried;         /* bytes of an echo, in its frames */
};

struct weft_load;

/*
 * Raises this process's limit on open descriptors so that so many connections
 * fit: 0, or -1 with errno.  The one thing here that changes the process.
 */
int weft_load_allow(unsigned connections);

/*
 * A load that has not begun, all of the plan borrowed until the connections
 * are open, its TLS context until the load is freed.  NULL, and why is a
 * sentence.
 */
struct weft_load *weft_load_new(const struct weft_load_plan *plan,
                                char why[WEFT_LOAD_WHY]);

/* Ends the connections, without a word unless the load is done; NULL is fine. */
void weft_load_free(struct weft_load *l);

/*
 * Goes on for so many seconds, less when the phase changes or a signal comes.
 * WEFT_MORE: there is more to do; WEFT_OK: done; WEFT_E_CLOSED: it has failed,
 * as weft_load_why() says.
 */
enum weft_status weft_load_step(struct weft_load *l, double seconds);
const char *weft_load_why(const struct weft_load *l);
enum weft_load_phase weft_load_phase(const struct weft_load *l);

/* At any time, after a failure too. */
struct weft_load_report weft_load_report(const struct weft_load *l);

#endif
