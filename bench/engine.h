/*
 * The load itself: connections to an echo server, messages outstanding on each,
 * echoes checked, counted and timed.
 *
 * It has to be cheaper than any server.  So what it sends is written and
 * masked once, frames behind each other in one block that all connections send
 * from; and of what comes it reads the frame heads alone.  The payload is
 * compared byte by byte in the warm-up only.  Latency is from the send of a
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

/* What is asked for. */
struct plan {
    struct client_target to;
    unsigned connections, depth; /* depth: messages outstanding on each */
    size_t size;                 /* bytes of a message */
    bool binary;
    double seconds, warmup;
    uint64_t messages;           /* 0: by time; else so many, no warm-up */
    pid_t server;                /* whose CPU time is reported; 0: nobody's */
};

/* What was measured. */
struct report {
    uint64_t echoes;
    double seconds;
    double rate;                 /* echoes a second */
    double p50, p99, p999;       /* latency, microseconds */
    double load_cpu;             /* shares of a core; < 0: unknown */
    double server_cpu, others_cpu;
    double server_each;          /* microseconds of CPU an echo; < 0 */
};

struct report engine_run(const struct plan *plan);

/* Prints "load: " and the sentence to standard error, and exits with 1. */
void engine_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#endif
