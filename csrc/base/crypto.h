/*
 * SHA-1 and base64 for the opening handshake (RFC 6455, 4.2.2) and for Basic
 * auth (RFC 7617), and random bytes for keys and masks (5.3, 10.3).
 */
#ifndef WEFT_BASE_CRYPTO_H
#define WEFT_BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* How many characters len bytes are in base64, the NUL after them included. */
#define WEFT_BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/*
 * len bytes in base64 with its padding (RFC 4648, 4), NUL
 * after them; `to` has room for WEFT_BASE64_SIZE(len).
 */
void weft_base64(const void *from, size_t len, char *to);

/*
 * The bytes that len characters of base64 stand for; `to` has room for
 * len / 4 * 3, and *got says how many there are.  False unless every character
 * counts: padded, no blanks, nothing in the bits that are left over.
 */
bool weft_unbase64(const char *from, size_t len, uint8_t *to, size_t *got);

/*
 * Random bytes drawn in bulk from the system's generator and handed out a few at
 * a time, each byte once.  Owned by whoever embeds it; all zero is valid.
 */
struct weft_random {
    uint8_t pool[1024];
    size_t left;
};

/* Fills len (at most 1024) bytes; WEFT_E_MEMORY when the generator fails. */
enum weft_status weft_random_bytes(struct weft_random *r, void *to, size_t len);

/*
 * What SHA-1 is computed with: looking it up costs more than using it, so who
 * computes many keeps one.  Owned by whoever embeds it; all zero is valid.
 */
struct weft_digest {
    void *sha1, *context; /* as crypto_system.c has them */
};

void weft_digest_deinit(struct weft_digest *d); /* all zero again */

/*
 * The 28 characters, NUL after them, of Sec-WebSocket-Accept for a key:
 * WEFT_OK or WEFT_E_MEMORY.  d: NULL for a digest used once.
 */
enum weft_status weft_accept_key(struct weft_digest *d, const char *key,
                                 size_t len, char out[29]);

/* 16 random bytes as the 24 characters, NUL after them, of a key. */
enum weft_status weft_new_key(struct weft_random *r, char out[25]);

#endif
