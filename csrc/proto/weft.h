/*
 * weft for C programs: the WebSocket protocol (RFC 6455) and its compression
 * (RFC 7692), both roles, without I/O and without Lua.  Link the files of
 * csrc/base and csrc/proto but for deflate_none.c, libcrypto and zlib; or, to
 * do without zlib, deflate_none.c in place of deflate.c, deflate_in.c and
 * deflate_out.c.  Nothing here opens a socket, waits, prints or keeps global
 * state.
 *
 * Most programs want proto/endpoint.h, a connection from its first byte to
 * its last.  A server that echoes, on a socket that is already accepted:
 *
 *     struct weft_endpoint_options options = {
 *         .limits = { .max_message = 1 << 20, .max_frame = 1 << 20,
 *                     .max_fragments = 1024 },
 *         .max_header = 16384, .max_headers = 100,
 *     };
 *     struct weft_endpoint e;
 *     struct weft_span out;
 *     char bytes[4096];
 *     ssize_t n;
 *
 *     if (weft_endpoint_server(&e, &options) != WEFT_OK)
 *         return;
 *     while (weft_endpoint_state(&e) != WEFT_CLOSED &&
 *            (n = read(fd, bytes, sizeof(bytes))) > 0) {
 *         weft_endpoint_feed(&e, bytes, (size_t)n);
 *         while (weft_endpoint_look(&e) == WEFT_EVENT) {
 *             if (e.found == WEFT_FOUND_EVENT &&
 *                 e.event.type == WEFT_EVENT_MESSAGE)
 *                 weft_endpoint_send(&e, e.event.opcode, e.event.data,
 *                                    e.event.len);
 *             weft_endpoint_take(&e);
 *         }
 *         while (out = weft_endpoint_output(&e), out.len > 0 &&
 *                (n = write(fd, out.data, out.len)) > 0)
 *             weft_endpoint_sent(&e, (size_t)n);
 *     }
 *     weft_endpoint_deinit(&e);
 *
 * A client is the same, begun by weft_endpoint_client() with the host and the
 * target in options.request; its request is in the output at once.
 *
 * Either takes part in permessage-deflate when it is told to.  This keeps no
 * window, and so no zlib memory, between messages (a client leaves the two
 * flags out to offer what browsers do):
 *
 *     options.deflate = (struct weft_deflate_options){
 *         .on = true, .level = 6, .threshold = 512,
 *         .server_no_context_takeover = true,
 *         .client_no_context_takeover = true,
 *         .server_max_window_bits = 15, .client_max_window_bits = 15,
 *         .window_bits = 12,
 *     };
 *
 * What an endpoint is made of can be used alone:
 *
 *     proto/opening.h        one opening handshake, as its bytes arrive
 *     proto/handshake.h      what heads say, and the heads to answer with
 *     proto/http.h           a strict incremental parser for HTTP/1.1 heads
 *     proto/deflate_offer.h  what heads say of permessage-deflate
 *     proto/session.h        frames in, messages out, and back
 *     proto/events.h         Server-Sent Events, for who has an HTTP server
 *     proto/deflate.h        messages compressed and inflated
 *     proto/outq.h           what a session has to send
 *     proto/frame.h          the frame head
 *     base/mem.h             where memory comes from: an engine replaces mem.c
 *
 * Every call returns an enum weft_status (base/status.h): below zero it
 * failed, and weft_status_text() says how.  Structs are embedded, begun by an
 * init and ended by a deinit, after which they are inert.  One thread at a
 * time may use an object; objects share nothing.
 */
#ifndef WEFT_H
#define WEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/mem.h"
#include "base/status.h"
#include "base/utf8.h"
#include "proto/deflate.h"
#include "proto/deflate_offer.h"
#include "proto/endpoint.h"
#include "proto/events.h"
#include "proto/frame.h"
#include "proto/handshake.h"
#include "proto/http.h"
#include "proto/opening.h"
#include "proto/outq.h"
#include "proto/session.h"

#ifdef __cplusplus
}
#endif

#endif
