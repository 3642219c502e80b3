/*
 * How the TLS filter's stream ends, and what it makes of bytes that are not
 * right.  In TLS 1.2 and 1.3.
 */
#include "loop_tls_kit.h"

static struct weft_tls_context *client, *server;
static uint8_t data[100];

static void
opened(struct pair *p)
{
    enum weft_status s;

    pair_init(p, client, server, "localhost", 443);
    CHECK(shake(p, 0, &s) == WEFT_OK && s == WEFT_OK);
}

static void
ends_with_close_notify(void)
{
    struct weft_buf got = { 0 };
    struct pair p;

    opened(&p);
    CHECK(say(&p.client, &p.server, "last", 4) == 4);
    weft_tls_end(p.client.tls);
    carry(&p.client, &p.server);
    weft_tls_end(p.client.tls);
    CHECK(weft_buf_len(weft_tls_pending(p.client.tls)) == 0);
    CHECK(say(&p.client, &p.server, "more", 4) == -EPROTO);
    CHECK(weft_tls_why(p.client.tls)[0] == '\0');
    CHECK(read_all(&p.server, &got, 100) == 0);
    CHECK(weft_buf_len(&got) == 4);
    CHECK(weft_tls_read(p.server.tls, data, 10) == 0);
    CHECK(!weft_tls_has_more(p.server.tls));
    CHECK(weft_tls_why(p.server.tls)[0] == '\0');
    CHECK(say(&p.server, &p.client, "answer", 6) == 6);
    CHECK(heard(&p.client, "answer"));
    weft_tls_end(p.server.tls);
    carry(&p.server, &p.client);
    CHECK(read_all(&p.client, &got, 100) == 0);
    weft_buf_deinit(&got);
    pair_deinit(&p);
}

static void
is_cut_off(void)
{
    struct pair p;

    opened(&p);
    weft_tls_cut_off(p.client.tls);
    CHECK(strcmp(weft_tls_why(p.client.tls),
                 "the TLS stream was cut off (no close_notify)") == 0);
    CHECK(weft_tls_read(p.client.tls, data, 10) == -EPROTO);
    CHECK(say(&p.client, &p.server, "x", 1) == -EPROTO);
    weft_tls_end(p.client.tls);
    CHECK(weft_buf_len(weft_tls_pending(p.client.tls)) == 0);
    weft_tls_end(p.server.tls);
    carry(&p.server, &p.client);
    pair_deinit(&p);
}

/* What was right before a bit that is wrong still comes. */
static void
bit_is_flipped(size_t bit)
{
    struct weft_buf got = { 0 };
    struct pair p;
    size_t first;
    long n;

    opened(&p);
    read_all(&p.client, &got, 100);
    CHECK(say(&p.server, &p.client, "right", 5) == 5);
    first = weft_buf_len(&p.client.in);
    CHECK(say(&p.server, &p.client, "wrong", 5) == 5);
    weft_buf_head(&p.client.in)[first + bit / 8] ^= (uint8_t)(1 << bit % 8);
    n = read_all(&p.client, &got, 100);
    CHECK(n == -EPROTO || (n == -EAGAIN && bit / 8 > 2 && bit / 8 < 5));
    CHECK(weft_buf_len(&got) == 5);
    CHECK(memcmp(weft_buf_head(&got), "right", 5) == 0);
    if (bit / 8 >= 5) {
        CHECK(strcmp(weft_tls_why(p.client.tls),
                     "the TLS stream is damaged (bad record mac)") == 0);
        CHECK(weft_tls_read(p.client.tls, data, 10) == -EPROTO);
        carry(&p.client, &p.server);
        CHECK(read_all(&p.server, &got, 100) == -EPROTO);
        CHECK(strcmp(weft_tls_why(p.server.tls), "the peer gave up the TLS "
                     "stream (alert bad record mac)") == 0);
    }
    weft_buf_deinit(&got);
    pair_deinit(&p);
}

static void
does_not_speak_tls(const char *greeting)
{
    struct pair p;

    pair_init(&p, client, server, "localhost", 80);
    weft_buf_add(&p.client.in, greeting, strlen(greeting));
    CHECK(step(&p.client, &p.server, 0) == WEFT_E_TLS);
    CHECK(strcmp(weft_tls_why(p.client.tls),
                 "the peer does not speak TLS on this port") == 0);
    weft_buf_add(&p.server.in, greeting, strlen(greeting));
    weft_buf_consume(&p.server.in,
                     weft_buf_len(&p.server.in) - strlen(greeting));
    CHECK(step(&p.server, &p.client, 0) == WEFT_E_TLS);
    CHECK(strcmp(weft_tls_why(p.server.tls),
                 "the peer does not speak TLS on this port") == 0);
    CHECK(weft_tls_handshake(p.server.tls) == WEFT_E_TLS);
    pair_deinit(&p);
}

/* Handshakes of which a byte is wrong end somehow, and soon. */
static void
handshake_is_damaged(void)
{
    for (int i = 0; i < 300; i++) {
        enum weft_status s = WEFT_MORE, c;
        struct pair p;
        struct end *e = i % 2 ? &p.client : &p.server;

        pair_init(&p, client, server, "localhost", 443);
        c = step(&p.client, &p.server, 0);
        if (i % 2)
            s = step(&p.server, &p.client, 0);
        weft_buf_head(&e->in)[dice((uint32_t)weft_buf_len(&e->in))]
            ^= (uint8_t)(1 + dice(255));
        c = shake(&p, 0, &s);
        CHECK(c == WEFT_OK || c == WEFT_MORE || c == WEFT_E_TLS);
        CHECK((c == WEFT_E_TLS) == (weft_tls_why(p.client.tls)[0] != '\0'));
        CHECK((s == WEFT_E_TLS) == (weft_tls_why(p.server.tls)[0] != '\0'));
        pair_deinit(&p);
    }
}

static void
first_bytes(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum weft_first first;
    } cases[] = {
        { "", 0, WEFT_FIRST_MORE },
        { "\x16", 1, WEFT_FIRST_MORE },
        { "\x16\3", 2, WEFT_FIRST_MORE },
        { "\x16\3\0", 3, WEFT_FIRST_TLS },
        { "\x16\3\4\1\0", 5, WEFT_FIRST_TLS },
        { "\x16\3\5", 3, WEFT_FIRST_OTHER },
        { "\x16\2", 2, WEFT_FIRST_OTHER },
        { "\x15\3\1", 3, WEFT_FIRST_OTHER },
        { "G", 1, WEFT_FIRST_MORE },
        { "GET", 3, WEFT_FIRST_MORE },
        { "GET ", 4, WEFT_FIRST_HTTP },
        { "GET / HTTP/1.1\r\n", 16, WEFT_FIRST_HTTP },
        { "M-SEARCH * HTTP", 15, WEFT_FIRST_HTTP },
        { "-GET ", 5, WEFT_FIRST_OTHER },
        { "GET\r\n", 5, WEFT_FIRST_OTHER },
        { "get ", 4, WEFT_FIRST_OTHER },
        { " GET", 4, WEFT_FIRST_OTHER },
        { "ABCDEFGHIJKLMNOP", 16, WEFT_FIRST_MORE },
        { "ABCDEFGHIJKLMNOPQ", 17, WEFT_FIRST_OTHER },
        { "SSH-2.0-x", 9, WEFT_FIRST_OTHER },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        CHECK(weft_tls_first(cases[i].bytes, cases[i].len) == cases[i].first);
}

static void
scenes(void)
{
    client = a_client();
    server = a_server();
    ends_with_close_notify();
    is_cut_off();
    for (size_t bit = 0; bit < 27 * 8; bit++)
        bit_is_flipped(bit);
    does_not_speak_tls("HTTP/1.1 400 Bad Request\r\n\r\n");
    does_not_speak_tls("SSH-2.0-OpenSSH_9.2\r\n");
    does_not_speak_tls("\r\n\r\n\r\n\r\n");
    does_not_speak_tls("220 mail.example ESMTP\r\n");
    handshake_is_damaged();
    first_bytes();
    weft_tls_context_release(client);
    weft_tls_context_release(server);
}

int
main(void)
{
    return play_both(scenes);
}
