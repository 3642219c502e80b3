/*
 * An exchange with a proxy, whole and in pieces, and its outcome; and a memory
 * that can run out.  Included by one file of a test program.
 */
#ifndef WEFT_SPEC_TUNNEL_KIT_H
#define WEFT_SPEC_TUNNEL_KIT_H

#include "check.h"
#include "failing_mem.h"
#include "proto/tunnel.h"

#define SPAN(literal) { literal, sizeof(literal) - 1 }

/* What an exchange came to. */
struct outcome {
    enum weft_status rc;
    char why[192];
    char out[2000], rest[200];
    size_t out_len, rest_len;
};

/* Takes what is to be sent, as a socket would. */
static inline void
drain(struct weft_tunnel *t, struct outcome *o)
{
    size_t len = weft_buf_len(&t->out);

    if (len == 0)
        return;
    memcpy(o->out + o->out_len, weft_buf_head(&t->out), len);
    o->out_len += len;
    weft_buf_consume(&t->out, len);
}

/* The bytes in pieces of at most `size`, until it is decided; those behind
 * are added too, as bytes that came later are. */
static inline void
exchange(struct outcome *o, const struct weft_tunnel_request *r,
         const char *bytes, size_t len, size_t first, size_t size)
{
    struct weft_tunnel *t = weft_tunnel_new(r);
    size_t at = 0;

    memset(o, 0, sizeof(*o));
    o->rc = weft_tunnel_read(t);
    drain(t, o);
    while (at < len) {
        size_t n = at == 0 && first > 0 ? first : size;

        n = n < len - at ? n : len - at;
        weft_buf_add(&t->in, bytes + at, n);
        at += n;
        if (o->rc == WEFT_MORE)
            o->rc = weft_tunnel_read(t);
        drain(t, o);
    }
    if (o->rc != WEFT_MORE)
        CHECK(weft_tunnel_read(t) == o->rc && weft_buf_len(&t->out) == 0);
    memcpy(o->why, t->why, sizeof(o->why));
    if (o->rc == WEFT_OK && weft_buf_len(&t->in) > 0) {
        o->rest_len = weft_buf_len(&t->in);
        memcpy(o->rest, weft_buf_head(&t->in), o->rest_len);
    }
    weft_tunnel_free(t);
}

static inline int
same(const struct outcome *a, const struct outcome *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* The same at every cut, and byte by byte; gives the outcome. */
static inline struct outcome
run(const struct weft_tunnel_request *r, const char *bytes, size_t len)
{
    struct outcome whole, cut;
    int differ = 0;

    exchange(&whole, r, bytes, len, 0, len);
    for (size_t first = 1; first < len; first++) {
        exchange(&cut, r, bytes, len, first, len);
        differ += !same(&whole, &cut);
    }
    for (size_t size = 1; size <= 3; size++) {
        exchange(&cut, r, bytes, len, 0, size);
        differ += !same(&whole, &cut);
    }
    CHECK(differ == 0);
    return whole;
}

static inline void
check_sent(const struct outcome *o, const char *bytes, size_t len, int line)
{
    check_that(o->out_len == len && memcmp(o->out, bytes, len) == 0,
               "what is sent", __FILE__, line);
}
#define SENT(o, literal) check_sent(o, literal, sizeof(literal) - 1, __LINE__)

static inline void
check_stands(const struct outcome *o, const char *rest, size_t len, int line)
{
    check_that(o->rc == WEFT_OK && o->why[0] == '\0', "the tunnel stands",
               __FILE__, line);
    check_that(o->rest_len == len && memcmp(o->rest, rest, len) == 0,
               "what came through", __FILE__, line);
}
#define STANDS(o, literal) \
    check_stands(o, literal, sizeof(literal) - 1, __LINE__)

static inline void
check_fails(const struct outcome *o, const char *why, int line)
{
    check_that(o->rc == WEFT_E_HEAD, "it fails", __FILE__, line);
    if (strcmp(o->why, why) != 0)
        check_that(0, o->why, __FILE__, line);
}
#define FAILS(o, why) check_fails(o, why, __LINE__)

#define RUN(r, literal) run(&(r), literal, sizeof(literal) - 1)

/* What the exchange comes to when memory runs out once, after so many
 * allocations; false: there was no tunnel. */
static inline bool
interrupted(struct outcome *o, const struct weft_tunnel_request *r,
            const char *bytes, size_t len, long after, int *failures)
{
    struct weft_tunnel *t;

    memset(o, 0, sizeof(*o));
    allowed = after;
    t = weft_tunnel_new(r);
    if (t == NULL) {
        allowed = -1;
        ++*failures;
        return false;
    }
    drain(t, o);
    for (size_t at = 0; at < len; at++) {
        if (weft_buf_add(&t->in, bytes + at, 1) != WEFT_OK) {
            allowed = -1;
            CHECK(weft_buf_add(&t->in, bytes + at, 1) == WEFT_OK);
        }
        o->rc = weft_tunnel_read(t);
        if (o->rc == WEFT_E_MEMORY) {
            ++*failures;
            CHECK(weft_buf_len(&t->out) == 0);
            allowed = -1;
            o->rc = weft_tunnel_read(t);
        }
        drain(t, o);
    }
    allowed = -1;
    weft_tunnel_free(t);
    return true;
}

static inline int
survives(const struct weft_tunnel_request *r, const char *bytes, size_t len)
{
    struct outcome whole = run(r, bytes, len), o;
    int failures = 0;

    CHECK(whole.rc == WEFT_OK && whole.rest_len == 0);
    for (long after = 0; after < 20; after++)
        if (interrupted(&o, r, bytes, len, after, &failures))
            CHECK(same(&whole, &o));
    return failures;
}

#endif
