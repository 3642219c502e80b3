/*
 * What the system's cryptographic library does for crypto.c: libcrypto's
 * (crypto_system.c), or on Windows its own (crypto_system_win.c).
 */
#ifndef WEFT_BASE_CRYPTO_SYSTEM_H
#define WEFT_BASE_CRYPTO_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/crypto.h"

enum { WEFT_SHA1_SIZE = 20 };

/* Fills len (at most 1024) bytes; false when the generator fails. */
bool weft_system_random(void *to, size_t len);

/* SHA-1 of the spans one behind the other; false when memory is out. */
bool weft_system_sha1(struct weft_digest *d, const struct weft_span *spans,
                      int count, uint8_t to[WEFT_SHA1_SIZE]);

#endif
