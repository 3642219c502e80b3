/*
 * What is known of the peer's certificate and of the connection, as text.
 */
#include "net/tls_inner.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Text that is cut where the room ends, and counted whole. */
struct text {
    char *to;
    size_t cap, len;
};

static void
add(struct text *x, const char *bytes, size_t len)
{
    if (x->len + 1 < x->cap) {
        size_t room = x->cap - 1 - x->len;

        memcpy(x->to + x->len, bytes, len < room ? len : room);
    }
    x->len += len;
}

static size_t
finish(struct text *x)
{
    if (x->cap > 0)
        x->to[x->len < x->cap ? x->len : x->cap - 1] = '\0';
    return x->len;
}

static size_t
copy(const char *from, size_t len, char *to, size_t cap)
{
    struct text x = { to, cap, 0 };

    add(&x, from, len);
    return finish(&x);
}

/* What a memory BIO holds; frees it. */
static size_t
copy_bio(BIO *bio, int written, char *to, size_t cap)
{
    char *data;
    long len = written > 0 ? BIO_get_mem_data(bio, &data) : 0;
    size_t whole = copy(len > 0 ? data : "", (size_t)len, to, cap);

    BIO_free(bio);
    return whole;
}

/* Names ---------------------------------------------------------------------*/

/* Control characters are escaped: a certificate must not write to a
   terminal. */
static const unsigned long name_flags =
    XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;

static size_t
print_name(const X509_NAME *name, char *to, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());

    return copy_bio(bio, bio != NULL &&
                    X509_NAME_print_ex(bio, name, 0, name_flags) > 0, to, cap);
}

size_t
weft_tls_common_name(const X509_NAME *name, char *to, size_t cap)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    BIO *bio = BIO_new(BIO_s_mem());
    const ASN1_STRING *value;
    int written = 0;

    if (at >= 0 && bio != NULL) {
        value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        written = ASN1_STRING_print_ex(bio, value, ASN1_STRFLGS_UTF8_CONVERT |
                                                   ASN1_STRFLGS_ESC_CTRL);
    }
    return copy_bio(bio, written, to, cap);
}

/* A name of the certificate's list, "" for kinds that are no hosts. */
static void
alternative(const GENERAL_NAME *name, char *to, size_t cap)
{
    const ASN1_STRING *value;
    const unsigned char *bytes;
    size_t len, i;
    int kind;

    to[0] = '\0';
    value = GENERAL_NAME_get0_value(name, &kind);
    if (kind != GEN_DNS && kind != GEN_IPADD)
        return;
    bytes = ASN1_STRING_get0_data(value);
    len = (size_t)ASN1_STRING_length(value);
    if (kind == GEN_IPADD) {
        if (len == 4 || len == 16)
            inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, to,
                      (socklen_t)cap);
        return;
    }
    for (i = 0; i < len && i + 1 < cap; i++)
        to[i] = bytes[i] > ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '?';
    to[i] = '\0';
}

size_t
weft_tls_names_of(X509 *cert, const char *between, int most, char *to,
                  size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
                                            NULL);
    struct text x = { to, cap, 0 };
    int found = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && found <= most; i++) {
        char name[256];

        alternative(sk_GENERAL_NAME_value(names, i), name, sizeof(name));
        if (name[0] == '\0')
            continue;
        if (found > 0)
            add(&x, between, strlen(between));
        if (found++ == most)
            add(&x, "...", 3);
        else
            add(&x, name, strlen(name));
    }
    GENERAL_NAMES_free(names);
    return finish(&x);
}

/* The rest of a certificate -------------------------------------------------*/

size_t
weft_tls_time(const ASN1_TIME *at, bool whole, char *to, size_t cap)
{
    char text[40];
    struct tm tm;
    int len;

    if (ASN1_TIME_to_tm(at, &tm) != 1)
        return copy("", 0, to, cap);
    len = whole ? snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ",
                           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                           tm.tm_hour, tm.tm_min, tm.tm_sec)
                : snprintf(text, sizeof(text), "%04d-%02d-%02d",
                           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    return copy(text, (size_t)len, to, cap);
}

static size_t
print_hex(const uint8_t *bytes, size_t len, char *to, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    struct text x = { to, cap, 0 };

    for (size_t i = 0; i < len; i++) {
        add(&x, &digits[bytes[i] >> 4], 1);
        add(&x, &digits[bytes[i] & 15], 1);
    }
    return finish(&x);
}

static size_t
print_fingerprint(const X509 *cert, char *to, size_t cap)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (X509_digest(cert, EVP_sha256(), digest, &len) != 1)
        len = 0;
    return print_hex(digest, len, to, cap);
}

static size_t
print_pin(X509 *cert, char *to, size_t cap)
{
    char pin[WEFT_TLS_PIN_TEXT];

    return copy(pin, weft_tls_pin_of(cert, pin), to, cap);
}

static size_t
print_pem(X509 *cert, char *to, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());

    return copy_bio(bio, bio != NULL && PEM_write_bio_X509(bio, cert) == 1,
                    to, cap);
}

static size_t
certificate_fact(X509 *cert, enum weft_tls_fact fact, char *to, size_t cap)
{
    const ASN1_INTEGER *serial;

    switch (fact) {
    case WEFT_TLS_SUBJECT:
        return print_name(X509_get_subject_name(cert), to, cap);
    case WEFT_TLS_COMMON_NAME:
        return weft_tls_common_name(X509_get_subject_name(cert), to, cap);
    case WEFT_TLS_ISSUER:
        return print_name(X509_get_issuer_name(cert), to, cap);
    case WEFT_TLS_SERIAL:
        serial = X509_get0_serialNumber(cert);
        return print_hex(ASN1_STRING_get0_data(serial),
                         (size_t)ASN1_STRING_length(serial), to, cap);
    case WEFT_TLS_NOT_BEFORE:
        return weft_tls_time(X509_get0_notBefore(cert), true, to, cap);
    case WEFT_TLS_NOT_AFTER:
        return weft_tls_time(X509_get0_notAfter(cert), true, to, cap);
    case WEFT_TLS_NAMES:
        return weft_tls_names_of(cert, "\n", 1 << 16, to, cap);
    case WEFT_TLS_FINGERPRINT:
        return print_fingerprint(cert, to, cap);
    case WEFT_TLS_PIN:
        return print_pin(cert, to, cap);
    case WEFT_TLS_PEM:
        return print_pem(cert, to, cap);
    default:
        return copy("", 0, to, cap);
    }
}

size_t
weft_tls_fact(const struct weft_tls *t, enum weft_tls_fact fact, char *to,
              size_t cap)
{
    X509 *cert = SSL_get0_peer_certificate(t->ssl);
    const unsigned char *alpn;
    const char *name = NULL;
    unsigned len = 0;

    if (fact == WEFT_TLS_SERVER_NAME) {
        name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
        return copy(name != NULL ? name : "", name != NULL ? strlen(name) : 0,
                    to, cap);
    }
    if (fact == WEFT_TLS_ALPN) {
        SSL_get0_alpn_selected(t->ssl, &alpn, &len);
        return copy(len > 0 ? (const char *)alpn : "", len, to, cap);
    }
    if (cert == NULL)
        return copy("", 0, to, cap);
    return certificate_fact(cert, fact, to, cap);
}

const char *
weft_tls_version(const struct weft_tls *t)
{
    return SSL_get_version(t->ssl);
}

const char *
weft_tls_cipher(const struct weft_tls *t)
{
    return SSL_get_cipher_name(t->ssl);
}

bool
weft_tls_resumed(const struct weft_tls *t)
{
    return SSL_session_reused(t->ssl) == 1;
}
