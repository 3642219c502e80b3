/*
 * weft's protocol in a C program that has no Lua: a client that sends each of
 * its arguments as a text message, prints what comes back, and closes.
 *
 *     make examples && build/examples/protocol_client 127.0.0.1 8080 hello
 */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft.h>

static int
dial(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *all;
    int fd = -1, wrong = getaddrinfo(host, port, &hints, &all);

    if (wrong != 0) {
        fprintf(stderr, "%s: %s\n", host, gai_strerror(wrong));
        return -1;
    }
    for (struct addrinfo *a = all; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0)
        perror(host);
    freeaddrinfo(all);
    return fd;
}

/* Writes what is to be sent, reads what has come; false at the end. */
static bool
exchange(struct weft_protocol *p, int fd)
{
    char bytes[16384];
    const char *out;
    size_t len;
    ssize_t n;

    while (out = weft_protocol_output(p, &len), len > 0) {
        n = write(fd, out, len);
        if (n < 0)
            return false;
        weft_protocol_sent(p, (size_t)n);
    }
    if (weft_protocol_state(p) == WEFT_PROTOCOL_IS_CLOSED)
        return false;
    n = read(fd, bytes, sizeof(bytes));
    return n > 0 &&
           weft_protocol_feed(p, bytes, (size_t)n) == WEFT_PROTOCOL_OK;
}

/* The next message is sent when the one before has come back. */
static void
say_next(struct weft_protocol *p, char ***words)
{
    const char *word = **words;

    if (word == NULL) {
        weft_protocol_close(p, 1000, "done", 4);
        return;
    }
    ++*words;
    if (weft_protocol_send(p, WEFT_PROTOCOL_TEXT, word, strlen(word)) ==
        WEFT_PROTOCOL_E_UTF8) {
        fprintf(stderr, "not UTF-8, and not sent: %s\n", word);
        say_next(p, words);
    }
}

static bool
converse(struct weft_protocol *p, int fd, char **words)
{
    struct weft_protocol_event ev;

    while (exchange(p, fd)) {
        while (weft_protocol_next(p, &ev) == WEFT_PROTOCOL_EVENT) {
            if (ev.type == WEFT_PROTOCOL_TEXT)
                printf("%.*s\n", (int)ev.len, ev.data);
            if (ev.type == WEFT_PROTOCOL_ERROR)
                fprintf(stderr, "%.*s\n", (int)ev.len, ev.data);
            if (ev.type == WEFT_PROTOCOL_OPEN ||
                ev.type == WEFT_PROTOCOL_TEXT)
                say_next(p, &words);
        }
    }
    return weft_protocol_close_code(p) == 1000;
}

int
main(int argc, char **argv)
{
    struct weft_protocol_options options = { .user_agent = "weft-example",
                                             .compression =
                                                 WEFT_PROTOCOL_SLIDING };
    enum weft_protocol_status status;
    struct weft_protocol *p;
    char host[300];
    bool clean;
    int fd;

    if (argc < 3) {
        fprintf(stderr, "usage: %s HOST PORT [MESSAGE...]\n", argv[0]);
        return 2;
    }
    snprintf(host, sizeof(host), strchr(argv[1], ':') ? "[%s]:%s" : "%s:%s",
             argv[1], argv[2]);
    options.host = host;
    status = weft_protocol_client(&p, &options);
    if (status != WEFT_PROTOCOL_OK) {
        fprintf(stderr, "%s\n", weft_protocol_text(status));
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    fd = dial(argv[1], argv[2]);
    clean = fd >= 0 && converse(p, fd, argv + 3);
    if (fd >= 0)
        close(fd);
    weft_protocol_free(p);
    return clean ? 0 : 1;
}
