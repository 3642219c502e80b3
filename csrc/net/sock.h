/*
 * Every system call on sockets and descriptors that weft makes: one seam, for
 * other platforms and for tests that make calls fail.
 *
 * All descriptors are non-blocking and close-on-exec.  Calls return 0 or a
 * count, or a negated errno; EINTR is retried inside; EWOULDBLOCK comes as
 * -EAGAIN.
 */
#ifndef WEFT_NET_SOCK_H
#define WEFT_NET_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "net/addr.h"

/*
 * What the system wants before a process has its first socket or looks up its
 * first name; as often as one likes.  0, or -errno.
 */
int weft_sock_begin(void);

/*
 * Binds and listens; returns the descriptor.  TCP gets SO_REUSEADDR, an IPv6
 * address V6ONLY unless `dual` (then one socket serves both families).
 * A Unix-domain path that a dead server left behind (nobody accepts) is
 * replaced; a live one is -EADDRINUSE.
 */
int weft_sock_listen(const struct weft_addr *a, int backlog, bool reuse_port,
                     bool dual);

/*
 * Lets sockets that are bound with reuse_port from now on share the port of
 * this one, which listens already: the kernel deals connections out evenly.
 * -ENOTSUP where it would not.
 */
int weft_sock_share_port(int fd);

/*
 * Makes a listening stream socket that the process was given one of ours, and
 * tells its address.  -EINVAL or -ENOTSOCK when it is none; whose it is stays
 * as it was unless this returns 0.
 */
int weft_sock_adopt(int fd, struct weft_addr *a);

/* The next connection and where it is from, -EAGAIN when there is none. */
int weft_sock_accept(int fd, struct weft_addr *from);

/* Starts to connect; returns the descriptor; writable once it is decided. */
int weft_sock_connect(const struct weft_addr *to);

/* How a started connect ended: 0, or a negated errno; -EAGAIN: not yet. */
int weft_sock_connected(int fd);

/* Bytes received, 0 at the end of the stream. */
long weft_sock_recv(int fd, void *to, size_t len);

/* Sends the spans (at most 64) in one call, never raising SIGPIPE. */
long weft_sock_sendv(int fd, const struct weft_span *spans, int count);

int weft_sock_shutdown_write(int fd);
void weft_sock_nodelay(int fd); /* nothing on a Unix-domain socket */
int weft_sock_local(int fd, struct weft_addr *a);

/* What an errno that came from here says, for people; as strerror().  And an
 * error of getaddrinfo(), as gai_strerror(). */
const char *weft_error_words(int error);
const char *weft_name_error_words(int error);

/* Closes *fd once, if it is not -1, and sets it to -1. */
void weft_sock_close(int *fd);

/* Closes at once with a reset rather than a lingering FIN. */
void weft_sock_reset(int *fd);

/* As poll(2), whose declarations are base/inet.h's; -EINTR is told. */
int weft_sock_poll(struct pollfd *fds, uint32_t count, int milliseconds);

/* A pipe that wakes a poller: fds[0] reads, fds[1] writes. */
int weft_sock_pipe(int fds[2]);
void weft_sock_wake(int fd);       /* writes one byte; a full pipe is fine */
void weft_sock_drain(int fd);      /* reads all there is */

#endif
