/*
 * What the files of the TLS filter share and nobody else may see.
 *
 *     tls.c            a connection: ciphertext in, plaintext out, and back
 *     tls_write.c      its plaintext, out
 *     tls_bio.c        where OpenSSL takes ciphertext from and puts it
 *     tls_context.c    what connections share; names, ALPN, tickets
 *     tls_files.c      certificates and keys from files or PEM text
 *     tls_trust.c      what the system trusts
 *     tls_self.c       a certificate made in memory
 *     tls_sessions.c   a client's sessions, kept to be resumed
 *     tls_verify.c     whom the peer is, pins, and why it was refused
 *     tls_words.c      OpenSSL's errors as sentences
 *     tls_facts.c      what is known of the peer and the connection
 *     tls_first.c      the first bytes of a connection, without OpenSSL
 */
#ifndef WEFT_NET_TLS_INNER_H
#define WEFT_NET_TLS_INNER_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/tls.h"

enum {
    WEFT_TLS_PIN_SIZE = 32,   /* SHA-256 */
    WEFT_TLS_PIN_TEXT = 53,   /* "sha256//", 44 characters, NUL */
    WEFT_TLS_RECORD = 16384,  /* RFC 8446, 5.1: plaintext in a record */
};

/* A certificate for one server name. */
struct weft_tls_named {
    char *name;
    SSL_CTX *ctx;
};

struct weft_tls_context {
    int references;
    bool server, verify;
    bool presents; /* a client that has a certificate */
    int min_version;
    BIO_METHOD *method;
    SSL_CTX *ctx; /* the default identity's */
    BIO *bundle;  /* a client's: what it has yet to read of the system's; or NULL */
    uint8_t trust[32]; /* a server's: what its sessions depend on */
    struct weft_tls_named *named;
    size_t named_count;
    uint8_t (*pins)[WEFT_TLS_PIN_SIZE];
    size_t pin_count;
    struct weft_node sessions; /* the one used last at the end */
    size_t session_count;
};

enum weft_tls_state {
    WEFT_TLS_SHAKING,
    WEFT_TLS_OPEN,
    WEFT_TLS_ENDED,  /* the peer's close_notify came */
    WEFT_TLS_BROKEN, /* failed: OpenSSL is not asked again */
};

struct weft_tls {
    struct weft_tls_context *context;
    SSL *ssl;
    enum weft_tls_state state;
    int error;    /* what a broken one returns: -EPROTO or -ENOMEM */
    bool untold;  /* it ended or broke behind bytes that were read */
    bool dry;     /* there is nothing to be read before more is lent */
    bool asked;   /* a client: the peer wants a certificate */
    bool ending;  /* close_notify was queued */
    bool no_memory; /* there was no room for what OpenSSL wrote */
    bool flooded;   /* the peer makes it answer and does not read */
    bool stuck;     /* it cannot write before it has read more */
    bool warm;      /* OpenSSL keeps its buffers */
    uint16_t port;
    char *host;     /* a client's peer, without zone and last dot */
    char *why;      /* only once it failed; see weft_tls_why() */
    const uint8_t *lent;
    size_t lent_len;
    struct weft_buf kept;    /* settled ciphertext, older than what is lent */
    size_t whole;            /* of both, what may be given to OpenSSL */
    struct weft_buf pending;
    size_t answers;          /* of pending, what OpenSSL itself wrote */
    struct weft_buf *out;    /* during weft_tls_write() */
};

/* The filter that an SSL belongs to. */
static inline struct weft_tls *
weft_tls_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* Before each call into OpenSSL: SSL_get_error() looks at the error queue, and
   must not answer for somebody else's failure. */
static inline void
weft_tls_begin(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* tls.c: gives up; why is set from OpenSSL's errors.  Returns t->error. */
int weft_tls_break(struct weft_tls *t);

/* A message after the handshake, a ticket or new keys (RFC 8446, 4.6), makes
   OpenSSL take buffers both ways that it does not give back by itself. */
void weft_tls_tidy(struct weft_tls *t);

/* tls_bio.c */
BIO_METHOD *weft_tls_bio_method(void);
/* Whether OpenSSL would be given something: a record that is whole. */
bool weft_tls_next_record(struct weft_tls *t);

/* tls_words.c: sentences are cut to WEFT_TLS_WHY, and nothing if to is NULL. */
void weft_tls_say(char *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for the sentence of a failed connection, NULL when memory is out. */
char *weft_tls_room_for_why(struct weft_tls *t);
/* Sets why from OpenSSL's error queue, unless it is set, and empties that. */
void weft_tls_explain(struct weft_tls *t);
/* The first error of OpenSSL's queue in plain words; the queue is emptied. */
void weft_tls_reason(char *to, size_t cap);
/* Its first letter in lower case, unless it begins an abbreviation. */
void weft_tls_lower(char *text);

/* tls_files.c: false with a sentence in why. */
bool weft_tls_load_identity(SSL_CTX *ctx, const struct weft_tls_identity *from,
                            char *why);
bool weft_tls_load_ca(SSL_CTX *ctx, const char *ca, bool server,
                      uint8_t digest[32], char *why);

/* tls_trust.c: a context will trust what SSL_CERT_FILE, SSL_CERT_DIR or OpenSSL's
   defaults name.  Until more() says that this is all, it does not yet know every
   certificate. */
void weft_tls_trust_system(struct weft_tls_context *c);
bool weft_tls_trust_more(struct weft_tls_context *c);
void weft_tls_trust_end(struct weft_tls_context *c);

/* tls_self.c */
bool weft_tls_load_self_signed(SSL_CTX *ctx, const char *host, char *why);

/* tls_sessions.c */
int weft_tls_session_new(SSL *ssl, SSL_SESSION *session);
void weft_tls_session_resume(struct weft_tls *t);
void weft_tls_sessions_forget(struct weft_tls *t);
void weft_tls_sessions_free(struct weft_tls_context *c);

/* tls_verify.c */
bool weft_tls_parse_pins(struct weft_tls_context *c, const char *pins,
                         char *why);
/* Prepares an SSL_CTX to ask for the peer's certificate and to judge it. */
void weft_tls_judge(SSL_CTX *ctx, int mode);
/* Whether the peer's key is pinned, or nothing is; sets why if not. */
bool weft_tls_pinned(struct weft_tls *t);

/* tls_facts.c: these return the length of the whole text, cut to cap - 1. */
size_t weft_tls_pin_of(X509 *cert, char to[WEFT_TLS_PIN_TEXT]);
size_t weft_tls_common_name(const X509_NAME *name, char *to, size_t cap);
size_t weft_tls_names_of(X509 *cert, const char *between, int most, char *to,
                         size_t cap);
size_t weft_tls_time(const ASN1_TIME *at, bool whole, char *to, size_t cap);

#endif
