/*
 * SHA-1, base64 and random bytes by libcrypto.  It must know nothing of HTTP
 * or frames, and nobody else includes libcrypto's headers.
 */
#include "base/crypto.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

/* RFC 6455, 1.3 */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

enum { SHA1_SIZE = 20, KEY_SIZE = 16 };

void
weft_base64(const void *from, size_t len, char *to)
{
    assert(len < (size_t)1 << 30); /* libcrypto counts in int */
    EVP_EncodeBlock((unsigned char *)to, from, (int)len);
}

enum weft_status
weft_random_bytes(struct weft_random *r, void *to, size_t len)
{
    uint8_t *from;

    assert(len <= sizeof(r->pool));
    if (r->left < len) {
        r->left = 0;
        if (RAND_bytes(r->pool, (int)sizeof(r->pool)) != 1)
            return WEFT_E_MEMORY;
        r->left = sizeof(r->pool);
    }
    from = r->pool + sizeof(r->pool) - r->left;
    memcpy(to, from, len);
    memset(from, 0, len); /* handed out: 5.3 wants masks nobody can guess */
    r->left -= len;
    return WEFT_OK;
}

/* 4.2.2, step 5.4: the digest of the key with the GUID behind it */
static bool
digest_key(const struct weft_digest *d, const char *key, size_t len,
           uint8_t *digest)
{
    return EVP_DigestInit_ex(d->context, d->sha1, NULL) == 1 &&
           EVP_DigestUpdate(d->context, key, len) == 1 &&
           EVP_DigestUpdate(d->context, guid, sizeof(guid) - 1) == 1 &&
           EVP_DigestFinal_ex(d->context, digest, NULL) == 1;
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

void
weft_digest_deinit(struct weft_digest *d)
{
    EVP_MD_CTX_free(d->context);
    EVP_MD_free(d->sha1);
    *d = (struct weft_digest){ NULL, NULL };
}

enum weft_status
weft_accept_key(struct weft_digest *d, const char *key, size_t len,
                char out[29])
{
    struct weft_digest own = { NULL, NULL };
    struct weft_digest *used = d != NULL ? d : &own;
    uint8_t digest[SHA1_SIZE];
    bool done = prepare(used) && digest_key(used, key, len, digest);

    weft_digest_deinit(&own);
    if (!done)
        return WEFT_E_MEMORY;
    weft_base64(digest, SHA1_SIZE, out);
    return WEFT_OK;
}

enum weft_status
weft_new_key(struct weft_random *r, char out[25])
{
    uint8_t nonce[KEY_SIZE];
    enum weft_status rc = weft_random_bytes(r, nonce, sizeof(nonce));

    if (rc == WEFT_OK)
        weft_base64(nonce, KEY_SIZE, out);
    return rc;
}
