/*
 * What is known of a connection for as long as it is there, and seldom asked
 * for: its heads, its peer.  All of it lies in one block at its exact size,
 * since there may be very many connections.
 */
#ifndef WEFT_LOOP_KEPT_H
#define WEFT_LOOP_KEPT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

enum weft_kept_kind {
    WEFT_KEPT_PEER,     /* see weft_link_peer() */
    WEFT_KEPT_TARGET,   /* client: "example.com:443", with its NUL */
    WEFT_KEPT_PROTOCOL, /* the one agreed on, with its NUL */
    WEFT_KEPT_REQUEST,  /* heads, as of weft_head_pack() */
    WEFT_KEPT_RESPONSE,
    WEFT_KEPT_BODY,     /* of a refused handshake's response */
    WEFT_KEPT_TLS,      /* struct weft_tls_said */
    WEFT_KEPT_REASON,   /* of the peer's close frame */
    WEFT_KEPT_CALL,     /* struct weft_call, when its listener counts it */
    WEFT_KEPT_STORY,    /* link_tell.c's, when its listener has a journal */
    WEFT_KEPT_CLIENT,   /* the same: who a trusted proxy says is at the end */
};

struct weft_kept {
    uint32_t size; /* of bytes */
    uint8_t bytes[];
};

/*
 * Keeps a copy of the bytes, at most 4 GiB; none is nothing to keep.  *kept
 * may be NULL at first; the caller frees it by weft_free().  WEFT_E_MEMORY: as
 * it was.
 */
enum weft_status weft_kept_add(struct weft_kept **kept,
                               enum weft_kept_kind kind,
                               struct weft_span bytes);

/* Forgets the first of that kind, if there is one. */
void weft_kept_drop(struct weft_kept *kept, enum weft_kept_kind kind);

/* The first of that kind, good until the next add or drop; without one data is
 * NULL. */
struct weft_span weft_kept_find(const struct weft_kept *kept,
                                enum weft_kept_kind kind);

#endif
