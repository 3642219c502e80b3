/*
 * A link's deadlines, kept lazily: one timer, which looks at the clocks when
 * it fires and sleeps again when nothing is due.  A message never touches it.
 */
#include "loop/link_inner.h"

#include <string.h>

#include "base/bytes.h"

enum { OFFERS = 8 }; /* of waiting output, in the time that it may wait */

/* a + b, where either may be WEFT_FOREVER */
static int64_t
after(int64_t a, int64_t b)
{
    return a > WEFT_FOREVER - b ? WEFT_FOREVER : a + b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The keepalive stands still while the peer is not being read. */
static int64_t
keepalive_deadline(const struct weft_link *k)
{
    const struct weft_config *c = k->config;

    if (c->ping_interval == WEFT_FOREVER)
        return WEFT_FOREVER;
    if (k->role == WEFT_EVENTS)
        return after(later(k->last_message, k->pinged),
                     later(c->ping_interval, 1)); /* not now again */
    if (!weft_link_is_reading(k))
        return WEFT_FOREVER;
    if (k->pinged != 0)
        return after(later(k->pinged, k->life), c->ping_timeout);
    return after(k->life, c->ping_interval);
}

/* Output that still makes progress is no part of the closing handshake. */
static int64_t
closing_deadline(const struct weft_link *k)
{
    const struct weft_flow *f = k->flow;
    int64_t since = f->stalled != 0 ? later(f->ending, f->stalled)
                                    : f->ending;

    return after(since, k->config->close_timeout);
}

static int64_t
deadline(const struct weft_link *k)
{
    const struct weft_config *c = k->config;
    int64_t at = WEFT_FOREVER;

    switch (k->state) {
    case WEFT_LINK_IDLE:
    case WEFT_LINK_CLOSED:
        return WEFT_FOREVER;
    case WEFT_LINK_DIALLING:
    case WEFT_LINK_TUNNEL:
    case WEFT_LINK_PROXY_HEAD:
    case WEFT_LINK_SECURING:
    case WEFT_LINK_HANDSHAKE:
    case WEFT_LINK_BODY:
        return after(k->opened, k->opening_limit);
    case WEFT_LINK_ASKED:
        if (k->flow->answer.reads_body) /* as long as it comes */
            return after(later(k->opened, k->life), k->opening_limit);
        if (k->flow->opening->kind == WEFT_REQUEST_HTTP)
            return WEFT_FOREVER; /* whoever answers may take their time */
        return after(k->opened, k->opening_limit);
    case WEFT_LINK_ANSWERING:
        if (k->flow->stalled == 0)
            return WEFT_FOREVER;
        return after(k->flow->stalled, c->write_timeout);
    case WEFT_LINK_OPEN:
    case WEFT_LINK_LINGER:
        break;
    }
    if (k->flow->stalled != 0)
        at = after(k->flow->stalled, c->write_timeout);
    if (k->flow->ending != 0)
        return sooner(at, closing_deadline(k));
    at = sooner(at, after(k->last_message, c->idle_timeout));
    return sooner(at, keepalive_deadline(k));
}

/*
 * While output waits, the socket is offered it a few times before it is too
 * late.  The kernel tells late that it takes more: when a third of its buffer,
 * which may be megabytes, is free.  Who reads slowly has made progress before;
 * and what the peer's kernel took as it all began is no progress in the end.
 */
static int64_t
next_look(const struct weft_link *k)
{
    int64_t at = deadline(k), since, step;

    if (at == WEFT_FOREVER || k->flow->stalled == 0)
        return at;
    since = k->flow->stalled;
    step = (at - since) / OFFERS;
    if (step <= 0 || k->loop->now >= at - step)
        return at;
    return since + ((k->loop->now - since) / step + 1) * step;
}

void
weft_link_retime(struct weft_link *k)
{
    int64_t at = next_look(k);

    if (at == WEFT_FOREVER)
        return; /* a timer already set finds nothing due */
    if (weft_timer_is_set(&k->timer) && k->timer.at <= at)
        return; /* it will look again in time */
    if (weft_timer_set(&k->loop->timers, &k->timer, at) != WEFT_OK)
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
    weft_loop_stir(k->loop);
}

static void
send_keepalive(struct weft_link *k)
{
    uint8_t payload[8];

    weft_store64(payload, ++k->ping_count);
    if (!weft_link_wake(k)
        || weft_session_ping(&k->flow->session, payload, sizeof(payload))
               != WEFT_OK) {
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
        return;
    }
    k->counters->pings++;
    k->pinged = k->loop->now;
    weft_link_mark_dirty(k);
}

void
weft_link_drop_closing(struct weft_link *k)
{
    if (k->cause == WEFT_CAUSE_LOCAL || k->cause == WEFT_CAUSE_HANDLER)
        if (!weft_session_closed(&k->flow->session))
            k->cause = WEFT_CAUSE_NONE; /* not who began, this is why */
    weft_link_finish(k, WEFT_CAUSE_TIMEOUT,
                     k->role == WEFT_EVENTS
                         ? "the client did not close the connection in time"
                         : "the closing handshake took too long");
}

/* The closing, or the discarding after it, has taken close_timeout. */
static void
expire_ending(struct weft_link *k)
{
    if (k->flow->fault < 0) {
        weft_link_fail(k, k->flow->fault);
        return;
    }
    weft_link_drop_closing(k);
}

static void
expire_open(struct weft_link *k)
{
    const struct weft_config *c = k->config;
    int64_t now = k->loop->now;

    if (k->flow->ending != 0 && now >= closing_deadline(k)) {
        expire_ending(k);
    } else if (k->flow->stalled != 0
               && now >= after(k->flow->stalled, c->write_timeout)) {
        weft_link_finish(k, WEFT_CAUSE_SLOW,
                         "the peer took none of the waiting output in time");
    } else if (k->flow->ending == 0
               && now >= after(k->last_message, c->idle_timeout)) {
        weft_link_close(k, 1000, (struct weft_span){ "idle", 4 },
                        WEFT_CAUSE_IDLE);
    } else if (k->flow->ending == 0 && now >= keepalive_deadline(k)) {
        if (k->role == WEFT_EVENTS)
            weft_link_keep_events(k);
        else if (k->pinged != 0)
            weft_link_finish(k, WEFT_CAUSE_PING_TIMEOUT,
                             "the peer did not answer a ping in time");
        else
            send_keepalive(k);
    }
}

static void
opening_expired(struct weft_link *k)
{
    char to[WEFT_TARGET_TEXT];

    if (weft_link_is_in_request(k)) { /* RFC 9110, 15.5.9 */
        weft_link_blame(k, WEFT_CAUSE_TIMEOUT, NULL);
        weft_link_refuse(k, 408, "the request did not come in time");
        return;
    }
    if (!weft_link_is_idle(k))
        k->counters->refused[WEFT_REFUSED_TIMEOUT]++;
    if (k->flow->tunnel != NULL) { /* it is the proxy that keeps silent */
        weft_link_fail_reaching(k, "timeout", WEFT_CAUSE_TIMEOUT,
                                "timed out");
        return;
    }
    weft_link_name_target(k, to);
    weft_link_fail_opening(k, "timeout", WEFT_CAUSE_TIMEOUT, "%s%s: timed out",
                           k->role == WEFT_CLIENT ? "connect to "
                                                  : "handshake with ",
                           to);
}

/* See next_look(); when the timer comes for another reason it does no harm. */
static void
offer_again(struct weft_link *k)
{
    if (k->flow->stalled != 0)
        weft_link_flush(k);
}

void
weft_link_expire(struct weft_link *k)
{
    weft_link_catch_up(k); /* what its room has said is a message */
    offer_again(k);
    if (k->loop->now >= deadline(k)) {
        if (k->state >= WEFT_LINK_ANSWERING)
            expire_open(k);
        else
            opening_expired(k);
    }
    weft_link_retime(k);
}
