/*
 * The TLS filter's stream: the handshake and data in any pieces.  In TLS 1.2
 * and 1.3.
 */
#include "base/bytes.h"
#include "loop_tls_kit.h"

static struct weft_tls_context *client, *server;

static bool
fact_is(const struct end *e, enum weft_tls_fact fact, const char *expected)
{
    char text[300];
    size_t len = weft_tls_fact(e->tls, fact, text, sizeof(text));

    return len == strlen(expected) && strcmp(text, expected) == 0;
}

static void
opened(struct pair *p)
{
    enum weft_status s;

    pair_init(p, client, server, "localhost", 443);
    CHECK(shake(p, 0, &s) == WEFT_OK && s == WEFT_OK);
}

static void
handshake_in_pieces(void)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 1000, 0 };
    struct pair p;
    enum weft_status s;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        const char *version = tls_1_2 ? "TLSv1.2" : "TLSv1.3";

        pair_init(&p, client, server, "a.example", (uint16_t)i);
        CHECK(weft_tls_why(p.client.tls)[0] == '\0');
        CHECK(shake(&p, sizes[i], &s) == WEFT_OK && s == WEFT_OK);
        CHECK(strcmp(weft_tls_version(p.client.tls), version) == 0);
        CHECK(strcmp(weft_tls_version(p.server.tls), version) == 0);
        CHECK(strcmp(weft_tls_cipher(p.client.tls),
                     weft_tls_cipher(p.server.tls)) == 0);
        CHECK(fact_is(&p.client, WEFT_TLS_ALPN, "http/1.1"));
        CHECK(fact_is(&p.server, WEFT_TLS_ALPN, "http/1.1"));
        CHECK(fact_is(&p.server, WEFT_TLS_SERVER_NAME, "a.example"));
        CHECK(fact_is(&p.client, WEFT_TLS_COMMON_NAME, "localhost"));
        CHECK(fact_is(&p.client, WEFT_TLS_NAMES,
                      "localhost\n127.0.0.1\n::1\nh.example"));
        CHECK(fact_is(&p.server, WEFT_TLS_SUBJECT, ""));
        CHECK(!weft_tls_resumed(p.client.tls));
        CHECK(say(&p.client, &p.server, "hello", 5) == 5);
        CHECK(say(&p.server, &p.client, "world", 5) == 5);
        CHECK(heard(&p.server, "hello"));
        CHECK(heard(&p.client, "world"));
        CHECK(weft_tls_why(p.client.tls)[0] == '\0');
        pair_deinit(&p);
    }
}

/* A fact is measured whole and cut to the room. */
static void
facts_are_cut(void)
{
    struct pair p;
    char text[5] = "....";

    opened(&p);
    CHECK(weft_tls_fact(p.client.tls, WEFT_TLS_COMMON_NAME, text, 5) == 9);
    CHECK(strcmp(text, "loca") == 0);
    CHECK(weft_tls_fact(p.client.tls, WEFT_TLS_COMMON_NAME, text, 1) == 9);
    CHECK(text[0] == '\0');
    CHECK(weft_tls_fact(p.client.tls, WEFT_TLS_FINGERPRINT, NULL, 0) == 64);
    pair_deinit(&p);
}

/* Data ---------------------------------------------------------------------*/

enum { BYTES = 100000, SPANS = 200 };

static uint8_t data[BYTES];

/* Spans of any size over data from `at`: returns how many bytes. */
static size_t
some_spans(struct weft_span spans[SPANS], int *count, size_t at)
{
    static const uint32_t sizes[] = { 2, 100, 3000, 60000 };
    uint32_t most = sizes[dice(4)];
    size_t total = 0;

    *count = 1 + (int)dice(SPANS);
    for (int i = 0; i < *count; i++) {
        size_t len = dice(most);

        if (len > BYTES - at - total)
            len = BYTES - at - total;
        spans[i] = (struct weft_span){ (char *)data + at + total, len };
        total += len;
    }
    return total;
}

/* Lends some of the wire and reads some of that, as a connection would whose
   owner does not always want more. */
static long
read_some(struct end *e, struct weft_buf *to)
{
    uint8_t *lent = lend(e, 1 + dice(20000));
    size_t most = 1 + dice(dice(2) ? 20 : 40000);
    long n = -EAGAIN;

    for (uint32_t calls = dice(5); calls > 0; calls--) {
        if (!weft_tls_has_more(e->tls))
            break;
        n = weft_tls_read(e->tls, weft_buf_reserve(to, most), most);
        if (n > 0)
            weft_buf_commit(to, (size_t)n);
        CHECK(n > 0 || n == -EAGAIN);
    }
    CHECK(settle(e, lent) == WEFT_OK);
    return n;
}

static void
stream(struct end *from, struct end *to)
{
    struct weft_span spans[SPANS];
    struct weft_buf got = { 0 };
    size_t sent = 0;
    int count;

    while (sent < BYTES || weft_buf_len(&to->in) > 0 ||
           weft_tls_has_more(to->tls)) {
        if (sent < BYTES && dice(2)) {
            size_t total = some_spans(spans, &count, sent);
            size_t most = dice(4) ? 1 << 20 : 1 + dice(20000);
            long n = weft_tls_write(from->tls, spans, count, most, &to->in);

            CHECK(n == (long)(total < most ? total : most));
            sent += (size_t)n;
        }
        read_some(to, &got);
    }
    CHECK(weft_buf_len(&got) == BYTES);
    CHECK(memcmp(weft_buf_head(&got), data, BYTES) == 0);
    weft_buf_deinit(&got);
}

static void
data_in_random_cuts(void)
{
    struct pair p;

    for (size_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)dice(256);
    opened(&p);
    for (int i = 0; i < 10; i++) {
        stream(&p.client, &p.server);
        stream(&p.server, &p.client);
    }
    pair_deinit(&p);
}

static int
count_records(const struct weft_buf *b)
{
    const uint8_t *at = weft_buf_head(b), *end = at + weft_buf_len(b);
    int count = 0;

    for (; at < end; count++)
        at += 5 + weft_load16(at + 3);
    CHECK(at == end);
    return count;
}

/* Small spans share records; `most` bounds a call; nothing makes nothing. */
static void
spans_make_records(void)
{
    struct weft_span small[1000], large[] = { { "head", 4 },
                                              { (char *)data, 65536 },
                                              { "tail", 4 } };
    struct weft_buf got = { 0 };
    struct pair p;

    opened(&p);
    read_all(&p.client, &got, 100); /* the ticket */
    for (int i = 0; i < 1000; i++)
        small[i] = (struct weft_span){ "sixteen letters.", 16 };
    CHECK(weft_tls_write(p.server.tls, small, 1000, 1 << 20, &p.client.in)
          == 16000);
    CHECK(count_records(&p.client.in) == 1);
    read_all(&p.client, &got, 100000);
    CHECK(weft_buf_len(&got) == 16000);
    CHECK(weft_tls_write(p.server.tls, small, 1000, 50, &p.client.in) == 50);
    CHECK(weft_tls_write(p.server.tls, small, 1000, 0, &p.client.in) == 0);
    CHECK(weft_tls_write(p.server.tls, small, 0, 50, &p.client.in) == 0);
    CHECK(count_records(&p.client.in) == 1);
    read_all(&p.client, &got, 100000);
    weft_buf_consume(&got, weft_buf_len(&got));
    CHECK(weft_tls_write(p.server.tls, large, 3, 1 << 20, &p.client.in)
          == 65544);
    CHECK(count_records(&p.client.in) == 5);
    read_all(&p.client, &got, 777);
    CHECK(weft_buf_len(&got) == 65544);
    CHECK(memcmp(weft_buf_head(&got), "head", 4) == 0);
    CHECK(memcmp(weft_buf_head(&got) + 4, data, 65536) == 0);
    CHECK(memcmp(weft_buf_head(&got) + 65540, "tail", 4) == 0);
    weft_buf_deinit(&got);
    pair_deinit(&p);
}

/* Many records lent at once come out of a small buffer, without more. */
static void
several_records_at_once(void)
{
    struct weft_buf got = { 0 };
    struct pair p;

    opened(&p);
    for (int i = 0; i < 300; i++)
        CHECK(say(&p.client, &p.server, data, (size_t)i) == i);
    CHECK(read_all(&p.server, &got, 7) == -EAGAIN);
    CHECK(weft_buf_len(&got) == 299 * 300 / 2);
    CHECK(!weft_tls_has_more(p.server.tls));
    weft_buf_deinit(&got);
    pair_deinit(&p);
}

/* A record in two parts is nothing until the second came. */
static void
a_part_is_no_more(void)
{
    struct pair p;
    uint8_t *lent;
    char text[10];

    opened(&p);
    for (size_t cut = 1; cut < 27; cut++) {
        CHECK(say(&p.client, &p.server, "hello", 5) == 5);
        lent = lend(&p.server, cut);
        CHECK(!weft_tls_has_more(p.server.tls));
        CHECK(weft_tls_read(p.server.tls, text, 10) == -EAGAIN);
        CHECK(settle(&p.server, lent) == WEFT_OK);
        CHECK(!weft_tls_has_more(p.server.tls));
        lent = lend(&p.server, 0);
        CHECK(weft_tls_has_more(p.server.tls));
        CHECK(weft_tls_read(p.server.tls, text, 2) == 2);
        CHECK(settle(&p.server, lent) == WEFT_OK);
        CHECK(weft_tls_has_more(p.server.tls));
        CHECK(weft_tls_read(p.server.tls, text, 10) == 3);
        CHECK(!weft_tls_has_more(p.server.tls));
    }
    pair_deinit(&p);
}

static void
scenes(void)
{
    client = a_client();
    server = a_server();
    handshake_in_pieces();
    facts_are_cut();
    data_in_random_cuts();
    spans_make_records();
    several_records_at_once();
    if (!tls_1_2)
        a_part_is_no_more();
    weft_tls_context_release(client);
    weft_tls_context_release(server);
}

int
main(void)
{
    return play_both(scenes);
}
