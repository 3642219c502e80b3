/*
 * What a load sends: one payload, plain or compressed, as frames; and whether
 * what comes back is the same.
 */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "proto/deflate.h"

enum message_kind {
    MESSAGE_TEXT,    /* letters in no order */
    MESSAGE_BINARY,  /* any byte, in no order */
    MESSAGE_RECORDS, /* text: records in JSON, as compression likes them */
};

struct message {
    enum message_kind kind;
    uint8_t *payload;    /* size bytes */
    size_t size;
    uint8_t *carried;    /* what a frame carries of it: len bytes */
    size_t len;
    bool compressed;     /* by itself: no window from before is needed */
};

/*
 * Makes the message: compressed, if that was agreed on and makes it smaller.
 * Ends the process when memory is out.
 */
void message_init(struct message *m, enum message_kind kind, size_t size,
                  const struct weft_deflate_agreed *agreed);

/* "text", "binary" or "records". */
const char *message_kind_text(enum message_kind kind);

/* The opcode of its frames. */
uint8_t message_opcode(const struct message *m);

/* How long a frame is, and the frame, masked with a key of its own. */
size_t message_frame_len(const struct message *m);
void message_frame(const struct message *m, struct weft_random *random,
                   uint8_t *to);

/*
 * Looks at the next n bytes of a compressed message that came, and moves *at
 * past what they inflate to; message_compare_end() when it is over.  Both end
 * the process unless it is what was sent.
 */
void message_compare(const struct message *m, struct weft_deflate *d,
                     const uint8_t *bytes, size_t n, size_t *at);
void message_compare_end(const struct message *m, struct weft_deflate *d,
                         size_t at);

#endif
