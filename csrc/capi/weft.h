/*
 * weft for C programs that have no Lua: the WebSocket protocol (RFC 6455) and
 * its compression (RFC 7692), both roles, from the opening handshake to the
 * closing one.  No I/O: bytes that arrived go in, events and bytes to send come
 * out, and the sockets, TLS, threads and timers are the program's own.
 *
 *     struct weft_protocol *p;
 *     struct weft_protocol_event ev;
 *     const char *out;
 *     size_t len;
 *
 *     weft_protocol_server(&p, NULL);
 *     ...
 *     weft_protocol_feed(p, bytes, n);                  what read() gave
 *     while (weft_protocol_next(p, &ev) == WEFT_PROTOCOL_EVENT)
 *         if (ev.type == WEFT_PROTOCOL_TEXT)
 *             weft_protocol_send(p, ev.type, ev.data, ev.len);
 *     while (out = weft_protocol_output(p, &len), len > 0 &&
 *            (n = write(fd, out, len)) > 0)
 *         weft_protocol_sent(p, n);
 *     ...
 *     weft_protocol_free(p);
 *
 * examples/protocol.c and examples/protocol_client.c are whole programs.
 *
 * Everything is pulled: nothing calls back, waits, prints or looks at a clock.
 * A weft_protocol shares nothing with any other and there is no global state, so
 * any number may be in use in any number of threads, each in one at a time.
 *
 * Strings that go in may be freed after the call: what is needed later is
 * copied.  Bytes that come out belong to the weft_protocol; each function says
 * for how long they are good.
 *
 * Link with libweft.a, libcrypto (SHA-1 and random bytes; on Windows bcrypt) and,
 * unless weft was built without it, zlib: `pkg-config --libs weft-protocol`.
 */
#ifndef WEFT_H
#define WEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION "1.0.0"
#define WEFT_VERSION_NUMBER 10000 /* 10000 * 1 + 100 * 0 + 0, for #if */

/* One end of one connection. */
struct weft_protocol;

/* What a call came to: zero and up is progress, below zero is failure, and
 * nothing has happened then. */
enum weft_protocol_status {
    WEFT_PROTOCOL_OK = 0,
    WEFT_PROTOCOL_EVENT = 1, /* weft_protocol_next(): here is one */

    WEFT_PROTOCOL_E_MEMORY = -1, /* out of memory; may be called again */
    WEFT_PROTOCOL_E_CLOSED = -2, /* nothing more is read, or sent */
    WEFT_PROTOCOL_E_CONNECTING = -3, /* the handshake is not complete */

    /* mistakes of the caller's, in what is sent */
    WEFT_PROTOCOL_E_KIND = -10,   /* neither a text nor a binary message */
    WEFT_PROTOCOL_E_UTF8 = -11,   /* a text or reason that is not (5.6) */
    WEFT_PROTOCOL_E_CODE = -12,   /* a close code that may not be sent (7.4) */
    WEFT_PROTOCOL_E_LENGTH = -13, /* more than a control frame holds (5.5) */

    /* and in the options, each of which it names */
    WEFT_PROTOCOL_E_HOST = -20,
    WEFT_PROTOCOL_E_TARGET = -21,
    WEFT_PROTOCOL_E_ORIGIN = -22,
    WEFT_PROTOCOL_E_ORIGINS = -23,
    WEFT_PROTOCOL_E_USER_AGENT = -24,
    WEFT_PROTOCOL_E_SUBPROTOCOLS = -25,
    WEFT_PROTOCOL_E_HEADERS = -26,
    WEFT_PROTOCOL_E_COMPRESSION = -27,
    WEFT_PROTOCOL_E_LEVEL = -28,
};

/* A sentence for people about a status, a constant; never NULL. */
const char *weft_protocol_text(enum weft_protocol_status status);

/* WEFT_VERSION as the library was built, a constant.  Header and archive belong
 * together: structures may grow from one version to the next. */
const char *weft_protocol_version(void);

/* Options ------------------------------------------------------------------ */

/* permessage-deflate (RFC 7692), where the peer agrees to it and the library
 * was built with zlib. */
enum weft_protocol_compression {
    WEFT_PROTOCOL_PLAIN,     /* none is offered or accepted */
    WEFT_PROTOCOL_EACH,      /* each message by itself: no memory between */
    WEFT_PROTOCOL_SLIDING,   /* messages refer back to those before: smaller,
                                for some tens of KiB a connection */
};

/* Zero and NULL everywhere mean what is said in brackets, so that
 * `struct weft_protocol_options o = { 0 };` is a good start; lists end with
 * NULL. */
struct weft_protocol_options {
    /* What the peer may send: past it the connection fails, with 1009. */
    uint64_t max_message;   /* bytes, inflated (1 MiB); UINT64_MAX: no limit */
    uint64_t max_frame;     /* bytes (max_message) */
    uint32_t max_fragments; /* frames a message (1024) */

    /* What its head may be: past it 431, or on a client an error. */
    uint32_t max_header;  /* bytes (16 KiB) */
    uint32_t max_headers; /* lines (100) */

    enum weft_protocol_compression compression; /* (none) */
    uint8_t compression_level; /* zlib's, 1 to 9 (6) */
    size_t compression_threshold; /* bytes; shorter messages go plain (512) */

    const char *const *subprotocols; /* spoken or offered, in order of
                                        preference (none) */
    const char *headers; /* lines of ours for the head, "Name: value\r\n" each;
                            none of the handshake's own names (none) */

    /* A server's: which pages may connect (10.2): exact, or with a leading
     * "*." in the host, or "*" for any (those of the request's own host). */
    const char *const *origins;

    /* A client's. */
    const char *host;       /* "example.com:8080", port as needed; required */
    const char *target;     /* path and query ("/") */
    const char *origin;     /* (none) */
    const char *user_agent; /* (none) */
};

/* Beginning and end -------------------------------------------------------- */

/*
 * Makes a server's end, which waits for a request, or a client's, whose request
 * is in the output at once (4.1).  options: NULL for those of a server that are
 * all zero.  WEFT_PROTOCOL_OK: *p is the caller's, for weft_protocol_free();
 * below zero, *p is NULL: E_MEMORY, or which option is at fault.
 */
enum weft_protocol_status weft_protocol_server(
    struct weft_protocol **p, const struct weft_protocol_options *options);
enum weft_protocol_status weft_protocol_client(
    struct weft_protocol **p, const struct weft_protocol_options *options);

/* Frees it and all it has lent; NULL is fine.  Nothing is said to the peer. */
void weft_protocol_free(struct weft_protocol *p);

/* Bytes in, events out ----------------------------------------------------- */

enum weft_protocol_type {
    WEFT_PROTOCOL_OPEN,   /* the handshake is complete; data: the subprotocol
                             agreed on, empty for none */
    WEFT_PROTOCOL_TEXT,   /* a whole message, which is UTF-8 (8.1) */
    WEFT_PROTOCOL_BINARY, /* a whole message */
    WEFT_PROTOCOL_PING,   /* data: its payload; the pong is already in the
                             output (5.5.2) */
    WEFT_PROTOCOL_PONG,   /* data: its payload (5.5.3) */
    WEFT_PROTOCOL_CLOSE,  /* the peer's close frame (5.5.1), which is answered
                             by itself; code, 1005 for none; data: its reason */
    WEFT_PROTOCOL_ERROR,  /* the end; data: a sentence for people that names
                             the rule; code: of the close frame that is now in
                             the output (7.1.7), or before the handshake was
                             complete the HTTP status that a server answers with
                             (its response is in the output) or a client got, 0
                             for none */
};

struct weft_protocol_event {
    enum weft_protocol_type type;
    const char *data; /* never NULL; no NUL stands behind it */
    size_t len;
    unsigned code;
};

/*
 * Takes bytes from the peer, any number of them, cut anywhere.  They are copied
 * and wait for weft_protocol_next().  E_CLOSED: nothing more is read, they are
 * thrown away.  E_MEMORY: they were not taken.
 */
enum weft_protocol_status weft_protocol_feed(struct weft_protocol *p,
                                             const void *bytes, size_t len);

/*
 * Works through what was fed up to the next event.  WEFT_PROTOCOL_EVENT: *ev is
 * filled, and its bytes are good until the next call of this,
 * weft_protocol_feed() or weft_protocol_free().  WEFT_PROTOCOL_OK: all is used
 * up.  E_MEMORY: it may be called again; where that cannot be, in the middle of
 * a message, the connection fails instead, with 1011.
 *
 * What is due in answer (the 101, pongs, a close frame) is put into the output
 * on the way.
 */
enum weft_protocol_status weft_protocol_next(struct weft_protocol *p,
                                             struct weft_protocol_event *ev);

/*
 * While the event is WEFT_PROTOCOL_OPEN: what the peer's head says, *len its
 * length, NULL when it does not say so.  No NUL stands behind it.  The target
 * is a request's and NULL on a client; a field is the first one of that name,
 * whatever its case.  Good until the next weft_protocol_next().
 */
const char *weft_protocol_target(const struct weft_protocol *p, size_t *len);
const char *weft_protocol_header(const struct weft_protocol *p,
                                 const char *name, size_t *len);

/* One field of a head; no NUL stands behind either. */
struct weft_protocol_field {
    const char *name, *value;
    size_t name_len, value_len;
};

/* The same for all of its fields: the i-th, from 0 on and in the order in which
 * they came, repeated ones each by itself; false behind the last. */
bool weft_protocol_field_at(const struct weft_protocol *p, size_t i,
                            struct weft_protocol_field *to);

/* Bytes to send ------------------------------------------------------------ */

/*
 * The bytes that are to be written to the peer, *len of them, 0 when there are
 * none; never NULL.  Good until the next call that adds to them or drops some:
 * all but the questions.
 */
const char *weft_protocol_output(const struct weft_protocol *p, size_t *len);

/* Drops the first len of them, which were written; all, if there are fewer. */
void weft_protocol_sent(struct weft_protocol *p, size_t len);

/*
 * Puts a whole message into the output as one frame (5.6), compressed where
 * that was agreed on and is worth it; weft_protocol_send_plain() never
 * compresses.  kind: WEFT_PROTOCOL_TEXT or WEFT_PROTOCOL_BINARY.  The output
 * grows with every message: it is for the caller to send no more than the peer
 * reads.  E_MEMORY, E_CONNECTING, E_CLOSED (also after a close either way),
 * E_KIND, E_UTF8: nothing was added.
 */
enum weft_protocol_status weft_protocol_send(struct weft_protocol *p,
                                             enum weft_protocol_type kind,
                                             const void *data, size_t len);
enum weft_protocol_status weft_protocol_send_plain(
    struct weft_protocol *p, enum weft_protocol_type kind, const void *data,
    size_t len);

/* A ping (5.5.2) of at most 125 bytes, or an unasked-for pong (5.5.3); else
 * E_LENGTH.  E_MEMORY, E_CONNECTING, E_CLOSED. */
enum weft_protocol_status weft_protocol_ping(struct weft_protocol *p,
                                             const void *data, size_t len);
enum weft_protocol_status weft_protocol_pong(struct weft_protocol *p,
                                             const void *data, size_t len);

/*
 * Begins the closing handshake (7.1.2): nothing is sent after it, messages may
 * still come in, and the end is there when the state is WEFT_PROTOCOL_CLOSED.
 * code: 1000 to 1003, 1007 to 1014 or 3000 to 4999, or 1005 for none; else
 * E_CODE.  reason: len bytes of UTF-8 (E_UTF8), at most 123 (E_LENGTH), none
 * without a code (E_LENGTH).  Again, or after the end, it is WEFT_PROTOCOL_OK.
 * E_MEMORY, E_CONNECTING.
 */
enum weft_protocol_status weft_protocol_close(struct weft_protocol *p,
                                              unsigned code,
                                              const void *reason, size_t len);

/* Questions ---------------------------------------------------------------- */

enum weft_protocol_state {
    WEFT_PROTOCOL_IS_CONNECTING,
    WEFT_PROTOCOL_IS_OPEN,
    WEFT_PROTOCOL_IS_CLOSING, /* a close frame went one way */
    WEFT_PROTOCOL_IS_CLOSED,  /* both ways, or it failed: when the output is
                                 written too, a server closes the socket, and a
                                 client waits for that a while (7.1.1) */
};

enum weft_protocol_state weft_protocol_state(const struct weft_protocol *p);

/* The peer's close code (7.1.5): 1005 if it carried none, 1006 if none came. */
unsigned weft_protocol_close_code(const struct weft_protocol *p);

/* The subprotocol agreed on, or NULL; good as long as p is. */
const char *weft_protocol_subprotocol(const struct weft_protocol *p);

/* Whether compression was agreed on. */
bool weft_protocol_compresses(const struct weft_protocol *p);

/* Memory ------------------------------------------------------------------- */

/*
 * Where weft's memory comes from, zlib's windows included: libweft.a has these
 * on top of realloc() and free().  A program that defines all three itself has
 * them called in their place; the linker sees to it, so there is no hook to set
 * and nothing global.  Threads that use weft call them at once.
 *
 * weft_realloc() resizes p (NULL: allocates) to size bytes, never zero, or
 * returns NULL and leaves p as it was; weft_zalloc() gives bytes that are all
 * zero; weft_free() takes p back, NULL included.
 */
void *weft_realloc(void *p, size_t size);
void *weft_zalloc(size_t size);
void weft_free(void *p);

#ifdef __cplusplus
}
#endif

#endif
