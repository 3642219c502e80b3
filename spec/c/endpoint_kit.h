/*
 * Endpoints under test: bytes go in cut as the test likes.
 */
#ifndef WEFT_SPEC_ENDPOINT_KIT_H
#define WEFT_SPEC_ENDPOINT_KIT_H

#include <stdlib.h>

#include "check.h"
#include "proto/endpoint.h"

#define SPAN(text) ((struct weft_span){ text, sizeof(text) - 1 })

/* Feeds the next piece of what *rest has, of at most `size` bytes and from memory
 * of its own, and drops it there; false when there was nothing. */
static inline bool
feed_piece(struct weft_endpoint *e, struct weft_span *rest, size_t size)
{
    size_t n = rest->len < size ? rest->len : size;
    char *piece;

    if (n == 0)
        return false;
    piece = malloc(n);
    memcpy(piece, rest->data, n);
    weft_endpoint_feed(e, piece, n);
    free(piece);
    *rest = (struct weft_span){ rest->data + n, rest->len - n };
    return true;
}

#endif
