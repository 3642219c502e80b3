/*
 * Processes seen from outside.  It must not know which one serves.
 */
#include "process.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t
nanoseconds(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

uint64_t
process_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return nanoseconds(&t);
}

double
process_cpu(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        return -1;
    return (double)nanoseconds(&t) / 1e9;
}

double
process_rss(pid_t pid)
{
    char path[64], line[256];
    unsigned long kib;
    double rss = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return -1;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmRSS: %lu", &kib) == 1)
            rss = (double)kib * 1024;
    fclose(file);
    return rss;
}

double
process_machine_busy(void)
{
    /* user, nice, system, idle, iowait, irq, softirq, steal: proc(5) */
    unsigned long long t[8] = { 0 };
    FILE *file = fopen("/proc/stat", "r");
    int n = 0;

    if (file != NULL) {
        n = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu",
                   &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
        fclose(file);
    }
    if (n != 8)
        return 0;
    return (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7])
           / (double)sysconf(_SC_CLK_TCK);
}

int
process_allow_descriptors(unsigned count)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)count + 64; /* the standard ones, epoll, ... */

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    if (limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted; /* which takes root */
    return setrlimit(RLIMIT_NOFILE, &limit);
}
