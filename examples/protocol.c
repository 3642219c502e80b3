/*
 * weft's protocol in a C program that has no Lua: an echo server over blocking
 * sockets of its own, one connection after the other.
 *
 *     make examples && build/examples/protocol 8080
 *     ./bin/weft connect ws://127.0.0.1:8080
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft.h>

/* Writes all that p has to send; false when the peer is gone. */
static bool
flush(struct weft_protocol *p, int fd)
{
    const char *bytes;
    size_t len;
    ssize_t n;

    while (bytes = weft_protocol_output(p, &len), len > 0) {
        n = write(fd, bytes, len);
        if (n < 0)
            return false;
        weft_protocol_sent(p, (size_t)n);
    }
    return true;
}

/* Answers what has come in; false when memory is out. */
static bool
answer(struct weft_protocol *p)
{
    struct weft_protocol_event ev;
    enum weft_protocol_status status;

    while ((status = weft_protocol_next(p, &ev)) == WEFT_PROTOCOL_EVENT) {
        switch (ev.type) {
        case WEFT_PROTOCOL_OPEN:
            printf("open\n");
            break;
        case WEFT_PROTOCOL_TEXT:
        case WEFT_PROTOCOL_BINARY:
            if (weft_protocol_send(p, ev.type, ev.data, ev.len) ==
                WEFT_PROTOCOL_E_MEMORY)
                return false;
            break;
        case WEFT_PROTOCOL_CLOSE:
            printf("closed: %u %.*s\n", ev.code, (int)ev.len, ev.data);
            break;
        case WEFT_PROTOCOL_ERROR:
            printf("failed: %.*s\n", (int)ev.len, ev.data);
            break;
        case WEFT_PROTOCOL_PING: /* which has been answered */
        case WEFT_PROTOCOL_PONG:
            break;
        }
    }
    return status == WEFT_PROTOCOL_OK;
}

static void
serve(int fd)
{
    struct weft_protocol_options options = {
        .max_message = 16 << 20,
        .compression = WEFT_PROTOCOL_EACH,
    };
    struct weft_protocol *p;
    char bytes[16384];
    ssize_t n;

    if (weft_protocol_server(&p, &options) != WEFT_PROTOCOL_OK)
        return;
    while (weft_protocol_state(p) != WEFT_PROTOCOL_IS_CLOSED &&
           (n = read(fd, bytes, sizeof(bytes))) > 0 &&
           weft_protocol_feed(p, bytes, (size_t)n) == WEFT_PROTOCOL_OK &&
           answer(p) && flush(p, fd))
        fflush(stdout);
    weft_protocol_free(p);
}

static int
listen_on(unsigned short port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(to);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
        bind(fd, (struct sockaddr *)&to, sizeof(to)) || listen(fd, 16) ||
        getsockname(fd, (struct sockaddr *)&to, &len)) {
        perror("listen");
        exit(1);
    }
    printf("listening on ws://127.0.0.1:%u\n", ntohs(to.sin_port));
    fflush(stdout);
    return fd;
}

int
main(int argc, char **argv)
{
    int listener, fd;

    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of write() */
    listener = listen_on((unsigned short)atoi(argc > 1 ? argv[1] : "8080"));
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        serve(fd);
        close(fd);
    }
    perror("accept");
    return 1;
}
