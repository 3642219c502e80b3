/*
 * SHA-1 and random bytes by libcrypto.  Nobody else outside of TLS includes its
 * headers.
 */
#include "base/crypto_system.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

bool
weft_system_random(void *to, size_t len)
{
    return RAND_bytes(to, (int)len) == 1;
}

static bool
prepare(struct weft_digest *d)
{
    if (d->sha1 == NULL)
        d->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    if (d->context == NULL)
        d->context = EVP_MD_CTX_new();
    return d->sha1 != NULL && d->context != NULL;
}

bool
weft_system_sha1(struct weft_digest *d, const struct weft_span *spans,
                 int count, uint8_t to[WEFT_SHA1_SIZE])
{
    bool fine = prepare(d) && EVP_DigestInit_ex(d->context, d->sha1, NULL) == 1;

    for (int i = 0; fine && i < count; i++)
        fine = EVP_DigestUpdate(d->context, spans[i].data, spans[i].len) == 1;
    return fine && EVP_DigestFinal_ex(d->context, to, NULL) == 1;
}

void
weft_digest_deinit(struct weft_digest *d)
{
    EVP_MD_CTX_free(d->context);
    EVP_MD_free(d->sha1);
    *d = (struct weft_digest){ NULL, NULL };
}
