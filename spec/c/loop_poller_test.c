/*
 * The poller of this system and poll(2), under the same tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"
#include "loop/poller.h"
#include "net/clock.h"
#include "net/sock.h"

enum { MILLISECOND = 1000000, MANY = 1200, ROOM = 64 };

static bool force_poll;

static bool
is_ready(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

static void
has_a_name(struct weft_poller *p)
{
    if (force_poll)
        CHECK(strcmp(p->ops->name, "poll") == 0);
#if defined(WEFT_HAVE_EPOLL)
    else
        CHECK(strcmp(p->ops->name, "epoll") == 0);
#endif
}

static void
counts_in_milliseconds(void)
{
    CHECK(weft_poller_milliseconds(-1) == -1);
    CHECK(weft_poller_milliseconds(INT64_MIN) == -1);
    CHECK(weft_poller_milliseconds(0) == 0);
    CHECK(weft_poller_milliseconds(1) == 1);
    CHECK(weft_poller_milliseconds(MILLISECOND) == 1);
    CHECK(weft_poller_milliseconds(MILLISECOND + 1) == 2);
    CHECK(weft_poller_milliseconds(INT64_MAX) == INT32_MAX);
}

static void
waits_no_shorter_than_asked(struct weft_poller *p)
{
    struct weft_ready ready[ROOM];
    int64_t began = weft_now();

    CHECK(weft_poller_wait(p, 20 * MILLISECOND + 1, ready, ROOM) == 0);
    CHECK(weft_now() - began > 20 * MILLISECOND);
    CHECK(weft_poller_wait(p, 0, ready, ROOM) == 0);
}

static void
reports_reading_and_writing(struct weft_poller *p)
{
    struct weft_ready ready[ROOM];
    struct weft_watch a = { .kind = 3 }, b = { .kind = 4 };
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    a.fd = fds[0];
    b.fd = fds[1];
    CHECK(weft_poller_set(p, &a, WEFT_READABLE) == WEFT_OK);
    CHECK(weft_poller_wait(p, 0, ready, ROOM) == 0);
    weft_sock_wake(fds[1]);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == 1);
    CHECK(ready[0].watch == &a && ready[0].what == WEFT_READABLE);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == 1); /* level triggered */
    CHECK(weft_poller_fd(p) < 0 || is_ready(weft_poller_fd(p)));

    CHECK(weft_poller_set(p, &a, WEFT_READABLE | WEFT_WRITABLE) == WEFT_OK);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == 1);
    CHECK(ready[0].what == (WEFT_READABLE | WEFT_WRITABLE));
    CHECK(weft_poller_set(p, &b, WEFT_WRITABLE) == WEFT_OK);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == 2);
    CHECK(weft_poller_wait(p, -1, ready, 1) == 1);

    CHECK(weft_poller_set(p, &a, 0) == WEFT_OK);
    CHECK(a.wanted == 0);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == 1);
    CHECK(ready[0].watch == &b && ready[0].what == WEFT_WRITABLE);
    CHECK(weft_poller_set(p, &b, 0) == WEFT_OK);
    CHECK(weft_poller_wait(p, 0, ready, ROOM) == 0);
    CHECK(weft_poller_fd(p) < 0 || !is_ready(weft_poller_fd(p)));
    close(fds[0]);
    close(fds[1]);
}

static void
reports_a_hang_up_whatever_is_asked(struct weft_poller *p)
{
    struct weft_ready ready[ROOM];
    struct weft_watch w = { 0 };
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    w.fd = fds[0];
    CHECK(weft_poller_set(p, &w, WEFT_READABLE) == WEFT_OK);
    CHECK(weft_sock_shutdown_write(fds[1]) == 0);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == 1);
    CHECK(ready[0].what == WEFT_READABLE); /* half closed is no hang-up */
    close(fds[1]);
    CHECK(weft_poller_set(p, &w, WEFT_WRITABLE) == WEFT_OK);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == 1);
    CHECK(ready[0].what & WEFT_HANGUP);
    CHECK(weft_poller_set(p, &w, 0) == WEFT_OK);
    CHECK(weft_poller_wait(p, 0, ready, ROOM) == 0);
    close(fds[0]);
}

static void
nothing(int number)
{
    (void)number;
}

static void
says_when_a_signal_came(struct weft_poller *p)
{
    struct weft_ready ready[ROOM];
    struct sigaction action = { 0 };
    struct itimerval soon = { .it_value.tv_usec = 10000 };

    action.sa_handler = nothing;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    CHECK(weft_poller_wait(p, -1, ready, ROOM) == -EINTR);
}

static void
refuses_what_it_cannot_watch(struct weft_poller *p)
{
    char name[] = "/tmp/weft-poller-XXXXXX";
    struct weft_watch file = { .fd = mkstemp(name) };
    struct weft_watch one = { 0 }, two = { 0 };
    int fds[2];

    CHECK(weft_sock_pipe(fds) == 0);
    one.fd = two.fd = fds[0];
    CHECK(weft_poller_set(p, &one, WEFT_READABLE) == WEFT_OK);
    if (p->ops == &weft_poller_poll) { /* which takes anything */
        CHECK(weft_poller_set(p, &file, WEFT_READABLE) == WEFT_OK);
        CHECK(weft_poller_set(p, &two, WEFT_READABLE) == WEFT_OK);
    } else {
        errno = 0;
        CHECK(weft_poller_set(p, &two, WEFT_READABLE) == WEFT_E_SYSTEM);
        CHECK(errno == EEXIST && two.wanted == 0);
#if defined(WEFT_HAVE_EPOLL)
        CHECK(weft_poller_set(p, &file, WEFT_READABLE) == WEFT_E_SYSTEM);
        CHECK(errno == EPERM && file.wanted == 0);
#endif
    }
    weft_poller_set(p, &file, 0);
    weft_poller_set(p, &two, 0);
    weft_poller_set(p, &one, 0);
    weft_sock_close(&fds[0]);
    weft_sock_close(&fds[1]);
    close(file.fd);
    unlink(name);
}

/* Every one of many is reported, a few at a time, before any comes again. */
static void
starves_none(struct weft_poller *p, struct weft_watch *watches)
{
    static int seen[MANY];
    struct weft_ready ready[ROOM];
    int missing = 0;

    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < MANY;) {
        int n = weft_poller_wait(p, 0, ready, ROOM);

        CHECK(n > 0 && n <= ROOM);
        if (n <= 0)
            return;
        for (int j = 0; j < n; j++)
            seen[ready[j].watch - watches]++;
        i += n;
    }
    for (int i = 0; i < MANY; i++)
        missing += seen[i] == 0;
    CHECK(missing == 0);
}

static void
watches_more_than_1024(struct weft_poller *p)
{
    static struct weft_watch watches[MANY];
    struct weft_ready ready[ROOM];
    int fds[2], wrong = 0, left = 0;

    CHECK(weft_sock_pipe(fds) == 0);
    weft_sock_wake(fds[1]);
    for (int i = 0; i < MANY; i++) {
        watches[i].fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
        wrong += watches[i].fd < 0;
        wrong += weft_poller_set(p, &watches[i], WEFT_READABLE) != WEFT_OK;
    }
    CHECK(wrong == 0);
    CHECK(watches[MANY - 1].fd > 1024);
    starves_none(p, watches);
    starves_none(p, watches);
    for (int i = 0; i < MANY; i++)
        if (i % 3 != 1)
            wrong += weft_poller_set(p, &watches[i], 0) != WEFT_OK;
    for (int round = 0; round < MANY / 3 / ROOM; round++) {
        int n = weft_poller_wait(p, 0, ready, ROOM);

        for (int j = 0; j < n; j++)
            wrong += (ready[j].watch - watches) % 3 != 1;
        left += n;
    }
    CHECK(wrong == 0 && left > 0);
    for (int i = 0; i < MANY; i++) {
        weft_poller_set(p, &watches[i], 0);
        weft_sock_close(&watches[i].fd);
    }
    weft_sock_close(&fds[0]);
    weft_sock_close(&fds[1]);
}

static void
keeps_to_the_contract(void)
{
    struct weft_poller *p = weft_poller_new(force_poll);

    CHECK(p != NULL);
    if (p == NULL)
        return;
    has_a_name(p);
    waits_no_shorter_than_asked(p);
    reports_reading_and_writing(p);
    reports_a_hang_up_whatever_is_asked(p);
    says_when_a_signal_came(p);
    refuses_what_it_cannot_watch(p);
    watches_more_than_1024(p);
    weft_poller_free(p);
}

static void
allow_descriptors(rlim_t wanted)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

int
main(void)
{
    allow_descriptors(MANY + 100);
    counts_in_milliseconds();
    weft_poller_free(NULL);
    keeps_to_the_contract();
    force_poll = true;
    keeps_to_the_contract();
    return check_report();
}
