/*
 * A server for tests of the load, in a process of its own: it echoes, or sends
 * every message to all; over TLS or not, compressed if that is offered.
 */
#ifndef WEFT_SPEC_LOAD_KIT_H
#define WEFT_SPEC_LOAD_KIT_H

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "load/load.h"
#include "net/sock.h"
#include "proto/frame.h"
#include "proto/mask.h"
#include "proto/opening.h"

enum { SERVED = 16, ROOM = 1 << 16 };

enum serves { ECHO, BROADCAST, SILENT };

/* One connection of the server's. */
struct served {
    struct weft_wire wire;
    struct weft_opening *opening; /* until it is open */
    uint8_t in[ROOM];
    size_t len;
    struct weft_buf out;
};

struct server {
    pid_t pid;
    int alive; /* closed: the server ends */
    struct weft_addr at;

    /* in its own process */
    enum serves serves;
    struct weft_tls_context *tls;
    struct weft_wire_room room;
    struct served served[SERVED];
};

static inline void
served_drop(struct served *s)
{
    weft_opening_free(s->opening);
    weft_buf_deinit(&s->out);
    weft_wire_close(&s->wire);
    s->opening = NULL;
    s->len = 0;
}

static inline void
served_send(struct served *s)
{
    long n = 0;

    while (n >= 0 && (weft_buf_len(&s->out) > 0 || weft_wire_owes(&s->wire))) {
        n = weft_wire_send(&s->wire, weft_buf_head(&s->out),
                           weft_buf_len(&s->out));
        if (n > 0)
            weft_buf_consume(&s->out, (size_t)n);
    }
    if (n < 0 && n != -EAGAIN)
        served_drop(s);
}

/* Sends a message as it came, compressed or not, without its mask. */
static inline void
served_forward(struct served *to, struct weft_frame f, const uint8_t *payload)
{
    uint8_t head[WEFT_FRAME_HEAD_MAX];

    if (to->wire.fd < 0 || to->opening != NULL)
        return;
    f.masked = false;
    weft_buf_add(&to->out, head, weft_frame_write(&f, head));
    weft_buf_add(&to->out, payload, (size_t)f.len);
    served_send(to);
}

static inline void
served_take(struct server *v, struct served *s)
{
    struct weft_frame f;
    size_t head;

    while (s->len > 0 && weft_frame_read(&f, s->in, s->len, &head) == WEFT_OK
           && s->len - head >= f.len) {
        size_t whole = head + (size_t)f.len;

        weft_mask(s->in + head, (size_t)f.len, f.key, 0);
        if (f.opcode == WEFT_CLOSE) {
            served_drop(s);
            return;
        }
        for (int i = 0; i < SERVED && v->serves != SILENT; i++)
            if (v->serves == BROADCAST || &v->served[i] == s)
                served_forward(&v->served[i], f, s->in + head);
        if (s->wire.fd < 0)
            return; /* it was not there to take it */
        memmove(s->in, s->in + whole, s->len - whole);
        s->len -= whole;
    }
}

static inline void
served_open(struct served *s)
{
    static const struct weft_deflate_options options = {
        .on = true, .server_no_context_takeover = true,
        .client_no_context_takeover = true,
    };
    struct weft_opening *o = s->opening;
    struct weft_deflate_agreed agreed = { 0 };
    static const struct weft_span none;
    const char *bytes;
    enum weft_status rc = weft_opening_add(o, s->in, s->len);

    s->len = 0;
    if (rc == WEFT_OK)
        rc = weft_opening_read(o);
    if (rc != WEFT_OK) {
        if (rc != WEFT_MORE)
            served_drop(s);
        return;
    }
    bytes = (const char *)weft_buf_head(&o->bytes);
    weft_deflate_choose(&o->head, bytes, &options, &agreed);
    weft_handshake_accept(&s->out, &o->head, bytes, none, &agreed, none,
                          NULL);
    weft_opening_free(o);
    s->opening = NULL;
    served_send(s);
}

static inline void
served_read(struct server *v, struct served *s)
{
    long n = s->wire.tls != NULL ? weft_wire_secure(&s->wire) : 0;

    while (n >= 0) {
        n = weft_wire_receive(&s->wire, s->in + s->len, ROOM - s->len);
        if (n == 0 || (n < 0 && n != -EAGAIN)) {
            served_drop(s);
            return;
        }
        if (n > 0)
            s->len += (size_t)n;
        if (n > 0 && s->opening != NULL)
            served_open(s);
        else if (n > 0)
            served_take(v, s);
        if (s->wire.fd < 0)
            return;
    }
    if (n != -EAGAIN)
        served_drop(s);
}

static inline void
server_accept(struct server *v, int listener)
{
    struct weft_addr from;
    int fd = weft_sock_accept(listener, &from);

    for (int i = 0; i < SERVED && fd >= 0; i++) {
        struct served *s = &v->served[i];

        if (s->wire.fd >= 0)
            continue;
        s->wire = (struct weft_wire){ .fd = fd, .room = &v->room };
        s->opening = weft_opening_server(16384, 100);
        if (v->tls != NULL)
            s->wire.tls = weft_tls_new(v->tls, NULL, 0);
        return;
    }
}

/* The server's whole life. */
static inline void
server_live(struct server *v, int listener, int alive, bool tls)
{
    struct weft_tls_options options = { .server = true, .min_version = 12,
                                        .self_signed = "localhost" };
    struct pollfd p[SERVED + 2];
    char why[WEFT_TLS_WHY];

    if (tls)
        v->tls = weft_tls_context_new(&options, NULL, why);
    for (;;) {
        p[SERVED] = (struct pollfd){ listener, POLLIN, 0 };
        p[SERVED + 1] = (struct pollfd){ alive, POLLIN, 0 };
        for (int i = 0; i < SERVED; i++)
            p[i] = (struct pollfd){ v->served[i].wire.fd, POLLIN, 0 };
        poll(p, SERVED + 2, -1);
        if (p[SERVED + 1].revents != 0)
            return;
        for (int i = 0; i < SERVED; i++)
            if (p[i].revents != 0 && v->served[i].wire.fd >= 0)
                served_read(v, &v->served[i]);
        if (p[SERVED].revents != 0)
            server_accept(v, listener);
    }
}

static inline struct server
server_start(enum serves serves, bool tls)
{
    static struct server v;
    int ends[2], listener;

    v = (struct server){ .serves = serves };
    weft_addr_parse(&v.at, "127.0.0.1", 0);
    listener = weft_sock_listen(&v.at, 64, false, false);
    CHECK(listener >= 0 && weft_sock_local(listener, &v.at) == 0);
    CHECK(weft_sock_pipe(ends) == 0);
    for (int i = 0; i < SERVED; i++)
        v.served[i].wire.fd = -1;
    v.pid = fork();
    if (v.pid == 0) {
        weft_sock_close(&ends[1]);
        server_live(&v, listener, ends[0], tls);
        _exit(0);
    }
    weft_sock_close(&ends[0]);
    weft_sock_close(&listener);
    v.alive = ends[1];
    return v;
}

static inline void
server_end(struct server *v)
{
    weft_sock_close(&v->alive);
    CHECK(waitpid(v->pid, NULL, 0) == v->pid);
}

/* A small load of that server. */
static inline struct weft_load_plan
plan_for(const struct server *v)
{
    return (struct weft_load_plan){
        .to = { .to = v->at, .host = "localhost", .name = "localhost",
                .path = "/" },
        .connections = 3, .depth = 2, .at_once = 2, .size = 300,
        .kind = WEFT_LOAD_RECORDS, .messages = 20, .patience = 10,
    };
}

#endif
