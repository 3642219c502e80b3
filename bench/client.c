/*
 * The opening handshake on a blocking socket.  It must not know what the
 * connection is for.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "proto/opening.h"

enum {
    PATIENCE = 10, /* seconds for each step */
    MAX_HEADER = 16384,
    MAX_HEADERS = 100,
};

static int
connect_to(const struct client_target *to)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(to->port) };
    struct timeval patience = { .tv_sec = PATIENCE };
    int fd = -1, error = EINVAL;

    if (inet_pton(AF_INET, to->host, &address.sin_addr) != 1)
        goto fail;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
                      sizeof(patience)) < 0
        || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
                      sizeof(patience)) < 0
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
                      sizeof(int)) < 0
        || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error = errno;
        goto fail;
    }
    return fd;

fail:
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

/* Whether the server accepts; the reason it does not stays with o. */
static const char *
shake_hands(int fd, struct weft_opening *o)
{
    enum weft_status rc = WEFT_MORE;
    size_t len = weft_buf_len(&o->sent);
    char bytes[4096];

    if (send(fd, weft_buf_head(&o->sent), len, MSG_NOSIGNAL) != (ssize_t)len)
        return "cannot send the request";
    while (rc == WEFT_MORE) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        if (n <= 0)
            return n < 0 ? strerror(errno) : "closed in the handshake";
        if (weft_opening_add(o, bytes, (size_t)n) != WEFT_OK)
            return weft_status_text(WEFT_E_MEMORY);
        rc = weft_opening_read(o);
    }
    if (rc != WEFT_OK)
        return rc == WEFT_E_HEAD ? o->refusal.why : weft_status_text(rc);
    return weft_opening_rest(o).len > 0 ? "the server speaks first" : NULL;
}

int
client_open(const struct client_target *to, struct weft_random *random,
            const char **why)
{
    static char sentence[sizeof(((struct weft_refusal *)0)->why)];
    char host[64];
    struct weft_client_request request = { .target = weft_http_text("/") };
    struct weft_opening *o;
    int fd = connect_to(to);

    if (fd < 0) {
        *why = strerror(errno);
        return -1;
    }
    if (to->raw)
        return fd;
    snprintf(host, sizeof(host), "%s:%u", to->host, (unsigned)to->port);
    request.host = weft_http_text(host);
    o = weft_opening_client(&request, random, MAX_HEADER, MAX_HEADERS);
    *why = o != NULL ? shake_hands(fd, o) : weft_status_text(WEFT_E_MEMORY);
    if (*why == NULL) {
        weft_opening_free(o);
        return fd;
    }
    snprintf(sentence, sizeof(sentence), "%s", *why); /* it was o's */
    *why = sentence;
    weft_opening_free(o);
    close(fd);
    return -1;
}
