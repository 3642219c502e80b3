/*
 * A site: a listener, one connection accepted from it, so that it may go on
 * behind an answer, and the raw client at its other end.
 */
#ifndef WEFT_SPEC_LOOP_ANSWER_KIT_H
#define WEFT_SPEC_LOOP_ANSWER_KIT_H

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "loop_kit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define TYPE "Content-Type: text/plain; charset=utf-8\r\n"

struct site {
    struct weft_listener h;
    struct weft_link s;
    struct raw c;
};

/* A raw client of a listener; small: its socket holds little. */
static inline void
dial_raw(struct raw *c, const struct weft_listener *h, bool small)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), size = 4096;

    if (small)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    CHECK(connect(fd, (const struct sockaddr *)&h->address.storage,
                  h->address.len) == 0);
    weft_sock_nodelay(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    *c = (struct raw){ .fd = fd };
}

/* False when memory has run out; then there is no link. */
static inline bool
site_open(struct site *x, struct world *w, bool small)
{
    struct weft_addr a;
    int size = 4096;

    *x = (struct site){ .c = { .fd = -1 } };
    w->config->max_body = 1000;
    weft_addr_parse(&a, "127.0.0.1", 0);
    if (weft_listener_init(&x->h, &w->loop, w->config, &a, 10, false, false)
        != WEFT_OK)
        return false;
    dial_raw(&x->c, &x->h, small);
    weft_link_init(&x->s, &w->loop, w->config, WEFT_SERVER);
    for (int i = 0; i < 100 && x->s.state == WEFT_LINK_IDLE; i++) {
        turn(w, 1);
        if (weft_listener_accept(&x->h, &x->s) < WEFT_OK)
            break;
    }
    if (small && x->s.watch.fd >= 0)
        setsockopt(x->s.watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return x->s.state > WEFT_LINK_IDLE && x->s.state < WEFT_LINK_CLOSED;
}

static inline void
site_close(struct site *x)
{
    weft_link_deinit(&x->s);
    weft_listener_deinit(&x->h);
    raw_close(&x->c);
}

/* The lines of Date, which change, are taken out. */
static inline void
drop_dates(struct weft_buf *b)
{
    char *at = (char *)weft_buf_head(b), *end = at + weft_buf_len(b);

    for (; end - at > 37; at++) {
        if (memcmp(at, "Date: ", 6) != 0)
            continue;
        memmove(at, at + 37, (size_t)(end - at) - 37);
        end -= 37;
        b->tail -= 37;
    }
}

/* Turns until so much has come or two seconds; whether it is that. */
static inline bool
told_bytes(struct world *w, struct raw *c, const char *want, size_t len)
{
    int64_t until = weft_now() + 2 * WEFT_SECOND;
    bool same;

    do {
        turn(w, 1);
        raw_receive(c);
        drop_dates(&c->in);
    } while (weft_buf_len(&c->in) < len && weft_now() < until);
    same = weft_buf_len(&c->in) == len
           && (len == 0 || memcmp(weft_buf_head(&c->in), want, len) == 0);
    if (!same && len < 1000)
        fprintf(stderr, "--- wanted\n%s--- told\n%.*s---\n", want,
                (int)weft_buf_len(&c->in), (char *)weft_buf_head(&c->in));
    weft_buf_consume(&c->in, weft_buf_len(&c->in));
    return same;
}

static inline bool
told(struct world *w, struct raw *c, const char *want)
{
    return told_bytes(w, c, want, strlen(want));
}

/* Turns until the client sees the end; how many bytes came before it. */
static inline size_t
told_to_end(struct world *w, struct raw *c, bool *reset)
{
    int64_t until = weft_now() + 2 * WEFT_SECOND;
    size_t len = 0;
    char piece[4096];
    long n;

    do {
        turn(w, 1);
        n = weft_sock_recv(c->fd, piece, sizeof(piece));
        if (n > 0)
            len += (size_t)n;
    } while ((n > 0 || n == -EAGAIN) && weft_now() < until);
    CHECK(n <= 0 && n != -EAGAIN);
    *reset = n < 0;
    return len;
}

/* A file of that many bytes that nobody else has; -1: none. */
static inline int
a_file(size_t len)
{
    char path[] = "/tmp/weft-answer-XXXXXX";
    int fd = mkstemp(path);

    unlink(path);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)len) == 0);
    return fd;
}

#endif
