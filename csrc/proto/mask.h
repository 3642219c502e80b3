/*
 * The masking of RFC 6455, 5.3: octet i of the payload is XORed with octet
 * i mod 4 of the key.  Wide loads and stores, any alignment.
 */
#ifndef WEFT_PROTO_MASK_H
#define WEFT_PROTO_MASK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Masks (or unmasks: the same) len bytes in place.  `offset` is how many bytes
 * of this frame's payload came before, so a payload may come in pieces.
 */
void weft_mask(uint8_t *bytes, size_t len, const uint8_t key[4],
               uint64_t offset);

/* The same from one place to another that does not overlap it. */
void weft_mask_copy(uint8_t *to, const uint8_t *from, size_t len,
                    const uint8_t key[4], uint64_t offset);

#endif
