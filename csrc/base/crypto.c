/*
 * Keys, base64 and random bytes, with what the system has for them.  It must
 * know nothing of HTTP or frames.
 */
#include "base/crypto.h"

#include <assert.h>
#include <string.h>

#include "base/crypto_system.h"

/* RFC 6455, 1.3 */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

enum { KEY_SIZE = 16 };

void
weft_base64(const void *from, size_t len, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = from;

    for (size_t at = 0; at < len; at += 3) {
        size_t count = len - at < 3 ? len - at : 3;
        uint32_t bits = (uint32_t)bytes[at] << 16;

        bits |= count > 1 ? (uint32_t)bytes[at + 1] << 8 : 0;
        bits |= count > 2 ? bytes[at + 2] : 0u;
        for (size_t i = 0; i < 4; i++, bits <<= 6)
            *to++ = i <= count ? digits[bits >> 18 & 63] : '=';
    }
    *to = '\0';
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
        if (!weft_system_random(r->pool, sizeof(r->pool)))
            return WEFT_E_MEMORY;
        r->left = sizeof(r->pool);
    }
    from = r->pool + sizeof(r->pool) - r->left;
    memcpy(to, from, len);
    memset(from, 0, len); /* handed out: 5.3 wants masks nobody can guess */
    r->left -= len;
    return WEFT_OK;
}

enum weft_status
weft_accept_key(struct weft_digest *d, const char *key, size_t len,
                char out[29])
{
    struct weft_digest own = { NULL, NULL };
    struct weft_digest *used = d != NULL ? d : &own;
    uint8_t digest[WEFT_SHA1_SIZE];
    const struct weft_span text[] = { { key, len },
                                      { guid, sizeof(guid) - 1 } };
    bool done = weft_system_sha1(used, text, 2, digest);

    weft_digest_deinit(&own);
    if (!done)
        return WEFT_E_MEMORY;
    weft_base64(digest, sizeof(digest), out); /* 4.2.2, step 5.4 */
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
