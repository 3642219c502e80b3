/*
 * The grammar of Sec-WebSocket-Extensions (RFC 6455, 9.1).
 */
#ifndef WEFT_PROTO_EXTENSION_H
#define WEFT_PROTO_EXTENSION_H

#include <stdbool.h>

#include "base/bytes.h"

/*
 * Whether the bytes, one element of the field's list, are an extension with
 * its parameters: token *( ";" token [ "=" ( token | quoted-string ) ] ),
 * where what is quoted must be a token too.  Blanks may stand between.
 */
bool weft_extension_is_valid(struct weft_span element);

#endif
