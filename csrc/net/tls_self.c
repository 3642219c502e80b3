/*
 * A certificate for development, made in memory: it vouches for itself and
 * for this machine's loopback names.
 */
#include "net/tls_inner.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { DAY = 24 * 60 * 60, VALID = 30, SERIAL = 16 };

/* A wildcard address, or nothing, is no name to reach the server by. */
static bool
is_wildcard(const char *host)
{
    return host[0] == '\0' || strcmp(host, "*") == 0 ||
           strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool
add_name(GENERAL_NAMES *names, const char *name)
{
    GENERAL_NAME *entry = GENERAL_NAME_new();
    ASN1_STRING *value = NULL;
    uint8_t address[16];
    size_t len = strlen(name);
    const void *bytes = name;
    int kind = GEN_DNS;

    if (inet_pton(AF_INET, name, address) == 1) {
        kind = GEN_IPADD, bytes = address, len = 4;
    } else if (inet_pton(AF_INET6, name, address) == 1) {
        kind = GEN_IPADD, bytes = address, len = 16;
    }
    if (entry != NULL)
        value = kind == GEN_IPADD ? ASN1_OCTET_STRING_new()
                                  : ASN1_IA5STRING_new();
    if (value == NULL || ASN1_STRING_set(value, bytes, (int)len) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(entry);
        return false;
    }
    GENERAL_NAME_set0_value(entry, kind, value);
    if (sk_GENERAL_NAME_push(names, entry) > 0)
        return true;
    GENERAL_NAME_free(entry);
    return false;
}

static bool
add_names(X509 *cert, const char *host)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool done = names != NULL && add_name(names, "localhost") &&
                add_name(names, "127.0.0.1") && add_name(names, "::1");

    if (done && !is_wildcard(host) && strcmp(host, "localhost") != 0 &&
        strcmp(host, "127.0.0.1") != 0 && strcmp(host, "::1") != 0)
        done = add_name(names, host);
    done = done && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0,
                                     X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return done;
}

static bool
add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool done = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return done;
}

/* No CA: browsers refuse one as a server's own certificate, and as its own
   root it does not need to be one. */
static bool
add_extensions(X509 *cert)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    return add_extension(cert, &ctx, NID_basic_constraints,
                         "critical,CA:FALSE") &&
           add_extension(cert, &ctx, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, &ctx, NID_subject_key_identifier, "hash");
}

static bool
set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL];
    BIGNUM *number;
    bool done;

    if (RAND_bytes(bytes, (int)sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* above zero, always as long */
    number = BN_bin2bn(bytes, (int)sizeof(bytes), NULL);
    done = number != NULL &&
           BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return done;
}

static bool
set_subject(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"localhost", -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1;
}

static bool
fill(X509 *cert, EVP_PKEY *key, const char *host)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           set_subject(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), VALID * DAY) != NULL &&
           X509_set_pubkey(cert, key) == 1 && add_extensions(cert) &&
           add_names(cert, host) && X509_sign(cert, key, EVP_sha256()) > 0;
}

bool
weft_tls_load_self_signed(SSL_CTX *ctx, const char *host, char *why)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    char reason[120];
    bool done = key != NULL && cert != NULL && fill(cert, key, host) &&
                SSL_CTX_use_certificate(ctx, cert) == 1 &&
                SSL_CTX_use_PrivateKey(ctx, key) == 1;

    if (!done) {
        weft_tls_reason(reason, sizeof(reason));
        weft_tls_say(why, "tls: cannot make a self-signed certificate: %s",
                     reason);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return done;
}
