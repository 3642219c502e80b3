/*
 * The system calls on sockets, by Winsock.  It keeps no state and must not know
 * what the bytes mean or who waits for them.
 *
 * A socket of Windows is a handle, and of a handle no more than 32 bits count:
 * so it is an int here, as elsewhere.
 */
#include "net/sock.h"

#include <errno.h>
#include <string.h>

#include <windows.h>

enum {
    SPANS = 64,
    MOST = 1 << 30 /* in one call: lengths are ints */
};

/* Errors --------------------------------------------------------------------*/

static const struct {
    int winsock, error;
    const char *words; /* which the C library has for none of these */
} errors[] = {
    { WSAEADDRINUSE, EADDRINUSE, "Address already in use" },
    { WSAEADDRNOTAVAIL, EADDRNOTAVAIL, "Cannot assign requested address" },
    { WSAEAFNOSUPPORT, EAFNOSUPPORT, "Address family not supported" },
    { WSAECONNABORTED, ECONNABORTED, "Connection aborted" },
    { WSAECONNREFUSED, ECONNREFUSED, "Connection refused" },
    { WSAECONNRESET, ECONNRESET, "Connection reset by peer" },
    { WSAEHOSTUNREACH, EHOSTUNREACH, "No route to host" },
    { WSAEHOSTDOWN, EHOSTUNREACH, "No route to host" },
    { WSAENETDOWN, ENETDOWN, "Network is down" },
    { WSAENETRESET, ENETRESET, "Connection reset by the network" },
    { WSAENETUNREACH, ENETUNREACH, "Network is unreachable" },
    { WSAENOBUFS, ENOBUFS, "No buffer space available" },
    { WSAENOTCONN, ENOTCONN, "Not connected" },
    { WSAENOTSOCK, ENOTSOCK, "Not a socket" },
    { WSAESHUTDOWN, EPIPE, "Broken pipe" },
    { WSAETIMEDOUT, ETIMEDOUT, "Connection timed out" },
    { WSAEOPNOTSUPP, ENOTSUP, "not supported on Windows" },
    { WSAEPROTONOSUPPORT, EPROTONOSUPPORT, "Protocol not supported" },
    { WSAEPROTOTYPE, EPROTO, "Protocol error" },
    { WSAEWOULDBLOCK, EAGAIN, "Try again" },
    { WSAEACCES, EACCES, "Permission denied" },
    { WSAEMFILE, EMFILE, "Too many open sockets" },
    { WSAEINVAL, EINVAL, "Invalid argument" },
    { WSAEFAULT, EFAULT, "Bad address" },
    { WSA_NOT_ENOUGH_MEMORY, ENOMEM, "Out of memory" },
};

enum { ERRORS = sizeof(errors) / sizeof(errors[0]) };

static int
negated(int winsock)
{
    for (int i = 0; i < ERRORS; i++)
        if (errors[i].winsock == winsock)
            return -errors[i].error;
    return -EIO;
}

static int
last_error(void)
{
    return negated(WSAGetLastError());
}

const char *
weft_error_words(int error)
{
    for (int i = 0; i < ERRORS; i++)
        if (errors[i].error == error)
            return errors[i].words;
    return strerror(error);
}

const char *
weft_name_error_words(int error)
{
    switch (error) {
    case EAI_NONAME:
        return "Name or service not known";
    case EAI_AGAIN:
        return "Temporary failure in name resolution";
    case EAI_FAIL:
        return "Non-recoverable failure in name resolution";
    default:
        return weft_error_words(-negated(error));
    }
}

/* Nothing takes this back: a thread that looks up a name may outlive all else. */
int
weft_sock_begin(void)
{
    WSADATA data;
    int error = WSAStartup(MAKEWORD(2, 2), &data);

    return error != 0 ? negated(error) : 0;
}

/* Sockets as weft wants them ------------------------------------------------*/

static int
failed(int fd)
{
    int error = last_error();

    weft_sock_close(&fd);
    return error;
}

static int
prepare(SOCKET s)
{
    u_long on = 1;
    int fd = s == INVALID_SOCKET ? -1 : (int)s;

    if (fd < 0 || ioctlsocket(s, (long)FIONBIO, &on) != 0)
        return failed(fd);
    SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
    return fd;
}

static int
new_socket(int family, int type)
{
    if (family != AF_INET && family != AF_INET6)
        return -ENOTSUP;
    return prepare(WSASocketW(family, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED));
}

static int
set_option(int fd, int level, int name, int value)
{
    return setsockopt((SOCKET)fd, level, name, (const char *)&value,
                      sizeof(value));
}

void
weft_sock_close(int *fd)
{
    if (*fd >= 0)
        closesocket((SOCKET)*fd);
    *fd = -1;
}

void
weft_sock_reset(int *fd)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    if (*fd >= 0)
        setsockopt((SOCKET)*fd, SOL_SOCKET, SO_LINGER,
                   (const char *)&at_once, sizeof(at_once));
    weft_sock_close(fd);
}

/* Listening and accepting ---------------------------------------------------*/

/* SO_REUSEADDR would let others take the port away: on Windows a port whose
 * connections linger can be listened on without. */
static int
listen_options(int fd, int family, bool dual)
{
    if (set_option(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1) != 0)
        return -1;
    return family == AF_INET6
               ? set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? 0 : 1)
               : 0;
}

int
weft_sock_listen(const struct weft_addr *a, int backlog, bool reuse_port,
                 bool dual)
{
    const struct sockaddr *to = (const struct sockaddr *)&a->storage;
    int fd = reuse_port ? -ENOTSUP
                        : new_socket(a->storage.ss_family, SOCK_STREAM);

    if (fd < 0)
        return fd;
    if (listen_options(fd, a->storage.ss_family, dual) != 0
        || bind((SOCKET)fd, to, a->len) != 0
        || listen((SOCKET)fd, backlog) != 0)
        return failed(fd);
    return fd;
}

int
weft_sock_share_port(int fd)
{
    (void)fd;
    return -ENOTSUP;
}

int
weft_sock_adopt(int fd, struct weft_addr *a)
{
    (void)fd, (void)a;
    return -ENOTSUP;
}

int
weft_sock_accept(int fd, struct weft_addr *from)
{
    SOCKET accepted;

    do {
        memset(from, 0, sizeof(*from));
        from->len = sizeof(from->storage);
        accepted = accept((SOCKET)fd, (struct sockaddr *)&from->storage,
                          &from->len);
    } while (accepted == INVALID_SOCKET /* it died in the queue */
             && WSAGetLastError() == WSAECONNRESET);
    return prepare(accepted);
}

/* Connecting ----------------------------------------------------------------*/

int
weft_sock_connect(const struct weft_addr *to)
{
    int fd = new_socket(to->storage.ss_family, SOCK_STREAM);

    if (fd < 0)
        return fd;
    if (connect((SOCKET)fd, (const struct sockaddr *)&to->storage, to->len)
            != 0
        && WSAGetLastError() != WSAEWOULDBLOCK)
        return failed(fd);
    return fd;
}

int
weft_sock_connected(int fd)
{
    struct sockaddr_storage peer;
    int error = 0, len = sizeof(error);

    if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_ERROR, (char *)&error, &len)
        != 0)
        return last_error();
    if (error != 0)
        return negated(error);
    len = sizeof(peer);
    if (getpeername((SOCKET)fd, (struct sockaddr *)&peer, &len) == 0)
        return 0;
    return WSAGetLastError() == WSAENOTCONN ? -EAGAIN : last_error();
}

int
weft_sock_local(int fd, struct weft_addr *a)
{
    memset(a, 0, sizeof(*a));
    a->len = sizeof(a->storage);
    if (getsockname((SOCKET)fd, (struct sockaddr *)&a->storage, &a->len) != 0)
        return last_error();
    return 0;
}

void
weft_sock_nodelay(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* Bytes ---------------------------------------------------------------------*/

long
weft_sock_recv(int fd, void *to, size_t len)
{
    int n = recv((SOCKET)fd, to, len < MOST ? (int)len : MOST, 0);

    return n < 0 ? last_error() : n;
}

long
weft_sock_sendv(int fd, const struct weft_span *spans, int count)
{
    WSABUF parts[SPANS];
    DWORD used = 0, sent;
    size_t len, left = MOST;

    for (; (int)used < count && used < SPANS && left > 0; left -= len) {
        len = spans[used].len < left ? spans[used].len : left;
        parts[used].buf = (char *)spans[used].data;
        parts[used++].len = (ULONG)len;
    }
    if (WSASend((SOCKET)fd, parts, used, &sent, 0, NULL, NULL) != 0)
        return last_error();
    return (long)sent;
}

int
weft_sock_shutdown_write(int fd)
{
    return shutdown((SOCKET)fd, SD_SEND) != 0 ? last_error() : 0;
}

/* Waiting and waking --------------------------------------------------------*/

/*
 * To WSAPoll() the end of what a peer sends is a hang-up, though the peer may
 * still read: here as elsewhere it is something to be read, and nothing to
 * those who do not.  Returns how many are ready.
 */
static int
as_end(struct pollfd *fds, uint32_t count)
{
    int n = 0;

    for (uint32_t i = 0; i < count; i++) {
        int what = fds[i].revents;

        if ((what & (POLLHUP | POLLERR)) == POLLHUP)
            what = (what & ~POLLHUP) | (fds[i].events & POLLIN);
        fds[i].revents = (short)what;
        n += what != 0;
    }
    return n;
}

int
weft_sock_poll(struct pollfd *fds, uint32_t count, int milliseconds)
{
    int n;

    if (count == 0) { /* which WSAPoll() refuses */
        Sleep(milliseconds < 0 ? INFINITE : (DWORD)milliseconds);
        return 0;
    }
    n = WSAPoll(fds, count, milliseconds);
    if (n <= 0)
        return n < 0 ? last_error() : 0;
    n = as_end(fds, count);
    if (n == 0)
        Sleep(1); /* WSAPoll() would say the same at once */
    return n;
}

/* Binds to a free port of the loopback, and tells its address. */
static int
bind_to_loopback(int fd, struct weft_addr *a)
{
    weft_addr_parse(a, "127.0.0.1", 0);
    if (bind((SOCKET)fd, (const struct sockaddr *)&a->storage, a->len) != 0)
        return last_error();
    return weft_sock_local(fd, a);
}

static int
join(int fd, const struct weft_addr *to)
{
    return connect((SOCKET)fd, (const struct sockaddr *)&to->storage, to->len)
                   != 0
               ? last_error()
               : 0;
}

/*
 * Two sockets for datagrams, each of which hears the other alone; pipes cannot
 * be polled here.
 */
int
weft_sock_pipe(int fds[2])
{
    struct weft_addr reader, writer;
    int error;

    fds[0] = new_socket(AF_INET, SOCK_DGRAM);
    fds[1] = new_socket(AF_INET, SOCK_DGRAM);
    error = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : 0;
    if (error == 0)
        error = bind_to_loopback(fds[0], &reader);
    if (error == 0)
        error = bind_to_loopback(fds[1], &writer);
    if (error == 0)
        error = join(fds[0], &writer);
    if (error == 0)
        error = join(fds[1], &reader);
    if (error < 0) {
        weft_sock_close(&fds[0]);
        weft_sock_close(&fds[1]);
    }
    return error;
}

void
weft_sock_wake(int fd)
{
    send((SOCKET)fd, "", 1, 0);
}

void
weft_sock_drain(int fd)
{
    char bytes[256];

    while (recv((SOCKET)fd, bytes, sizeof(bytes), 0) >= 0)
        continue;
}
