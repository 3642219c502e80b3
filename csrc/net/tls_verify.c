/*
 * Whether the peer is whom it should be: what OpenSSL finds wrong with a
 * certificate as a sentence, and pins.  It must not know where the trusted
 * certificates come from.
 */
#include "net/tls_inner.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    NAME = 100,
    NAMES = 5, /* of a certificate, in one sentence */
    PREFIX = 8, /* "sha256//" */
    DIGITS = 44,
};

/* Sentences -----------------------------------------------------------------*/

static const char *
whose(const struct weft_tls *t)
{
    return t->context->server ? "client certificate: " : "";
}

static void
say_date(const struct weft_tls *t, X509_STORE_CTX *store, bool over, char *why)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    char name[NAME] = "", date[16] = "";
    bool leaf = X509_STORE_CTX_get_error_depth(store) == 0;

    if (cert != NULL) {
        weft_tls_time(over ? X509_get0_notAfter(cert)
                           : X509_get0_notBefore(cert), false, date,
                      sizeof(date));
        weft_tls_common_name(X509_get_subject_name(cert), name, sizeof(name));
    }
    weft_tls_say(why, over ? "%scertificate has expired (%s)%s%s"
                           : "%scertificate is not valid before %s%s%s",
                 whose(t), date, leaf ? "" : ": the issuer's, ",
                 leaf ? "" : name);
}

/* A common name is not looked at (RFC 9525, 2): it is not said to match. */
static void
say_mismatch(const struct weft_tls *t, X509_STORE_CTX *store, char *why)
{
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    char names[WEFT_TLS_WHY - 60] = "";

    if (weft_tls_names_of(cert, ", ", NAMES, names, sizeof(names)) > 0)
        weft_tls_say(why, "host name mismatch: the certificate is for %s, "
                     "not %s", names, t->host);
    else
        weft_tls_say(why, "host name mismatch: no subjectAltName of the "
                     "certificate names %s; its common name does not count",
                     t->host);
}

static void
say_root(const struct weft_tls *t, X509_STORE_CTX *store, char *why)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    char name[NAME] = "";

    if (cert != NULL)
        weft_tls_common_name(X509_get_subject_name(cert), name, sizeof(name));
    weft_tls_say(why, "%sthe certificate's chain ends in a root that is not "
                 "trusted (%s); %s", whose(t), name, t->context->server
                 ? "it is not in tls.ca" : "pass tls.ca");
}

static void
say_issuer(const struct weft_tls *t, X509_STORE_CTX *store, char *why)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    char name[NAME] = "";

    if (cert != NULL)
        weft_tls_common_name(X509_get_issuer_name(cert), name, sizeof(name));
    weft_tls_say(why, "%sthe certificate's issuer is not known (%s); perhaps "
                 "the %s does not send its intermediate certificates, else %s",
                 whose(t), name, t->context->server ? "client" : "server",
                 t->context->server ? "add it to tls.ca" : "pass tls.ca");
}

static void
say_refusal(const struct weft_tls *t, X509_STORE_CTX *store, char *why)
{
    int error = X509_STORE_CTX_get_error(store);
    char words[NAME];

    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        say_date(t, store, true, why);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say_date(t, store, false, why);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say_mismatch(t, store, why);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        weft_tls_say(why, "%sself-signed certificate; %s", whose(t),
                     t->context->server ? "it is not in tls.ca"
                     : "pass tls.ca, or tls.verify = false for a test");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        say_root(t, store, why);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say_issuer(t, store, why);
        break;
    default:
        snprintf(words, sizeof(words), "%s",
                 X509_verify_cert_error_string(error));
        weft_tls_lower(words);
        weft_tls_say(why, "%s%s", whose(t), words);
        break;
    }
}

/* OpenSSL's callbacks -------------------------------------------------------*/

static struct weft_tls *
filter_of(X509_STORE_CTX *store)
{
    int index = SSL_get_ex_data_X509_STORE_CTX_idx();

    return weft_tls_of(X509_STORE_CTX_get_ex_data(store, index));
}

/* Something is wrong with a certificate, or (ok) nothing is with this one. */
static int
on_certificate(int ok, X509_STORE_CTX *store)
{
    struct weft_tls *t = filter_of(store);

    if (ok == 0 && t->why == NULL) {
        char *why = weft_tls_room_for_why(t);

        if (why != NULL)
            say_refusal(t, store, why);
    }
    return ok;
}

static bool has_pin(struct weft_tls *t, X509 *cert);

/* Instead of X509_verify_cert(): pins count without verification too. */
static int
on_chain(X509_STORE_CTX *store, void *unused)
{
    struct weft_tls *t = filter_of(store);

    (void)unused;
    if ((t->context->server || t->context->verify) &&
        X509_verify_cert(store) <= 0)
        return 0;
    if (has_pin(t, X509_STORE_CTX_get0_cert(store)))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

void
weft_tls_judge(SSL_CTX *ctx, int mode)
{
    SSL_CTX_set_verify(ctx, mode, on_certificate);
    SSL_CTX_set_cert_verify_callback(ctx, on_chain, NULL);
}

/* Pins ----------------------------------------------------------------------*/

static bool
key_digest(X509 *cert, uint8_t digest[WEFT_TLS_PIN_SIZE])
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool done;

    if (len <= 0)
        return false;
    done = EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return done;
}

size_t
weft_tls_pin_of(X509 *cert, char to[WEFT_TLS_PIN_TEXT])
{
    uint8_t digest[WEFT_TLS_PIN_SIZE];

    if (!key_digest(cert, digest))
        return 0;
    memcpy(to, "sha256//", PREFIX);
    EVP_EncodeBlock((unsigned char *)to + PREFIX, digest, sizeof(digest));
    return PREFIX + DIGITS;
}

static bool
has_pin(struct weft_tls *t, X509 *cert)
{
    const struct weft_tls_context *c = t->context;
    uint8_t digest[WEFT_TLS_PIN_SIZE];
    char is[WEFT_TLS_PIN_TEXT];

    if (c->pin_count == 0)
        return true;
    if (cert == NULL || !key_digest(cert, digest) ||
        weft_tls_pin_of(cert, is) == 0) {
        weft_tls_say(weft_tls_room_for_why(t),
                     "no pin of tls.pin matches: the peer shows no key");
        return false;
    }
    for (size_t i = 0; i < c->pin_count; i++)
        if (CRYPTO_memcmp(c->pins[i], digest, sizeof(digest)) == 0)
            return true;
    weft_tls_say(weft_tls_room_for_why(t),
                 "no pin of tls.pin matches: the peer's is %s", is);
    return false;
}

/* After a resumption, which asks for no certificate, as well. */
bool
weft_tls_pinned(struct weft_tls *t)
{
    return t->context->pin_count == 0 ||
           has_pin(t, SSL_get0_peer_certificate(t->ssl));
}

static bool
parse_pin(const char *text, size_t len, uint8_t pin[WEFT_TLS_PIN_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t bytes[WEFT_TLS_PIN_SIZE + 1];

    if (len != PREFIX + DIGITS || memcmp(text, "sha256//", PREFIX) != 0 ||
        strspn(text + PREFIX, digits) != DIGITS - 1 || text[len - 1] != '=')
        return false;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)text + PREFIX, DIGITS) !=
        (int)sizeof(bytes))
        return false;
    memcpy(pin, bytes, WEFT_TLS_PIN_SIZE);
    return true;
}

bool
weft_tls_parse_pins(struct weft_tls_context *c, const char *pins, char *why)
{
    for (const char *at = pins; ; at++) {
        size_t len = strcspn(at, ";");
        void *more = weft_realloc(c->pins, (c->pin_count + 1) *
                                           sizeof(*c->pins));

        if (more == NULL) {
            weft_tls_say(why, "out of memory");
            return false;
        }
        c->pins = more;
        if (!parse_pin(at, len, c->pins[c->pin_count])) {
            weft_tls_say(why, "tls.pin: expected \"sha256//\" and the 44 "
                         "characters of a SHA-256 in base64, several "
                         "separated by \";\"");
            return false;
        }
        c->pin_count++;
        at += len;
        if (*at == '\0')
            return true;
    }
}
