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
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is no errno: those of getaddrinfo() are below zero as well. */
enum { PART = -1000, NO_THREAD };

/* One way in which calls may fail. */
struct way {
    const char *name;
    int error; /* errno, or what stands for it */
    bool harmless;
};

static const struct way ways[] = {
    { "EINTR", EINTR, true },
    { "EAGAIN", EAGAIN, true },
    { "a single byte", PART, true },
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
    { "no thread", NO_THREAD, false },
    { "EAI_AGAIN", EAI_AGAIN, false },
    { "EAI_FAIL", EAI_FAIL, false },
    { "EAI_NONAME", EAI_NONAME, false },
    { "EAI_MEMORY", EAI_MEMORY, false },
    { "EAI_SYSTEM", EAI_SYSTEM, false },
};

/* Names are looked up by threads. */
static struct {
    const struct way *_Atomic way; /* NULL: none fails */
    atomic_long left;              /* how many calls go well before */
    atomic_bool failed;            /* one has */
} plan;

/*
 * Whether this call, which may fail with one of the errors listed, is the one
 * that does; errno is set then.
 */
static bool
fails(const int *errors)
{
    const struct way *now = plan.way;

    for (; now != NULL && *errors != 0; errors++) {
        if (*errors != now->error)
            continue;
        if (atomic_fetch_sub(&plan.left, 1) != 0)
            return false;
        plan.failed = true;
        errno = now->error;
        return true;
    }
    return false;
}

#define FAILS(...) fails((const int[]){ __VA_ARGS__, 0 })

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
WRAP(ssize_t, read, (int fd, void *to, size_t len), (fd, to, len), EINTR)
WRAP(ssize_t, write, (int fd, const void *from, size_t len), (fd, from, len),
     EINTR)

ssize_t __real_recv(int fd, void *to, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t len, int flags);

ssize_t
__wrap_recv(int fd, void *to, size_t len, int flags)
{
    if (!FAILS(EINTR, EAGAIN, PART, ECONNRESET, ENOMEM, ENOBUFS))
        return __real_recv(fd, to, len, flags);
    return errno != PART ? -1 : __real_recv(fd, to, len > 0, flags);
}

ssize_t __real_send(int fd, const void *from, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t len, int flags);

ssize_t
__wrap_send(int fd, const void *from, size_t len, int flags)
{
    if (!FAILS(EINTR, EAGAIN, PART, ECONNRESET, EPIPE, ENOMEM, ENOBUFS))
        return __real_send(fd, from, len, flags);
    return errno != PART ? -1 : __real_send(fd, from, len > 0, flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!FAILS(EINTR, EAGAIN, PART, ECONNRESET, EPIPE, ENOMEM, ENOBUFS))
        return __real_sendmsg(fd, message, flags);
    return errno != PART ? -1 : __real_send(fd, message->msg_iov[0].iov_base, 1,
                                         flags);
}

/* These two return what is wrong. */
typedef void *runner(void *);
int __real_pthread_create(pthread_t *to, const pthread_attr_t *attributes,
                          runner *run, void *argument);
int __wrap_pthread_create(pthread_t *to, const pthread_attr_t *attributes,
                          runner *run, void *argument);

int
__wrap_pthread_create(pthread_t *to, const pthread_attr_t *attributes,
                      runner *run, void *argument)
{
    return FAILS(NO_THREAD)
               ? EAGAIN
               : __real_pthread_create(to, attributes, run, argument);
}

int __real_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **to);
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **to);

int
__wrap_getaddrinfo(const char *host, const char *service,
                   const struct addrinfo *hints, struct addrinfo **to)
{
    int error;

    if (!FAILS(EAI_AGAIN, EAI_FAIL, EAI_NONAME, EAI_MEMORY, EAI_SYSTEM))
        return __real_getaddrinfo(host, service, hints, to);
    error = errno;
    errno = EMFILE; /* what EAI_SYSTEM refers to */
    return error;
}

/* ------------------------------------------------------------------------- */

static const struct way *way; /* that is tried now */

static void
arm(struct memory *m, long n)
{
    (void)m;
    plan.left = n;
    plan.failed = false;
    plan.way = way;
}

static bool
disarm(struct memory *m)
{
    (void)m;
    plan.way = NULL;
    return plan.failed;
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
