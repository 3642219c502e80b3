/*
 * SHA-1, base64 and random bytes by libcrypto.  It must know nothing of HTTP
 * or frames, and nobody else includes libcrypto's headers.
 */
#include "base/crypto.h"

#include <assert.h>
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

/* What a character stands for, or 64 when it is none of base64's. */
static uint32_t
value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    if (c == '+')
        return 62;
    return c == '/' ? 63 : 64;
}

bool
weft_unbase64(const char *from, size_t len, uint8_t *to, size_t *got)
{
    size_t padding = 0;

    *got = 0;
    if (len % 4 != 0)
        return false;
    while (padding < 2 && padding < len && from[len - 1 - padding] == '=')
        padding++;
    for (size_t at = 0; at < len; at += 4) {
        size_t count = at + 4 == len ? 4 - padding : 4;
        uint32_t bits = 0;

        for (size_t i = 0; i < 4; i++) {
            uint32_t value = i < count ? value_of(from[at + i]) : 0;

            if (value > 63)
                return false;
            bits = bits << 6 | value;
        }
        for (size_t i = 0; i + 1 < count; i++, bits <<= 8)
            to[(*got)++] = (uint8_t)(bits >> 16);
        if ((bits & 0xFFFFFF) != 0 && count < 4)
            return false; /* 3.5: what is left over must be zero */
    }
    return true;
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
