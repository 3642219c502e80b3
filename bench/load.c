/*
 * The load: N connections to an echo server, each with D messages of S bytes
 * outstanding, for so long or so many.
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
 *     --tls             wss, whatever the certificate
 *     --pid PID         the server's: its CPU time is reported
 *     --host ADDRESS    (127.0.0.1)  --json          instead of a sentence
 *
 * How it loads, and what the figures mean: engine.h.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"
#include "program.h"

static void
print_json(const struct plan *p, const struct report *s)
{
    const struct meter_report *u = &s->use;

    printf("{\"connections\":%u,\"depth\":%u,\"size\":%zu,\"kind\":\"%s\","
           "\"tls\":\"%s %s\",\"deflate\":\"%s\",\"carried\":%.0f,\"seconds\":%.3f,\"echoes\":%llu,"
           "\"rate\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
           "\"load\":%.3f,\"server\":%.3f,\"others\":%.3f,"
           "\"server_us\":%.3f}\n",
           p->connections, p->depth, p->size, message_kind_text(p->kind),
           s->tls_version, s->tls_cipher, s->deflate, s->carried, u->seconds,
           (unsigned long long)u->count, u->rate, s->p50, s->p99, s->p999,
           u->load_cpu, u->server_cpu, u->others_cpu, u->server_each);
}

static void
print_sentence(const struct plan *p, const struct report *s)
{
    const struct meter_report *u = &s->use;

    printf("%zu B %s, %u connections x %u: %.0f echoes/s, latency "
           "%.0f/%.0f/%.0f us (p50/p99/p99.9), load %.0f %% of a core",
           p->size, message_kind_text(p->kind), p->connections, p->depth,
           u->rate, s->p50, s->p99, s->p999, u->load_cpu * 100);
    if (u->server_cpu >= 0)
        printf(", server %.0f %%, %.2f us an echo, others %.0f %%",
               u->server_cpu * 100, u->server_each, u->others_cpu * 100);
    if (p->to.tls != NULL)
        printf(", %s, %s", s->tls_version, s->tls_cipher);
    if (p->to.deflate.on)
        printf(", %.0f B each on the way back, %s", s->carried, s->deflate);
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
    { "tls", no_argument, NULL, 'T' },
    { "pid", required_argument, NULL, 'p' },
    { "host", required_argument, NULL, 'h' },
    { "json", no_argument, NULL, 'j' },
    { 0 },
};

static void
set_option(struct plan *p, bool *json, int option, const char *value)
{
    switch (option) {
    case 'c':
        p->connections = (unsigned)program_number("N", value, 1, 60000);
        break;
    case 'd': p->depth = (unsigned)program_number("D", value, 1, 4096); break;
    case 's': p->size = (size_t)program_number("S", value, 0, 1 << 28); break;
    case 'b': p->kind = MESSAGE_BINARY; break;
    case 'R': p->kind = MESSAGE_RECORDS; break;
    case 'D': program_use_deflate(&p->to); break;
    case 't': p->seconds = program_number("T", value, 0.1, 86400); break;
    case 'w': p->warmup = program_number("T", value, 0, 86400); break;
    case 'm':
        p->messages = (uint64_t)program_number("M", value, 1, 1e15);
        break;
    case 'r': p->to.raw = true; break;
    case 'T': program_use_tls(&p->to); break;
    case 'p':
        p->server = (pid_t)program_number("PID", value, 1, 1 << 30);
        break;
    case 'h': p->to.host = value; break;
    case 'j': *json = true; break;
    default:
        exit(2); /* getopt has said why */
    }
}

static struct plan
read_plan(int argc, char **argv, bool *json)
{
    struct plan p = { .to.host = "127.0.0.1", .connections = 100, .depth = 1,
                      .size = 64, .seconds = 3, .warmup = 1 };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        set_option(&p, json, option, optarg);
    if (optind != argc - 1)
        program_fail("one PORT is needed");
    if (p.to.raw && (p.to.tls != NULL || p.to.deflate.on))
        program_fail("--raw goes without --tls and --deflate");
    p.to.port = (uint16_t)program_number("PORT", argv[optind], 1, 65535);
    return p;
}

int
main(int argc, char **argv)
{
    bool json = false;
    struct plan p = read_plan(argc, argv, &json);
    struct report s = engine_run(&p);

    (json ? print_json : print_sentence)(&p, &s);
    return 0;
}
