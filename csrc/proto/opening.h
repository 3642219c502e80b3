/*
 * One opening handshake as it happens, either role, without I/O: collects the
 * head's bytes, parses them as they come, and says what they amount to.
 *
 * It lives on the heap only while a connection opens.  Bytes behind the head
 * belong to the data phase; the caller takes them from weft_opening_rest().
 * Where the head has a body (a plain request, a refused handshake), they are
 * that, and on a server what comes behind it is the next request.
 */
#ifndef WEFT_PROTO_OPENING_H
#define WEFT_PROTO_OPENING_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/status.h"
#include "proto/handshake.h"
#include "proto/http.h"
#include "proto/http_body.h"
#include "proto/session.h"

struct weft_opening {
    enum weft_role role;
    struct weft_http_head head; /* the peer's head */
    struct weft_buf bytes;      /* its bytes and what came behind it */
    struct weft_refusal refusal;
    enum weft_request_kind kind; /* server: what the request asks for */
    struct weft_http_body framing; /* of the body behind the head */
    struct weft_buf body;       /* what has been read of it */

    /* client */
    struct weft_client_request request; /* spans into `storage` */
    struct weft_buf storage;
    struct weft_span *protocols;
    struct weft_buf sent; /* the request head, kept for the user */
    char key[25];
    int protocol;         /* the agreed one's index, or -1 */
    struct weft_deflate_agreed agreed; /* compression; all zero: none; a server
                                          may keep its choice here */
};

/* Waits for a request. NULL when memory is out. */
struct weft_opening *weft_opening_server(uint32_t max_header,
                                         uint32_t max_headers);

/*
 * Prepares a request, of which everything is copied but the key, which is
 * made here.  The request's bytes are in `sent`.
 */
struct weft_opening *weft_opening_client(const struct weft_client_request *r,
                                         struct weft_random *random,
                                         uint32_t max_header,
                                         uint32_t max_headers);

/* Frees it and all it holds; NULL is fine. */
void weft_opening_free(struct weft_opening *o);

/* Adds bytes from the peer: WEFT_OK or WEFT_E_MEMORY. */
enum weft_status weft_opening_add(struct weft_opening *o, const void *bytes,
                                  size_t len);

/*
 * Looks at what was added.  WEFT_MORE: the head is not complete.  WEFT_OK: a
 * server has a request of `kind` to answer; a client's handshake is complete.
 * WEFT_E_HEAD: refused for the reason in `refusal`; a server answers with its
 * status, a client fails (its status is the response's, 0 when there was none
 * to read).  WEFT_E_MEMORY.  A client passes over interim responses (1xx but
 * 101), all of which together stay within its limits.
 */
enum weft_status weft_opening_read(struct weft_opening *o);

/* The head's own bytes, once complete. */
struct weft_span weft_opening_head(const struct weft_opening *o);

/*
 * Reads the body behind a complete head, of which at most `most` bytes are
 * wanted, into `body`, and takes it away from the rest.  begin, once: WEFT_OK,
 * there is none; WEFT_MORE.  Then read, whenever bytes were added: WEFT_OK, it
 * is complete; WEFT_MORE.  Either: WEFT_E_HEAD, see `framing.error` (a client
 * may read on after begin); WEFT_E_MEMORY.
 */
enum weft_status weft_opening_begin_body(struct weft_opening *o,
                                         uint64_t most);
enum weft_status weft_opening_read_body(struct weft_opening *o);

/* A server's: the request and its body, which was read, are done with; what
 * came behind them is the beginning of the next, for weft_opening_read(). */
void weft_opening_again(struct weft_opening *o);

/* Bytes it holds of the peer's; and to let go of those of the body, after which
 * nothing more is read. */
static inline size_t
weft_opening_held(const struct weft_opening *o)
{
    return weft_buf_len(&o->bytes) + weft_buf_len(&o->body);
}
void weft_opening_drop_body(struct weft_opening *o);

/* What came behind the head. */
struct weft_span weft_opening_rest(const struct weft_opening *o);

/* The value of the first field of that name (lower case), or an empty span. */
struct weft_span weft_opening_field(const struct weft_opening *o,
                                    const char *name);

#endif
