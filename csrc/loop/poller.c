/*
 * The way to whichever kernel interface is there.  It must not know how any
 * of them works.
 */
#include "loop/poller.h"

#include <limits.h>
#include <stddef.h>

static const struct weft_poller_ops *
best(void)
{
#if defined(WEFT_HAVE_EPOLL)
    return &weft_poller_epoll;
#elif defined(WEFT_HAVE_KQUEUE)
    return &weft_poller_kqueue;
#else
    return &weft_poller_poll;
#endif
}

struct weft_poller *
weft_poller_new(bool force_poll)
{
    return force_poll ? weft_poller_poll.create() : best()->create();
}

void
weft_poller_free(struct weft_poller *p)
{
    if (p != NULL)
        p->ops->destroy(p);
}

enum weft_status
weft_poller_set(struct weft_poller *p, struct weft_watch *w, uint8_t wanted)
{
    enum weft_status rc;

    if (w->wanted == wanted)
        return WEFT_OK;
    rc = p->ops->set(p, w, wanted);
    if (rc == WEFT_OK)
        w->wanted = wanted;
    return rc;
}

int
weft_poller_wait(struct weft_poller *p, int64_t timeout,
                 struct weft_ready *ready, int max)
{
    return p->ops->wait(p, timeout, ready, max);
}

int
weft_poller_fd(const struct weft_poller *p)
{
    return p->ops->fd(p);
}

int
weft_poller_milliseconds(int64_t timeout)
{
    int64_t ms = timeout / 1000000 + (timeout % 1000000 > 0);

    if (timeout < 0)
        return -1;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}
