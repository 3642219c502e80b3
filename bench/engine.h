/*
 * The load itself: connections to an echo server, messages outstanding on each,
 * echoes checked, counted and timed.
 *
 * It has to be cheaper than any server.  So what it sends is written and
 * masked once, frames behind each other in one block that all connections send
 * from; and of what comes it reads the frame heads alone.  The payload is
 * compared byte by byte in the warm-up only; where it is compressed, it is
 * inflated then.  Latency is from the send of a
 * message to the receive of its last byte, including the wait behind those
 * before it.
 *
 * Whatever goes wrong ends the process with a sentence: a figure of a run with
 * faults is none.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client.h"
#include "message.h"
#include "meter.h"

/* What is asked for. */
struct plan {
    struct client_target to;
    unsigned connections, depth; /* depth: messages outstanding on each */
    size_t size;                 /* bytes of a message */
    enum message_kind kind;
    double seconds, warmup;
    uint64_t messages;           /* 0: by time; else so many, no warm-up */
    pid_t server;                /* whose CPU time is reported; 0: nobody's */
};

/* What was measured; the meter counts echoes. */
struct report {
    struct meter_report use;
    double p50, p99, p999; /* latency, microseconds */
    const char *tls_version, *tls_cipher; /* "" without */
    char deflate[WEFT_DEFLATE_TEXT];      /* "" without */
    double carried;                       /* bytes of an echo, in its frames */
};

struct report engine_run(const struct plan *plan);

#endif
