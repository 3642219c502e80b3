/*
 * What connections share: whom they trust, pins, and options that make no
 * sense.  In TLS 1.2 and 1.3.
 */
#include "loop_tls_kit.h"

static struct weft_tls_context *server;
static char pem[2000], pin[100];

static bool
starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The server's certificate and pin, for whom to trust. */
static void
learn_server(void)
{
    struct weft_tls_context *client = a_client();
    struct pair p;
    size_t len;

    pair_init(&p, client, server, "localhost", 1);
    CHECK(shake(&p, 0, NULL) == WEFT_OK);
    len = weft_tls_fact(p.client.tls, WEFT_TLS_PEM, pem, sizeof(pem));
    CHECK(len > 0 && len < sizeof(pem));
    len = weft_tls_fact(p.client.tls, WEFT_TLS_PIN, pin, sizeof(pin));
    CHECK(len == 52 && starts(pin, "sha256//"));
    pair_deinit(&p);
    weft_tls_context_release(client);
}

/* Whom to believe ----------------------------------------------------------*/

/* The client's outcome as a sentence, "" when it is content. */
static const char *
verified(struct weft_tls_context *client, const char *host)
{
    static char text[WEFT_TLS_WHY];
    enum weft_status rc;
    struct pair p;

    pair_init(&p, client, server, host, 443);
    rc = shake(&p, 0, NULL);
    CHECK((rc == WEFT_OK) == (weft_tls_why(p.client.tls)[0] == '\0'));
    memcpy(text, weft_tls_why(p.client.tls),
           strlen(weft_tls_why(p.client.tls)) + 1);
    if (rc != WEFT_OK)
        CHECK(rc == WEFT_E_TLS && !weft_tls_resumed(p.client.tls));
    pair_deinit(&p);
    return text;
}

static void
certificate_is_verified(void)
{
    static const char *const good[] = {
        "localhost", "LocalHost", "localhost.", "127.0.0.1", "::1",
        "::1%lo", "0:0::1", "h.example", "H.EXAMPLE."
    };
    static const char *const bad[] = {
        "b.example", "127.0.0.2", "::2", "x.h.example", ".h.example",
        ".example", "h.example.com"
    };
    struct weft_tls_options o = { .verify = true, .ca = pem };
    struct weft_tls_context *c = weft_tls_context_new(&o, NULL, why);
    char expected[WEFT_TLS_WHY];

    CHECK(c != NULL);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        CHECK(verified(c, good[i])[0] == '\0');
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(expected, sizeof(expected),
                 "host name mismatch: the certificate is for localhost, "
                 "127.0.0.1, ::1, h.example, not %s", bad[i]);
        CHECK(strcmp(verified(c, bad[i]), expected) == 0);
    }
    CHECK(verified(c, "")[0] != '\0');
    CHECK(verified(c, "%lo")[0] != '\0');
    weft_tls_context_release(c);
}

static void
nobody_vouches(void)
{
    struct weft_tls_options o = { .verify = true };
    struct weft_tls_context *c = weft_tls_context_new(&o, NULL, why);
    enum weft_status s;
    struct pair p;

    pair_init(&p, c, server, "localhost", 443);
    CHECK(shake(&p, 0, &s) == WEFT_E_TLS && s == WEFT_E_TLS);
    CHECK(strcmp(weft_tls_why(p.client.tls), "self-signed certificate; pass "
                 "tls.ca, or tls.verify = false for a test") == 0);
    CHECK(strcmp(weft_tls_why(p.server.tls), "the peer does not trust our "
                 "certificate (alert unknown ca)") == 0);
    CHECK(weft_tls_handshake(p.client.tls) == WEFT_E_TLS);
    pair_deinit(&p);
    weft_tls_context_release(c);
}

/* So many copies of the server's certificate are the system's store. */
static void
store_of(int copies, char path[])
{
    int fd = mkstemp(path);
    ssize_t len = (ssize_t)strlen(pem);

    CHECK(fd >= 0);
    for (int i = 0; i < copies; i++)
        CHECK(write(fd, pem, (size_t)len) == len);
    close(fd);
    setenv("SSL_CERT_FILE", path, 1);
}

/* Nobody waits for all of it, unless the handshake is begun too early. */
static void
system_is_read_in_pieces(void)
{
    char path[] = "/tmp/weft-roots-XXXXXX";
    struct weft_tls_options o = { .verify = true };
    struct weft_tls_context *c;
    struct weft_tls *t;
    int more = 0;

    store_of(41, path);
    c = weft_tls_context_new(&o, NULL, why);
    t = weft_tls_new(c, "localhost", 443);
    while (!weft_tls_prepare(t))
        more++;
    CHECK(more == 10 && weft_tls_prepare(t));
    weft_tls_free(t);
    CHECK(verified(c, "localhost")[0] == '\0');
    weft_tls_context_release(c);
    c = weft_tls_context_new(&o, NULL, why);
    CHECK(verified(c, "localhost")[0] == '\0');
    weft_tls_context_release(c);
    c = weft_tls_context_new(&o, NULL, why); /* and is never read at all */
    weft_tls_context_release(c);
    unlink(path);
    c = weft_tls_context_new(&o, NULL, why);
    t = weft_tls_new(c, "localhost", 443);
    CHECK(weft_tls_prepare(t));
    weft_tls_free(t);
    CHECK(starts(verified(c, "localhost"), "self-signed certificate"));
    weft_tls_context_release(c);
    unsetenv("SSL_CERT_FILE");
}

/* With and without verification, and when a session is resumed. */
static void
key_is_pinned(bool verify)
{
    static const char other[] =
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    struct weft_tls_options o = { .verify = verify, .ca = pem };
    struct weft_tls_context *c;
    char pins[200], expected[WEFT_TLS_WHY];

    snprintf(pins, sizeof(pins), "%s;%s", other, pin);
    o.pin = pins;
    c = weft_tls_context_new(&o, NULL, why);
    CHECK(verified(c, "localhost")[0] == '\0');
    CHECK(verified(c, "localhost")[0] == '\0');
    weft_tls_context_release(c);
    o.pin = other;
    c = weft_tls_context_new(&o, NULL, why);
    snprintf(expected, sizeof(expected),
             "no pin of tls.pin matches: the peer's is %s", pin);
    CHECK(strcmp(verified(c, "localhost"), expected) == 0);
    CHECK(strcmp(verified(c, "localhost"), expected) == 0);
    weft_tls_context_release(c);
}

/* Refusals -----------------------------------------------------------------*/

static void
client_certificate_is_missing(void)
{
    struct weft_tls_options o = { .server = true, .self_signed = "", .ca = pem,
                                  .client_cert = WEFT_TLS_ASKS_REQUIRED };
    struct weft_tls_context *s = weft_tls_context_new(&o, NULL, why);
    struct weft_tls_context *c = a_client();
    struct weft_buf got = { 0 };
    struct pair p;
    enum weft_status rc, rs;

    pair_init(&p, c, s, "localhost", 1);
    rc = shake(&p, 0, &rs);
    CHECK(rs == WEFT_E_TLS);
    CHECK(starts(weft_tls_why(p.server.tls),
                 "client certificate: the peer sent none"));
    if (rc == WEFT_OK) /* TLS 1.3: the client is through before it is told */
        CHECK(read_all(&p.client, &got, 100) == -EPROTO);
    else
        CHECK(rc == WEFT_E_TLS);
    CHECK(strcmp(weft_tls_why(p.client.tls), "the peer requires a client "
                 "certificate (pass tls.cert and tls.key)") == 0);
    weft_buf_deinit(&got);
    pair_deinit(&p);
    weft_tls_context_release(c);
    weft_tls_context_release(s);
}

static void
refused(const struct weft_tls_options *o, const char *sentence)
{
    struct weft_tls_context *c = weft_tls_context_new(o, NULL, why);

    CHECK(c == NULL);
    CHECK(strcmp(why, sentence) == 0);
    if (strcmp(why, sentence) != 0)
        fprintf(stderr, "it says: %s\n", why);
    weft_tls_context_release(c);
}

static void
pin_is_refused(const char *text)
{
    struct weft_tls_options o = { .pin = text };

    refused(&o, "tls.pin: expected \"sha256//\" and the 44 characters of a "
            "SHA-256 in base64, several separated by \";\"");
}

static void
pins_are_refused(void)
{
    pin_is_refused("");
    pin_is_refused("sha256//");
    pin_is_refused("sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    pin_is_refused("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==");
    pin_is_refused("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    pin_is_refused("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-A=");
    pin_is_refused("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;");
    pin_is_refused(";sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
}

static void
files_are_refused(void)
{
    struct weft_tls_identity ids[] = { { .cert = "/nowhere/a.pem" },
                                       { .name = "b.example" } };
    struct weft_tls_options o = { .server = true };

    refused(&o, "tls.cert: a server needs a certificate");
    o.identities = ids;
    o.identity_count = 1;
    refused(&o, "tls.cert: /nowhere/a.pem: No such file or directory");
    ids[0].cert = "/";
    refused(&o, "tls.cert: /: Is a directory");
    ids[0].cert = "/dev/null";
    refused(&o, "tls.cert: /dev/null: no certificate in it (PEM is expected)");
    ids[0].cert = "-----BEGIN CERTIFICATE-----\nAAAA\n"
                  "-----END CERTIFICATE-----\n";
    refused(&o, "tls.cert: (PEM text): certificate 1 in it is damaged");
    ids[0].cert = pem;
    refused(&o, "tls.key: (PEM text): no private key in it (PEM is expected)");
    ids[0].key = "/nowhere/a.key";
    refused(&o, "tls.key: /nowhere/a.key: No such file or directory");
    o.self_signed = "";
    o.client_cert = WEFT_TLS_ASKS_OPTIONAL;
    refused(&o, "tls.ca: needed with tls.client_cert, to say whose "
            "certificates are accepted");
    o.ca = "/dev/null";
    refused(&o, "tls.ca: /dev/null: no certificate in it (PEM is expected)");
    o.ca = "/nowhere/a.pem";
    refused(&o, "tls.ca: /nowhere/a.pem: No such file or directory");
}

/* A long sentence is cut where a character ends. */
static void
sentence_is_cut(void)
{
    char path[600] = "/nowhere/";
    struct weft_tls_options o = { .ca = path };
    struct weft_tls_context *c;
    char host[600];

    for (size_t i = 9; i < 590; i++)
        path[i] = "\xc3\xa4"[i % 2];
    CHECK(weft_tls_context_new(&o, NULL, why) == NULL);
    CHECK(starts(why, "tls.ca: ..."));
    CHECK(strstr(why, ": No such file or directory") != NULL);
    memset(host, 'x', sizeof(host));
    host[599] = '\0';
    o.ca = pem;
    o.verify = true;
    c = weft_tls_context_new(&o, NULL, why);
    CHECK(strlen(verified(c, host)) == WEFT_TLS_WHY - 1);
    weft_tls_context_release(c);
}

static void
scenes(void)
{
    server = a_server();
    CHECK(server != NULL && why[0] == '\0');
    learn_server();
    certificate_is_verified();
    nobody_vouches();
    system_is_read_in_pieces();
    key_is_pinned(true);
    key_is_pinned(false);
    client_certificate_is_missing();
    pins_are_refused();
    files_are_refused();
    sentence_is_cut();
    weft_tls_context_release(server);
}

int
main(void)
{
    return play_both(scenes);
}
