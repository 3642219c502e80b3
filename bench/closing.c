/*
 * How long a server takes to say goodbye to all its clients.
 *
 *     closing [--connections N] [--tls] [--json] PORT PID
 *
 * Opens N (10000) connections and waits a moment.  Then the process PID gets
 * SIGTERM, at which it has to send 1001 to every connection; each answers as
 * soon as it has read that, and waits for the end of the stream.  Counted from
 * the signal: when the last of them has read its 1001, when the last stream has
 * ended, and when the process has, which some servers do much later; and the CPU
 * time that the process used meanwhile, for each connection.
 *
 * It is over before a server sends its first ping: whatever comes before the
 * 1001, or in its place, is a fault.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/mem.h"
#include "load/client.h"
#include "load/load.h"
#include "loop/poller.h"
#include "net/sock.h"
#include "process.h"
#include "program.h"
#include "proto/frame.h"

enum {
    SETTLE = 2,    /* seconds */
    PATIENCE = 60, /* seconds without any progress */
    BATCH = 256,   /* connections of one wait */
    AWAY = 1001,   /* 7.4.1: going away */
};

struct client {
    struct weft_watch watch;
    struct weft_wire wire;
    uint8_t bytes[WEFT_FRAME_HEAD_MAX + WEFT_CONTROL_MAX]; /* of the close */
    size_t len;
    bool told; /* it has read all of that */
};

struct run {
    struct weft_load_target to;
    pid_t pid;
    double cpu; /* that it had used before the signal */
    unsigned count, told, over; /* connections, of them ... */
    struct client *clients;
    struct weft_poller *poller;
    struct weft_load_shared shared;
};

/* Nanoseconds from the signal on; seconds of the server's CPU. */
struct report {
    int64_t told, over, ended;
    double cpu;
};

static void
open_all(struct run *r)
{
    struct weft_load_client c;

    for (unsigned i = 0; i < r->count; i++) {
        struct client *one = &r->clients[i];

        program_open(&c, &r->to, &r->shared, i + 1);
        one->wire = c.wire;
        one->watch.fd = c.wire.fd;
        if (weft_poller_set(r->poller, &one->watch, WEFT_READABLE) != WEFT_OK)
            program_fail("cannot wait: %s", strerror(errno));
    }
}

/* 5.5.1: the answer has the code that was received. */
static void
answer(struct client *c)
{
    struct weft_frame close = { .fin = true, .masked = true, .len = 2,
                                .opcode = WEFT_CLOSE };
    uint8_t bytes[WEFT_FRAME_HEAD_MAX + 2];
    size_t at = weft_frame_write(&close, bytes); /* the key is 0 */
    long n;

    weft_store16(bytes + at, AWAY);
    n = weft_wire_send(&c->wire, bytes, at + 2);
    if (n != (long)at + 2 && n != -EPIPE && n != -ECONNRESET)
        program_fail("an answer that does not fit an empty socket");
}

/* Looks at what has come of the server's close frame. */
static void
look_at(struct run *r, struct client *c)
{
    struct weft_frame f;
    size_t head;
    enum weft_status rc = weft_frame_read(&f, c->bytes, c->len, &head);

    if (rc == WEFT_MORE)
        return;
    if (rc != WEFT_OK || f.opcode != WEFT_CLOSE || f.len < 2)
        program_fail("a connection got something else than a close frame");
    if (c->len < head + f.len)
        return;
    if (c->len > head + f.len)
        program_fail("something came behind a close frame");
    if (weft_load16(c->bytes + head) != AWAY)
        program_fail("a connection was closed with %u, not %d",
                     (unsigned)weft_load16(c->bytes + head), AWAY);
    c->told = true;
    r->told++;
    answer(c);
}

static void
end(struct run *r, struct client *c)
{
    weft_poller_set(r->poller, &c->watch, 0);
    weft_wire_close(&c->wire);
    r->over++;
}

/* Reads until the socket is empty or the stream has ended, which a reset does
 * as well once the close frame has been read. */
static void
go_on(struct run *r, struct client *c)
{
    for (;;) {
        size_t room = sizeof(c->bytes) - c->len;
        long n = weft_wire_receive(&c->wire, c->bytes + c->len, room);

        if (n == -EAGAIN)
            return;
        if (n <= 0 && !c->told)
            program_fail("a connection ended without a close frame");
        if (n <= 0) {
            end(r, c);
            return;
        }
        if (c->told)
            program_fail("something came behind a close frame");
        c->len += (size_t)n;
        look_at(r, c);
    }
}

static void
turn(struct run *r)
{
    struct weft_ready ready[BATCH];
    int n = weft_poller_wait(r->poller, (int64_t)PATIENCE * 1000000000, ready,
                             BATCH);

    if (n == 0)
        program_fail("nothing came for %d seconds: %u of %u were told, %u "
                     "ended", PATIENCE, r->told, r->count, r->over);
    for (int i = 0; i < n; i++)
        go_on(r, WEFT_CONTAINER(ready[i].watch, struct client, watch));
}

/* The process may be gone at any time, and cannot be asked any more: so what it
 * has used since is asked often. */
static void
look_at_process(const struct run *r, struct report *of)
{
    double cpu = process_cpu(r->pid);

    if (cpu >= 0)
        of->cpu = cpu - r->cpu;
}

static void
await_end(const struct run *r, int process, struct report *of)
{
    struct pollfd p = { process, POLLIN, 0 };
    int waited = 0; /* milliseconds */

    while (poll(&p, 1, 1) == 0) {
        look_at_process(r, of);
        if (++waited == PATIENCE * 1000)
            program_fail("the process has not ended for %d seconds", PATIENCE);
    }
}

static struct report
close_all(struct run *r)
{
    struct report report = { 0 };
    int process = process_open(r->pid);
    int64_t begin = weft_now();

    r->cpu = process_cpu(r->pid);
    if (r->cpu < 0 || process < 0 || kill(r->pid, SIGTERM) < 0)
        program_fail("process %ld: %s", (long)r->pid, strerror(errno));
    while (r->over < r->count) {
        turn(r);
        if (report.told == 0 && r->told == r->count)
            report.told = weft_now() - begin;
        look_at_process(r, &report);
    }
    report.over = weft_now() - begin;
    await_end(r, process, &report);
    report.ended = weft_now() - begin;
    close(process);
    return report;
}

static void
print(const struct run *r, const struct report *of, bool json)
{
    printf(json ? "{\"connections\":%u,\"told\":%.4f,\"over\":%.4f,"
                  "\"ended\":%.4f,\"server_us\":%.2f}\n"
                : "%u connections: all told after %.3f s, all closed after "
                  "%.3f s, the process ended after %.3f s, %.2f us of CPU each\n",
           r->count, (double)of->told / 1e9, (double)of->over / 1e9,
           (double)of->ended / 1e9, of->cpu * 1e6 / r->count);
}

static void
run(struct run *r, bool json)
{
    struct report report;

    r->clients = weft_zalloc(r->count * sizeof(*r->clients));
    r->poller = weft_poller_new(false);
    if (r->clients == NULL || r->poller == NULL)
        program_fail("cannot begin: %s", strerror(errno));
    open_all(r);
    sleep(SETTLE);
    report = close_all(r);
    print(r, &report, json);
    weft_poller_free(r->poller);
    weft_free(r->clients);
    weft_load_shared_deinit(&r->shared);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "connections", required_argument, NULL, 'c' },
        { "tls", no_argument, NULL, 't' },
        { "json", no_argument, NULL, 'j' },
        { 0 },
    };
    struct run r = { .count = 10000 };
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            r.count = (unsigned)program_number("N", optarg, 1, 60000);
            break;
        case 't': program_use_tls(&r.to); break;
        case 'j': json = true; break;
        default:
            return 2; /* getopt has said why */
        }
    }
    if (optind != argc - 2)
        program_fail("PORT and PID are needed");
    program_aim(&r.to, "127.0.0.1", argv[optind]);
    r.pid = (pid_t)program_number("PID", argv[optind + 1], 1, 1 << 30);
    if (weft_load_allow(r.count) < 0)
        program_fail("%u descriptors: %s", r.count, strerror(errno));
    run(&r, json);
    return 0;
}
