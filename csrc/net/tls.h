/*
 * TLS as a filter on memory: ciphertext in, plaintext out, and back.  It never
 * touches a socket, keeps no clock, and everything OpenSSL says comes back as
 * a sentence for people.
 *
 * A context holds what connections share: certificates, whom to trust, the
 * sessions that may be resumed.  It is counted; whoever holds one releases it.
 * A context and its connections belong to one thread.
 *
 * TLS 1.2 and 1.3, without renegotiation and compression; ALPN is "http/1.1".
 */
#ifndef WEFT_NET_TLS_H
#define WEFT_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/status.h"

enum { WEFT_TLS_WHY = 256 }; /* room for any sentence of this file */

struct weft_tls_context;
struct weft_tls;

enum weft_tls_asks {
    WEFT_TLS_ASKS_NONE,     /* no client certificate */
    WEFT_TLS_ASKS_OPTIONAL, /* verified if there is one */
    WEFT_TLS_ASKS_REQUIRED,
};

/*
 * A certificate and its key.  cert, key and ca below are file names, or PEM
 * text when they hold "-----BEGIN"; cert may hold a chain, leaf first.  NULL
 * is not given; a missing key is looked for in cert.
 */
struct weft_tls_identity {
    const char *name; /* server name it is for, "*.example.com" for any one
                         label; NULL: the default one (a client's too) */
    const char *cert, *key, *passphrase;
};

struct weft_tls_options {
    bool server;
    bool verify;      /* client: chain and host name */
    const char *ca;   /* trusted instead of the system's store; a server's:
                         whose client certificates are accepted */
    const char *pin;  /* client: "sha256//BASE64[;sha256//...]", of the leaf's
                         public key, checked even without verify */
    const char *self_signed; /* server: make a certificate for localhost,
                         127.0.0.1, ::1 and this host, instead of identities */
    enum weft_tls_asks client_cert; /* server */
    int min_version;  /* 12 or 13 */
    const struct weft_tls_identity *identities; /* the default one first */
    size_t identity_count;
};

/*
 * Reads certificates and keys.  NULL when that failed, with a sentence in why
 * that names the option and the file ("tls.key: server.key: wrong
 * passphrase"), never a passphrase.  `before` (or NULL) is the context that
 * this one replaces: sessions from it can still be resumed.
 */
struct weft_tls_context *
weft_tls_context_new(const struct weft_tls_options *o,
                     const struct weft_tls_context *before,
                     char why[WEFT_TLS_WHY]);
struct weft_tls_context *weft_tls_context_retain(struct weft_tls_context *c);
void weft_tls_context_release(struct weft_tls_context *c); /* NULL is fine */

/*
 * A connection's filter; NULL when memory is out.  A client verifies the peer
 * as `host` (a name or an IP literal without brackets; a zone after % is
 * ignored), sends a name as SNI, and resumes a session that it had with the
 * same host and port before.  A server passes NULL and 0.
 */
struct weft_tls *weft_tls_new(struct weft_tls_context *c, const char *host,
                              uint16_t port);
void weft_tls_free(struct weft_tls *t); /* NULL is fine */

/*
 * Lends ciphertext that was received.  The filter takes from it in the calls
 * below; before the lender's bytes go away, weft_tls_settle() copies what has
 * not been taken yet (WEFT_E_MEMORY: the connection is lost).
 */
void weft_tls_lend(struct weft_tls *t, const void *bytes, size_t len);
enum weft_status weft_tls_settle(struct weft_tls *t);

/*
 * Prepares the handshake by another half a millisecond: true when that was
 * all.  Where what the system trusts is a bundle, a client reads that first,
 * which is some thirty times as much; otherwise the handshake does so at once.
 */
bool weft_tls_prepare(struct weft_tls *t);

/*
 * Goes on with the TLS handshake: WEFT_OK when it is complete and the peer is
 * whom it should be; WEFT_MORE when it takes more ciphertext; WEFT_E_TLS when
 * it failed (weft_tls_why()), or WEFT_E_MEMORY.  In each case
 * weft_tls_pending() may have something to be sent, on failure the alert.
 */
enum weft_status weft_tls_handshake(struct weft_tls *t);

/*
 * Plaintext, as much as there is up to len: a count above 0; 0: the peer has
 * ended the stream properly (close_notify); -EAGAIN: it takes more ciphertext;
 * -EPROTO: the stream is broken (weft_tls_why()), or -ENOMEM; what came before
 * is given first.  May queue something in weft_tls_pending().
 */
long weft_tls_read(struct weft_tls *t, void *to, size_t len);

/* Whether weft_tls_read() may give something without more ciphertext. */
bool weft_tls_has_more(const struct weft_tls *t);

/*
 * Encrypts the spans, small ones gathered into records of up to 16 KiB, until
 * about `most` bytes of plaintext have been taken, and appends the ciphertext
 * to `out`.  Returns how many bytes of plaintext that was; -ENOMEM or -EAGAIN,
 * when nothing was taken; or -EPROTO, also after weft_tls_end().  Only after the
 * handshake.
 */
long weft_tls_write(struct weft_tls *t, const struct weft_span *spans,
                    int count, size_t most, struct weft_buf *out);

/* Whether weft_tls_write() gave -EAGAIN and waits for weft_tls_read(): half a
   message of TLS itself has come, and nothing is written before the rest. */
bool weft_tls_is_stuck(const struct weft_tls *t);

/*
 * Whether OpenSSL keeps its buffers between the calls, some 34 KiB: a busy
 * connection is spared what taking them anew for each record costs.  Not at
 * first; when it ends, they are given back.
 */
void weft_tls_keep_warm(struct weft_tls *t, bool warm);

/* Appends close_notify to weft_tls_pending(), once. */
void weft_tls_end(struct weft_tls *t);

/*
 * The connection ends without the peer's close_notify: after that a client
 * resumes no session that it had with this peer.  Sets weft_tls_why() to "the
 * TLS stream was cut off (no close_notify)".
 */
void weft_tls_cut_off(struct weft_tls *t);

/*
 * Ciphertext that waits to be sent, in order, before anything that
 * weft_tls_write() gives.  The caller consumes it, and may add to it.  It owns
 * no memory while it is empty.
 */
struct weft_buf *weft_tls_pending(struct weft_tls *t);

/* Bytes it holds: those, and ciphertext that came in and was not read. */
size_t weft_tls_held(const struct weft_tls *t);

/* Why it failed, a sentence a person can act on; "" when it did not. */
const char *weft_tls_why(const struct weft_tls *t);

/*
 * Facts, once the handshake is complete.  Each is written to `to` as text, cut
 * to cap - 1 bytes, with a NUL; returns its whole length, 0 when there is none
 * (no certificate, no server name).
 */
enum weft_tls_fact {
    WEFT_TLS_SERVER_NAME,  /* SNI */
    WEFT_TLS_ALPN,
    WEFT_TLS_SUBJECT,      /* the peer's certificate: "CN = a, O = b" */
    WEFT_TLS_COMMON_NAME,
    WEFT_TLS_ISSUER,
    WEFT_TLS_SERIAL,       /* hexadecimal */
    WEFT_TLS_NOT_BEFORE,   /* "2026-10-01T12:00:00Z" */
    WEFT_TLS_NOT_AFTER,
    WEFT_TLS_NAMES,        /* DNS and IP names, one a line */
    WEFT_TLS_FINGERPRINT,  /* SHA-256 of the certificate, hexadecimal */
    WEFT_TLS_PIN,          /* "sha256//..." of its public key */
    WEFT_TLS_PEM,
};
size_t weft_tls_fact(const struct weft_tls *t, enum weft_tls_fact fact,
                     char *to, size_t cap);

/* Static strings: "TLSv1.3", "TLS_AES_128_GCM_SHA256". */
const char *weft_tls_version(const struct weft_tls *t);
const char *weft_tls_cipher(const struct weft_tls *t);
bool weft_tls_resumed(const struct weft_tls *t);

/*
 * What the first bytes of a connection are.  WEFT_FIRST_MORE: too few to tell
 * (an empty span too).
 */
enum weft_first {
    WEFT_FIRST_MORE,
    WEFT_FIRST_TLS,   /* a TLS handshake record */
    WEFT_FIRST_HTTP,  /* an HTTP request line, as far as it goes */
    WEFT_FIRST_OTHER,
};
enum weft_first weft_tls_first(const void *bytes, size_t len);

#endif
