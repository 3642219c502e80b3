/*
 * Who used the CPU while something was counted.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stdint.h>
#include <sys/types.h>

/* One moment. */
struct meter_sample {
    int64_t time;
    uint64_t count;
    double load_cpu, server_cpu, busy; /* seconds so far; < 0: unknown */
};

/* What was between two. */
struct meter_report {
    uint64_t count;
    double seconds;
    double rate;        /* counted in a second */
    double load_cpu;    /* this process: share of a core */
    double server_cpu, others_cpu; /* shares of a core; < 0: unknown */
    double server_each; /* microseconds of CPU for each counted; < 0 */
};

/* The server's process, or 0: nobody's CPU time is reported. */
struct meter_sample meter_look(pid_t server, uint64_t count);

struct meter_report meter_between(const struct meter_sample *from,
                                  const struct meter_sample *to);

#endif
