/*
 * Addresses as words, and sockets on the loopback and in the file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "net/clock.h"
#include "net/sock.h"

/* Addresses -----------------------------------------------------------------*/

static bool
prints_as(const char *host, const char *expected)
{
    struct weft_addr a;
    char text[WEFT_ADDR_TEXT];

    if (!weft_addr_parse(&a, host, 8080) || weft_addr_port(&a) != 8080)
        return false;
    weft_addr_host(&a, text);
    return strcmp(text, expected) == 0;
}

static void
literals_go_both_ways(void)
{
    struct weft_addr a;

    CHECK(prints_as("127.0.0.1", "127.0.0.1"));
    CHECK(prints_as("::1", "::1"));
    CHECK(prints_as("2001:DB8:0::7", "2001:db8::7"));
    CHECK(prints_as("::ffff:10.0.0.1", "10.0.0.1"));
    CHECK(prints_as("fe80::1%4294967295", "fe80::1%4294967295"));
    CHECK(!weft_addr_parse(&a, "", 1));
    CHECK(!weft_addr_parse(&a, "localhost", 1));
    CHECK(!weft_addr_parse(&a, "127.1", 1));
    CHECK(!weft_addr_parse(&a, "1.2.3.4.5", 1));
    CHECK(!weft_addr_parse(&a, "[::1]", 1));
    CHECK(!weft_addr_parse(&a, "::1%", 1));
    CHECK(!weft_addr_parse(&a, "::1%no such zone", 1));
    CHECK(!weft_addr_parse(&a, "::1%4294967296", 1));
    CHECK(weft_addr_zone_unknown("::1%no such zone"));
    CHECK(weft_addr_zone_unknown("::1%"));
    CHECK(!weft_addr_zone_unknown("::1%1"));
    CHECK(!weft_addr_zone_unknown("::1"));
    CHECK(!weft_addr_zone_unknown("example.com%no such zone"));
    CHECK(!weft_addr_parse(&a, "1:2:3:4:5:6:7:8:1:2:3:4:5:6:7:8:1:2:3:4:5", 1));
}

static void
ports_can_be_changed(void)
{
    struct weft_addr a;

    weft_addr_parse(&a, "10.0.0.1", 1);
    weft_addr_set_port(&a, 65535);
    CHECK(weft_addr_port(&a) == 65535);
    weft_addr_parse(&a, "::1", 1);
    weft_addr_set_port(&a, 443);
    CHECK(weft_addr_port(&a) == 443);
    weft_addr_unix(&a, "/tmp/x");
    weft_addr_set_port(&a, 443);
    CHECK(weft_addr_port(&a) == 0);
}

static void
paths_are_addresses(void)
{
    struct weft_addr a;
    char text[WEFT_ADDR_TEXT], long_path[200];

    CHECK(weft_addr_unix(&a, "/tmp/weft.sock"));
    weft_addr_host(&a, text);
    CHECK(strcmp(text, "/tmp/weft.sock") == 0);
    CHECK(!weft_addr_unix(&a, ""));
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    CHECK(!weft_addr_unix(&a, long_path));
    a = (struct weft_addr){ 0 };
    weft_addr_host(&a, text);
    CHECK(strcmp(text, "unknown") == 0);
}

/* Sockets -------------------------------------------------------------------*/

static bool
wait_for(int fd, int events)
{
    struct pollfd p = { .fd = fd, .events = (short)events };

    return poll(&p, 1, 5000) == 1;
}

/* Listens on a free port of host; *a is then where. */
static int
listen_on(const char *host, struct weft_addr *a, bool dual)
{
    int fd;

    weft_addr_parse(a, host, 0);
    fd = weft_sock_listen(a, 16, false, dual);
    CHECK(fd >= 0);
    CHECK(weft_sock_local(fd, a) == 0);
    return fd;
}

static int
accept_one(int listener)
{
    struct weft_addr from;

    CHECK(wait_for(listener, POLLIN));
    return weft_sock_accept(listener, &from);
}

/* Two ends of one TCP connection. */
static void
connect_pair(int ends[2])
{
    struct weft_addr a;
    int listener = listen_on("127.0.0.1", &a, false);

    ends[0] = weft_sock_connect(&a);
    CHECK(ends[0] >= 0);
    ends[1] = accept_one(listener);
    CHECK(ends[1] >= 0);
    CHECK(wait_for(ends[0], POLLOUT));
    CHECK(weft_sock_connected(ends[0]) == 0);
    weft_sock_close(&listener);
}

static bool
is_prepared(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0
           && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void
connections_carry_bytes(void)
{
    struct weft_span spans[] = { { "Hel", 3 }, { NULL, 0 }, { "lo", 2 } };
    char bytes[16];
    int ends[2];

    connect_pair(ends);
    CHECK(is_prepared(ends[0]) && is_prepared(ends[1]));
    weft_sock_nodelay(ends[0]);
    CHECK(weft_sock_recv(ends[1], bytes, sizeof(bytes)) == -EAGAIN);
    CHECK(weft_sock_sendv(ends[0], spans, 3) == 5);
    CHECK(wait_for(ends[1], POLLIN));
    CHECK(weft_sock_recv(ends[1], bytes, sizeof(bytes)) == 5);
    CHECK(memcmp(bytes, "Hello", 5) == 0);
    CHECK(weft_sock_shutdown_write(ends[0]) == 0);
    CHECK(wait_for(ends[1], POLLIN));
    CHECK(weft_sock_recv(ends[1], bytes, sizeof(bytes)) == 0);
    weft_sock_close(&ends[0]);
    CHECK(ends[0] == -1);
    weft_sock_close(&ends[0]);
    weft_sock_close(&ends[1]);
}

static void
many_spans_go_in_turns(void)
{
    struct weft_span spans[100];
    int ends[2];

    for (int i = 0; i < 100; i++)
        spans[i] = (struct weft_span){ "xy", 2 };
    connect_pair(ends);
    CHECK(weft_sock_sendv(ends[0], spans, 100) == 128);
    weft_sock_close(&ends[0]);
    weft_sock_close(&ends[1]);
}

static void
full_sockets_say_so(void)
{
    static char megabyte[1 << 20];
    struct weft_span span = { megabyte, sizeof(megabyte) };
    int ends[2], calls = 0;
    long n;

    connect_pair(ends);
    do
        n = weft_sock_sendv(ends[0], &span, 1);
    while (n > 0 && ++calls < 1000);
    CHECK(n == -EAGAIN);
    weft_sock_close(&ends[0]);
    weft_sock_close(&ends[1]);
}

/* SIGPIPE would end this program. */
static void
broken_connections_are_errors(void)
{
    struct weft_span span = { "x", 1 };
    char byte;
    int ends[2];

    connect_pair(ends);
    weft_sock_reset(&ends[1]);
    CHECK(ends[1] == -1);
    CHECK(wait_for(ends[0], POLLIN));
    CHECK(weft_sock_recv(ends[0], &byte, 1) == -ECONNRESET);
    CHECK(weft_sock_sendv(ends[0], &span, 1) == -EPIPE);
    weft_sock_close(&ends[0]);
}

static void
refusals_are_told(void)
{
    struct weft_addr a;
    int listener = listen_on("127.0.0.1", &a, false), fd, error;

    CHECK(weft_sock_listen(&a, 16, false, false) == -EADDRINUSE);
    CHECK(weft_sock_accept(listener, &a) == -EAGAIN);
    CHECK(weft_sock_accept(-1, &a) == -EBADF);
    weft_sock_local(listener, &a);
    weft_sock_close(&listener);
    fd = weft_sock_connect(&a);
    error = fd;
    if (fd >= 0 && wait_for(fd, POLLOUT))
        error = weft_sock_connected(fd);
    CHECK(error == -ECONNREFUSED);
    weft_sock_close(&fd);
    CHECK(weft_sock_local(-1, &a) == -EBADF);
    CHECK(weft_sock_shutdown_write(-1) == -EBADF);
}

static void
undecided_connects_wait(void)
{
    struct weft_addr a;
    int listener = listen_on("127.0.0.1", &a, false);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(weft_sock_connected(fd) == -EAGAIN);
    weft_sock_close(&fd);
    weft_sock_close(&listener);
}

static void
one_port_can_be_shared(void)
{
    struct weft_addr a;
    int one, two;

    weft_addr_parse(&a, "127.0.0.1", 0);
    one = weft_sock_listen(&a, 16, true, false);
    CHECK(one >= 0 && weft_sock_local(one, &a) == 0);
    two = weft_sock_listen(&a, 16, true, false);
    CHECK(two >= 0);
    weft_sock_close(&one);
    weft_sock_close(&two);
}

/* Where there is no IPv6 this has nothing to say. */
static void
one_socket_serves_both_families(void)
{
    struct weft_addr a, v4, from;
    char text[WEFT_ADDR_TEXT];
    int listener, fd, accepted;

    weft_addr_parse(&a, "::", 0);
    listener = weft_sock_listen(&a, 16, false, true);
    if (listener < 0)
        return;
    weft_sock_local(listener, &a);
    weft_addr_parse(&v4, "127.0.0.1", weft_addr_port(&a));
    fd = weft_sock_connect(&v4);
    CHECK(wait_for(listener, POLLIN));
    accepted = weft_sock_accept(listener, &from);
    CHECK(accepted >= 0);
    weft_addr_host(&from, text);
    CHECK(strcmp(text, "127.0.0.1") == 0);
    weft_sock_close(&accepted);
    weft_sock_close(&fd);
    weft_sock_close(&listener);
}

/* Unix-domain sockets -------------------------------------------------------*/

static void
paths_listen(const char *path)
{
    struct weft_addr a, from;
    char text[WEFT_ADDR_TEXT];
    int listener, fd, accepted;

    weft_addr_unix(&a, path);
    listener = weft_sock_listen(&a, 16, true, true);
    CHECK(listener >= 0);
    CHECK(weft_sock_listen(&a, 16, false, false) == -EADDRINUSE);
    accepted = weft_sock_accept(listener, &from); /* what the probe left */
    weft_sock_close(&accepted);
    fd = weft_sock_connect(&a);
    CHECK(fd >= 0 && weft_sock_connected(fd) == 0);
    weft_sock_nodelay(fd);
    accepted = weft_sock_accept(listener, &from);
    CHECK(accepted >= 0);
    weft_addr_host(&from, text);
    CHECK(strcmp(text, "unix") == 0);
    weft_sock_close(&accepted);
    weft_sock_close(&fd);
    weft_sock_close(&listener);
}

static void
only_stale_sockets_are_replaced(const char *path)
{
    struct weft_addr a;
    struct stat st;
    int fd;

    weft_addr_unix(&a, path);
    CHECK(stat(path, &st) == 0 && S_ISSOCK(st.st_mode));
    fd = weft_sock_listen(&a, 16, false, false);
    CHECK(fd >= 0);
    weft_sock_close(&fd);
    unlink(path);

    fd = open(path, O_CREAT | O_WRONLY, 0600);
    weft_sock_close(&fd);
    CHECK(weft_sock_listen(&a, 16, false, false) == -EADDRINUSE);
    CHECK(stat(path, &st) == 0 && S_ISREG(st.st_mode));
    unlink(path);
}

static void
paths_are_sockets(void)
{
    char dir[] = "/tmp/weft-sock-XXXXXX", path[64];

    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/s", dir);
    paths_listen(path);
    only_stale_sockets_are_replaced(path);
    rmdir(dir);
}

/* Waking --------------------------------------------------------------------*/

static void
pipes_wake(void)
{
    int fds[2];

    CHECK(weft_sock_pipe(fds) == 0);
    CHECK(is_prepared(fds[0]) && is_prepared(fds[1]));
    errno = ERANGE;
    for (int i = 0; i < 100000; i++) /* more than a pipe holds */
        weft_sock_wake(fds[1]);
    CHECK(errno == ERANGE); /* fit for a signal handler */
    CHECK(wait_for(fds[0], POLLIN));
    weft_sock_drain(fds[0]);
    CHECK(poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, 0) == 0);
    weft_sock_close(&fds[1]);
    weft_sock_drain(fds[0]);
    weft_sock_close(&fds[0]);
}

/* As a program gets it that was started with it: it waits, and is inherited. */
static void
given_sockets_are_made_ours(void)
{
    struct weft_addr a, told;
    int listener = listen_on("127.0.0.1", &a, false);
    int plain = socket(AF_INET, SOCK_STREAM, 0);
    int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    int fds[2];

    fcntl(listener, F_SETFL, 0);
    fcntl(listener, F_SETFD, 0);
    CHECK(weft_sock_adopt(listener, &told) == 0);
    CHECK(weft_addr_port(&told) == weft_addr_port(&a));
    CHECK((fcntl(listener, F_GETFL) & O_NONBLOCK) != 0);
    CHECK(fcntl(listener, F_GETFD) == FD_CLOEXEC);
    CHECK(weft_sock_adopt(plain, &told) == -EINVAL);
    CHECK((fcntl(plain, F_GETFL) & O_NONBLOCK) == 0);
    CHECK(weft_sock_adopt(datagrams, &told) == -EINVAL);
    CHECK(weft_sock_pipe(fds) == 0);
    CHECK(weft_sock_adopt(fds[0], &told) == -ENOTSOCK);
    CHECK(weft_sock_adopt(-1, &told) == -EBADF);
    weft_sock_close(&listener);
    weft_sock_close(&plain);
    weft_sock_close(&datagrams);
    weft_sock_close(&fds[0]);
    weft_sock_close(&fds[1]);
}

static void
time_goes_on(void)
{
    int64_t before = weft_now();

    usleep(2000);
    CHECK(weft_now() - before >= 2000000);
}

int
main(void)
{
    literals_go_both_ways();
    ports_can_be_changed();
    paths_are_addresses();
    connections_carry_bytes();
    many_spans_go_in_turns();
    full_sockets_say_so();
    broken_connections_are_errors();
    refusals_are_told();
    undecided_connects_wait();
    one_port_can_be_shared();
    one_socket_serves_both_families();
    paths_are_sockets();
    pipes_wake();
    given_sockets_are_made_ours();
    time_goes_on();
    return check_report();
}
