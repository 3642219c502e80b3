/*
 * Processes seen from outside.  It must not know which one serves.
 */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

double
process_cpu(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        return -1;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Behind `name`, the rest of the first line of a file that begins with it, kept
 * in `line`; NULL when there is none. */
static char *
read_line(const char *path, const char *name, char *line, size_t size)
{
    size_t len = strlen(name);
    FILE *file = fopen(path, "r");
    char *found = NULL;

    if (file == NULL)
        return NULL;
    while (found == NULL && fgets(line, (int)size, file) != NULL)
        if (strncmp(line, name, len) == 0)
            found = line + len;
    fclose(file);
    return found;
}

double
process_rss(pid_t pid)
{
    char path[64], line[256];
    const char *kib;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    kib = read_line(path, "VmRSS:", line, sizeof(line));
    return kib != NULL ? strtod(kib, NULL) * 1024 : -1;
}

int
process_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0); /* glibc 2.36 has a name for it */
}

double
process_machine_busy(void)
{
    enum { IDLE = 3, IOWAIT = 4, COUNT = 8 }; /* proc(5) */
    char line[256], *at = read_line("/proc/stat", "cpu ", line, sizeof(line));
    double ticks = 0;

    for (int i = 0; at != NULL && i < COUNT; i++) {
        double t = strtod(at, &at);

        if (i != IDLE && i != IOWAIT)
            ticks += t;
    }
    return ticks / (double)sysconf(_SC_CLK_TCK);
}
