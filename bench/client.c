/*
 * The way to an open connection.  It must not know what the connection is for.
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

#include "proto/opening.h"

enum {
    PATIENCE = 10, /* seconds for each step */
    MAX_HEADER = 16384,
    MAX_HEADERS = 100,
};

struct weft_tls_context *
client_tls(const char **why)
{
    static char sentence[WEFT_TLS_WHY];
    struct weft_tls_options options = { .min_version = 12 };

    *why = sentence;
    return weft_tls_context_new(&options, NULL, sentence);
}

static int
connect_to(const struct client_target *to)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(to->port) };
    struct timeval patience = { .tv_sec = PATIENCE };
    struct wire w = { .fd = -1 };
    int error = EINVAL;

    if (inet_pton(AF_INET, to->host, &address.sin_addr) != 1)
        goto fail;
    w.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w.fd < 0
        || setsockopt(w.fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
                      sizeof(patience)) < 0
        || setsockopt(w.fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
                      sizeof(patience)) < 0
        || setsockopt(w.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
                      sizeof(int)) < 0
        || connect(w.fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error = errno;
        goto fail;
    }
    return w.fd;

fail:
    wire_close(&w);
    errno = error;
    return -1;
}

/* Closes it; the sentence may be one that goes with it. */
static int
fail(struct client *c, const char *sentence, const char **why)
{
    static char kept[512];

    snprintf(kept, sizeof(kept), "%s", sentence);
    client_close(c);
    *why = kept;
    return -1;
}

/*
 * The filter keeps sessions by port, so a family is a port to it.  One that no
 * other connection has in a while finds nothing to resume.
 */
static bool
add_tls(struct client *c, const struct client_target *to, uint16_t family)
{
    static uint16_t alone;

    if (family == 0) {
        family = alone | 0x8000;
        alone++;
    }
    c->wire.tls = weft_tls_new(to->tls, to->host, family);
    return c->wire.tls != NULL;
}

static bool
prepare(struct client *c, const struct client_target *to,
        struct weft_random *random)
{
    struct weft_client_request request = { .target = weft_http_text("/"),
                                           .deflate = to->deflate };
    char host[64];

    snprintf(host, sizeof(host), "%s:%u", to->host, (unsigned)to->port);
    request.host = weft_http_text(host);
    c->opening = weft_opening_client(&request, random, MAX_HEADER,
                                     MAX_HEADERS);
    return c->opening != NULL;
}

int
client_begin(struct client *c, const struct client_target *to,
             uint16_t family, struct weft_random *random, const char **why)
{
    *c = (struct client){ .wire.fd = connect_to(to) };
    if (c->wire.fd < 0)
        return fail(c, strerror(errno), why);
    if ((to->tls != NULL && !add_tls(c, to, family))
        || (!to->raw && !prepare(c, to, random)))
        return fail(c, weft_status_text(WEFT_E_MEMORY), why);
    return 0;
}

/* 1 once there is TLS and the request is sent. */
static int
ask(struct client *c, int flags, const char **why)
{
    struct weft_buf *request = &c->opening->sent;
    size_t len = weft_buf_len(request);
    long n = c->wire.tls != NULL ? wire_secure(&c->wire, flags) : 0;

    if (n == 0)
        n = wire_send(&c->wire, weft_buf_head(request), len, 0);
    if (n == -EAGAIN && flags != 0)
        return 0;
    if (n != (long)len)
        return fail(c, n < 0 ? wire_why(&c->wire, n)
                             : "cannot send the request", why);
    weft_buf_deinit(request);
    return 1;
}

/* Reads the answer: 1 when it is complete. */
static int
listen_to(struct client *c, int flags, const char **why)
{
    struct weft_opening *o = c->opening;
    enum weft_status rc = WEFT_MORE;
    char bytes[4096];

    while (rc == WEFT_MORE) {
        long n = wire_receive(&c->wire, bytes, sizeof(bytes), flags);

        if (n == -EAGAIN && flags != 0)
            return 0;
        if (n <= 0)
            return fail(c, n < 0 ? wire_why(&c->wire, n)
                                 : "closed in the handshake", why);
        if (weft_opening_add(o, bytes, (size_t)n) != WEFT_OK)
            return fail(c, weft_status_text(WEFT_E_MEMORY), why);
        rc = weft_opening_read(o);
    }
    if (rc != WEFT_OK)
        return fail(c, rc == WEFT_E_HEAD ? o->refusal.why
                                         : weft_status_text(rc), why);
    if (weft_opening_rest(o).len > 0)
        return fail(c, "the server speaks first", why);
    if (o->request.deflate.on && !o->agreed.on)
        return fail(c, "the server does not compress", why);
    c->agreed = o->agreed;
    return 1;
}

int
client_step(struct client *c, int flags, const char **why)
{
    int n = 1;

    if (c->opening == NULL)
        return 1;
    if (weft_buf_len(&c->opening->sent) > 0)
        n = ask(c, flags, why);
    if (n == 1)
        n = listen_to(c, flags, why);
    if (n == 1) {
        weft_opening_free(c->opening);
        c->opening = NULL;
    }
    return n;
}

int
client_open(struct client *c, const struct client_target *to,
            struct weft_random *random, const char **why)
{
    if (client_begin(c, to, 0, random, why) < 0)
        return -1;
    return client_step(c, 0, why) == 1 ? 0 : -1;
}

void
client_close(struct client *c)
{
    weft_opening_free(c->opening);
    c->opening = NULL;
    wire_close(&c->wire);
}
