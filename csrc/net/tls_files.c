/*
 * Certificates and keys from files or PEM text.  What fails names the option
 * and the file; a passphrase appears nowhere, and nobody is asked for one.
 */
#include "net/tls_inner.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { OPTION = 80, LABEL = 100 };

/* One option: what it is called, where its bytes are. */
struct source {
    char option[OPTION]; /* "tls.cert", "tls.names['b.example'].cert" */
    char label[LABEL];   /* the file, or what kind of text it is */
    const char *text;
    char *why;
};

struct passphrase {
    const char *phrase;
    bool asked;
};

static bool
is_pem(const char *text)
{
    return strstr(text, "-----BEGIN") != NULL;
}

/* Text with control characters names no file that anybody means. */
static bool
is_file_name(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static void
describe(struct source *s, const char *name, const char *option,
         const char *text, char *why)
{
    size_t len = strlen(text);

    if (name != NULL)
        snprintf(s->option, sizeof(s->option), "tls.names['%.50s'].%s", name,
                 option);
    else
        snprintf(s->option, sizeof(s->option), "tls.%s", option);
    if (is_pem(text))
        snprintf(s->label, sizeof(s->label), "(PEM text)");
    else if (!is_file_name(text)) /* it may be a key: it is not shown */
        snprintf(s->label, sizeof(s->label), "(text that is no PEM)");
    else if (len < sizeof(s->label))
        memcpy(s->label, text, len + 1);
    else /* the end of a long path says more */
        snprintf(s->label, sizeof(s->label), "...%s",
                 text + len - (sizeof(s->label) - 4));
    s->text = text;
    s->why = why;
}

static bool
fail(const struct source *s, const char *what)
{
    weft_tls_say(s->why, "%s: %s: %s", s->option, s->label, what);
    ERR_clear_error();
    return false;
}

/* What OpenSSL or the system says, unless that is nothing but "no PEM". */
static bool
fail_reading(const struct source *s, const char *nothing_found)
{
    unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
    char reason[120];

    if (ERR_SYSTEM_ERROR(first))
        return fail(s, strerror(ERR_GET_REASON(first)));
    if (ERR_GET_REASON(last) == ERR_R_MALLOC_FAILURE)
        return fail(s, "out of memory");
    if (nothing_found != NULL)
        return fail(s, nothing_found);
    weft_tls_reason(reason, sizeof(reason));
    return fail(s, reason);
}

static bool
is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static BIO *
source_open(const struct source *s)
{
    BIO *bio = NULL;

    ERR_clear_error();
    if (is_pem(s->text))
        bio = BIO_new_mem_buf(s->text, -1);
    else if (!is_file_name(s->text))
        fail(s, "expected a file name or PEM text with its BEGIN line");
    else if (is_folder(s->text)) /* it would read as empty */
        fail(s, strerror(EISDIR));
    else
        bio = BIO_new_file(s->text, "r");
    if (bio == NULL && s->why[0] == '\0')
        fail_reading(s, NULL);
    return bio;
}

/* OpenSSL's callback; without one it would ask on the terminal. */
static int
give_passphrase(char *to, int size, int writing, void *pointer)
{
    struct passphrase *p = pointer;
    size_t len;

    (void)writing;
    p->asked = true;
    if (p->phrase == NULL)
        return -1;
    len = strlen(p->phrase);
    if (len > (size_t)size)
        return -1;
    memcpy(to, p->phrase, len);
    return (int)len;
}

/* The next certificate: 1, 0 when there is none left, -1 when it is broken. */
static int
next_certificate(BIO *bio, X509 **cert)
{
    struct passphrase none = { NULL, false };
    unsigned long error;

    ERR_clear_error();
    *cert = PEM_read_bio_X509_AUX(bio, NULL, give_passphrase, &none);
    if (*cert != NULL)
        return 1;
    error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) != ERR_LIB_PEM ||
        ERR_GET_REASON(error) != PEM_R_NO_START_LINE ||
        ERR_SYSTEM_ERROR(ERR_peek_error()))
        return -1;
    ERR_clear_error();
    return 0;
}

/* After the last certificate: whether that was all, and how many there were. */
static bool
was_all(const struct source *s, int last, int count)
{
    char what[60];

    if (last == 0 && count > 0)
        return true;
    if (last == 0)
        return fail(s, "no certificate in it (PEM is expected)");
    snprintf(what, sizeof(what), "certificate %d in it is damaged", count + 1);
    return fail_reading(s, what);
}

/* The leaf, then its chain. */
static bool
load_certificates(SSL_CTX *ctx, const struct source *s, BIO *bio)
{
    X509 *cert;
    int count = 0, more;

    while ((more = next_certificate(bio, &cert)) == 1) {
        long done = count++ == 0 ? SSL_CTX_use_certificate(ctx, cert)
                                 : SSL_CTX_add1_chain_cert(ctx, cert);

        X509_free(cert);
        if (done != 1)
            return fail_reading(s, NULL);
    }
    return was_all(s, more, count);
}

/* The name of the option beside this one: "tls.cert" for "tls.key". */
static void
sibling(const struct source *s, const char *name, char to[OPTION])
{
    int len = (int)(strrchr(s->option, '.') + 1 - s->option);

    snprintf(to, OPTION, "%.*s%s", len, s->option, name);
}

static bool
load_key(SSL_CTX *ctx, const struct source *s, BIO *bio,
         struct passphrase *pass)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, pass);
    X509 *cert = SSL_CTX_get0_certificate(ctx);
    char option[OPTION], what[OPTION + 60];
    bool done;

    if (key == NULL && pass->asked && pass->phrase != NULL)
        return fail(s, "wrong passphrase");
    if (key == NULL && pass->asked) {
        sibling(s, "passphrase", option);
        snprintf(what, sizeof(what), "the key is encrypted; pass %s", option);
        return fail(s, what);
    }
    if (key == NULL)
        return fail_reading(s, "no private key in it (PEM is expected)");
    if (X509_check_private_key(cert, key) == 1) {
        done = SSL_CTX_use_PrivateKey(ctx, key) == 1 ||
               fail_reading(s, NULL);
    } else {
        sibling(s, "cert", option);
        snprintf(what, sizeof(what), "does not belong to the certificate %s",
                 option);
        done = fail(s, what);
    }
    EVP_PKEY_free(key);
    return done;
}

bool
weft_tls_load_identity(SSL_CTX *ctx, const struct weft_tls_identity *from,
                       char *why)
{
    struct passphrase pass = { from->passphrase, false };
    struct source s;
    bool done;
    BIO *bio;

    if (from->cert == NULL) {
        describe(&s, from->name, "cert", "", why);
        weft_tls_say(why, "%s: no certificate is given", s.option);
        return false;
    }
    describe(&s, from->name, "cert", from->cert, why);
    bio = source_open(&s);
    done = bio != NULL && load_certificates(ctx, &s, bio);
    BIO_free(bio);
    if (!done)
        return false;
    describe(&s, from->name, "key",
             from->key != NULL ? from->key : from->cert, why);
    bio = source_open(&s);
    done = bio != NULL && load_key(ctx, &s, bio, &pass);
    BIO_free(bio);
    return done;
}

/* Whom to trust -------------------------------------------------------------*/

static bool
trust(SSL_CTX *ctx, X509 *cert, bool server, EVP_MD_CTX *digest)
{
    unsigned char print[EVP_MAX_MD_SIZE];
    unsigned len;

    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1 &&
           (!server || SSL_CTX_add_client_CA(ctx, cert) == 1) &&
           X509_digest(cert, EVP_sha256(), print, &len) == 1 &&
           EVP_DigestUpdate(digest, print, len) == 1;
}

static bool
load_trusted(SSL_CTX *ctx, const struct source *s, BIO *bio, bool server,
             EVP_MD_CTX *digest)
{
    X509 *cert;
    int count = 0, more;

    while ((more = next_certificate(bio, &cert)) == 1) {
        bool done = trust(ctx, cert, server, digest);

        X509_free(cert);
        if (!done)
            return fail_reading(s, NULL);
        count++;
    }
    return was_all(s, more, count);
}

/* A folder is read when a certificate is looked for: its digest is of now. */
static bool
load_folder(SSL_CTX *ctx, const struct source *s, bool server,
            uint8_t digest[32])
{
    STACK_OF(X509_NAME) *names;

    if (X509_STORE_load_path(SSL_CTX_get_cert_store(ctx), s->text) != 1 ||
        RAND_bytes(digest, 32) != 1)
        return fail_reading(s, NULL);
    if (!server)
        return true;
    names = sk_X509_NAME_new_null();
    if (names == NULL || SSL_add_dir_cert_subjects_to_stack(names, s->text)
                         != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail_reading(s, NULL);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    return true;
}

bool
weft_tls_load_ca(SSL_CTX *ctx, const char *ca, bool server, uint8_t digest[32],
                 char *why)
{
    EVP_MD_CTX *md;
    struct source s;
    bool done;
    BIO *bio;

    describe(&s, NULL, "ca", ca, why);
    if (!is_pem(ca) && is_folder(ca))
        return load_folder(ctx, &s, server, digest);
    bio = source_open(&s);
    if (bio == NULL)
        return false;
    md = EVP_MD_CTX_new();
    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        done = fail(&s, "out of memory");
    else
        done = load_trusted(ctx, &s, bio, server, md) &&
               EVP_DigestFinal_ex(md, digest, NULL) == 1;
    EVP_MD_CTX_free(md);
    BIO_free(bio);
    return done;
}
