/*
 * The system calls on sockets and descriptors.  It keeps no state and must
 * not know what the bytes mean or who waits for them.
 */
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SPANS = 64,
    MOST = 1 << 30 /* in one call: some kernels refuse 2 GiB */
};

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* then there is SO_NOSIGPIPE */
#endif

int
weft_sock_begin(void)
{
    return 0;
}

const char *
weft_error_words(int error)
{
    return strerror(error);
}

const char *
weft_name_error_words(int error)
{
    return gai_strerror(error);
}

/* What differs between kernels: descriptors born as weft wants them ---------*/

static int
failed(int fd)
{
    int error = -errno;

    weft_sock_close(&fd);
    return error;
}

static int
prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0
        || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    return 0;
}

#ifdef SOCK_CLOEXEC

static int
new_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

static int
new_accepted(int fd, struct sockaddr *from, socklen_t *len)
{
    int accepted = accept4(fd, from, len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    return accepted < 0 ? -errno : accepted;
}

int
weft_sock_pipe(int fds[2])
{
    return pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0;
}

#else

static int
prepare_socket(int fd)
{
    if (fd < 0 || prepare(fd) < 0)
        return failed(fd);
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){ 1 }, sizeof(int));
#endif
    return fd;
}

static int
new_socket(int family)
{
    return prepare_socket(socket(family, SOCK_STREAM, 0));
}

static int
new_accepted(int fd, struct sockaddr *from, socklen_t *len)
{
    return prepare_socket(accept(fd, from, len));
}

int
weft_sock_pipe(int fds[2])
{
    int error;

    if (pipe(fds) < 0)
        return -errno;
    error = prepare(fds[0]);
    if (error == 0)
        error = prepare(fds[1]);
    if (error < 0) {
        weft_sock_close(&fds[0]);
        weft_sock_close(&fds[1]);
    }
    return error;
}

#endif

/* Listening and accepting ---------------------------------------------------*/

static int
set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

static int
share_port(int fd)
{
#if defined(SO_REUSEPORT_LB) /* FreeBSD's name for the one that balances */
    return set_option(fd, SOL_SOCKET, SO_REUSEPORT_LB, 1);
#elif defined(SO_REUSEPORT)
    return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
#else
    (void)fd;
    errno = ENOTSUP;
    return -1;
#endif
}

int
weft_sock_share_port(int fd)
{
#if defined(__linux__)
    return share_port(fd) < 0 ? -errno : 0;
#else
    (void)fd;
    return -ENOTSUP;
#endif
}

static int
listen_options(int fd, int family, bool reuse_port, bool dual)
{
    if (family != AF_INET && family != AF_INET6)
        return 0;
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
        return -1;
    if (family == AF_INET6
        && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? 0 : 1) < 0)
        return -1;
    return reuse_port ? share_port(fd) : 0;
}

/*
 * Whether the path is a socket that nobody listens on.  A server that starts
 * between this and the unlink() loses its path: there is no call for both.
 */
static bool
is_stale(const struct weft_addr *a)
{
    struct sockaddr_un un;
    struct stat st;
    int fd, error;

    memcpy(&un, &a->storage, sizeof(un));
    if (lstat(un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = weft_sock_connect(a);
    error = fd < 0 ? fd : 0;
    weft_sock_close(&fd);
    return error == -ECONNREFUSED;
}

static int
bind_to(int fd, const struct weft_addr *a)
{
    const struct sockaddr *to = (const struct sockaddr *)&a->storage;
    struct sockaddr_un un;

    if (bind(fd, to, a->len) == 0)
        return 0;
    if (errno != EADDRINUSE || a->storage.ss_family != AF_UNIX)
        return -1;
    if (!is_stale(a)) {
        errno = EADDRINUSE;
        return -1;
    }
    memcpy(&un, &a->storage, sizeof(un));
    if (unlink(un.sun_path) < 0)
        return -1;
    return bind(fd, to, a->len);
}

int
weft_sock_listen(const struct weft_addr *a, int backlog, bool reuse_port,
                 bool dual)
{
    int family = a->storage.ss_family;
    int fd = new_socket(family);

    if (fd < 0)
        return fd;
    if (listen_options(fd, family, reuse_port, dual) < 0)
        return failed(fd);
    if (bind_to(fd, a) < 0 || listen(fd, backlog) < 0)
        return failed(fd);
    return fd;
}

static bool
has_option(int fd, int name, int expected)
{
    socklen_t len = sizeof(int);
    int value = 0;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0
           && value == expected;
}

int
weft_sock_adopt(int fd, struct weft_addr *a)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ENOTSOCK;
    if (!has_option(fd, SO_TYPE, SOCK_STREAM)
        || !has_option(fd, SO_ACCEPTCONN, 1))
        return -EINVAL;
    if (weft_sock_local(fd, a) < 0)
        return -EINVAL;
    switch (a->storage.ss_family) {
    case AF_INET:
    case AF_INET6:
    case AF_UNIX:
        return prepare(fd);
    default:
        return -EINVAL;
    }
}

/* What accept() says of a connection that died in the queue, accept(2). */
static bool
died_waiting(int error)
{
    switch (-error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return true;
    default:
        return false;
    }
}

int
weft_sock_accept(int fd, struct weft_addr *from)
{
    int accepted;

    do {
        memset(from, 0, sizeof(*from));
        from->len = sizeof(from->storage);
        accepted = new_accepted(fd, (struct sockaddr *)&from->storage,
                                &from->len);
    } while (accepted < 0 && died_waiting(accepted));
    return accepted == -EWOULDBLOCK ? -EAGAIN : accepted;
}

/* Connecting ----------------------------------------------------------------*/

int
weft_sock_connect(const struct weft_addr *to)
{
    int fd = new_socket(to->storage.ss_family);

    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&to->storage, to->len) == 0)
        return fd;
    /* interrupted, it goes on by itself; calling again would be wrong */
    if (errno == EINPROGRESS || errno == EINTR)
        return fd;
    return failed(fd);
}

int
weft_sock_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(int);
    int error = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    if (error != 0)
        return -error;
    len = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
        return 0;
    return errno == ENOTCONN ? -EAGAIN : -errno;
}

/* Bytes ---------------------------------------------------------------------*/

/* Whether to call again; if not, *n is what to return. */
static bool
interrupted(long *n)
{
    if (*n >= 0)
        return false;
    if (errno == EINTR)
        return true;
    *n = errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return false;
}

long
weft_sock_recv(int fd, void *to, size_t len)
{
    long n;

    do
        n = recv(fd, to, len, 0);
    while (interrupted(&n));
    return n;
}

/* The kernel takes one span for less than a list of one. */
static long
send_one(int fd, struct weft_span span)
{
    long n;

    do
        n = send(fd, span.data, span.len < MOST ? span.len : MOST,
                 MSG_NOSIGNAL);
    while (interrupted(&n));
    return n;
}

static long
send_list(int fd, const struct weft_span *spans, int count)
{
    struct iovec parts[SPANS];
    struct msghdr message = { 0 };
    uint16_t used = 0; /* fits whatever type msg_iovlen has */
    size_t len, left = MOST;
    long n;

    for (; used < count && used < SPANS && left > 0; used++, left -= len) {
        len = spans[used].len < left ? spans[used].len : left;
        parts[used].iov_base = (char *)spans[used].data;
        parts[used].iov_len = len;
    }
    message.msg_iov = parts;
    message.msg_iovlen = used;
    do /* one part, as ciphertext is, goes a shorter way */
        n = used == 1 ? send(fd, parts[0].iov_base, parts[0].iov_len,
                             MSG_NOSIGNAL)
                      : sendmsg(fd, &message, MSG_NOSIGNAL);
    while (interrupted(&n));
    return n;
}

long
weft_sock_sendv(int fd, const struct weft_span *spans, int count)
{
    return count == 1 ? send_one(fd, spans[0]) : send_list(fd, spans, count);
}

int
weft_sock_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

void
weft_sock_nodelay(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int
weft_sock_local(int fd, struct weft_addr *a)
{
    memset(a, 0, sizeof(*a));
    a->len = sizeof(a->storage);
    if (getsockname(fd, (struct sockaddr *)&a->storage, &a->len) < 0)
        return -errno;
    return 0;
}

void
weft_sock_close(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* not again on EINTR: it is closed, perhaps reused */
    *fd = -1;
}

void
weft_sock_reset(int *fd)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    if (*fd >= 0)
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    weft_sock_close(fd);
}

/* Waiting and waking --------------------------------------------------------*/

int
weft_sock_poll(struct pollfd *fds, uint32_t count, int milliseconds)
{
    int n = poll(fds, count, milliseconds);

    return n < 0 ? -errno : n;
}

void
weft_sock_wake(int fd)
{
    int error = errno; /* a signal handler may be what wakes */
    long n;

    do
        n = write(fd, "", 1);
    while (interrupted(&n));
    errno = error;
}

void
weft_sock_drain(int fd)
{
    char bytes[256];
    long n;

    do {
        do
            n = read(fd, bytes, sizeof(bytes));
        while (interrupted(&n));
    } while (n > 0);
}
