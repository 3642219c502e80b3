/*
 * Readiness by poll(2), anywhere.  It must not know what a watch belongs to.
 *
 * Two arrays side by side: what the kernel wants to see, and the watch of
 * each; a watch's place is its index plus one.
 */
#include "loop/poller.h"

#include <errno.h>
#include <stddef.h>

#include "base/inet.h"
#include "base/mem.h"
#include "net/sock.h"

enum { FIRST_ROOM = 16, MOST = 1 << 26 };

struct poll_poller {
    struct weft_poller base;
    struct pollfd *fds;
    struct weft_watch **watches;
    uint32_t count, cap;
    uint32_t start; /* where the next wait begins to look */
};

static struct weft_poller *
create(void)
{
    struct poll_poller *q = weft_zalloc(sizeof(*q));

    if (q == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    q->base.ops = &weft_poller_poll;
    return &q->base;
}

static void
destroy(struct weft_poller *p)
{
    struct poll_poller *q = (struct poll_poller *)p;

    weft_free(q->fds);
    weft_free(q->watches);
    weft_free(q);
}

static enum weft_status
grow(struct poll_poller *q)
{
    uint32_t cap = q->cap > 0 ? q->cap * 2 : FIRST_ROOM;
    struct pollfd *fds;
    struct weft_watch **watches;

    if (cap > MOST)
        return WEFT_E_MEMORY;
    fds = weft_realloc(q->fds, cap * sizeof(*fds));
    if (fds == NULL)
        return WEFT_E_MEMORY;
    q->fds = fds; /* larger than cap says, should the next one fail */
    watches = weft_realloc(q->watches, cap * sizeof(struct weft_watch *));
    if (watches == NULL)
        return WEFT_E_MEMORY;
    q->watches = watches;
    q->cap = cap;
    return WEFT_OK;
}

static enum weft_status
add(struct poll_poller *q, struct weft_watch *w)
{
    if (q->count == q->cap && grow(q) != WEFT_OK)
        return WEFT_E_MEMORY;
    q->fds[q->count] = (struct pollfd){ .fd = (weft_socket)w->fd };
    q->watches[q->count] = w;
    w->place = ++q->count;
    return WEFT_OK;
}

/* The last one takes the place of the one that goes. */
static void
take_out(struct poll_poller *q, struct weft_watch *w)
{
    uint32_t last = --q->count;

    q->fds[w->place - 1] = q->fds[last];
    q->watches[w->place - 1] = q->watches[last];
    q->watches[last]->place = w->place;
    w->place = 0;
}

static enum weft_status
set(struct weft_poller *p, struct weft_watch *w, uint8_t wanted)
{
    struct poll_poller *q = (struct poll_poller *)p;

    if (wanted == 0) {
        take_out(q, w);
        return WEFT_OK;
    }
    if (w->place == 0 && add(q, w) != WEFT_OK)
        return WEFT_E_MEMORY;
    q->fds[w->place - 1].events =
        (short)((wanted & WEFT_READABLE ? POLLIN : 0)
                | (wanted & WEFT_WRITABLE ? POLLOUT : 0));
    return WEFT_OK;
}

static uint8_t
what(int events)
{
    const int over = POLLERR | POLLHUP | POLLNVAL;

    return (uint8_t)((events & POLLIN ? WEFT_READABLE : 0)
                     | (events & POLLOUT ? WEFT_WRITABLE : 0)
                     | (events & over ? WEFT_HANGUP : 0));
}

/* From where the last look stopped, so that a full `ready` starves none. */
static int
collect(struct poll_poller *q, int found, struct weft_ready *ready, int max)
{
    uint32_t at = q->start < q->count ? q->start : 0;
    int n = 0;

    if (found > max)
        found = max;
    for (uint32_t seen = 0; seen < q->count && n < found; seen++) {
        if (q->fds[at].revents != 0) {
            ready[n].watch = q->watches[at];
            ready[n++].what = what(q->fds[at].revents);
        }
        at = at + 1 < q->count ? at + 1 : 0;
    }
    q->start = at;
    return n;
}

static int
wait(struct weft_poller *p, int64_t timeout, struct weft_ready *ready, int max)
{
    struct poll_poller *q = (struct poll_poller *)p;
    int n = weft_sock_poll(q->fds, q->count,
                           weft_poller_milliseconds(timeout));

    return n < 0 ? n : collect(q, n, ready, max);
}

static int
fd(const struct weft_poller *p)
{
    (void)p;
    return -1;
}

const struct weft_poller_ops weft_poller_poll = {
    .name = WEFT_POLL_NAME,
    .create = create,
    .destroy = destroy,
    .set = set,
    .wait = wait,
    .fd = fd,
};
