/*
 * The way to an open connection.  It must not know what the connection is for.
 */
#include "load/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loop/poller.h"
#include "net/sock.h"
#include "proto/opening.h"

enum {
    MAX_HEADER = 16384,
    MAX_HEADERS = 100,
};

void
weft_load_shared_deinit(struct weft_load_shared *s)
{
    weft_wire_room_deinit(&s->room);
}

struct weft_tls_context *
weft_load_tls(bool verify, const char *ca, char why[WEFT_LOAD_WHY])
{
    struct weft_tls_options options = { .verify = verify, .ca = ca,
                                        .min_version = 12 };
    char sentence[WEFT_TLS_WHY] = "";
    struct weft_tls_context *c = weft_tls_context_new(&options, NULL, sentence);

    snprintf(why, WEFT_LOAD_WHY, "%s", sentence);
    return c;
}

struct weft_deflate_options
weft_load_deflate(void)
{
    return (struct weft_deflate_options){
        .on = true,
        .server_max_window_bits = 15,
        .client_max_window_bits = 15,
        .window_bits = 15,
        .level = -1,
        .mem_level = 8,
    };
}

static enum weft_status
fail(const char *sentence, char why[WEFT_LOAD_WHY])
{
    snprintf(why, WEFT_LOAD_WHY, "%s", sentence);
    return WEFT_E_CLOSED;
}

/* What a call on the wire returned. */
static enum weft_status
fail_wire(const struct weft_load_client *c, long n, char why[WEFT_LOAD_WHY])
{
    weft_wire_explain(&c->wire, n, why, WEFT_LOAD_WHY);
    return WEFT_E_CLOSED;
}

/*
 * The filter keeps sessions by port, so a family is a port to it.  One that no
 * other connection has in a while finds nothing to resume.
 */
static bool
add_tls(struct weft_load_client *c, const struct weft_load_target *to,
        uint16_t family, struct weft_load_shared *shared)
{
    if (family == 0)
        family = shared->alone++ | 0x8000;
    c->wire.tls = weft_tls_new(to->tls, to->name, family);
    return c->wire.tls != NULL;
}

static bool
prepare(struct weft_load_client *c, const struct weft_load_target *to,
        struct weft_random *random)
{
    struct weft_client_request request = {
        .host = weft_http_text(to->host),
        .target = weft_http_text(to->path),
        .headers = weft_http_text(to->headers != NULL ? to->headers : ""),
        .deflate = to->deflate,
    };

    c->opening = weft_opening_client(&request, random, MAX_HEADER,
                                     MAX_HEADERS);
    return c->opening != NULL;
}

bool
weft_load_client_begin(struct weft_load_client *c,
                       const struct weft_load_target *to, uint16_t family,
                       struct weft_load_shared *shared, char why[WEFT_LOAD_WHY])
{
    int fd = weft_sock_connect(&to->to);

    *c = (struct weft_load_client){ .wire = { .fd = -1,
                                              .room = &shared->room } };
    if (fd < 0) {
        fail_wire(c, fd, why);
        return false;
    }
    c->wire.fd = fd;
    weft_sock_nodelay(fd);
    if ((to->tls != NULL && !add_tls(c, to, family, shared))
        || (!to->raw && !prepare(c, to, &shared->random))) {
        fail(weft_status_text(WEFT_E_MEMORY), why);
        return false;
    }
    return true;
}

/* 0 once there is TLS and the request is sent. */
static long
ask(struct weft_load_client *c)
{
    struct weft_buf *request = &c->opening->sent;
    long n = c->wire.tls != NULL ? weft_wire_secure(&c->wire) : 0;

    while (n == 0 && weft_buf_len(request) > 0) {
        n = weft_wire_send(&c->wire, weft_buf_head(request),
                           weft_buf_len(request));
        if (n < 0)
            return n;
        weft_buf_consume(request, (size_t)n);
        n = 0;
    }
    return n;
}

/* The head is complete, and says this. */
static enum weft_status
judge(struct weft_load_client *c, enum weft_status rc, char why[WEFT_LOAD_WHY])
{
    struct weft_opening *o = c->opening;

    if (rc != WEFT_OK)
        return fail(rc == WEFT_E_HEAD ? o->refusal.why : weft_status_text(rc),
                    why);
    if (weft_opening_rest(o).len > 0)
        return fail("the server speaks first: an echo server does not", why);
    if (o->request.deflate.on && !o->agreed.on)
        return fail("the server does not compress", why);
    c->agreed = o->agreed;
    weft_opening_free(o);
    c->opening = NULL;
    return WEFT_OK;
}

/* Reads the answer. */
static enum weft_status
listen_to(struct weft_load_client *c, char why[WEFT_LOAD_WHY])
{
    enum weft_status rc = WEFT_MORE;
    char bytes[4096];

    if (weft_wire_owes(&c->wire)) {
        long n = weft_wire_send(&c->wire, NULL, 0);

        if (n < 0)
            return n == -EAGAIN ? WEFT_MORE : fail_wire(c, n, why);
    }
    while (rc == WEFT_MORE) {
        long n = weft_wire_receive(&c->wire, bytes, sizeof(bytes));

        if (n == -EAGAIN)
            return WEFT_MORE;
        if (n == 0)
            return fail("the server closed during the handshake", why);
        if (n < 0)
            return fail_wire(c, n, why);
        rc = weft_opening_add(c->opening, bytes, (size_t)n);
        if (rc == WEFT_OK)
            rc = weft_opening_read(c->opening);
    }
    return judge(c, rc, why);
}

enum weft_status
weft_load_client_step(struct weft_load_client *c, char why[WEFT_LOAD_WHY])
{
    long n = 0;

    if (!c->connected) {
        n = weft_sock_connected(c->wire.fd);
        c->connected = n == 0;
    }
    if (n == 0 && c->opening != NULL && weft_buf_len(&c->opening->sent) > 0)
        n = ask(c);
    if (n < 0)
        return n == -EAGAIN ? WEFT_MORE : fail_wire(c, n, why);
    return c->opening == NULL ? WEFT_OK : listen_to(c, why);
}

uint8_t
weft_load_client_wants(const struct weft_load_client *c)
{
    bool asks = c->opening != NULL && weft_buf_len(&c->opening->sent) > 0
                && (c->wire.tls == NULL || c->wire.secured);

    return !c->connected || asks || weft_wire_owes(&c->wire) ? WEFT_WRITABLE
                                                             : WEFT_READABLE;
}

void
weft_load_client_close(struct weft_load_client *c)
{
    weft_opening_free(c->opening);
    c->opening = NULL;
    weft_wire_close(&c->wire);
}
