/*
 * The TLS filter when memory runs out: each scene is played with the first
 * allocation failing, then the second, and so on until none fails.  A call
 * then says so, and nothing crashes, leaks or goes on as if it were well.
 */
#include "failing_mem.h"
#include "loop_tls_kit.h"

static struct weft_tls_context *client, *server;
static const char long_text[40000] = { 'x' };

/* The kit's wires must not fail: they are no part of the filter. */
static void
wire(struct end *from, struct end *to)
{
    long kept = failing;

    failing = -1;
    carry(from, to);
    failing = kept;
}

static bool
may_go_on(struct end *e, enum weft_status rc)
{
    CHECK(rc >= 0 || (refused && rc == WEFT_E_MEMORY));
    if (rc < 0)
        CHECK(strcmp(weft_tls_why(e->tls), "out of memory") == 0);
    return rc >= 0;
}

/* In pieces, so that ciphertext is kept. */
static bool
one_step(struct end *e, struct end *other, enum weft_status *rc)
{
    uint8_t *lent = lend(e, 300);
    bool good;

    *rc = weft_tls_handshake(e->tls);
    good = may_go_on(e, *rc);
    if (settle(e, lent) != WEFT_OK) {
        CHECK(refused);
        good = false;
    }
    if (good)
        wire(e, other);
    return good;
}

static bool
both_shake(struct pair *p)
{
    enum weft_status c = WEFT_MORE, s = WEFT_MORE;

    while (c == WEFT_MORE || s == WEFT_MORE)
        if (!one_step(&p->client, &p->server, &c) ||
            !one_step(&p->server, &p->client, &s))
            return false;
    return true;
}

static void
talk(struct end *from, struct end *to)
{
    struct weft_span spans[] = { { "hello", 5 }, { long_text, 40000 } };
    size_t before = weft_buf_len(&to->in);
    long n = weft_tls_write(from->tls, spans, 2, 1 << 20, &to->in);
    char text[1000];
    uint8_t *lent;

    if (n < 0) {
        CHECK(n == -ENOMEM && refused);
        CHECK(weft_buf_len(&to->in) == before);
        n = weft_tls_write(from->tls, spans, 1, 5, &to->in);
        CHECK(n == 5); /* nothing was lost */
    }
    while (weft_buf_len(&to->in) > 0) {
        lent = lend(to, 1000);
        while (weft_tls_has_more(to->tls)) {
            n = weft_tls_read(to->tls, text, sizeof(text));
            CHECK(n > 0 || n == -EAGAIN || (n == -ENOMEM && refused));
        }
        if (settle(to, lent) != WEFT_OK) {
            CHECK(refused);
            return;
        }
    }
}

static void
connection(void)
{
    struct pair p = { 0 };

    p.client.tls = weft_tls_new(client, "localhost", 1);
    p.server.tls = weft_tls_new(server, NULL, 0);
    CHECK(refused || (p.client.tls != NULL && p.server.tls != NULL));
    if (p.client.tls != NULL && p.server.tls != NULL && both_shake(&p)) {
        talk(&p.client, &p.server);
        talk(&p.server, &p.client);
        weft_tls_end(p.client.tls);
        weft_tls_cut_off(p.server.tls);
        CHECK(weft_tls_why(p.server.tls)[0] != '\0');
    }
    pair_deinit(&p);
}

static void
contexts(void)
{
    static const char pins[] =
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    struct weft_tls_options o = { .pin = pins };
    struct weft_tls_context *c = weft_tls_context_new(&o, NULL, why);

    CHECK(c != NULL || (refused && strcmp(why, "out of memory") == 0));
    weft_tls_context_release(c);
    c = a_server();
    CHECK(c != NULL || (refused && strcmp(why, "out of memory") == 0));
    weft_tls_context_release(c);
}

/* A handshake that fails, and why. */
static void
refusal(void)
{
    struct pair p = { 0 };
    enum weft_status rc;

    p.client.tls = weft_tls_new(client, "localhost", 2);
    if (p.client.tls != NULL) {
        weft_buf_add(&p.client.in, "SSH-2.0-OpenSSH", 15);
        rc = step(&p.client, &p.server, 0);
        CHECK(rc == WEFT_E_TLS || refused);
        CHECK(weft_tls_why(p.client.tls)[0] != '\0' || rc == WEFT_MORE);
    }
    pair_deinit(&p);
}

static void
play(void (*scene)(void))
{
    long n = 0;

    do {
        refused = false;
        allocations = 0;
        failing = n++;
        scene();
        failing = -1;
    } while (refused && n < 1000);
    CHECK(n > 3 && n < 1000);
}

static void
scenes(void)
{
    client = a_client();
    server = a_server();
    play(connection);
    play(contexts);
    play(refusal);
    weft_tls_context_release(client);
    weft_tls_context_release(server);
}

int
main(void)
{
    return play_both(scenes);
}
