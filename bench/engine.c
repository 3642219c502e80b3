/*
 * The load.  It must not know how it was asked for nor who reads the report.
 */
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "histogram.h"
#include "process.h"
#include "program.h"
#include "proto/frame.h"
#include "proto/mask.h"

enum {
    BATCH = 256,        /* events of one epoll_wait */
    ARENA = 256 * 1024, /* bytes of one receive */
    PATIENCE = 10,      /* seconds without an echo */
    RSV1 = 4,           /* the bit of a message that is compressed */
};

/*
 * What all connections send: two times `depth` frames, so that whatever is due
 * lies in one piece from wherever a connection stands in the first half.
 */
struct block {
    struct message message;
    uint8_t *bytes;
    size_t frame, half; /* bytes of one frame, of `depth` frames */
};

struct conn {
    struct wire wire;

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
    struct weft_deflate *deflate; /* NULL: without */
    bool compressed;    /* this message is */
    size_t inflated;    /* bytes that came out of it, while they are looked at */
    uint8_t control[WEFT_CONTROL_MAX];

    /* the messages outstanding: when each was sent, a ring */
    uint64_t *sent;
    unsigned first, count;
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
    uint64_t carried; /* bytes of the echoes' frames */
    struct weft_deflate_pool pool;
    struct weft_deflate_agreed agreed;
    struct meter_sample from, to;
    struct histogram latency;
};

static void *
allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (p == NULL)
        program_fail("out of memory");
    return p;
}

/* Sending -------------------------------------------------------------------*/

/* Each frame of the block has a key of its own. */
static void
write_block(struct block *b, const struct plan *p,
            const struct weft_deflate_agreed *agreed,
            struct weft_random *random)
{
    message_init(&b->message, p->kind, p->size, agreed);
    b->frame = message_frame_len(&b->message);
    b->half = b->frame * p->depth;
    b->bytes = allocate(b->half, 2);
    for (unsigned i = 0; i < p->depth; i++)
        message_frame(&b->message, random, b->bytes + i * b->frame);
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
    if (epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->wire.fd, &event) < 0)
        program_fail("epoll_ctl: %s", strerror(errno));
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

    while (!full && (c->owed > 0 || c->pong_len > 0 || wire_owes(&c->wire))) {
        const uint8_t *bytes = next_bytes(r, c, &len, &pong);
        long n = wire_send(&c->wire, bytes, len, MSG_DONTWAIT);

        if (n < 0 && n != -EAGAIN && n != -EINTR)
            program_fail("send: %s", wire_why(&c->wire, n));
        full = n == -EAGAIN;
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
        program_fail("an echo of nothing");
    if (c->compressed && r->phase == WARMING)
        message_compare_end(&r->block.message, c->deflate, c->inflated);
    if (!c->compressed && c->len != r->plan->size)
        program_fail("an echo of %llu bytes", (unsigned long long)c->len);
    c->inside = false;
    r->echoes++;
    r->carried += c->len;
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
        program_fail("closed by the server with %u", c->frame.len < 2 ? 1005u
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
    uint8_t opcode = message_opcode(&r->block.message);
    bool first = f->opcode < WEFT_CLOSE && !c->inside;

    if ((f->reserved & ~(first && c->deflate != NULL ? RSV1 : 0)) != 0
        || f->masked != r->plan->to.raw)
        program_fail("a frame with the wrong bits");
    if (f->opcode < WEFT_CLOSE) {
        if (f->opcode != (c->inside ? WEFT_CONTINUATION : opcode))
            program_fail("an echo with opcode %u", (unsigned)f->opcode);
        c->len = (c->inside ? c->len : 0) + f->len;
        c->inside = true;
        if (first) {
            c->compressed = f->reserved == RSV1;
            c->inflated = 0;
        }
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
    const struct message *m = &r->block.message;
    uint64_t at = c->len - c->frame.len + c->frame_at;

    if (c->frame.opcode >= WEFT_CLOSE) {
        memcpy(c->control + c->frame_at, bytes, n);
    } else if (r->phase == WARMING) {
        if (c->frame.masked)
            weft_mask(bytes, n, c->frame.key, c->frame_at);
        if (c->compressed)
            message_compare(m, c->deflate, bytes, n, &c->inflated);
        else if (at + n > m->size || memcmp(bytes, m->payload + at, n) != 0)
            program_fail("an echo that differs from what was sent");
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
        program_fail("%s", weft_status_text(rc));
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
    long n = wire_receive(&c->wire, r->arena, ARENA, MSG_DONTWAIT);
    unsigned had = c->count;
    uint64_t now = process_now();

    if (n > 0) {
        take(r, c, r->arena, (size_t)n, now);
        start(r, c, had - c->count, now);
    } else if (n == 0) {
        program_fail("the server closed a connection");
    } else if (n != -EAGAIN && n != -EINTR) {
        program_fail("recv: %s", wire_why(&c->wire, n));
    }
    flush(r, c);
}

/* Measuring -----------------------------------------------------------------*/

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
        program_fail("no echo for %d seconds", PATIENCE);
    if (r->phase == DRAINING
        || !over(r, (double)(now - r->begin) / 1e9))
        return;
    *(r->phase == WARMING ? &r->from : &r->to) =
        meter_look(r->plan->server, r->echoes);
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
        struct client client;

        c->sent = allocate(p->depth, sizeof(*c->sent));
        if (client_open(&client, &p->to, random, &why) < 0)
            program_fail("%s:%u: %s", p->to.host, (unsigned)p->to.port, why);
        c->wire = client.wire;
        r->agreed = client.agreed;
        if (client.agreed.on) {
            c->deflate = weft_deflate_new(false, &p->to.deflate,
                                          &client.agreed, &r->pool);
            if (c->deflate == NULL)
                program_fail("out of memory");
        }
        if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->wire.fd, &event) < 0)
            program_fail("epoll_ctl: %s", strerror(errno));
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

static struct report
sum_up(const struct run *r)
{
    const struct weft_tls *tls = r->conns[0].wire.tls;
    struct report s = {
        .use = meter_between(&r->from, &r->to),
        .p50 = (double)histogram_percentile(&r->latency, 0.5) / 1e3,
        .p99 = (double)histogram_percentile(&r->latency, 0.99) / 1e3,
        .p999 = (double)histogram_percentile(&r->latency, 0.999) / 1e3,
        .tls_version = tls != NULL ? weft_tls_version(tls) : "",
        .tls_cipher = tls != NULL ? weft_tls_cipher(tls) : "",
        .carried = (double)r->carried / (double)r->echoes,
    };

    weft_deflate_answer(&r->agreed, s.deflate);
    return s;
}

struct report
engine_run(const struct plan *p)
{
    static struct weft_random random;
    static struct run r;

    assert(p->connections > 0 && p->depth > 0);
    if (process_allow_descriptors(p->connections) < 0)
        program_fail("%u descriptors: %s", p->connections, strerror(errno));
    r.plan = p;
    r.arena = allocate(ARENA, 1);
    r.conns = allocate(p->connections, sizeof(*r.conns));
    r.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r.epoll < 0)
        program_fail("epoll_create1: %s", strerror(errno));
    open_all(&r, &random);
    write_block(&r.block, p, &r.agreed, &random);
    run(&r);
    return sum_up(&r);
}
