/*
 * What a connection that says nothing costs its server.
 *
 *     idle [--connections N] [--raw] [--tls] [--json] PORT PID
 *
 * Opens a tenth of N (5000) connections, waits, reads the resident memory of
 * the process PID, opens the others, waits, and reads it again: the difference
 * is theirs, and what the server needs for its first connections is not in it.
 * Also how long the others took to open, one after the other, and how much CPU
 * time of the server.  It is over before a server sends its first ping, so
 * nothing is read.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "process.h"
#include "program.h"

enum { SETTLE = 2 }; /* seconds */

struct sample {
    uint64_t time;
    double rss, cpu;
};

static struct sample
look(pid_t pid)
{
    struct sample s = { process_now(), process_rss(pid), process_cpu(pid) };

    if (s.rss < 0 || s.cpu < 0)
        program_fail("no process %ld", (long)pid);
    return s;
}

/* Opened and forgotten: they stay until this process ends. */
static void
open_some(const struct client_target *to, unsigned count,
          struct weft_random *random)
{
    struct client c;
    const char *why;

    for (unsigned i = 0; i < count; i++)
        if (client_open(&c, to, random, &why) < 0)
            program_fail("connection %u: %s", i + 1, why);
}

static void
measure(const struct client_target *to, unsigned count, pid_t pid, bool json)
{
    static struct weft_random random;
    struct sample few, opened, many;
    unsigned others = count - count / 10;
    uint64_t begin;
    double each, rate, cpu;

    open_some(to, count / 10, &random);
    sleep(SETTLE);
    few = look(pid);
    begin = process_now();
    open_some(to, others, &random);
    opened = look(pid);
    sleep(SETTLE);
    many = look(pid);
    each = (many.rss - few.rss) / others;
    rate = others / ((double)(opened.time - begin) / 1e9);
    cpu = (opened.cpu - few.cpu) * 1e6 / others;
    printf(json ? "{\"connections\":%u,\"bytes\":%.0f,\"opened\":%.0f,"
                  "\"open_us\":%.1f,\"rss\":%.0f}\n"
                : "%u connections: %.0f resident bytes each, %.0f opened a "
                  "second at %.1f us of CPU each, %.0f resident in all\n",
           count, each, rate, cpu, many.rss);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "connections", required_argument, NULL, 'c' },
        { "raw", no_argument, NULL, 'r' },
        { "tls", no_argument, NULL, 't' },
        { "json", no_argument, NULL, 'j' },
        { 0 },
    };
    struct client_target to = { .host = "127.0.0.1" };
    unsigned count = 5000;
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            count = (unsigned)program_number("N", optarg, 10, 60000);
            break;
        case 'r': to.raw = true; break;
        case 't': program_use_tls(&to); break;
        case 'j': json = true; break;
        default:
            return 2; /* getopt has said why */
        }
    }
    if (optind != argc - 2)
        program_fail("PORT and PID are needed");
    if (to.raw && to.tls != NULL)
        program_fail("--raw goes without --tls");
    to.port = (uint16_t)program_number("PORT", argv[optind], 1, 65535);
    if (process_allow_descriptors(count) < 0)
        program_fail("%u descriptors: %s", count, strerror(errno));
    measure(&to, count,
            (pid_t)program_number("PID", argv[optind + 1], 1, 1 << 30), json);
    return 0;
}
