/*
 * The frame head (RFC 6455, 5.2).  It must know nothing of the frames before
 * or of the role: what is wrong here is wrong in any stream.
 */
#include "proto/frame.h"

#include <string.h>

#include "base/bytes.h"

enum {
    FIN = 0x80,
    MASKED = 0x80,
    LENGTH = 0x7F,
    LENGTH_16 = 126, /* two more bytes hold the length */
    LENGTH_64 = 127, /* eight more bytes do */
};

/* The length in its long form, as far as it is there. */
static enum weft_status
read_length(struct weft_frame *f, unsigned form, const uint8_t *bytes,
            size_t len)
{
    static const uint8_t zeros[6];

    if (form == LENGTH_16) {
        if (len < 2)
            return WEFT_MORE;
        f->len = weft_load16(bytes);
        return f->len < 126 ? WEFT_E_LENGTH_NOT_MINIMAL : WEFT_OK;
    }
    if (len >= 1 && (bytes[0] & 0x80) != 0)
        return WEFT_E_LENGTH_OVERFLOW;
    if (len >= 6 && memcmp(bytes, zeros, 6) == 0)
        return WEFT_E_LENGTH_NOT_MINIMAL;
    if (len < 8)
        return WEFT_MORE;
    f->len = weft_load64(bytes);
    return WEFT_OK;
}

enum weft_status
weft_frame_read(struct weft_frame *f, const uint8_t *bytes, size_t len,
                size_t *size)
{
    size_t at = 2;
    unsigned form;

    if (len < 1)
        return WEFT_MORE;
    f->fin = (bytes[0] & FIN) != 0;
    f->reserved = (bytes[0] >> 4) & 7;
    f->opcode = bytes[0] & 15;
    if ((f->opcode & 7) > WEFT_BINARY) /* 3 to 7 and 11 to 15 */
        return WEFT_E_OPCODE;
    if (!f->fin && f->opcode >= WEFT_CLOSE)
        return WEFT_E_CONTROL_FRAGMENTED;
    if (len < 2)
        return WEFT_MORE;
    f->masked = (bytes[1] & MASKED) != 0;
    f->len = form = bytes[1] & LENGTH;
    if (form >= LENGTH_16) {
        enum weft_status rc;

        if (f->opcode >= WEFT_CLOSE)
            return WEFT_E_CONTROL_TOO_LONG;
        rc = read_length(f, form, bytes + 2, len - 2);
        if (rc != WEFT_OK)
            return rc;
        at = form == LENGTH_16 ? 4 : 10;
    }
    if (f->masked) {
        if (len < at + 4)
            return WEFT_MORE;
        memcpy(f->key, bytes + at, 4);
        at += 4;
    }
    *size = at;
    return WEFT_OK;
}

size_t
weft_frame_write(const struct weft_frame *f, uint8_t *to)
{
    uint8_t masked = f->masked ? MASKED : 0;
    size_t at = 2;

    to[0] = (uint8_t)((f->fin ? FIN : 0) | f->reserved << 4 | f->opcode);
    if (f->len < LENGTH_16) {
        to[1] = (uint8_t)(masked | f->len);
    } else if (f->len <= UINT16_MAX) {
        to[1] = masked | LENGTH_16;
        weft_store16(to + 2, (uint16_t)f->len);
        at = 4;
    } else {
        to[1] = masked | LENGTH_64;
        weft_store64(to + 2, f->len);
        at = 10;
    }
    if (f->masked) {
        memcpy(to + at, f->key, 4);
        at += 4;
    }
    return at;
}

bool
weft_close_code_valid(unsigned code)
{
    /* 7.4.1 and the IANA registry; 1004 to 1006 and 1015 are never sent */
    if (code < 3000)
        return (code >= 1000 && code <= 1003) ||
               (code >= 1007 && code <= 1014);
    return code <= 4999; /* 7.4.2 */
}
