/*
 * What a load sends: one payload, plain or compressed, as frames; and whether
 * what comes back is the same.
 */
#ifndef WEFT_LOAD_MESSAGE_H
#define WEFT_LOAD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "proto/deflate.h"

enum weft_load_kind {
    WEFT_LOAD_TEXT,    /* letters in no order */
    WEFT_LOAD_BINARY,  /* any byte, in no order */
    WEFT_LOAD_RECORDS, /* text: records in JSON, as compression likes them */
};

struct weft_load_message {
    enum weft_load_kind kind;
    uint8_t *payload;    /* size bytes */
    size_t size;
    uint8_t *carried;    /* what a frame carries of it: len bytes */
    size_t len;
    bool compressed;     /* by itself: no window from before is needed */
};

/*
 * Makes the message: compressed, if that was agreed on and makes it smaller.
 * WEFT_OK or WEFT_E_MEMORY; all zero is valid for deinit.
 */
enum weft_status
weft_load_message_init(struct weft_load_message *m, enum weft_load_kind kind,
                       size_t size, const struct weft_deflate_agreed *agreed);
void weft_load_message_deinit(struct weft_load_message *m);

/* "text", "binary" or "records". */
const char *weft_load_kind_text(enum weft_load_kind kind);

/* The opcode of its frames. */
uint8_t weft_load_message_opcode(const struct weft_load_message *m);

/* How long a frame is, and the frame, masked with a key of its own: WEFT_OK,
 * or WEFT_E_MEMORY when there are no random bytes. */
size_t weft_load_message_frame_len(const struct weft_load_message *m);
enum weft_status weft_load_message_frame(const struct weft_load_message *m,
                                         struct weft_random *random,
                                         uint8_t *to);

/*
 * Looks at the next n bytes of a compressed message that came, and moves *at
 * past what they inflate to; weft_load_message_compare_end() when it is over.
 * NULL, or what tells it from the one that was sent (static).
 */
const char *weft_load_message_compare(const struct weft_load_message *m,
                                      struct weft_deflate *d,
                                      const uint8_t *bytes, size_t n,
                                      size_t *at);
const char *weft_load_message_compare_end(const struct weft_load_message *m,
                                          struct weft_deflate *d, size_t at);

#endif
