/*
 * What the kernel says of processes and of the machine.  Linux only.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <sys/types.h>

/* Seconds of CPU that a process has used, in all its threads, in user space
 * and in the kernel; negative when there is no such process. */
double process_cpu(pid_t pid);

/* Its resident bytes, negative when there is no such process. */
double process_rss(pid_t pid);

/* A descriptor that is readable once the process has ended; -1 with errno. */
int process_open(pid_t pid);

/* Seconds that all of the machine's cores together were not idle, to a
 * hundredth. */
double process_machine_busy(void);

#endif
