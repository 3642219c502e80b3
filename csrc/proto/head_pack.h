/*
 * Heads in little memory: a connection keeps its request for as long as it is
 * open, and most of what stands in one stands in every other.  Such phrases
 * take a byte each; what is not among them stays as it is.
 */
#ifndef WEFT_PROTO_HEAD_PACK_H
#define WEFT_PROTO_HEAD_PACK_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/status.h"

/* Adds the head (or any other bytes), packed: WEFT_OK or WEFT_E_MEMORY, `out`
 * then holds a part of it. */
enum weft_status weft_head_pack(struct weft_buf *out, struct weft_span head);

/* The way back: adds what was packed. */
enum weft_status weft_head_unpack(struct weft_buf *out,
                                  struct weft_span packed);

#endif
