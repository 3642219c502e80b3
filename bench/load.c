/*
 * The load of weft bench, with the server's CPU time beside its own: N
 * connections to an echo server, each with D messages of S bytes outstanding,
 * for so long or so many.
 *
 *     load [OPTION]... PORT
 *
 *     --connections N   (100)        --depth D       (1)
 *     --size S          bytes (64)   --binary        instead of text
 *     --records         text that is JSON, in which much comes again
 *     --deflate         compressed, as a browser offers it
 *     --seconds T       (3)          --warmup T      seconds not counted (1)
 *     --messages M      ends after M echoes instead, all counted
 *     --raw             no handshake; the frames come back as they went
 *     --broadcast       the first connection sends, D outstanding, and each of
 *                       its messages has to come to all N; counted are those
 *                       that came
 *     --tls             wss, whatever the certificate
 *     --pid PID         the server's: its CPU time is reported
 *     --host ADDRESS    (127.0.0.1)  --json          instead of a sentence
 *
 * How it loads, and what the figures mean: csrc/load/load.h.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "meter.h"
#include "program.h"

enum { AT_ONCE = 64, PATIENCE = 10 };

/* What is asked for. */
struct order {
    struct weft_load_plan plan;
    const char *host;
    pid_t server; /* whose CPU time is reported; 0: nobody's */
    bool json;
};

/* Measuring -----------------------------------------------------------------*/

/* Both ends of what is measured are looked at when the phase changes: the load
 * pauses for it. */
static struct meter_report
run(struct weft_load *l, pid_t server)
{
    struct meter_sample samples[WEFT_LOAD_DONE + 1];
    enum weft_load_phase phase = WEFT_LOAD_OPENING, now;
    enum weft_status rc;

    do {
        rc = weft_load_step(l, 3600);
        now = weft_load_phase(l);
        for (; phase < now; phase++)
            samples[phase] = meter_look(server, weft_load_report(l).total);
    } while (rc == WEFT_MORE);
    if (rc != WEFT_OK)
        program_fail("%s", weft_load_why(l));
    return meter_between(&samples[WEFT_LOAD_WARMING],
                         &samples[WEFT_LOAD_MEASURING]);
}

/* Telling -------------------------------------------------------------------*/

static void
print_json(const struct weft_load_plan *p, const struct weft_load_report *r,
           const struct meter_report *u)
{
    printf("{\"connections\":%u,\"depth\":%u,\"size\":%zu,\"kind\":\"%s\","
           "\"tls\":\"%s %s\",\"deflate\":\"%s\",\"carried\":%.0f,"
           "\"seconds\":%.3f,\"echoes\":%llu,"
           "\"rate\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
           "\"load\":%.3f,\"server\":%.3f,\"others\":%.3f,"
           "\"server_us\":%.3f%s}\n",
           p->connections, p->depth, p->size, weft_load_kind_text(p->kind),
           r->tls_version, r->tls_cipher, r->deflate, r->carried, u->seconds,
           (unsigned long long)u->count, u->rate, r->p50, r->p99, r->p999,
           u->load_cpu, u->server_cpu, u->others_cpu, u->server_each,
           p->broadcast ? ",\"broadcast\":1" : "");
}

static void
print_sentence(const struct weft_load_plan *p,
               const struct weft_load_report *r, const struct meter_report *u)
{
    const char *what = p->broadcast ? "deliveries" : "echoes";

    printf("%zu B %s, %u connections x %u: %.0f %s/s, latency "
           "%.0f/%.0f/%.0f us (p50/p99/p99.9), load %.0f %% of a core",
           p->size, weft_load_kind_text(p->kind), p->connections, p->depth,
           u->rate, what, r->p50, r->p99, r->p999, u->load_cpu * 100);
    if (u->server_cpu >= 0)
        printf(", server %.0f %%, %.2f us each, others %.0f %%",
               u->server_cpu * 100, u->server_each, u->others_cpu * 100);
    if (p->to.tls != NULL)
        printf(", %s, %s", r->tls_version, r->tls_cipher);
    if (p->to.deflate.on)
        printf(", %.0f B each on the way back, %s", r->carried, r->deflate);
    printf("\n");
}

/* Asking --------------------------------------------------------------------*/

static const struct option options[] = {
    { "connections", required_argument, NULL, 'c' },
    { "depth", required_argument, NULL, 'd' },
    { "size", required_argument, NULL, 's' },
    { "binary", no_argument, NULL, 'b' },
    { "records", no_argument, NULL, 'R' },
    { "deflate", no_argument, NULL, 'D' },
    { "seconds", required_argument, NULL, 't' },
    { "warmup", required_argument, NULL, 'w' },
    { "messages", required_argument, NULL, 'm' },
    { "raw", no_argument, NULL, 'r' },
    { "broadcast", no_argument, NULL, 'B' },
    { "tls", no_argument, NULL, 'T' },
    { "pid", required_argument, NULL, 'p' },
    { "host", required_argument, NULL, 'h' },
    { "json", no_argument, NULL, 'j' },
    { 0 },
};

static void
set_option(struct order *o, int option, const char *value)
{
    struct weft_load_plan *p = &o->plan;

    switch (option) {
    case 'c':
        p->connections = (unsigned)program_number("N", value, 1, 60000);
        break;
    case 'd': p->depth = (unsigned)program_number("D", value, 1, 4096); break;
    case 's': p->size = (size_t)program_number("S", value, 0, 1 << 28); break;
    case 'b': p->kind = WEFT_LOAD_BINARY; break;
    case 'R': p->kind = WEFT_LOAD_RECORDS; break;
    case 'D': program_use_deflate(&p->to); break;
    case 't': p->seconds = program_number("T", value, 0.1, 86400); break;
    case 'w': p->warmup = program_number("T", value, 0, 86400); break;
    case 'm':
        p->messages = (uint64_t)program_number("M", value, 1, 1e15);
        break;
    case 'r': p->to.raw = true; break;
    case 'B': p->broadcast = true; break;
    case 'T': program_use_tls(&p->to); break;
    case 'p':
        o->server = (pid_t)program_number("PID", value, 1, 1 << 30);
        break;
    case 'h': o->host = value; break;
    case 'j': o->json = true; break;
    default:
        exit(2); /* getopt has said why */
    }
}

static struct order
read_order(int argc, char **argv)
{
    struct order o = { .host = "127.0.0.1",
                       .plan = { .connections = 100, .depth = 1, .size = 64,
                                 .seconds = 3, .warmup = 1,
                                 .at_once = AT_ONCE, .patience = PATIENCE } };
    const struct weft_load_target *to = &o.plan.to;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        set_option(&o, option, optarg);
    if (optind != argc - 1)
        program_fail("one PORT is needed");
    if (to->raw && (to->tls != NULL || to->deflate.on || o.plan.broadcast))
        program_fail("--raw goes without --tls, --deflate and --broadcast");
    program_aim(&o.plan.to, o.host, argv[optind]);
    return o;
}

int
main(int argc, char **argv)
{
    struct order o = read_order(argc, argv);
    const struct weft_load_plan *p = &o.plan;
    char why[WEFT_LOAD_WHY];
    struct weft_load_report report;
    struct meter_report use;
    struct weft_load *l;

    if (weft_load_allow(p->connections) < 0)
        program_fail("%u descriptors: %s", p->connections, strerror(errno));
    l = weft_load_new(p, why);
    if (l == NULL)
        program_fail("%s", why);
    use = run(l, o.server);
    report = weft_load_report(l);
    (o.json ? print_json : print_sentence)(p, &report, &use);
    weft_load_free(l);
    weft_tls_context_release(p->to.tls);
    return 0;
}
