/*
 * The load: N connections to an echo server, each with D messages of S bytes
 * outstanding, for so long or so many.
 *
 *     load [OPTION]... PORT
 *
 *     --connections N   (100)        --depth D       (1)
 *     --size S          bytes (64)   --binary        instead of text
 *     --seconds T       (3)          --warmup T      seconds not counted (1)
 *     --messages M      ends after M echoes instead, all counted
 *     --raw             no handshake; the frames come back as they went
 *     --pid PID         the server's: its CPU time is reported
 *     --host ADDRESS    (127.0.0.1)  --json          instead of a sentence
 *
 * It has to be cheaper than any server.  So what it sends is written and
 * masked once, frames behind each other in one block that all connections send
 * from; and of what comes it reads the frame heads alone.  The payload is
 * compared byte by byte in the warm-up only.  Latency is from the send of a
 * message to the receive of its last byte, including the wait behind the D - 1
 * before it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "histogram.h"
#include "process.h"
#include "proto/frame.h"
#include "proto/mask.h"

enum {
    BATCH = 256,        /* events of one epoll_wait */
    ARENA = 256 * 1024, /* bytes of one receive */
    PATIENCE = 10,      /* seconds without an echo */
};

/* What was asked for. */
struct plan {
    struct client_target to;
    unsigned connections, depth;
    size_t size;
    bool binary, json;
    double seconds, warmup;
    uint64_t messages; /* 0: by time */
    pid_t pid;         /* 0: not told */
};

/*
 * What all connections send: two times `depth` frames, so that whatever is due
 * lies in one piece from wherever a connection stands in the first half.
 */
struct block {
    uint8_t *bytes;
    uint8_t *payload;
    size_t frame, half; /* bytes of one frame, of `depth` frames */
};

struct conn {
    int fd;

    /* sending */
    size_t at, owed;    /* where in the block; bytes due from there */
    uint8_t pong[WEFT_FRAME_HEAD_MAX + WEFT_CONTROL_MAX];
    size_t pong_at, pong_len;
    bool blocked;       /* waits for the socket to take bytes */

    /* receiving */
    struct weft_frame frame;
    uint8_t head[WEFT_FRAME_HEAD_MAX]; /* an unfinished one */
    uint8_t head_len;
    bool inside;        /* a message: some frames of it have come */
    uint64_t frame_at;  /* payload bytes of this frame that have come */
    uint64_t len;       /* of the message, this frame included */
    bool in_payload;
    uint8_t control[WEFT_CONTROL_MAX];

    /* the messages outstanding: when each was sent, a ring */
    uint64_t *sent;
    unsigned first, count;
};

/* What is counted, at one moment. */
struct sample {
    uint64_t time, echoes;
    double load_cpu, server_cpu, busy;
};

enum phase { WARMING, MEASURING, DRAINING };

struct run {
    const struct plan *plan;
    struct block block;
    struct conn *conns;
    int epoll;
    uint8_t *arena;
    enum phase phase;
    uint64_t begin, last; /* when it began; when the last echo came */
    uint64_t started, echoes; /* messages */
    struct sample from, to;
    struct histogram latency;
};

static void fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

static void
fail(const char *format, ...)
{
    va_list args;

    fputs("load: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void *
allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (p == NULL)
        fail("out of memory");
    return p;
}

/* Sending -------------------------------------------------------------------*/

/* Text is letters; binary is any byte. */
static void
fill(uint8_t *bytes, size_t len, bool binary)
{
    uint32_t x = 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(binary ? x >> 24 : 'a' + (x >> 24) % 26);
    }
}

/* Each frame of the block has a key of its own. */
static void
write_block(struct block *b, const struct plan *p, struct weft_random *random)
{
    struct weft_frame f = { .fin = true, .masked = true, .len = p->size,
                            .opcode = p->binary ? WEFT_BINARY : WEFT_TEXT };
    uint8_t head[WEFT_FRAME_HEAD_MAX];
    size_t at;

    b->frame = weft_frame_write(&f, head) + p->size;
    b->half = b->frame * p->depth;
    b->payload = allocate(p->size + 1, 1);
    b->bytes = allocate(b->half, 2);
    fill(b->payload, p->size, p->binary);
    for (unsigned i = 0; i < p->depth; i++) {
        if (weft_random_bytes(random, f.key, sizeof(f.key)) != WEFT_OK)
            fail("no random bytes");
        at = i * b->frame;
        at += weft_frame_write(&f, b->bytes + at);
        weft_mask_copy(b->bytes + at, b->payload, p->size, f.key, 0);
    }
    memcpy(b->bytes + b->half, b->bytes, b->half);
}

static void
set_blocked(struct run *r, struct conn *c, bool blocked)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

    if (c->blocked == blocked)
        return;
    if (blocked)
        event.events |= EPOLLOUT;
    if (epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    c->blocked = blocked;
}

/* What may be sent next: a pong goes between two frames (5.5.3). */
static const uint8_t *
next_bytes(const struct run *r, const struct conn *c, size_t *len, bool *pong)
{
    size_t begun = c->at % r->block.frame;

    *pong = c->pong_len > 0 && (begun == 0 || c->pong_at > 0);
    *len = *pong ? c->pong_len - c->pong_at
           : c->pong_len > 0 ? r->block.frame - begun : c->owed;
    return *pong ? c->pong + c->pong_at : r->block.bytes + c->at;
}

static void
count_sent(const struct run *r, struct conn *c, size_t n, bool pong)
{
    if (pong) {
        c->pong_at += n;
        if (c->pong_at == c->pong_len)
            c->pong_at = c->pong_len = 0;
        return;
    }
    c->owed -= n;
    c->at += n;
    if (c->at >= r->block.half)
        c->at -= r->block.half;
}

static void
flush(struct run *r, struct conn *c)
{
    bool pong, full = false;
    size_t len;

    while (!full && (c->owed > 0 || c->pong_len > 0)) {
        const uint8_t *bytes = next_bytes(r, c, &len, &pong);
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            fail("send: %s", strerror(errno));
        full = n < 0 && errno == EAGAIN;
        if (n > 0)
            count_sent(r, c, (size_t)n, pong);
    }
    set_blocked(r, c, full);
}

/* Starts up to n messages, fewer when no more are wanted. */
static void
start(struct run *r, struct conn *c, unsigned n, uint64_t now)
{
    const struct plan *p = r->plan;

    if (r->phase == DRAINING)
        n = 0;
    if (p->messages > 0 && n > p->messages - r->started)
        n = (unsigned)(p->messages - r->started);
    r->started += n;
    c->owed += n * r->block.frame;
    for (; n > 0; n--)
        c->sent[(c->first + c->count++) % p->depth] = now;
}

/* Receiving -----------------------------------------------------------------*/

/* A message or a control frame is complete. */
static void
take_message(struct run *r, struct conn *c, uint64_t now)
{
    if (c->count == 0)
        fail("an echo of nothing");
    if (c->len != r->plan->size)
        fail("an echo of %llu bytes", (unsigned long long)c->len);
    c->inside = false;
    r->echoes++;
    r->last = now;
    if (r->phase == MEASURING)
        histogram_add(&r->latency, now - c->sent[c->first]);
    c->count--;
    if (++c->first == r->plan->depth)
        c->first = 0;
}

static void
take_control(struct conn *c)
{
    struct weft_frame pong = { .fin = true, .masked = true, .len = c->frame.len,
                               .opcode = WEFT_PONG };
    size_t at;

    if (c->frame.opcode == WEFT_CLOSE)
        fail("closed by the server with %u", c->frame.len < 2 ? 1005u
             : (unsigned)(c->control[0] << 8 | c->control[1]));
    if (c->frame.opcode != WEFT_PING || c->pong_at > 0)
        return; /* 5.5.3: the next ping is answered instead */
    at = weft_frame_write(&pong, c->pong); /* the key is 0: a benchmark */
    memcpy(c->pong + at, c->control, pong.len);
    c->pong_len = at + (size_t)pong.len;
}

static void
begin_frame(struct run *r, struct conn *c)
{
    const struct weft_frame *f = &c->frame;
    uint8_t opcode = r->plan->binary ? WEFT_BINARY : WEFT_TEXT;

    if (f->reserved != 0 || f->masked != r->plan->to.raw)
        fail("a frame with the wrong bits");
    if (f->opcode < WEFT_CLOSE) {
        if (f->opcode != (c->inside ? WEFT_CONTINUATION : opcode))
            fail("an echo with opcode %u", (unsigned)f->opcode);
        c->len = (c->inside ? c->len : 0) + f->len;
        c->inside = true;
    }
    c->frame_at = 0;
    c->in_payload = true;
}

static void
end_frame(struct run *r, struct conn *c, uint64_t now)
{
    c->in_payload = false;
    if (c->frame.opcode >= WEFT_CLOSE)
        take_control(c);
    else if (c->frame.fin)
        take_message(r, c, now);
}

/* Looks at n payload bytes, which may be changed. */
static void
check_payload(struct run *r, struct conn *c, uint8_t *bytes, size_t n)
{
    uint64_t at = c->len - c->frame.len + c->frame_at;

    if (c->frame.opcode >= WEFT_CLOSE) {
        memcpy(c->control + c->frame_at, bytes, n);
    } else if (r->phase == WARMING) {
        if (c->frame.masked)
            weft_mask(bytes, n, c->frame.key, c->frame_at);
        if (at + n > r->plan->size
            || memcmp(bytes, r->block.payload + at, n) != 0)
            fail("an echo that differs from what was sent");
    }
}

/* Reads a head that may have begun in the bytes before; how many it took. */
static size_t
take_head(struct run *r, struct conn *c, const uint8_t *bytes, size_t len)
{
    size_t had = c->head_len, size, more = sizeof(c->head) - had;
    enum weft_status rc;

    if (had == 0) {
        rc = weft_frame_read(&c->frame, bytes, len, &size);
    } else {
        memcpy(c->head + had, bytes, len < more ? len : more);
        rc = weft_frame_read(&c->frame, c->head,
                             had + (len < more ? len : more), &size);
    }
    if (rc == WEFT_OK) {
        c->head_len = 0;
        begin_frame(r, c);
        return size - had;
    }
    if (rc != WEFT_MORE)
        fail("%s", weft_status_text(rc));
    memcpy(c->head + had, bytes, len); /* less than a head */
    c->head_len = (uint8_t)(had + len);
    return len;
}

/* Works through what came. */
static void
take(struct run *r, struct conn *c, uint8_t *bytes, size_t len, uint64_t now)
{
    while (len > 0) {
        size_t n;

        if (!c->in_payload) {
            n = take_head(r, c, bytes, len);
        } else {
            uint64_t left = c->frame.len - c->frame_at;

            n = left < len ? (size_t)left : len;
            check_payload(r, c, bytes, n);
            c->frame_at += n;
        }
        if (c->in_payload && c->frame_at == c->frame.len)
            end_frame(r, c, now);
        bytes += n;
        len -= n;
    }
}

/* One receive, and at most one send for all that it brought. */
static void
serve(struct run *r, struct conn *c)
{
    ssize_t n = recv(c->fd, r->arena, ARENA, MSG_DONTWAIT);
    unsigned had = c->count;
    uint64_t now = process_now();

    if (n > 0) {
        take(r, c, r->arena, (size_t)n, now);
        start(r, c, had - c->count, now);
    } else if (n == 0) {
        fail("the server closed a connection");
    } else if (errno != EAGAIN && errno != EINTR) {
        fail("recv: %s", strerror(errno));
    }
    flush(r, c);
}

/* Measuring -----------------------------------------------------------------*/

static struct sample
look(const struct run *r, uint64_t now)
{
    const struct plan *p = r->plan;

    return (struct sample){
        .time = now, .echoes = r->echoes,
        .load_cpu = process_cpu(getpid()),
        .server_cpu = p->pid > 0 ? process_cpu(p->pid) : -1,
        .busy = process_machine_busy(),
    };
}

/* Whether the phase that is on is over by now. */
static bool
over(const struct run *r, double seconds)
{
    const struct plan *p = r->plan;

    if (p->messages > 0)
        return r->phase == WARMING || r->echoes == p->messages;
    return seconds >= p->warmup + (r->phase == MEASURING ? p->seconds : 0);
}

static void
advance(struct run *r, uint64_t now)
{
    if (now > r->last && now - r->last > (uint64_t)PATIENCE * 1000000000)
        fail("no echo for %d seconds", PATIENCE);
    if (r->phase == DRAINING
        || !over(r, (double)(now - r->begin) / 1e9))
        return;
    *(r->phase == WARMING ? &r->from : &r->to) = look(r, now);
    r->phase++;
}

static bool
done(const struct run *r)
{
    return r->phase == DRAINING && r->echoes == r->started;
}

static void
open_all(struct run *r, struct weft_random *random)
{
    const struct plan *p = r->plan;
    const char *why;

    for (unsigned i = 0; i < p->connections; i++) {
        struct conn *c = &r->conns[i];
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

        c->sent = allocate(p->depth, sizeof(*c->sent));
        c->fd = client_open(&p->to, random, &why);
        if (c->fd < 0)
            fail("%s:%u: %s", p->to.host, (unsigned)p->to.port, why);
        if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
            fail("epoll_ctl: %s", strerror(errno));
    }
}

static void
run(struct run *r)
{
    struct epoll_event events[BATCH];

    r->begin = r->last = process_now();
    for (unsigned i = 0; i < r->plan->connections; i++) {
        start(r, &r->conns[i], r->plan->depth, process_now());
        flush(r, &r->conns[i]);
    }
    while (advance(r, process_now()), !done(r)) {
        int n = epoll_wait(r->epoll, events, BATCH, 50);

        for (int i = 0; i < n; i++)
            serve(r, events[i].data.ptr);
    }
}

/* Reporting -----------------------------------------------------------------*/

struct report {
    double rate, p50, p99, p999;           /* a second; microseconds */
    double load, server, others;           /* shares of a core; < 0: unknown */
    double server_each;                    /* microseconds of CPU an echo */
    uint64_t echoes;
    double seconds;
};

static struct report
sum_up(const struct run *r)
{
    const struct sample *a = &r->from, *b = &r->to;
    double seconds = (double)(b->time - a->time) / 1e9;
    double server = b->server_cpu - a->server_cpu;
    double load = b->load_cpu - a->load_cpu;
    double others = b->busy - a->busy - load - server;
    uint64_t echoes = b->echoes - a->echoes;
    bool known = a->server_cpu >= 0 && b->server_cpu >= 0;

    return (struct report){
        .rate = (double)echoes / seconds,
        .p50 = (double)histogram_percentile(&r->latency, 0.5) / 1e3,
        .p99 = (double)histogram_percentile(&r->latency, 0.99) / 1e3,
        .p999 = (double)histogram_percentile(&r->latency, 0.999) / 1e3,
        .load = load / seconds,
        .server = known ? server / seconds : -1,
        .others = !known ? -1 : others > 0 ? others / seconds : 0,
        .server_each = known && echoes > 0
            ? server * 1e6 / (double)echoes : -1,
        .echoes = echoes,
        .seconds = seconds,
    };
}

static void
print_json(const struct plan *p, const struct report *s)
{
    printf("{\"connections\":%u,\"depth\":%u,\"size\":%zu,\"kind\":\"%s\","
           "\"seconds\":%.3f,\"echoes\":%llu,\"rate\":%.1f,\"p50\":%.1f,"
           "\"p99\":%.1f,\"p999\":%.1f,\"load\":%.3f,\"server\":%.3f,"
           "\"others\":%.3f,\"server_us\":%.3f}\n",
           p->connections, p->depth, p->size, p->binary ? "binary" : "text",
           s->seconds, (unsigned long long)s->echoes, s->rate, s->p50, s->p99,
           s->p999, s->load, s->server, s->others, s->server_each);
}

static void
print_sentence(const struct plan *p, const struct report *s)
{
    printf("%zu B %s, %u connections x %u: %.0f echoes/s, latency "
           "%.0f/%.0f/%.0f us (p50/p99/p99.9), load %.0f %% of a core",
           p->size, p->binary ? "binary" : "text", p->connections, p->depth,
           s->rate, s->p50, s->p99, s->p999, s->load * 100);
    if (s->server >= 0)
        printf(", server %.0f %%, %.2f us an echo, others %.0f %%",
               s->server * 100, s->server_each, s->others * 100);
    printf("\n");
}

/* Asking --------------------------------------------------------------------*/

static double
number(const char *name, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least && value <= most))
        fail("%s is not between %g and %g: %s", name, least, most, text);
    return value;
}

static const struct option options[] = {
    { "connections", required_argument, NULL, 'c' },
    { "depth", required_argument, NULL, 'd' },
    { "size", required_argument, NULL, 's' },
    { "binary", no_argument, NULL, 'b' },
    { "seconds", required_argument, NULL, 't' },
    { "warmup", required_argument, NULL, 'w' },
    { "messages", required_argument, NULL, 'm' },
    { "raw", no_argument, NULL, 'r' },
    { "pid", required_argument, NULL, 'p' },
    { "host", required_argument, NULL, 'h' },
    { "json", no_argument, NULL, 'j' },
    { 0 },
};

static void
set_option(struct plan *p, int option, const char *value)
{
    switch (option) {
    case 'c': p->connections = (unsigned)number("N", value, 1, 60000); break;
    case 'd': p->depth = (unsigned)number("D", value, 1, 4096); break;
    case 's': p->size = (size_t)number("S", value, 0, 1 << 28); break;
    case 'b': p->binary = true; break;
    case 't': p->seconds = number("T", value, 0.1, 86400); break;
    case 'w': p->warmup = number("T", value, 0, 86400); break;
    case 'm': p->messages = (uint64_t)number("M", value, 1, 1e15); break;
    case 'r': p->to.raw = true; break;
    case 'p': p->pid = (pid_t)number("PID", value, 1, 1 << 30); break;
    case 'h': p->to.host = value; break;
    case 'j': p->json = true; break;
    default:
        exit(2); /* getopt has said why */
    }
}

static struct plan
read_plan(int argc, char **argv)
{
    struct plan p = { .to.host = "127.0.0.1", .connections = 100, .depth = 1,
                      .size = 64, .seconds = 3, .warmup = 1 };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        set_option(&p, option, optarg);
    if (optind != argc - 1)
        fail("one PORT is needed");
    p.to.port = (uint16_t)number("PORT", argv[optind], 1, 65535);
    return p;
}

int
main(int argc, char **argv)
{
    static struct weft_random random;
    static struct run r;
    struct plan p = read_plan(argc, argv);
    struct report s;

    if (process_allow_descriptors(p.connections) < 0)
        fail("%u descriptors: %s", p.connections, strerror(errno));
    r.plan = &p;
    r.arena = allocate(ARENA, 1);
    r.conns = allocate(p.connections, sizeof(*r.conns));
    r.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r.epoll < 0)
        fail("epoll_create1: %s", strerror(errno));
    write_block(&r.block, &p, &random);
    open_all(&r, &random);
    run(&r);
    s = sum_up(&r);
    (p.json ? print_json : print_sentence)(&p, &s);
    return 0;
}
