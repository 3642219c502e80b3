/*
 * SHA-1 and random bytes by BCrypt, the system's own library.
 */
#include "base/crypto_system.h"

#include <windows.h>

#include <bcrypt.h>

bool
weft_system_random(void *to, size_t len)
{
    return BCryptGenRandom(NULL, to, (ULONG)len,
                           BCRYPT_USE_SYSTEM_PREFERRED_RNG) >= 0;
}

/* The digest's context stays as it was; it is what BCrypt calls a reusable
 * hash: finishing it begins the next one. */
static bool
prepare(struct weft_digest *d)
{
    if (d->sha1 == NULL
        && BCryptOpenAlgorithmProvider(&d->sha1, BCRYPT_SHA1_ALGORITHM, NULL,
                                       0) < 0)
        d->sha1 = NULL;
    if (d->sha1 != NULL && d->context == NULL
        && BCryptCreateHash(d->sha1, &d->context, NULL, 0, NULL, 0,
                            BCRYPT_HASH_REUSABLE_FLAG) < 0)
        d->context = NULL;
    return d->sha1 != NULL && d->context != NULL;
}

bool
weft_system_sha1(struct weft_digest *d, const struct weft_span *spans,
                 int count, uint8_t to[WEFT_SHA1_SIZE])
{
    bool fine = prepare(d);

    for (int i = 0; fine && i < count; i++)
        fine = BCryptHashData(d->context, (PUCHAR)spans[i].data,
                              (ULONG)spans[i].len, 0) >= 0;
    return fine && BCryptFinishHash(d->context, to, WEFT_SHA1_SIZE, 0) >= 0;
}

void
weft_digest_deinit(struct weft_digest *d)
{
    if (d->context != NULL)
        BCryptDestroyHash(d->context);
    if (d->sha1 != NULL)
        BCryptCloseAlgorithmProvider(d->sha1, 0);
    *d = (struct weft_digest){ NULL, NULL };
}
