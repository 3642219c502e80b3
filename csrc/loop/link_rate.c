/*
 * How much a peer may send in a time: what is left of it fills up again as time
 * goes by, and the session counts it down.  It must not know what is sent.
 */
#include <math.h>

#include "base/mem.h"
#include "loop/link_inner.h"

static double
most_of(double rate, double burst)
{
    double most = rate * burst;

    return most > 1 ? most : 1; /* or nothing could ever come */
}

bool
weft_link_ration(struct weft_link *k)
{
    const struct weft_rate *rate = &k->config->rate;

    if (rate->burst == 0)
        return true;
    k->quota = weft_realloc(NULL, sizeof(*k->quota));
    if (k->quota == NULL)
        return false;
    *k->quota = (struct weft_quota){
        .left = { most_of(rate->messages, rate->burst),
                  most_of(rate->bytes, rate->burst) },
        .at = k->loop->now,
    };
    weft_session_ration(&k->flow->session, &k->quota->left);
    return true;
}

/* What was above the most for its reasons stays so. */
static double
fill(double left, double rate, double seconds, double most)
{
    double more;

    if (rate == INFINITY)
        return left;
    more = left + rate * seconds;
    if (more < most)
        return more;
    return left > most ? left : most;
}

static void
fill_up(struct weft_link *k, bool bounded)
{
    const struct weft_rate *rate = &k->config->rate;
    struct weft_quota *q = k->quota;
    double seconds = (double)(k->loop->now - q->at) / (double)WEFT_SECOND;

    q->at = k->loop->now;
    q->left.messages =
        fill(q->left.messages, rate->messages, seconds,
             bounded ? most_of(rate->messages, rate->burst) : INFINITY);
    q->left.bytes = fill(q->left.bytes, rate->bytes, seconds,
                         bounded ? most_of(rate->bytes, rate->burst)
                                 : INFINITY);
}

void
weft_quota_refill(struct weft_link *k)
{
    if (k->loop->now > k->quota->at)
        fill_up(k, weft_link_is_reading(k));
}

void
weft_quota_watch(struct weft_link *k)
{
    if (k->quota != NULL)
        fill_up(k, !weft_link_is_reading(k));
}
