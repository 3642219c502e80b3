/*
 * What connections share: how this side speaks TLS, its certificates by server
 * name, whom it trusts, and the keys of the tickets it gives.
 */
#include "net/tls_inner.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* RFC 7301, 3.1: each name behind its length */
static const unsigned char alpn[] = "\x08http/1.1";

enum { ALPN_LEN = sizeof(alpn) - 1, TICKET_KEYS = 256, DIGEST = 32 };

/* Server names --------------------------------------------------------------*/

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool
same_name(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b))
        a++, b++;
    return *a == *b;
}

static SSL_CTX *
exact_name(const struct weft_tls_context *c, const char *name)
{
    for (size_t i = 0; i < c->named_count; i++)
        if (same_name(c->named[i].name, name))
            return c->named[i].ctx;
    return NULL;
}

/* "*.example.com" for "a.example.com": one label, no more. */
static SSL_CTX *
wildcard_name(const struct weft_tls_context *c, const char *name)
{
    const char *rest = strchr(name, '.');

    if (rest == NULL || rest == name)
        return NULL;
    for (size_t i = 0; i < c->named_count; i++)
        if (c->named[i].name[0] == '*' &&
            same_name(c->named[i].name + 1, rest))
            return c->named[i].ctx;
    return NULL;
}

/* The default certificate serves names that nobody knows.  Verification stays
   that of the connection, which is the same for every name. */
static int
on_name(SSL *ssl, int *alert, void *unused)
{
    const struct weft_tls_context *c = weft_tls_of(ssl)->context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx;

    (void)unused;
    if (name == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    ctx = exact_name(c, name);
    if (ctx == NULL)
        ctx = wildcard_name(c, name);
    if (ctx == NULL || SSL_set_SSL_CTX(ssl, ctx) != NULL)
        return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Other callbacks -----------------------------------------------------------*/

/* RFC 7301, 3.2: no_application_protocol when none is common */
static int
on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *len,
        const unsigned char *offered, unsigned offered_len, void *unused)
{
    (void)ssl, (void)unused;
    for (unsigned i = 0; i + ALPN_LEN <= offered_len; i += offered[i] + 1u)
        if (memcmp(offered + i, alpn, ALPN_LEN) == 0) {
            *chosen = offered + i + 1;
            *len = ALPN_LEN - 1;
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A server asks for a certificate, and there is none that suits. */
static int
on_asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    (void)cert, (void)key;
    weft_tls_of(ssl)->asked = true;
    return 0;
}

/* Making an SSL_CTX ---------------------------------------------------------*/

static int
verify_mode(const struct weft_tls_context *c, const struct weft_tls_options *o)
{
    if (!o->server)
        return o->verify || c->pin_count > 0 ? SSL_VERIFY_PEER
                                             : SSL_VERIFY_NONE;
    switch (o->client_cert) {
    case WEFT_TLS_ASKS_OPTIONAL:
        return SSL_VERIFY_PEER;
    case WEFT_TLS_ASKS_REQUIRED:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    default:
        return SSL_VERIFY_NONE;
    }
}

/*
 * Tickets hold all there is to a session, so the server keeps none.  One
 * ticket, not OpenSSL's two: a client that comes back comes back once, and
 * gets the next one then.  TLS 1.2 is spoken with forward secrecy and
 * authenticated encryption alone (RFC 9325, 4.2).
 */
static bool
speak_as_server(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE |
                             SSL_OP_PRIORITIZE_CHACHA);
    return SSL_CTX_set_tlsext_servername_callback(ctx, on_name) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static bool
speak_as_client(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                        SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, weft_tls_session_new);
    SSL_CTX_set_client_cert_cb(ctx, on_asked);
    return SSL_CTX_set_alpn_protos(ctx, alpn, ALPN_LEN) == 0;
}

static bool
speak(SSL_CTX *ctx, const struct weft_tls_options *o)
{
    int version = o->min_version >= 13 ? TLS1_3_VERSION : TLS1_2_VERSION;

    /* a chain is what its file holds, not guessed anew in each handshake */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(ctx, 1); /* small records many at a time */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    return SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
           (o->server ? speak_as_server(ctx) : speak_as_client(ctx));
}

static SSL_CTX *
new_ctx(const struct weft_tls_context *c, const struct weft_tls_options *o,
        char *why)
{
    SSL_CTX *ctx = SSL_CTX_new(o->server ? TLS_server_method()
                                         : TLS_client_method());
    char reason[120];

    if (ctx == NULL || !speak(ctx, o)) {
        weft_tls_reason(reason, sizeof(reason));
        weft_tls_say(why, "tls: OpenSSL cannot be set up: %s", reason);
        SSL_CTX_free(ctx);
        return NULL;
    }
    weft_tls_judge(ctx, verify_mode(c, o));
    if (o->ca != NULL) /* what is named there is trusted, a root or not */
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
                                    X509_V_FLAG_PARTIAL_CHAIN);
    return ctx;
}

/* What the default identity's SSL_CTX and the others have in common ---------*/

static bool
load_trust(struct weft_tls_context *c, const struct weft_tls_options *o,
           char *why)
{
    uint8_t digest[DIGEST] = "weft";

    if (o->ca != NULL && !weft_tls_load_ca(c->ctx, o->ca, o->server, digest,
                                           why))
        return false;
    if (o->ca == NULL && o->server && o->client_cert != WEFT_TLS_ASKS_NONE) {
        weft_tls_say(why, "tls.ca: needed with tls.client_cert, to say whose "
                     "certificates are accepted");
        return false;
    }
    if (o->ca == NULL && !o->server && o->verify)
        weft_tls_trust_system(c);
    /* a session made under one rule is not resumed under another */
    digest[0] ^= (uint8_t)o->client_cert;
    SSL_CTX_set_session_id_context(c->ctx, digest, sizeof(digest));
    memcpy(c->trust, digest, sizeof(digest));
    return true;
}

static bool
share_trust(const struct weft_tls_context *c, SSL_CTX *ctx)
{
    const STACK_OF(X509_NAME) *list = SSL_CTX_get_client_CA_list(c->ctx);
    STACK_OF(X509_NAME) *copy = NULL;

    SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(c->ctx));
    SSL_CTX_set_session_id_context(ctx, c->trust, sizeof(c->trust));
    if (list == NULL)
        return true;
    copy = SSL_dup_CA_list(list);
    SSL_CTX_set_client_CA_list(ctx, copy);
    return copy != NULL;
}

static bool
add_named(struct weft_tls_context *c, const struct weft_tls_options *o,
          const struct weft_tls_identity *id, char *why)
{
    struct weft_tls_named *to = &c->named[c->named_count];
    size_t size = strlen(id->name) + 1;

    to->name = weft_realloc(NULL, size);
    if (to->name == NULL) {
        weft_tls_say(why, "out of memory");
        return false;
    }
    memcpy(to->name, id->name, size);
    to->ctx = new_ctx(c, o, why);
    c->named_count++;
    if (to->ctx == NULL || !weft_tls_load_identity(to->ctx, id, why))
        return false;
    if (share_trust(c, to->ctx))
        return true;
    weft_tls_say(why, "out of memory");
    return false;
}

static bool
load_identities(struct weft_tls_context *c, const struct weft_tls_options *o,
                char *why)
{
    size_t count = o->identity_count;

    if (o->server && o->self_signed != NULL)
        return weft_tls_load_self_signed(c->ctx, o->self_signed, why);
    if (count == 0 && !o->server)
        return true;
    if (count == 0 || o->identities[0].name != NULL) {
        weft_tls_say(why, "tls.cert: a server needs a certificate");
        return false;
    }
    if (!weft_tls_load_identity(c->ctx, &o->identities[0], why))
        return false;
    c->presents = !o->server;
    c->named = count > 1 ? weft_zalloc((count - 1) * sizeof(*c->named)) : NULL;
    if (count > 1 && c->named == NULL) {
        weft_tls_say(why, "out of memory");
        return false;
    }
    for (size_t i = 1; i < count; i++)
        if (!add_named(c, o, &o->identities[i], why))
            return false;
    return true;
}

/* Without the keys it works as well, with full handshakes. */
static void
inherit_tickets(struct weft_tls_context *c,
                const struct weft_tls_context *before)
{
    unsigned char keys[TICKET_KEYS];
    long len = SSL_CTX_get_tlsext_ticket_keys(before->ctx, NULL, 0);

    if (len > 0 && len <= TICKET_KEYS &&
        SSL_CTX_get_tlsext_ticket_keys(before->ctx, keys, len) == 1)
        SSL_CTX_set_tlsext_ticket_keys(c->ctx, keys, len);
    OPENSSL_cleanse(keys, sizeof(keys));
}

static bool
set_up(struct weft_tls_context *c, const struct weft_tls_options *o,
       const struct weft_tls_context *before, char *why)
{
    c->method = weft_tls_bio_method();
    if (c->method == NULL) {
        weft_tls_say(why, "out of memory");
        return false;
    }
    if (o->pin != NULL && !weft_tls_parse_pins(c, o->pin, why))
        return false;
    c->ctx = new_ctx(c, o, why);
    if (c->ctx == NULL || !load_trust(c, o, why) ||
        !load_identities(c, o, why))
        return false;
    if (before != NULL && before->server && c->server)
        inherit_tickets(c, before);
    return true;
}

struct weft_tls_context *
weft_tls_context_new(const struct weft_tls_options *o,
                     const struct weft_tls_context *before,
                     char why[WEFT_TLS_WHY])
{
    struct weft_tls_context *c = weft_zalloc(sizeof(*c));

    why[0] = '\0';
    if (c == NULL) {
        weft_tls_say(why, "out of memory");
        return NULL;
    }
    ERR_clear_error();
    c->references = 1;
    c->server = o->server;
    c->verify = o->verify;
    c->min_version = o->min_version;
    weft_list_init(&c->sessions);
    if (!set_up(c, o, before, why)) {
        weft_tls_context_release(c);
        c = NULL;
    }
    ERR_clear_error();
    return c;
}

struct weft_tls_context *
weft_tls_context_retain(struct weft_tls_context *c)
{
    c->references++;
    return c;
}

void
weft_tls_context_release(struct weft_tls_context *c)
{
    if (c == NULL || --c->references > 0)
        return;
    weft_tls_sessions_free(c);
    weft_tls_trust_end(c);
    for (size_t i = 0; i < c->named_count; i++) {
        SSL_CTX_free(c->named[i].ctx);
        weft_free(c->named[i].name);
    }
    weft_free(c->named);
    weft_free(c->pins);
    SSL_CTX_free(c->ctx);
    BIO_meth_free(c->method);
    weft_free(c);
}
