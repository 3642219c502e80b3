/*
 * The system's calls fail, each one in turn and in every way it may, in a whole
 * conversation.  What only puts a call off (it was interrupted, it would block,
 * it took a part) must not be noticed by anybody; anything else may end the
 * connection that it happens to, and no other.
 *
 * The linker puts the functions below before those of the C library (--wrap, see
 * the Makefile), so that weft is tried as it is.
 *
 *     failing_calls [STEP]    every STEP-th
 */
#include "scene.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One way in which calls may fail. */
struct way {
    const char *name;
    int error;     /* 0: one byte is moved, at most */
    bool harmless;
};

static const struct way ways[] = {
    { "EINTR", EINTR, true },
    { "EAGAIN", EAGAIN, true },
    { "a single byte", 0, true },
    { "ECONNRESET", ECONNRESET, false },
    { "EPIPE", EPIPE, false },
    { "ECONNABORTED", ECONNABORTED, true }, /* of accept(): the next one */
    { "ECONNREFUSED", ECONNREFUSED, false },
    { "ENETUNREACH", ENETUNREACH, false },
    { "EMFILE", EMFILE, false },
    { "ENFILE", ENFILE, false },
    { "ENOBUFS", ENOBUFS, false },
    { "ENOMEM", ENOMEM, false },
    { "ENOSPC", ENOSPC, false },
    { "EADDRINUSE", EADDRINUSE, false },
    { "ENOTCONN", ENOTCONN, false },
};

static struct {
    const struct way *way; /* NULL: none fails */
    long n, at;            /* which call fails; how many there were */
} plan;

static bool failed; /* it has */

/*
 * Whether this call, which may fail with one of the errors listed, is the one
 * that does; errno is set then.  Below zero in the list: a single byte.
 */
static bool
fails(const int *errors)
{
    if (plan.way == NULL)
        return false;
    for (; *errors != 0; errors++) {
        if (*errors != (plan.way->error != 0 ? plan.way->error : -1))
            continue;
        if (plan.at++ != plan.n)
            return false;
        failed = true;
        errno = plan.way->error;
        return true;
    }
    return false;
}

#define FAILS(...) fails((const int[]){ __VA_ARGS__, 0 })

enum { PART = -1 };

/* WRAP(type, name, (parameters), (arguments), errors...) */
#define WRAP(type, name, parameters, arguments, ...) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return FAILS(__VA_ARGS__) ? -1 : __real_##name arguments; \
    }

WRAP(int, socket, (int family, int type, int protocol),
     (family, type, protocol), EMFILE, ENFILE, ENOBUFS, ENOMEM)
WRAP(int, bind, (int fd, const struct sockaddr *to, socklen_t len),
     (fd, to, len), EADDRINUSE, ENOBUFS, ENOMEM)
WRAP(int, listen, (int fd, int backlog), (fd, backlog), EADDRINUSE)
WRAP(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags),
     (fd, from, len, flags), EINTR, EAGAIN, ECONNABORTED, EMFILE, ENFILE,
     ENOBUFS, ENOMEM)
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t len),
     (fd, to, len), ECONNREFUSED, ENETUNREACH, ENOBUFS, ENOMEM)
WRAP(int, getsockopt, (int fd, int level, int name, void *to, socklen_t *len),
     (fd, level, name, to, len), ENOBUFS)
WRAP(int, setsockopt,
     (int fd, int level, int name, const void *of, socklen_t len),
     (fd, level, name, of, len), ENOBUFS, ENOMEM)
WRAP(int, getsockname, (int fd, struct sockaddr *to, socklen_t *len),
     (fd, to, len), ENOBUFS)
WRAP(int, getpeername, (int fd, struct sockaddr *to, socklen_t *len),
     (fd, to, len), ENOBUFS, ENOTCONN)
WRAP(int, shutdown, (int fd, int how), (fd, how), ENOTCONN)
WRAP(int, epoll_create1, (int flags), (flags), EMFILE, ENFILE, ENOMEM)
WRAP(int, epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event),
     (epoll, what, fd, event), ENOMEM, ENOSPC)
WRAP(int, epoll_wait, (int epoll, struct epoll_event *to, int most, int ms),
     (epoll, to, most, ms), EINTR)
WRAP(int, poll, (struct pollfd *fds, nfds_t count, int ms), (fds, count, ms),
     EINTR, ENOMEM)
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags), EMFILE, ENFILE)

ssize_t __real_recv(int fd, void *to, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t len, int flags);

ssize_t
__wrap_recv(int fd, void *to, size_t len, int flags)
{
    if (!FAILS(EINTR, EAGAIN, PART, ECONNRESET, ENOMEM, ENOBUFS))
        return __real_recv(fd, to, len, flags);
    return errno != 0 ? -1 : __real_recv(fd, to, len > 0, flags);
}

ssize_t __real_send(int fd, const void *from, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t len, int flags);

ssize_t
__wrap_send(int fd, const void *from, size_t len, int flags)
{
    if (!FAILS(EINTR, EAGAIN, PART, ECONNRESET, EPIPE, ENOMEM, ENOBUFS))
        return __real_send(fd, from, len, flags);
    return errno != 0 ? -1 : __real_send(fd, from, len > 0, flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!FAILS(EINTR, EAGAIN, PART, ECONNRESET, EPIPE, ENOMEM, ENOBUFS))
        return __real_sendmsg(fd, message, flags);
    return errno != 0 ? -1 : __real_send(fd, message->msg_iov[0].iov_base, 1,
                                         flags);
}

/* ------------------------------------------------------------------------- */

static const struct way *way; /* that is tried now */

static void
arm(struct memory *m, long n)
{
    (void)m;
    plan.way = way;
    plan.n = n;
    plan.at = 0;
    failed = false;
}

static bool
disarm(struct memory *m)
{
    (void)m;
    plan.way = NULL;
    return failed;
}

int
main(int argc, char **argv)
{
    long all = 0;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct failure f = { arm, disarm, ways[i].harmless };
        long tried;

        way = &ways[i];
        tried = play_all(&f, step_of(argc, argv));
        printf("%ld calls failed with %s\n", tried, way->name);
        fflush(stdout);
        all += tried;
    }
    printf("in a conversation, %ld calls failed\n", all);
    CHECK(all > 10);
    return check_report();
}
