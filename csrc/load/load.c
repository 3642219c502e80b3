/*
 * The phases of a load, and its figures.  It must not know how it was asked for
 * nor who reads the report.
 */
#include "load/load.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"
#include "load/load_inner.h"
#include "net/clock.h"

enum { SPARE = 64 }; /* descriptors: the standard ones, the poller's, ... */

#define SECOND 1000000000
#define PAUSE (SECOND / 20) /* the longest wait for the kernel */
#define ENTRY (SECOND / 5)  /* what members need to enter their room at most */

bool
weft_load_fail(struct weft_load *l, const char *format, ...)
{
    va_list args;

    if (l->failed)
        return false;
    va_start(args, format);
    vsnprintf(l->why, sizeof(l->why), format, args);
    va_end(args);
    l->failed = true;
    return false;
}

const char *
weft_load_why(const struct weft_load *l)
{
    return l->why;
}

enum weft_load_phase
weft_load_phase(const struct weft_load *l)
{
    return l->phase;
}

int
weft_load_allow(unsigned connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    if (limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted; /* which takes root */
    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Beginning and end ---------------------------------------------------------*/

static bool
prepare(struct weft_load *l)
{
    const struct weft_load_plan *p = &l->plan;

    l->arena = weft_realloc(NULL, WEFT_LOAD_ARENA);
    l->conns = weft_zalloc(p->connections * sizeof(*l->conns));
    if (p->broadcast)
        l->missing = weft_zalloc(p->depth * sizeof(*l->missing));
    if (l->arena == NULL || l->conns == NULL
        || (p->broadcast && l->missing == NULL))
        return weft_load_fail(l, "%s", weft_status_text(WEFT_E_MEMORY));
    l->poller = weft_poller_new(false);
    return l->poller != NULL
           || weft_load_fail(l, "cannot wait: %s", strerror(errno));
}

struct weft_load *
weft_load_new(const struct weft_load_plan *plan, char why[WEFT_LOAD_WHY])
{
    struct weft_load *l = weft_zalloc(sizeof(*l));

    assert(plan->connections > 0 && plan->depth > 0 && plan->at_once > 0);
    if (l == NULL) {
        snprintf(why, WEFT_LOAD_WHY, "%s", weft_status_text(WEFT_E_MEMORY));
        return NULL;
    }
    l->plan = *plan;
    if (!prepare(l)) {
        memcpy(why, l->why, sizeof(l->why));
        weft_load_free(l);
        return NULL;
    }
    return l;
}

/* 7.1.1: the closing handshake begins, and is not waited for. */
static void
say_goodbye(struct weft_load_conn *c)
{
    struct weft_frame close = { .fin = true, .masked = true, .len = 2,
                                .opcode = WEFT_CLOSE };
    uint8_t bytes[WEFT_FRAME_HEAD_MAX + 2];
    size_t at = weft_frame_write(&close, bytes); /* the key is 0 */

    weft_store16(bytes + at, 1000);
    if (c->owed == 0 && c->pong_len == 0)
        weft_wire_send(&c->client.wire, bytes, at + 2);
}

void
weft_load_free(struct weft_load *l)
{
    if (l == NULL)
        return;
    for (unsigned i = 0; i < l->begun; i++)
        weft_load_end(l, &l->conns[i]);
    weft_poller_free(l->poller);
    weft_load_message_deinit(&l->block.message);
    weft_free(l->block.bytes);
    weft_deflate_pool_deinit(&l->pool);
    weft_load_shared_deinit(&l->shared);
    weft_free(l->missing);
    weft_free(l->conns);
    weft_free(l->arena);
    weft_free(l);
}

/* Phases --------------------------------------------------------------------*/

static struct weft_load_sample
look(const struct weft_load *l)
{
    struct timespec t = { 0 };

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (struct weft_load_sample){
        .time = weft_now(), .echoes = l->echoes,
        .cpu = (double)t.tv_sec + (double)t.tv_nsec / SECOND,
    };
}

/* All are open: every one has its messages outstanding from now on. */
static bool
begin_messages(struct weft_load *l)
{
    unsigned senders = l->plan.broadcast ? 1 : l->plan.connections;

    if (!weft_load_write_block(l))
        return false;
    l->phase = WEFT_LOAD_WARMING;
    l->ready = l->last = weft_now();
    for (unsigned i = 0; i < l->plan.connections; i++) {
        if (i < senders)
            weft_load_start(l, &l->conns[i], l->plan.depth, weft_now());
        if (!weft_load_flush(l, &l->conns[i]))
            return false;
    }
    return true;
}

/* Whether warming or measuring is over by now. */
static bool
is_over(const struct weft_load *l, int64_t now)
{
    const struct weft_load_plan *p = &l->plan;
    bool warming = l->phase == WEFT_LOAD_WARMING;
    int64_t since = warming ? l->ready : l->from.time;

    if (p->messages > 0)
        return warming || l->completed == p->messages;
    return (double)(now - since) / SECOND >= (warming ? p->warmup : p->seconds);
}

static void
finish(struct weft_load *l)
{
    for (unsigned i = 0; i < l->begun && !l->plan.to.raw; i++)
        say_goodbye(&l->conns[i]);
    l->phase = WEFT_LOAD_DONE;
}

static bool
is_late(const struct weft_load *l, int64_t now)
{
    return (double)(now - l->last) / SECOND > l->plan.patience;
}

static bool
fail_late(struct weft_load *l)
{
    double s = l->plan.patience;

    if (l->phase == WEFT_LOAD_OPENING)
        return weft_load_fail(l, "connection %u of %u: nothing opened for %g "
                                 "seconds", l->opened + 1,
                              l->plan.connections, s);
    return weft_load_fail(l, "no echo for %g seconds%s", s, l->echoes > 0 ? ""
                          : ": the server does not echo");
}

static bool
advance(struct weft_load *l, int64_t now)
{
    switch (l->phase) {
    case WEFT_LOAD_OPENING:
        if (l->opened == l->plan.connections
            && (!l->plan.broadcast || now - l->last > ENTRY))
            return begin_messages(l);
        break;
    case WEFT_LOAD_WARMING:
    case WEFT_LOAD_MEASURING:
        if (is_over(l, now)) {
            *(l->phase == WEFT_LOAD_WARMING ? &l->from : &l->to) = look(l);
            l->phase++;
            return true;
        }
        break;
    case WEFT_LOAD_DRAINING:
        if (l->completed == l->started)
            finish(l);
        break;
    case WEFT_LOAD_DONE:
        return true;
    }
    return !is_late(l, now) || fail_late(l);
}

/* Going on ------------------------------------------------------------------*/

static bool
go_on(struct weft_load *l, struct weft_watch *w)
{
    struct weft_load_conn *c = WEFT_CONTAINER(w, struct weft_load_conn, watch);

    return c->opened ? weft_load_serve(l, c) : weft_load_open_on(l, c);
}

/* Sees to whatever is ready; false when that failed or a signal came. */
static bool
turn(struct weft_load *l, int64_t timeout)
{
    struct weft_ready ready[WEFT_LOAD_BATCH];
    int n = weft_poller_wait(l->poller, timeout, ready, WEFT_LOAD_BATCH);

    for (int i = 0; i < n; i++)
        if (!go_on(l, ready[i].watch))
            return false;
    if (l->phase == WEFT_LOAD_OPENING && !weft_load_open_more(l))
        return false;
    return n >= 0;
}

static bool
begin(struct weft_load *l)
{
    if (l->begin == 0)
        l->begin = l->last = weft_now();
    return weft_load_open_more(l);
}

enum weft_status
weft_load_step(struct weft_load *l, double seconds)
{
    enum weft_load_phase phase = l->phase;
    int64_t now = weft_now(), end = now + (int64_t)(seconds * SECOND);
    bool goes = !l->failed && phase != WEFT_LOAD_DONE && begin(l);

    while (goes && advance(l, now) && l->phase == phase && now < end) {
        goes = turn(l, end - now < PAUSE ? end - now : PAUSE);
        now = weft_now();
    }
    return l->failed ? WEFT_E_CLOSED
           : l->phase == WEFT_LOAD_DONE ? WEFT_OK : WEFT_MORE;
}

/* Figures -------------------------------------------------------------------*/

static void
add_latency(struct weft_load_report *r, const struct weft_histogram *h)
{
    r->p50 = (double)weft_histogram_percentile(h, 0.5) / 1e3;
    r->p99 = (double)weft_histogram_percentile(h, 0.99) / 1e3;
    r->p999 = (double)weft_histogram_percentile(h, 0.999) / 1e3;
    r->max = (double)h->max / 1e3;
}

static void
add_measured(struct weft_load_report *r, const struct weft_load *l)
{
    struct weft_load_sample to = l->to;

    if (l->phase == WEFT_LOAD_MEASURING)
        to = look(l);
    r->echoes = to.echoes - l->from.echoes;
    r->seconds = (double)(to.time - l->from.time) / SECOND;
    if (r->seconds > 0) {
        r->rate = (double)r->echoes / r->seconds;
        r->cpu = (to.cpu - l->from.cpu) / r->seconds;
    }
}

struct weft_load_report
weft_load_report(const struct weft_load *l)
{
    const struct weft_tls *tls = l->phase > WEFT_LOAD_OPENING
                                     ? l->conns[0].client.wire.tls : NULL;
    int64_t opened = l->phase > WEFT_LOAD_OPENING ? l->ready : weft_now();
    struct weft_load_report r = {
        .phase = l->phase,
        .opened = l->opened,
        .opening_seconds = l->begin > 0 ? (double)(opened - l->begin) / SECOND
                                        : 0,
        .total = l->echoes,
        .tls_version = tls != NULL ? weft_tls_version(tls) : "",
        .tls_cipher = tls != NULL ? weft_tls_cipher(tls) : "",
        .carried = l->echoes > 0 ? (double)l->carried / (double)l->echoes : 0,
    };

    if (l->phase >= WEFT_LOAD_MEASURING)
        add_measured(&r, l);
    add_latency(&r, &l->latency);
    weft_deflate_answer(&l->agreed, r.deflate);
    return r;
}
