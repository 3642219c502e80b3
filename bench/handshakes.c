/*
 * How fast a server opens connections: TCP, TLS if asked for, the WebSocket
 * handshake, and the end.
 *
 *     handshakes [OPTION]... PORT
 *
 *     --tls             wss, each with a full TLS handshake; else ws
 *     --resume          wss, each resumes a TLS session if it has one
 *     --at-once N       openings in progress (16)
 *     --seconds T       (3)          --warmup T      seconds not counted (1)
 *     --pid PID         the server's: its CPU time is reported
 *     --host ADDRESS    (127.0.0.1)  --json          instead of a sentence
 *
 * Each connection ends as soon as it is open, and the next begins.  What both
 * sides of a TLS handshake compute is much the same, with the verifying of a
 * signature on this one: so the rate is often the load's, and the CPU time of
 * the server is what tells servers apart.
 *
 * A session of TLS 1.3 is resumed once.  A server that gives no new one on a
 * resumed connection has some full handshakes among those; their share is
 * reported.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "load/client.h"
#include "base/histogram.h"
#include "loop/poller.h"
#include "meter.h"
#include "net/sock.h"
#include "program.h"

enum {
    MOST = 32,     /* at once: the filter keeps that many families' sessions */
    PATIENCE = 10, /* seconds without an opening */
};

#define SECOND 1000000000
#define PAUSE (SECOND / 20)

struct plan {
    struct weft_load_target to;
    const char *host;
    bool resume;
    unsigned at_once;
    double seconds, warmup;
    pid_t server;
    bool json;
};

/* A connection on its way, one after the other. */
struct slot {
    struct weft_watch watch;
    struct weft_load_client client;
    uint16_t family; /* of its TLS sessions */
    int64_t begin;
};

enum phase { WARMING, MEASURING, DONE };

struct run {
    const struct plan *plan;
    struct weft_poller *poller;
    struct weft_load_shared shared;
    enum phase phase;
    int64_t begin, last; /* when it began; when the last one was open */
    uint64_t openings, resumed; /* the latter while measuring */
    const char *tls_version, *tls_cipher;
    struct meter_sample from, to;
    struct weft_histogram latency;
};

static void
begin(struct run *r, struct slot *s)
{
    const struct plan *p = r->plan;
    char why[WEFT_LOAD_WHY];

    s->begin = weft_now();
    if (!weft_load_client_begin(&s->client, &p->to, p->resume ? s->family : 0,
                                &r->shared, why))
        program_fail("%s: %s", p->to.host, why);
    s->watch.fd = s->client.wire.fd;
}

static void
end(struct run *r, struct slot *s)
{
    weft_poller_set(r->poller, &s->watch, 0);
    weft_load_client_close(&s->client);
}

static void
look_at_tls(struct run *r, const struct slot *s)
{
    const struct weft_tls *tls = s->client.wire.tls;

    if (tls == NULL)
        return;
    if (weft_tls_resumed(tls) && !r->plan->resume)
        program_fail("a session was resumed");
    r->resumed += weft_tls_resumed(tls) && r->phase == MEASURING;
    r->tls_version = weft_tls_version(tls);
    r->tls_cipher = weft_tls_cipher(tls);
}

/* It is open. */
static void
count(struct run *r, struct slot *s)
{
    int64_t now = weft_now();

    look_at_tls(r, s);
    r->openings++;
    r->last = now;
    if (r->phase == MEASURING)
        weft_histogram_add(&r->latency, (uint64_t)(now - s->begin));
}

/* As far as it goes; and a connection that is open gives way to the next. */
static void
work(struct run *r, struct slot *s)
{
    char why[WEFT_LOAD_WHY];
    enum weft_status rc;

    while ((rc = weft_load_client_step(&s->client, why)) == WEFT_OK) {
        count(r, s);
        end(r, s);
        begin(r, s);
    }
    if (rc != WEFT_MORE)
        program_fail("%s", why);
    if (weft_poller_set(r->poller, &s->watch,
                        weft_load_client_wants(&s->client)) != WEFT_OK)
        program_fail("cannot wait: %s", strerror(errno));
}

static void
advance(struct run *r)
{
    const struct plan *p = r->plan;
    int64_t now = weft_now();
    double seconds = (double)(now - r->begin) / SECOND;

    if (now - r->last > (int64_t)PATIENCE * SECOND)
        program_fail("nothing opened for %d seconds", PATIENCE);
    if (seconds < p->warmup + (r->phase == MEASURING ? p->seconds : 0))
        return;
    *(r->phase == WARMING ? &r->from : &r->to) =
        meter_look(p->server, r->openings);
    r->phase++;
}

static void
run(struct run *r)
{
    static struct slot slots[MOST];
    struct weft_ready ready[MOST];

    r->poller = weft_poller_new(false);
    if (r->poller == NULL)
        program_fail("cannot wait: %s", strerror(errno));
    r->begin = r->last = weft_now();
    for (unsigned i = 0; i < r->plan->at_once; i++) {
        slots[i].family = (uint16_t)(i + 1);
        begin(r, &slots[i]);
        work(r, &slots[i]);
    }
    while (advance(r), r->phase != DONE) {
        int n = weft_poller_wait(r->poller, PAUSE, ready, MOST);

        for (int i = 0; i < n; i++)
            work(r, WEFT_CONTAINER(ready[i].watch, struct slot, watch));
    }
}

/* Telling -------------------------------------------------------------------*/

static double
percentile(const struct run *r, double share)
{
    return (double)weft_histogram_percentile(&r->latency, share) / 1e3;
}

/* In percent, of those that were counted. */
static double
resumed(const struct run *r)
{
    uint64_t total = r->latency.total;

    return total > 0 ? 100 * (double)r->resumed / (double)total : 0;
}

static void
print_json(const struct run *r, const struct meter_report *u)
{
    printf("{\"at_once\":%u,\"handshake\":\"%s\",\"tls\":\"%s %s\","
           "\"resumed\":%.1f,\"seconds\":%.3f,\"openings\":%llu,"
           "\"rate\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"load\":%.3f,"
           "\"server\":%.3f,\"others\":%.3f,\"server_us\":%.3f}\n",
           r->plan->at_once, r->plan->resume ? "resumed" : "full",
           r->tls_version, r->tls_cipher, resumed(r), u->seconds,
           (unsigned long long)u->count, u->rate, percentile(r, 0.5),
           percentile(r, 0.99), u->load_cpu, u->server_cpu, u->others_cpu,
           u->server_each);
}

static void
print_sentence(const struct run *r, const struct meter_report *u)
{
    const struct plan *p = r->plan;

    printf("%s, %u at once: %.0f openings/s, latency %.0f/%.0f us (p50/p99), "
           "load %.0f %% of a core",
           p->to.tls == NULL ? "without TLS"
           : p->resume ? "resuming" : "full handshakes",
           p->at_once, u->rate, percentile(r, 0.5), percentile(r, 0.99),
           u->load_cpu * 100);
    if (u->server_cpu >= 0)
        printf(", server %.0f %%, %.1f us an opening, others %.0f %%",
               u->server_cpu * 100, u->server_each, u->others_cpu * 100);
    if (p->to.tls != NULL)
        printf(", %.0f %% resumed, %s, %s", resumed(r), r->tls_version,
               r->tls_cipher);
    printf("\n");
}

/* Asking --------------------------------------------------------------------*/

static const struct option options[] = {
    { "tls", no_argument, NULL, 'T' },
    { "resume", no_argument, NULL, 'r' },
    { "at-once", required_argument, NULL, 'n' },
    { "seconds", required_argument, NULL, 't' },
    { "warmup", required_argument, NULL, 'w' },
    { "pid", required_argument, NULL, 'p' },
    { "host", required_argument, NULL, 'h' },
    { "json", no_argument, NULL, 'j' },
    { 0 },
};

static void
set_option(struct plan *p, bool *tls, int option, const char *value)
{
    switch (option) {
    case 'T': *tls = true; break;
    case 'r': *tls = p->resume = true; break;
    case 'n': p->at_once = (unsigned)program_number("N", value, 1, MOST); break;
    case 't': p->seconds = program_number("T", value, 0.1, 86400); break;
    case 'w': p->warmup = program_number("T", value, 0, 86400); break;
    case 'p':
        p->server = (pid_t)program_number("PID", value, 1, 1 << 30);
        break;
    case 'h': p->host = value; break;
    case 'j': p->json = true; break;
    default:
        exit(2); /* getopt has said why */
    }
}

int
main(int argc, char **argv)
{
    struct plan p = { .host = "127.0.0.1", .at_once = 16, .seconds = 3,
                      .warmup = 1 };
    static struct run r = { .tls_version = "", .tls_cipher = "" };
    struct meter_report use;
    bool tls = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        set_option(&p, &tls, option, optarg);
    if (optind != argc - 1)
        program_fail("one PORT is needed");
    program_aim(&p.to, p.host, argv[optind]);
    if (tls)
        program_use_tls(&p.to);
    r.plan = &p;
    run(&r);
    if (p.resume && r.resumed == 0)
        program_fail("the server resumes no sessions");
    use = meter_between(&r.from, &r.to);
    (p.json ? print_json : print_sentence)(&r, &use);
    return 0;
}
