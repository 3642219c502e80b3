/*
 * Sessions that are resumed, and those that must not be.  In TLS 1.2 and 1.3.
 */
#include "loop_tls_kit.h"

static struct weft_tls_context *server;
static char pem[2000];

/* The server's certificate, to trust it. */
static void
learn_server(void)
{
    struct weft_tls_context *c = a_client();
    struct pair p;

    pair_init(&p, c, server, "localhost", 1);
    CHECK(shake(&p, 0, NULL) == WEFT_OK);
    weft_tls_fact(p.client.tls, WEFT_TLS_PEM, pem, sizeof(pem));
    pair_deinit(&p);
    weft_tls_context_release(c);
}

/* A connection that says a word each way, so that the ticket came too. */
static bool
resumes(struct weft_tls_context *c, struct weft_tls_context *s,
        const char *host, uint16_t port)
{
    struct pair p;
    bool resumed;

    pair_init(&p, c, s, host, port);
    CHECK(shake(&p, 0, NULL) == WEFT_OK);
    CHECK(say(&p.server, &p.client, "word", 4) == 4);
    CHECK(heard(&p.client, "word"));
    CHECK(say(&p.client, &p.server, "word", 4) == 4);
    CHECK(heard(&p.server, "word"));
    resumed = weft_tls_resumed(p.client.tls);
    CHECK(weft_tls_resumed(p.server.tls) == resumed);
    if (resumed) {
        char name[20];

        weft_tls_fact(p.server.tls, WEFT_TLS_SERVER_NAME, name, sizeof(name));
        CHECK(strcmp(name, host) == 0);
        CHECK(weft_tls_fact(p.client.tls, WEFT_TLS_PIN, NULL, 0) == 52);
    }
    pair_deinit(&p);
    return resumed;
}

static void
session_is_resumed(void)
{
    struct weft_tls_options o = { .verify = true, .ca = pem };
    struct weft_tls_context *c = weft_tls_context_new(&o, NULL, why);
    struct weft_tls_context *other = weft_tls_context_new(&o, NULL, why);

    CHECK(!resumes(c, server, "localhost", 1));
    CHECK(!resumes(c, server, "localhost", 2));
    CHECK(!resumes(c, server, "h.example", 1));
    CHECK(!resumes(other, server, "localhost", 1));
    for (int i = 0; i < 5; i++)
        CHECK(resumes(c, server, "localhost", 1));
    CHECK(resumes(c, server, "h.example", 1));
    weft_tls_context_release(c);
    weft_tls_context_release(other);
}

/* RFC 8446, C.4: a ticket is used once; a session of TLS 1.2 by many. */
static void
two_at_a_time(void)
{
    struct weft_tls_context *c = a_client();
    struct pair a, b;

    CHECK(!resumes(c, server, "localhost", 1));
    pair_init(&a, c, server, "localhost", 1);
    pair_init(&b, c, server, "localhost", 1);
    CHECK(shake(&a, 0, NULL) == WEFT_OK);
    CHECK(shake(&b, 0, NULL) == WEFT_OK);
    CHECK(weft_tls_resumed(a.client.tls));
    CHECK(weft_tls_resumed(b.client.tls) == tls_1_2);
    pair_deinit(&a);
    pair_deinit(&b);
    weft_tls_context_release(c);
}

static void
cut_off_is_not_resumed(void)
{
    struct weft_tls_context *c = a_client();
    struct pair p;

    CHECK(!resumes(c, server, "localhost", 1));
    pair_init(&p, c, server, "localhost", 1);
    CHECK(shake(&p, 0, NULL) == WEFT_OK && weft_tls_resumed(p.client.tls));
    CHECK(heard(&p.client, ""));
    weft_tls_cut_off(p.client.tls);
    pair_deinit(&p);
    CHECK(!resumes(c, server, "localhost", 1));
    CHECK(resumes(c, server, "localhost", 1));
    weft_tls_context_release(c);
}

static void
sessions_are_bounded(void)
{
    struct weft_tls_context *c = a_client();

    CHECK(!resumes(c, server, "localhost", 1));
    for (uint16_t port = 2; port <= 64; port++)
        CHECK(!resumes(c, server, "localhost", port));
    CHECK(resumes(c, server, "localhost", 1));
    CHECK(!resumes(c, server, "localhost", 65)); /* pushes out port 2's */
    CHECK(resumes(c, server, "localhost", 1));
    CHECK(!resumes(c, server, "localhost", 2));
    weft_tls_context_release(c);
}

/* A server that reloads its certificates still knows its tickets. */
static void
reload_keeps_sessions(void)
{
    struct weft_tls_options o = { .server = true, .self_signed = "" };
    struct weft_tls_context *before = a_server(), *c = a_client();
    struct weft_tls_context *after = weft_tls_context_new(&o, before, why);
    struct weft_tls_context *other = weft_tls_context_new(&o, NULL, why);

    CHECK(!resumes(c, before, "localhost", 1));
    weft_tls_context_release(before);
    CHECK(resumes(c, after, "localhost", 1));
    CHECK(!resumes(c, other, "localhost", 1));
    weft_tls_context_release(after);
    weft_tls_context_release(other);
    weft_tls_context_release(c);
}

/* What was agreed without client certificates does not hold with them. */
static void
policy_ends_sessions(void)
{
    struct weft_tls_options o = { .server = true, .self_signed = "", .ca = pem,
                                  .client_cert = WEFT_TLS_ASKS_OPTIONAL };
    struct weft_tls_context *asks = weft_tls_context_new(&o, server, why);
    struct weft_tls_context *again = weft_tls_context_new(&o, asks, why);
    struct weft_tls_context *c = a_client();

    CHECK(!resumes(c, server, "localhost", 1));
    CHECK(!resumes(c, asks, "localhost", 1));
    CHECK(resumes(c, again, "localhost", 1));
    weft_tls_context_release(asks);
    weft_tls_context_release(again);
    weft_tls_context_release(c);
}

static void
scenes(void)
{
    server = a_server();
    learn_server();
    session_is_resumed();
    two_at_a_time();
    cut_off_is_not_resumed();
    sessions_are_bounded();
    reload_keeps_sessions();
    policy_ends_sessions();
    weft_tls_context_release(server);
}

int
main(void)
{
    return play_both(scenes);
}
