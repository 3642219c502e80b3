/*
 * The grammar of Sec-WebSocket-Extensions (RFC 6455, 9.1).
 */
#ifndef WEFT_PROTO_EXTENSION_H
#define WEFT_PROTO_EXTENSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/status.h"

/* The extension itself, or one of its parameters. */
struct weft_extension_part {
    struct weft_span name;
    struct weft_span value; /* what is in the quotes, if it is quoted; then a
                               backslash stands before what it escapes */
    bool valued;            /* it has a value, which is never empty */
};

/*
 * Walks one element of the field's list: token *( ";" token [ "=" ( token |
 * quoted-string ) ] ), where what is quoted must be a token too and blanks may
 * stand between.  *at starts at 0; the first part is the extension's own name,
 * the others are its parameters.  WEFT_EVENT: *part is the next one; WEFT_OK:
 * there are no more; WEFT_E_HEAD: the element does not follow the grammar.
 */
enum weft_status weft_extension_next(struct weft_span element, size_t *at,
                                     struct weft_extension_part *part);

/* Whether the whole element follows the grammar. */
bool weft_extension_is_valid(struct weft_span element);

#endif
