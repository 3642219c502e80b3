/*
 * What a connection that says nothing costs its server.
 *
 *     idle [--connections N] [--raw] [--tls] [--deflate] [--echo] [--json] PORT PID
 *
 * --deflate: connections that agree to compress.  --echo: each has had 4 KiB of
 * JSON echoed, before it falls silent.
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

#include "load/client.h"
#include "load/load.h"
#include "load/message.h"
#include "loop/poller.h"
#include "net/sock.h"
#include "process.h"
#include "program.h"
#include "proto/frame.h"

enum { SETTLE = 2 }; /* seconds */

/* What connections do. */
struct plan {
    struct weft_load_target to;
    unsigned count;
    bool echo; /* each has a message echoed first */
};

struct sample {
    int64_t time;
    double rss, cpu;
};

static struct sample
look(pid_t pid)
{
    struct sample s = { weft_now(), process_rss(pid), process_cpu(pid) };

    if (s.rss < 0 || s.cpu < 0)
        program_fail("no process %ld", (long)pid);
    return s;
}

static void
fail_wire(const char *what, const struct weft_wire *w, long n)
{
    char text[WEFT_TLS_WHY] = "closed";

    if (n < 0)
        weft_wire_explain(w, n, text, sizeof(text));
    program_fail("%s: %s", what, text);
}

/* Reads a frame and forgets it, but that it is a whole message. */
static void
read_echo(struct weft_wire *w)
{
    uint8_t bytes[16384];
    enum weft_status rc = WEFT_MORE;
    struct weft_frame f;
    size_t len = 0, head;

    while (rc == WEFT_MORE || len < head + f.len) {
        long n = weft_wire_receive(w, bytes + len, sizeof(bytes) - len);

        if (n == -EAGAIN) {
            program_await(w, WEFT_READABLE);
            continue;
        }
        if (n <= 0)
            fail_wire("no echo", w, n);
        len += (size_t)n;
        rc = weft_frame_read(&f, bytes, len, &head);
        if (rc < 0 || (rc == WEFT_OK && (!f.fin || f.opcode >= WEFT_CLOSE
                                         || head + f.len > sizeof(bytes))))
            program_fail("an echo that is not one frame");
    }
}

/* A server's connections agree alike: the message is made for the first. */
static size_t
write_frame(uint8_t *to, const struct weft_deflate_agreed *agreed,
            struct weft_random *random)
{
    static struct weft_load_message message;
    enum weft_status rc = WEFT_OK;

    if (message.payload == NULL)
        rc = weft_load_message_init(&message, WEFT_LOAD_RECORDS, 4096, agreed);
    if (rc == WEFT_OK)
        rc = weft_load_message_frame(&message, random, to);
    if (rc != WEFT_OK)
        program_fail("%s", weft_status_text(rc));
    return weft_load_message_frame_len(&message);
}

static void
have_echoed(struct weft_wire *w, const struct weft_deflate_agreed *agreed,
            struct weft_random *random)
{
    uint8_t frame[16384];
    size_t len = write_frame(frame, agreed, random), at = 0;

    while (at < len || weft_wire_owes(w)) {
        long n = weft_wire_send(w, frame + at, len - at);

        if (n == -EAGAIN)
            program_await(w, WEFT_WRITABLE);
        else if (n < 0)
            fail_wire("cannot send", w, n);
        else
            at += (size_t)n;
    }
    read_echo(w);
}

/* Opened and forgotten: they stay until this process ends. */
static void
open_some(const struct plan *p, unsigned count, struct weft_load_shared *shared)
{
    struct weft_load_client c;

    for (unsigned i = 0; i < count; i++) {
        program_open(&c, &p->to, shared, i + 1);
        if (p->echo)
            have_echoed(&c.wire, &c.agreed, &shared->random);
    }
}

static void
measure(const struct plan *p, pid_t pid, bool json)
{
    static struct weft_load_shared shared;
    struct sample few, opened, many;
    unsigned count = p->count, others = count - count / 10;
    int64_t begin;
    double each, rate, cpu;

    open_some(p, count / 10, &shared);
    sleep(SETTLE);
    few = look(pid);
    begin = weft_now();
    open_some(p, others, &shared);
    opened = look(pid);
    sleep(SETTLE);
    many = look(pid);
    each = (many.rss - few.rss) / others;
    rate = others / ((double)(opened.time - begin) / 1e9);
    cpu = (opened.cpu - few.cpu) * 1e6 / others;
    printf(json ? "{\"connections\":%u,\"bytes\":%.0f,\"opened\":%.0f,"
                  "\"open_us\":%.1f,\"rss\":%.0f,\"echoed\":%d}\n"
                : "%u connections: %.0f resident bytes each, %.0f opened a "
                  "second at %.1f us of CPU each, %.0f resident in all, %d "
                  "echoed by each\n",
           count, each, rate, cpu, many.rss, p->echo ? 1 : 0);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "connections", required_argument, NULL, 'c' },
        { "raw", no_argument, NULL, 'r' },
        { "tls", no_argument, NULL, 't' },
        { "deflate", no_argument, NULL, 'd' },
        { "echo", no_argument, NULL, 'e' },
        { "json", no_argument, NULL, 'j' },
        { 0 },
    };
    struct plan p = { .count = 5000 };
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            p.count = (unsigned)program_number("N", optarg, 10, 60000);
            break;
        case 'r': p.to.raw = true; break;
        case 't': program_use_tls(&p.to); break;
        case 'd': program_use_deflate(&p.to); break;
        case 'e': p.echo = true; break;
        case 'j': json = true; break;
        default:
            return 2; /* getopt has said why */
        }
    }
    if (optind != argc - 2)
        program_fail("PORT and PID are needed");
    if (p.to.raw && (p.to.tls != NULL || p.to.deflate.on || p.echo))
        program_fail("--raw goes without the others");
    program_aim(&p.to, "127.0.0.1", argv[optind]);
    if (weft_load_allow(p.count) < 0)
        program_fail("%u descriptors: %s", p.count, strerror(errno));
    measure(&p, (pid_t)program_number("PID", argv[optind + 1], 1, 1 << 30),
            json);
    return 0;
}
