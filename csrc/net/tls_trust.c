/*
 * The certificates that the system trusts, without reading them all at once: a
 * bundle of them takes as long as a frame of a game.  From an indexed directory
 * each is read when it is looked for, from a bundle a few at a time, before the
 * first handshake that needs them.
 */
#include "net/tls_inner.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    AT_ONCE = 4, /* certificates of a bundle, about half a millisecond */
    PIECE = 4096,
};

/* As OpenSSL has it, a program with somebody else's rights has no environment. */
static const char *
environment(const char *name)
{
    return getuid() == geteuid() && getgid() == getegid() ? getenv(name)
                                                          : NULL;
}

/* Which of the two is enough ------------------------------------------------*/

/* "5ed36f99.0": a name that `openssl rehash` gives to a certificate */
static bool
is_indexed(const char *name)
{
    size_t n = strspn(name, "0123456789abcdef");

    return n == 8 && name[n] == '.' && name[n + 1] != '\0' &&
           name[n + 1 + strspn(name + n + 1, "0123456789")] == '\0';
}

static size_t
count_indexed(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    size_t n = 0;

    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL)
        n += is_indexed(entry->d_name);
    closedir(dir);
    return n;
}

static size_t
count_bundled(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[128]; /* of a longer one each part is looked at */
    size_t n = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        n += strncmp(line, "-----BEGIN ", 11) == 0;
    fclose(file);
    return n;
}

/* Whether the directory has all that the bundle has. */
static bool
is_complete(const char *dir, const char *bundle)
{
    size_t n = count_indexed(dir);

    return n > 0 && n >= count_bundled(bundle);
}

/* Reading a bundle ----------------------------------------------------------*/

/* What a file holds, in memory: none is left open between two turns. */
static BIO *
contents(const char *path)
{
    BIO *file = BIO_new_file(path, "r"), *all = BIO_new(BIO_s_mem());
    char piece[PIECE];
    int n = 0;

    while (file != NULL && all != NULL
           && (n = BIO_read(file, piece, PIECE)) > 0)
        if (BIO_write(all, piece, n) != n)
            break;
    if (file == NULL || n > 0) { /* no file, or no memory for it */
        BIO_free(all);
        all = NULL;
    }
    BIO_free(file);
    return all;
}

void
weft_tls_trust_system(struct weft_tls_context *c)
{
    const char *file = environment(X509_get_default_cert_file_env());
    bool is_default = file == NULL
                      && !environment(X509_get_default_cert_dir_env());

    if (file == NULL)
        file = X509_get_default_cert_file();
    SSL_CTX_set_default_verify_dir(c->ctx);
    if (!is_default || !is_complete(X509_get_default_cert_dir(), file))
        c->bundle = contents(file);
    ERR_clear_error();
}

bool
weft_tls_trust_more(struct weft_tls_context *c)
{
    char nobody[] = ""; /* no one is asked on a terminal for a passphrase */

    for (int i = 0; i < AT_ONCE && c->bundle != NULL; i++) {
        X509 *cert = PEM_read_bio_X509_AUX(c->bundle, NULL, NULL, nobody);

        if (cert == NULL ||
            X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), cert) != 1)
            weft_tls_trust_end(c);
        X509_free(cert);
    }
    ERR_clear_error();
    return c->bundle == NULL;
}

void
weft_tls_trust_end(struct weft_tls_context *c)
{
    BIO_free(c->bundle);
    c->bundle = NULL;
}
