/*
 * The kernel's readiness, behind one small interface: epoll on Linux, kqueue
 * on BSD and macOS, poll(2) anywhere and when it is asked for.  Level
 * triggered.
 *
 * A watch is embedded in what it belongs to; `kind` tells the owner's type to
 * whoever goes through the ready ones.  The poller borrows watches: whoever
 * owns one sets it to 0 before its descriptor is closed.
 *
 * A descriptor has one watch at a time.  A second is refused with EEXIST,
 * save by poll(2), where both work; dup() is the way to wait twice.
 */
#ifndef WEFT_LOOP_POLLER_H
#define WEFT_LOOP_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#if defined(__linux__) && !defined(WEFT_NO_EPOLL)
#define WEFT_HAVE_EPOLL 1
#endif
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) \
    || defined(__OpenBSD__) || defined(__DragonFly__)
#define WEFT_HAVE_KQUEUE 1
#endif

enum {
    WEFT_READABLE = 1,
    WEFT_WRITABLE = 2,
    WEFT_HANGUP = 4, /* reported only: an error or a hang-up; read to learn */
};

struct weft_watch {
    int fd;
    uint8_t kind;
    uint8_t wanted; /* what the poller was last asked to report; 0: nothing */
    uint32_t place; /* the backend's own, an index counted from 1; 0: none */
};

struct weft_ready {
    struct weft_watch *watch;
    uint8_t what;
};

struct weft_poller;

/* What a kernel interface offers; each backend file defines one. */
struct weft_poller_ops {
    const char *name;
    struct weft_poller *(*create)(void); /* NULL: errno says why */
    void (*destroy)(struct weft_poller *p);
    enum weft_status (*set)(struct weft_poller *p, struct weft_watch *w,
                            uint8_t wanted);
    int (*wait)(struct weft_poller *p, int64_t timeout,
                struct weft_ready *ready, int max);
    int (*fd)(const struct weft_poller *p);
};

struct weft_poller {
    const struct weft_poller_ops *ops;
};

extern const struct weft_poller_ops weft_poller_epoll;
extern const struct weft_poller_ops weft_poller_kqueue;
extern const struct weft_poller_ops weft_poller_poll;

/*
 * A new poller of the best kind there is, or poll(2) when force_poll; NULL
 * with errno set.  Freed by weft_poller_free(); NULL is fine there.
 */
struct weft_poller *weft_poller_new(bool force_poll);
void weft_poller_free(struct weft_poller *p);

/*
 * Asks for WEFT_READABLE, WEFT_WRITABLE or both on the watch; 0 stops.  An
 * error or hang-up is reported whatever is asked, as long as something is.
 * No system call when nothing changes.  WEFT_E_MEMORY or WEFT_E_SYSTEM with
 * errno (EPERM: epoll takes no regular files), the watch then as it was;
 * setting to 0 never fails.
 */
enum weft_status weft_poller_set(struct weft_poller *p, struct weft_watch *w,
                                 uint8_t wanted);

/*
 * Waits up to timeout nanoseconds (below zero: no limit; rounded up to what
 * the kernel counts in) and fills up to max ready watches.  Returns how many,
 * or -EINTR when a signal came.  When more are ready than max, each gets its
 * turn in later calls.  A watch comes at most once in a call; one that was set
 * to 0 since is for the caller to skip.
 */
int weft_poller_wait(struct weft_poller *p, int64_t timeout,
                     struct weft_ready *ready, int max);

/* A descriptor that is readable when something is ready, or -1. */
int weft_poller_fd(const struct weft_poller *p);

/* For backends: nanoseconds rounded up to milliseconds; -1 is no limit. */
int weft_poller_milliseconds(int64_t timeout);

#endif
