/*
 * Readiness by kqueue, on BSD and macOS.  It must not know what a watch
 * belongs to.
 *
 * A kqueue has a filter for reading and one for writing where weft has one
 * watch.  Two things follow: events of the same watch are put together (its
 * place is its index in the batch meanwhile), and a table by descriptor
 * refuses a second watch, which the kernel would silently let replace the
 * first.
 */
#include "loop/poller.h"

#ifdef WEFT_HAVE_KQUEUE

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
#include <time.h>

#include "base/mem.h"
#include "net/sock.h"

enum { BATCH = 512, FIRST_ROOM = 64 };

struct kqueue_poller {
    struct weft_poller base;
    int fd;
    struct weft_watch **watches; /* by descriptor; NULL: none */
    size_t cap;
    struct kevent events[BATCH];
};

static struct weft_poller *
create(void)
{
    struct kqueue_poller *k = weft_zalloc(sizeof(*k));

    if (k == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    k->base.ops = &weft_poller_kqueue;
    k->fd = kqueue();
    if (k->fd < 0) {
        int error = errno;

        weft_free(k);
        errno = error;
        return NULL;
    }
    fcntl(k->fd, F_SETFD, FD_CLOEXEC);
    return &k->base;
}

static void
destroy(struct weft_poller *p)
{
    struct kqueue_poller *k = (struct kqueue_poller *)p;

    weft_sock_close(&k->fd);
    weft_free(k->watches);
    weft_free(k);
}

/* Makes the table reach to the descriptor. */
static enum weft_status
grow(struct kqueue_poller *k, size_t descriptor)
{
    size_t cap = k->cap > 0 ? k->cap : FIRST_ROOM;
    struct weft_watch **watches;

    while (cap <= descriptor)
        cap *= 2;
    if (cap == k->cap)
        return WEFT_OK;
    watches = weft_realloc(k->watches, cap * sizeof(struct weft_watch *));
    if (watches == NULL)
        return WEFT_E_MEMORY;
    memset(watches + k->cap, 0,
           (cap - k->cap) * sizeof(struct weft_watch *));
    k->watches = watches;
    k->cap = cap;
    return WEFT_OK;
}

/* Adds and deletes the filters that tell `from` and `to` apart. */
static int
change(struct kqueue_poller *k, struct weft_watch *w, uint8_t from, uint8_t to)
{
    struct kevent changes[2];
    uintptr_t id = (uintptr_t)w->fd;
    uint16_t n = 0; /* fits whatever type kevent() takes */

    if ((from ^ to) & WEFT_READABLE) {
        EV_SET(&changes[n], id, EVFILT_READ,
               to & WEFT_READABLE ? EV_ADD : EV_DELETE, 0, 0, w);
        n++;
    }
    if ((from ^ to) & WEFT_WRITABLE) {
        EV_SET(&changes[n], id, EVFILT_WRITE,
               to & WEFT_WRITABLE ? EV_ADD : EV_DELETE, 0, 0, w);
        n++;
    }
    return kevent(k->fd, changes, n, NULL, 0, NULL);
}

static enum weft_status
set(struct weft_poller *p, struct weft_watch *w, uint8_t wanted)
{
    struct kqueue_poller *k = (struct kqueue_poller *)p;
    uint8_t both = w->wanted | wanted;
    int error;

    if (w->fd < 0) {
        errno = EBADF;
        return WEFT_E_SYSTEM;
    }
    if (grow(k, (size_t)w->fd) != WEFT_OK)
        return WEFT_E_MEMORY;
    if (w->wanted == 0 && k->watches[w->fd] != NULL) {
        errno = EEXIST;
        return WEFT_E_SYSTEM;
    }
    /* what is added can fail, and is then taken back; what goes cannot */
    if (change(k, w, w->wanted, both) < 0) {
        error = errno;
        change(k, w, both, w->wanted);
        errno = error;
        return error == ENOMEM ? WEFT_E_MEMORY : WEFT_E_SYSTEM;
    }
    change(k, w, both, wanted);
    k->watches[w->fd] = wanted != 0 ? w : NULL;
    return WEFT_OK;
}

static uint8_t
what(const struct kevent *event)
{
    uint8_t kind = event->filter == EVFILT_READ ? WEFT_READABLE
                                                : WEFT_WRITABLE;

    if (event->flags & EV_ERROR)
        return WEFT_HANGUP;
    /* the end of what is read is no hang-up: the peer may still listen */
    if ((event->flags & EV_EOF)
        && (event->fflags != 0 || event->filter == EVFILT_WRITE))
        return kind | WEFT_HANGUP;
    return kind;
}

/* One entry for each watch. */
static int
collect(const struct kevent *events, int count, struct weft_ready *ready)
{
    uint32_t n = 0;

    for (int i = 0; i < count; i++) {
        struct weft_watch *w = (struct weft_watch *)events[i].udata;

        if (w->place == 0) {
            ready[n].watch = w;
            ready[n].what = 0;
            w->place = ++n;
        }
        ready[w->place - 1].what |= what(&events[i]);
    }
    for (uint32_t i = 0; i < n; i++)
        ready[i].watch->place = 0;
    return (int)n;
}

static int
wait(struct weft_poller *p, int64_t timeout, struct weft_ready *ready, int max)
{
    struct kqueue_poller *k = (struct kqueue_poller *)p;
    struct timespec limit = { .tv_sec = (time_t)(timeout / 1000000000),
                              .tv_nsec = (long)(timeout % 1000000000) };
    uint16_t room = (uint16_t)(max < BATCH ? max : BATCH);
    int n = kevent(k->fd, NULL, 0, k->events, room,
                   timeout < 0 ? NULL : &limit);

    return n < 0 ? -errno : collect(k->events, n, ready);
}

static int
fd(const struct weft_poller *p)
{
    return ((const struct kqueue_poller *)p)->fd;
}

const struct weft_poller_ops weft_poller_kqueue = {
    .name = "kqueue",
    .create = create,
    .destroy = destroy,
    .set = set,
    .wait = wait,
    .fd = fd,
};

#endif
