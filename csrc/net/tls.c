/*
 * A connection's TLS filter.  It must not know of sockets or of time, nor
 * where certificates come from.
 *
 * OpenSSL keeps its errors in a queue of the thread: empty before each call
 * into it, and emptied after one that failed.
 */
#include "net/tls_inner.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

/* Making and freeing --------------------------------------------------------*/

static bool
is_literal(const char *host)
{
    uint8_t address[16];

    return inet_pton(AF_INET, host, address) == 1 ||
           inet_pton(AF_INET6, host, address) == 1;
}

/* A certificate and SNI know neither zones nor the dot of the root. */
static char *
host_of(const char *host)
{
    size_t len = strcspn(host, "%");
    char *copy;

    if (len > 1 && host[len - 1] == '.')
        len--;
    copy = weft_realloc(NULL, len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, host, len);
    copy[len] = '\0';
    return copy;
}

/* To OpenSSL, no name is any name, and ".a.example" all those below it. */
static bool
is_name(const char *host)
{
    return host[0] != '\0' && host[0] != '.';
}

static bool
expect_host(struct weft_tls *t)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_literal(t->host)) /* RFC 6066, 3: no literals in SNI */
        return X509_VERIFY_PARAM_set1_ip_asc(param, t->host) == 1;
    if (!is_name(t->host)) /* which no certificate has */
        return X509_VERIFY_PARAM_set1_host(param, " ", 1) == 1;
    if (strlen(t->host) <= TLSEXT_MAXLEN_host_name &&
        SSL_set_tlsext_host_name(t->ssl, t->host) != 1)
        return false;
    return X509_VERIFY_PARAM_set1_host(param, t->host, 0) == 1;
}

static bool
set_up_client(struct weft_tls *t, const char *host, uint16_t port)
{
    t->port = port;
    t->host = host_of(host);
    if (t->host == NULL || !expect_host(t))
        return false;
    SSL_set_connect_state(t->ssl);
    weft_tls_session_resume(t);
    return true;
}

static bool
set_up(struct weft_tls *t, const char *host, uint16_t port)
{
    BIO *bio;

    t->ssl = SSL_new(t->context->ctx);
    bio = BIO_new(t->context->method);
    if (t->ssl == NULL || bio == NULL || SSL_set_app_data(t->ssl, t) != 1) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    if (!t->context->server)
        return set_up_client(t, host, port);
    SSL_set_accept_state(t->ssl);
    return true;
}

struct weft_tls *
weft_tls_new(struct weft_tls_context *c, const char *host, uint16_t port)
{
    struct weft_tls *t = weft_zalloc(sizeof(*t));

    assert(c->server == (host == NULL));
    if (t == NULL)
        return NULL;
    weft_tls_begin();
    t->context = weft_tls_context_retain(c);
    t->dry = true;
    if (!set_up(t, host, port)) {
        ERR_clear_error();
        weft_tls_free(t);
        return NULL;
    }
    return t;
}

void
weft_tls_free(struct weft_tls *t)
{
    if (t == NULL)
        return;
    /* OpenSSL would drop the session of a connection that ends like this */
    if (t->ssl != NULL && t->state != WEFT_TLS_BROKEN)
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    weft_tls_context_release(t->context);
    weft_buf_deinit(&t->kept);
    weft_buf_deinit(&t->pending);
    weft_free(t->host);
    weft_free(t->why);
    weft_free(t);
}

/* Ciphertext in -------------------------------------------------------------*/

/* Whether there is something to be read; asked often, so it is kept.  OpenSSL
   is asked last: it takes longer. */
static void
look(struct weft_tls *t)
{
    t->dry = !weft_tls_next_record(t) && !SSL_has_pending(t->ssl);
}

void
weft_tls_lend(struct weft_tls *t, const void *bytes, size_t len)
{
    assert(t->lent_len == 0);
    t->lent = bytes;
    t->lent_len = len;
    if (len > 0 && t->state < WEFT_TLS_ENDED)
        look(t);
}

enum weft_status
weft_tls_settle(struct weft_tls *t)
{
    enum weft_status rc = WEFT_OK;

    if (t->state < WEFT_TLS_ENDED) /* nothing after an end is read */
        rc = weft_buf_add(&t->kept, t->lent, t->lent_len);
    else
        t->whole = 0;
    t->lent = NULL;
    t->lent_len = 0;
    return rc;
}

/* The one place that fails: a negative errno of this header's ---------------*/

int
weft_tls_break(struct weft_tls *t)
{
    t->error = -EPROTO;
    if (t->no_memory || ERR_GET_REASON(ERR_peek_error()) ==
                        ERR_R_MALLOC_FAILURE) {
        t->error = -ENOMEM;
        weft_tls_say(weft_tls_room_for_why(t), "out of memory");
    } else if (t->flooded) {
        weft_tls_say(weft_tls_room_for_why(t), "the peer asks for TLS "
                     "messages faster than it reads them");
    } else {
        weft_tls_explain(t);
    }
    ERR_clear_error();
    t->state = WEFT_TLS_BROKEN;
    t->dry = true;
    weft_buf_deinit(&t->kept);
    return t->error;
}

/* After a call that gave nothing: -EAGAIN, 0 at the end, or broken. */
static int
outcome(struct weft_tls *t, int returned)
{
    switch (SSL_get_error(t->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        if (t->no_memory || t->flooded)
            return weft_tls_break(t);
        t->dry = true;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return weft_tls_break(t);
    }
}

/* The calls -----------------------------------------------------------------*/

bool
weft_tls_prepare(struct weft_tls *t)
{
    return weft_tls_trust_more(t->context);
}

enum weft_status
weft_tls_handshake(struct weft_tls *t)
{
    int n;

    if (t->state == WEFT_TLS_BROKEN)
        return t->error == -ENOMEM ? WEFT_E_MEMORY : WEFT_E_TLS;
    if (t->state != WEFT_TLS_SHAKING)
        return WEFT_OK;
    while (!weft_tls_prepare(t))
        continue;
    weft_tls_begin();
    n = SSL_do_handshake(t->ssl);
    if (n == 1 && weft_tls_pinned(t)) {
        t->state = WEFT_TLS_OPEN;
        look(t);
        return WEFT_OK;
    }
    if (n == 1) {
        weft_buf_deinit(&t->pending); /* the peer need not think it is open */
        n = weft_tls_break(t);
    } else {
        n = outcome(t, n);
        if (n == -EAGAIN)
            return WEFT_MORE;
        if (n == 0) {
            weft_tls_say(weft_tls_room_for_why(t), "the peer ended the TLS "
                         "handshake without a reason (close_notify)");
            n = weft_tls_break(t);
        }
    }
    return n == -ENOMEM ? WEFT_E_MEMORY : WEFT_E_TLS;
}

/* A stream that ends or breaks behind some bytes says so in the next call. */
static long
told(struct weft_tls *t, size_t bytes, int outcome_then)
{
    if (outcome_then == 0) {
        t->state = WEFT_TLS_ENDED;
        weft_buf_deinit(&t->kept);
    }
    t->untold = bytes > 0 && outcome_then != -EAGAIN;
    return bytes > 0 ? (long)bytes : outcome_then;
}

long
weft_tls_read(struct weft_tls *t, void *to, size_t len)
{
    size_t total = 0, got;
    int n = -EAGAIN;

    assert(t->state != WEFT_TLS_SHAKING && len > 0);
    if (t->state == WEFT_TLS_ENDED)
        return told(t, 0, 0);
    if (t->state == WEFT_TLS_BROKEN)
        return told(t, 0, t->error);
    weft_tls_begin();
    while (n == -EAGAIN && total < len && !t->dry) {
        if (SSL_read_ex(t->ssl, (char *)to + total, len - total, &got) == 1) {
            total += got;
            look(t);
        } else {
            n = outcome(t, 0);
        }
    }
    if (n == -EAGAIN && t->dry)
        weft_tls_tidy(t);
    return told(t, total, n);
}

/* Not while a record is half read: some releases of 3.0 do not look. */
void
weft_tls_tidy(struct weft_tls *t)
{
    if (!t->warm && !SSL_has_pending(t->ssl))
        SSL_free_buffers(t->ssl);
}

void
weft_tls_keep_warm(struct weft_tls *t, bool warm)
{
    t->warm = warm;
    if (warm) {
        SSL_clear_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS);
    } else {
        SSL_set_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS);
        weft_tls_tidy(t);
    }
}

bool
weft_tls_has_more(const struct weft_tls *t)
{
    if (t->state >= WEFT_TLS_ENDED)
        return t->untold;
    return !t->dry;
}

/* The ends ------------------------------------------------------------------*/

void
weft_tls_end(struct weft_tls *t)
{
    if (t->ending || t->state == WEFT_TLS_SHAKING ||
        t->state == WEFT_TLS_BROKEN)
        return;
    t->ending = true;
    weft_tls_begin();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void
weft_tls_cut_off(struct weft_tls *t)
{
    if (t->state == WEFT_TLS_BROKEN || t->state == WEFT_TLS_ENDED)
        return;
    weft_tls_say(weft_tls_room_for_why(t),
                 "the TLS stream was cut off (no close_notify)");
    weft_tls_sessions_forget(t);
    t->state = WEFT_TLS_BROKEN;
    t->error = -EPROTO;
}

struct weft_buf *
weft_tls_pending(struct weft_tls *t)
{
    if (t->pending.data != NULL && weft_buf_len(&t->pending) == 0)
        weft_buf_deinit(&t->pending);
    return &t->pending;
}

const char *
weft_tls_why(const struct weft_tls *t)
{
    if (t->why != NULL)
        return t->why;
    return t->state == WEFT_TLS_BROKEN ? "out of memory" : "";
}

size_t
weft_tls_held(const struct weft_tls *t)
{
    return weft_buf_len(&t->pending) + weft_buf_len(&t->kept);
}
