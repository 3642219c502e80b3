/*
 * One line into a descriptor that is not ours to change.  It must not know what
 * it says.
 */
#include "net/line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long
outcome(long n)
{
    if (n >= 0)
        return n;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static bool
has_room(int fd)
{
    struct pollfd p = { fd, POLLOUT, 0 };

    return poll(&p, 1, 0) == 1;
}

/*
 * A socket and a pipe are written to without waiting, for anything else it is
 * asked before whether there is room.
 *
 * Two processes may both see the last room in a pipe, and the one that is late
 * would wait for whoever reads; where the kernel knows how, it does not.
 */
static long
write_now(int fd, struct weft_span bytes, mode_t mode)
{
    long n;

#ifdef RWF_NOWAIT
    struct iovec part = { (void *)bytes.data, bytes.len };

    if (S_ISFIFO(mode)) {
        n = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
        if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
            return outcome(n);
    }
#endif
    if (S_ISSOCK(mode))
        return outcome(send(fd, bytes.data, bytes.len, MSG_DONTWAIT));
    if (!has_room(fd))
        return -EAGAIN;
    do
        n = write(fd, bytes.data, bytes.len);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

/* The signal that nobody reads any more is ours alone, so it is taken back. */
static long
write_quietly(int fd, struct weft_span bytes, mode_t mode)
{
    sigset_t pipe_gone, before, pending;
    int number;
    long n;

    sigemptyset(&pipe_gone);
    sigaddset(&pipe_gone, SIGPIPE);
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) == 1) /* it waits for another's sake */
        return write_now(fd, bytes, mode);
    pthread_sigmask(SIG_BLOCK, &pipe_gone, &before);
    n = write_now(fd, bytes, mode);
    sigpending(&pending);
    if (n == -EPIPE && sigismember(&pending, SIGPIPE) == 1)
        sigwait(&pipe_gone, &number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

long
weft_line_write(int fd, struct weft_span bytes)
{
    struct stat what;
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0 || fstat(fd, &what) < 0)
        return -errno;
    if (flags & FD_CLOEXEC) /* a socket of ours, where stderr was closed */
        return -EBADF;
    return write_quietly(fd, bytes, what.st_mode);
}
