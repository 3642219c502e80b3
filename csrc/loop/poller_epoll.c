/*
 * Readiness by epoll, on Linux.  It must not know what a watch belongs to.
 */
#include "loop/poller.h"

#ifdef WEFT_HAVE_EPOLL

#include <errno.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "net/sock.h"

enum { BATCH = 512 }; /* the kernel's queue goes round, so none starves */

struct epoll_poller {
    struct weft_poller base;
    int fd;
    struct epoll_event events[BATCH];
};

static struct weft_poller *
create(void)
{
    struct epoll_poller *e = weft_zalloc(sizeof(*e));

    if (e == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    e->base.ops = &weft_poller_epoll;
    e->fd = epoll_create1(EPOLL_CLOEXEC);
    if (e->fd < 0) {
        int error = errno;

        weft_free(e);
        errno = error;
        return NULL;
    }
    return &e->base;
}

static void
destroy(struct weft_poller *p)
{
    struct epoll_poller *e = (struct epoll_poller *)p;

    weft_sock_close(&e->fd);
    weft_free(e);
}

static enum weft_status
set(struct weft_poller *p, struct weft_watch *w, uint8_t wanted)
{
    struct epoll_poller *e = (struct epoll_poller *)p;
    struct epoll_event event = { .data.ptr = w };

    if (wanted == 0) {
        /* if that fails, the descriptor was closed and epoll forgot it */
        epoll_ctl(e->fd, EPOLL_CTL_DEL, w->fd, &event);
        return WEFT_OK;
    }
    if (wanted & WEFT_READABLE)
        event.events |= EPOLLIN;
    if (wanted & WEFT_WRITABLE)
        event.events |= EPOLLOUT;
    if (epoll_ctl(e->fd, w->wanted ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd,
                  &event) < 0)
        return errno == ENOMEM ? WEFT_E_MEMORY : WEFT_E_SYSTEM;
    return WEFT_OK;
}

static uint8_t
what(uint32_t events)
{
    return (uint8_t)((events & EPOLLIN ? WEFT_READABLE : 0)
                     | (events & EPOLLOUT ? WEFT_WRITABLE : 0)
                     | (events & (EPOLLERR | EPOLLHUP) ? WEFT_HANGUP : 0));
}

static int
wait(struct weft_poller *p, int64_t timeout, struct weft_ready *ready, int max)
{
    struct epoll_poller *e = (struct epoll_poller *)p;
    int n = epoll_wait(e->fd, e->events, max < BATCH ? max : BATCH,
                       weft_poller_milliseconds(timeout));

    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        ready[i].watch = e->events[i].data.ptr;
        ready[i].what = what(e->events[i].events);
    }
    return n;
}

static int
fd(const struct weft_poller *p)
{
    return ((const struct epoll_poller *)p)->fd;
}

const struct weft_poller_ops weft_poller_epoll = {
    .name = "epoll",
    .create = create,
    .destroy = destroy,
    .set = set,
    .wait = wait,
    .fd = fd,
};

#endif
