/*
 * TLS filters under test: a client and a server back to back in memory, with a
 * wire between them that can be cut anywhere and looked at.
 */
#ifndef WEFT_SPEC_LOOP_TLS_KIT_H
#define WEFT_SPEC_LOOP_TLS_KIT_H

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "net/tls.h"

static char why[WEFT_TLS_WHY];

/* Contexts ---------------------------------------------------------------- */

static inline struct weft_tls_context *
a_server(void)
{
    struct weft_tls_options o = { .server = true,
                                  .self_signed = "h.example" };

    return weft_tls_context_new(&o, NULL, why);
}

/* One that trusts nobody and checks nothing. */
static inline struct weft_tls_context *
a_client(void)
{
    struct weft_tls_options o = { .verify = false };

    return weft_tls_context_new(&o, NULL, why);
}

/* Two ends ---------------------------------------------------------------- */

struct end {
    struct weft_tls *tls;
    struct weft_buf in; /* ciphertext on its way here */
};

struct pair {
    struct end client, server;
};

static inline void
pair_init(struct pair *p, struct weft_tls_context *client,
          struct weft_tls_context *server, const char *host, uint16_t port)
{
    *p = (struct pair){ 0 };
    p->client.tls = weft_tls_new(client, host, port);
    p->server.tls = weft_tls_new(server, NULL, 0);
}

static inline void
pair_deinit(struct pair *p)
{
    weft_tls_free(p->client.tls);
    weft_tls_free(p->server.tls);
    weft_buf_deinit(&p->client.in);
    weft_buf_deinit(&p->server.in);
}

/* What waits at one end goes onto the wire. */
static inline void
carry(struct end *from, struct end *to)
{
    struct weft_buf *b = weft_tls_pending(from->tls);

    if (weft_buf_len(b) > 0)
        weft_buf_add(&to->in, weft_buf_head(b), weft_buf_len(b));
    weft_buf_consume(b, weft_buf_len(b));
    CHECK(weft_tls_pending(from->tls)->data == NULL);
}

/* Lends at most size bytes (0: all) from the wire; the bytes are copies, so
   that a sanitizer sees them used too late.  Ended by settle(). */
static inline uint8_t *
lend(struct end *e, size_t size)
{
    size_t len = weft_buf_len(&e->in);
    uint8_t *copy;

    len = size > 0 && size < len ? size : len;
    copy = malloc(len + 1);
    if (len > 0)
        memcpy(copy, weft_buf_head(&e->in), len);
    weft_buf_consume(&e->in, len);
    weft_tls_lend(e->tls, copy, len);
    return copy;
}

static inline enum weft_status
settle(struct end *e, uint8_t *lent)
{
    enum weft_status rc = weft_tls_settle(e->tls);

    free(lent);
    return rc;
}

static inline enum weft_status
step(struct end *e, struct end *other, size_t size)
{
    uint8_t *lent = lend(e, size);
    enum weft_status rc = weft_tls_handshake(e->tls);

    if (settle(e, lent) != WEFT_OK && rc >= 0)
        rc = WEFT_E_MEMORY;
    carry(e, other);
    return rc;
}

/* Until nothing moves any more; returns the client's outcome. */
static inline enum weft_status
shake(struct pair *p, size_t size, enum weft_status *server)
{
    enum weft_status c = WEFT_MORE, s = WEFT_MORE;

    for (bool moves = true; moves; ) {
        if (c == WEFT_MORE)
            c = step(&p->client, &p->server, size);
        if (s == WEFT_MORE)
            s = step(&p->server, &p->client, size);
        moves = (c == WEFT_MORE && weft_buf_len(&p->client.in) > 0) ||
                (s == WEFT_MORE && weft_buf_len(&p->server.in) > 0);
    }
    if (server != NULL)
        *server = s;
    return c;
}

/* Reads all that came, `at most` bytes a call, if only when there is reason to:
   once for new ciphertext, and on while the filter has more.  Returns the last
   outcome that was no count. */
static inline long
read_all(struct end *e, struct weft_buf *to, size_t most)
{
    uint8_t *lent = lend(e, 0);
    long n = -EAGAIN;

    while (weft_tls_has_more(e->tls)) {
        uint8_t *room = weft_buf_reserve(to, most);

        n = weft_tls_read(e->tls, room, most);
        if (n <= 0)
            break;
        weft_buf_commit(to, (size_t)n);
        n = -EAGAIN;
    }
    CHECK(settle(e, lent) == WEFT_OK);
    return n;
}

static inline long
say(struct end *from, struct end *to, const void *bytes, size_t len)
{
    struct weft_span span = { bytes, len };

    return weft_tls_write(from->tls, &span, 1, len, &to->in);
}

static inline bool
heard(struct end *e, const char *text)
{
    struct weft_buf got = { 0 };
    bool same;

    read_all(e, &got, 100);
    same = weft_buf_len(&got) == strlen(text) &&
           (text[0] == '\0' ||
            memcmp(weft_buf_head(&got), text, strlen(text)) == 0);
    weft_buf_deinit(&got);
    return same;
}

/* Randomness that is the same each time ----------------------------------- */

static uint32_t seed = 2463534242;

static inline uint32_t
dice(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % sides;
}

/* The same for TLS 1.2 ---------------------------------------------------- */

static bool tls_1_2; /* set: this is the process that speaks it */

/*
 * Plays the scenes twice, first in another process that speaks TLS 1.2 at
 * most: that is said in OpenSSL's configuration, which it reads once.
 */
static inline int
play_both(void (*scenes)(void))
{
    static const char text[] =
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
        "[c]\nMaxProtocol = TLSv1.2\n";
    char path[] = "/tmp/weft-tls-XXXXXX";
    int fd = mkstemp(path), status = 1;
    pid_t child;

    CHECK(fd >= 0);
    CHECK(write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    close(fd);
    child = fork();
    if (child == 0) {
        setenv("OPENSSL_CONF", path, 1);
        tls_1_2 = true;
        check_passed = check_failed = 0;
        scenes();
        exit(check_report());
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unlink(path);
    scenes();
    return check_report();
}

#endif
