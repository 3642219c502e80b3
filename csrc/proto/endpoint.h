/*
 * One end of a WebSocket connection from its first byte on, without I/O: an
 * opening handshake and then a session, of either role, behind one face.
 *
 * Everything is pulled.  The caller feeds what has arrived, takes one event
 * after the other, and writes what weft_endpoint_output() lends:
 *
 *     weft_endpoint_feed(&e, bytes, len);
 *     while (weft_endpoint_look(&e) == WEFT_EVENT) {
 *         ... e.found says what; e.event, e.error ...
 *         weft_endpoint_take(&e);
 *     }
 *     out = weft_endpoint_output(&e);
 *     weft_endpoint_sent(&e, write(fd, out.data, out.len));
 *
 * Fed bytes wait until somebody looks.  The event that was found stays, and
 * lends its bytes, until it is taken: whatever else is called meanwhile, feed,
 * send and output included, leaves it as it is.
 *
 * The endpoint owns its memory and is owned by whoever embeds it.  It must not
 * move between init and deinit.
 */
#ifndef WEFT_PROTO_ENDPOINT_H
#define WEFT_PROTO_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/status.h"
#include "proto/opening.h"
#include "proto/session.h"

/* What an endpoint is to be; the spans must live as long as it does. */
struct weft_endpoint_options {
    struct weft_limits limits;
    uint32_t max_header, max_headers; /* of the peer's head */
    struct weft_deflate_options deflate; /* all zero: no compression */

    /* a server */
    const struct weft_span *protocols; /* spoken, in order of preference */
    size_t protocol_count;
    const struct weft_span *origins; /* see weft_origin_allowed() */
    size_t origin_count;
    struct weft_span headers; /* lines for the 101, each ended by CRLF */

    /* a client; `key` is made by the endpoint, `deflate` is the above */
    struct weft_client_request request;
};

enum weft_endpoint_state {
    WEFT_CONNECTING,
    WEFT_OPEN,
    WEFT_CLOSING, /* our close frame is sent or waits in the output */
    WEFT_CLOSED,
};

enum weft_found {
    WEFT_FOUND_NOTHING,
    WEFT_FOUND_OPEN,  /* the handshake is complete: `opening`, `protocol`,
                         `agreed` */
    WEFT_FOUND_EVENT, /* `event` */
    WEFT_FOUND_ERROR, /* the end: `error`, `code` */
};

struct weft_endpoint {
    struct weft_endpoint_options options;
    struct weft_random random;
    struct weft_opening *opening; /* until its event is taken */
    struct weft_session session;
    struct weft_buf in; /* fed, behind the handshake */
    bool open;          /* the handshake is complete */
    bool over;          /* refused, failed or deinited */

    enum weft_found found;
    struct weft_event event;
    size_t used;       /* bytes of `in` that the event stands for */
    const char *error; /* a sentence for people */
    unsigned code;     /* a close code or an HTTP status; 0: none */

    int protocol; /* the agreed subprotocol as an index, or -1 */
    struct weft_deflate_agreed agreed; /* the compression, or all zero */
    struct weft_deflate_pool pool;     /* its streams, until all is used up
                                          and all is sent */
    char reason[WEFT_REASON_MAX]; /* of the peer's close */
    size_t reason_len;
};

/* A server that waits for a request, or a client whose request is in the
 * output: WEFT_OK, or WEFT_E_MEMORY, e being inert. */
enum weft_status weft_endpoint_server(
    struct weft_endpoint *e, const struct weft_endpoint_options *options);
enum weft_status weft_endpoint_client(
    struct weft_endpoint *e, const struct weft_endpoint_options *options);

/* Frees all; e is closed for ever and may be deinited again. */
void weft_endpoint_deinit(struct weft_endpoint *e);

/* Adds bytes from the peer: WEFT_OK, WEFT_E_MEMORY, or WEFT_E_CLOSED when
 * nothing more is read; they are thrown away then. */
enum weft_status weft_endpoint_feed(struct weft_endpoint *e,
                                    const void *bytes, size_t len);

/*
 * Works through what was fed up to the next event, unless one is there that
 * was not taken.  WEFT_EVENT: `found` says which; WEFT_MORE: all is used up;
 * WEFT_E_MEMORY: it may be called again.
 *
 * A server answers its request here: 101 and WEFT_FOUND_OPEN; or
 * WEFT_FOUND_ERROR, and the output is an HTTP response: 426 to plain HTTP, 403
 * to a foreign origin, what the refusal says to a bad one.  An error after that
 * puts the close frame into the output.  Nothing follows an error.
 */
enum weft_status weft_endpoint_look(struct weft_endpoint *e);

/* Lets go of the event that was found. */
void weft_endpoint_take(struct weft_endpoint *e);

/* The bytes to send, in one piece, empty when there are none; good until
 * something is called that adds to them. */
struct weft_span weft_endpoint_output(const struct weft_endpoint *e);

/* Drops the first len of them, which were sent. */
void weft_endpoint_sent(struct weft_endpoint *e, size_t len);

enum weft_endpoint_state weft_endpoint_state(const struct weft_endpoint *e);

/* The peer's close code: 1005 if it carried none, 1006 if none came. */
unsigned weft_endpoint_close_code(const struct weft_endpoint *e);

/*
 * As the weft_session_ functions of the same names, which check neither UTF-8
 * nor codes; WEFT_E_CLOSED, and nothing is queued, unless the state is
 * WEFT_OPEN.  (Closing twice is WEFT_OK.)
 */
enum weft_status weft_endpoint_send(struct weft_endpoint *e,
                                    enum weft_opcode opcode, const void *data,
                                    size_t len);
enum weft_status weft_endpoint_send_plain(struct weft_endpoint *e,
                                          enum weft_opcode opcode,
                                          const void *data, size_t len);
enum weft_status weft_endpoint_ping(struct weft_endpoint *e, const void *data,
                                    size_t len);
enum weft_status weft_endpoint_pong(struct weft_endpoint *e, const void *data,
                                    size_t len);
enum weft_status weft_endpoint_close(struct weft_endpoint *e, unsigned code,
                                     const void *reason, size_t len);

#endif
