/*
 * The certificates that the system trusts, without reading them all: a bundle
 * of them takes as long as a frame of a game.  From an indexed directory each
 * is read when it is looked for.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_inner.h"

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

void
weft_tls_trust_system(SSL_CTX *ctx)
{
    bool is_default = getenv(X509_get_default_cert_file_env()) == NULL
                      && getenv(X509_get_default_cert_dir_env()) == NULL;

    if (is_default && is_complete(X509_get_default_cert_dir(),
                                  X509_get_default_cert_file()))
        SSL_CTX_set_default_verify_dir(ctx);
    else
        SSL_CTX_set_default_verify_paths(ctx);
}
