/*
 * The frame head of RFC 6455, 5.2, as bytes and as a struct.
 */
#ifndef WEFT_PROTO_FRAME_H
#define WEFT_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum weft_opcode {
    WEFT_CONTINUATION = 0,
    WEFT_TEXT = 1,
    WEFT_BINARY = 2,
    WEFT_CLOSE = 8,
    WEFT_PING = 9,
    WEFT_PONG = 10,
};

/* Never in a frame: what a message that is an event already goes by, see
 * weft_session_speak_events(). */
enum { WEFT_ENCODED = 3 };

enum {
    WEFT_FRAME_HEAD_MAX = 14, /* 2 + 8 + 4 */
    WEFT_CONTROL_MAX = 125,   /* 5.5 */
    WEFT_REASON_MAX = 123,    /* 5.5.1: 125 less the code */
};

struct weft_frame {
    bool fin, masked;
    uint8_t reserved; /* RSV1..3 as bits 4, 2, 1 */
    uint8_t opcode;
    uint8_t key[4];
    uint64_t len;
};

/*
 * Reads the head at the start of len bytes.  WEFT_OK, and *size is how many
 * bytes it took; WEFT_MORE when it is not all there; or the fault that shows
 * in a head alone, as soon as the bytes that show it are there: an unknown
 * opcode, a length that is not minimal or has its highest bit set, a control
 * frame that is fragmented or over 125 bytes.  Which reserved bits and which
 * masking are right is the session's to say.
 *
 * Of a head that is not all there, or faulty, *f holds what came before the
 * fault: fin, reserved and opcode are of the first byte, masked of the second.
 */
enum weft_status weft_frame_read(struct weft_frame *f, const uint8_t *bytes,
                                 size_t len, size_t *size);

/* Writes the head (at most WEFT_FRAME_HEAD_MAX bytes); returns its size. */
size_t weft_frame_write(const struct weft_frame *f, uint8_t *to);

/* Whether a close code may stand on the wire (7.4): 1000 to 1003, 1007 to
 * 1014, 3000 to 4999. */
bool weft_close_code_valid(unsigned code);

#endif
