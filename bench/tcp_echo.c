/*
 * A raw TCP echo: what any server on this machine pays the kernel at least.
 *
 *     tcp_echo PORT       on 127.0.0.1, until a signal comes
 *
 * One receive and one send for each readiness, nothing looked at.  A
 * connection that does not take its echo is not read until it has.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 512, ARENA = 256 * 1024 };

/* The echo that the kernel has not taken yet is bytes[at..len). */
struct conn {
    int fd;
    uint8_t *bytes;
    size_t at, len;
};

static uint8_t arena[ARENA];

static void
fail(const char *what)
{
    fprintf(stderr, "tcp_echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
watch(int epoll, int operation, struct conn *c, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = c };

    if (epoll_ctl(epoll, operation, c->fd, &event) < 0)
        fail("epoll_ctl");
}

static void
drop(struct conn *c)
{
    close(c->fd);
    free(c->bytes);
    free(c);
}

static void
take_new(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *c;

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        fail("calloc");
    c->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, c, EPOLLIN);
}

/* What the kernel took of it, 0 when it is full, negative when it is over. */
static ssize_t
send_some(int fd, const uint8_t *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static void
echo(int epoll, struct conn *c)
{
    ssize_t n = recv(c->fd, arena, ARENA, 0), sent;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    sent = n > 0 ? send_some(c->fd, arena, (size_t)n) : -1;
    if (sent < 0) {
        drop(c);
    } else if (sent < n) {
        c->at = 0;
        c->len = (size_t)(n - sent);
        c->bytes = malloc(c->len);
        if (c->bytes == NULL)
            fail("malloc");
        memcpy(c->bytes, arena + sent, c->len);
        watch(epoll, EPOLL_CTL_MOD, c, EPOLLOUT);
    }
}

static void
send_rest(int epoll, struct conn *c)
{
    ssize_t n = send_some(c->fd, c->bytes + c->at, c->len - c->at);

    if (n < 0) {
        drop(c);
        return;
    }
    c->at += (size_t)n;
    if (c->at == c->len) {
        free(c->bytes);
        c->bytes = NULL;
        watch(epoll, EPOLL_CTL_MOD, c, EPOLLIN);
    }
}

static int
listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 },
                      sizeof(int)) < 0
        || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0
        || listen(fd, 4096) < 0)
        fail("listen");
    return fd;
}

int
main(int argc, char **argv)
{
    struct epoll_event events[BATCH];
    struct conn listener;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 2 || epoll < 0) {
        fprintf(stderr, "usage: tcp_echo PORT\n");
        return 2;
    }
    listener.fd = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
    watch(epoll, EPOLL_CTL_ADD, &listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll, events, BATCH, -1);

        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;

            if (c == &listener)
                take_new(epoll, listener.fd);
            else if (c->bytes != NULL)
                send_rest(epoll, c);
            else
                echo(epoll, c);
        }
    }
}
