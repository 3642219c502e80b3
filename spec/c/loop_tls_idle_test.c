/*
 * What OpenSSL holds of an idle connection: none of its record buffers, of
 * more than 16 KiB each.  And messages of TLS itself behind the handshake,
 * which make it take some.  Nor does it take any anew for a busy one, which
 * keeps them.  In TLS 1.2 and 1.3.
 */
#include "loop_tls_blocks.h"
#include "loop_tls_kit.h"
#include "net/tls_inner.h"

/* Scenes ------------------------------------------------------------------ */

static void
echo(struct pair *p, size_t len)
{
    struct weft_buf got = { 0 };
    char *bytes = calloc(1, len);

    CHECK(say(&p->client, &p->server, bytes, len) == (long)len);
    CHECK(read_all(&p->server, &got, 5000) == -EAGAIN);
    CHECK(say(&p->server, &p->client, bytes, len) == (long)len);
    CHECK(read_all(&p->client, &got, 5000) == -EAGAIN);
    CHECK(weft_buf_len(&got) == 2 * len);
    weft_buf_deinit(&got);
    free(bytes);
}

/* A record that is not whole yet is OpenSSL's no more than others. */
static void
half_a_record(struct pair *p)
{
    uint8_t *lent;
    char to[100];

    CHECK(say(&p->client, &p->server, "hello", 5) == 5);
    lent = lend(&p->server, 15);
    CHECK(!weft_tls_has_more(p->server.tls));
    CHECK(weft_tls_read(p->server.tls, to, sizeof(to)) == -EAGAIN);
    CHECK(settle(&p->server, lent) == WEFT_OK);
}

/* New keys for both directions. */
static void
new_keys(struct end *from, struct end *to, size_t before)
{
    CHECK(SSL_key_update(from->tls->ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
    CHECK(say(from, to, "new", 3) == 3);
    CHECK(large == before);
    CHECK(heard(to, "new"));
    CHECK(large == before);
    carry(to, from);
    CHECK(say(to, from, "keys", 4) == 4);
    CHECK(large == before);
    CHECK(heard(from, "keys"));
    CHECK(large == before);
}

/* A ticket in several records comes in two parts, and something is written
   between them: that waits for the second. */
static void
ticket_in_parts(struct pair *p)
{
    static const char data[3000] = "";
    SSL *ssl = p->server.tls->ssl;
    uint8_t *lent;
    char to[100];

    CHECK(SSL_set_max_send_fragment(ssl, 512) == 1);
    CHECK(SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data,
                                          sizeof(data)) == 1);
    CHECK(SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1);
    carry(&p->server, &p->client);
    CHECK(!weft_tls_is_stuck(p->client.tls));
    lent = lend(&p->client, 1200);
    CHECK(weft_tls_read(p->client.tls, to, sizeof(to)) == -EAGAIN);
    CHECK(settle(&p->client, lent) == WEFT_OK);
    CHECK(say(&p->client, &p->server, "hello", 5) == -EAGAIN);
    CHECK(weft_tls_is_stuck(p->client.tls));
    CHECK(weft_buf_len(&p->server.in) == 0);
    CHECK(heard(&p->client, ""));
    CHECK(say(&p->client, &p->server, "hello", 5) == 5);
    CHECK(!weft_tls_is_stuck(p->client.tls));
    CHECK(heard(&p->server, "hello"));
}

/* Both ends keep their buffers, until they are told not to. */
static void
a_warm_one(struct pair *p)
{
    size_t before = large, made_before;

    weft_tls_keep_warm(p->client.tls, true);
    weft_tls_keep_warm(p->server.tls, true);
    echo(p, 100000);
    CHECK(large > before);
    made_before = made;
    echo(p, 1);
    echo(p, 100000);
    CHECK(made == made_before);
    half_a_record(p);
    CHECK(made == made_before);
    weft_tls_keep_warm(p->client.tls, false);
    weft_tls_keep_warm(p->server.tls, false);
    CHECK(large == before);
    CHECK(heard(&p->server, "hello"));
    CHECK(large == before);
}

static void
scenes(void)
{
    struct weft_tls_context *client = a_client(), *server = a_server();
    struct pair p;
    size_t before = large, made_before = made;
    enum weft_status s;

    pair_init(&p, client, server, "localhost", 443);
    CHECK(shake(&p, 0, &s) == WEFT_OK && s == WEFT_OK);
    CHECK(heard(&p.client, "")); /* the ticket */
    CHECK(made > made_before);   /* or nothing is measured */
    CHECK(large == before);
    for (size_t len = 1; len <= 100000; len *= 10) {
        echo(&p, len);
        CHECK(large == before);
    }
    if (!tls_1_2) {
        new_keys(&p.client, &p.server, before);
        new_keys(&p.server, &p.client, before);
        ticket_in_parts(&p);
        CHECK(large == before);
    }
    a_warm_one(&p);
    CHECK(large == before);
    half_a_record(&p);
    CHECK(large == before);
    pair_deinit(&p);
    weft_tls_context_release(client);
    weft_tls_context_release(server);
}

int
main(void)
{
    CHECK(count_blocks());
    return play_both(scenes);
}
