/*
 * TLS in a build without OpenSSL: no context is ever made, so none of what
 * follows the first function is called.
 */
#include "net/tls.h"

#include <errno.h>
#include <stdio.h>

struct weft_tls_context *
weft_tls_context_new(const struct weft_tls_options *o,
                     const struct weft_tls_context *before,
                     char why[WEFT_TLS_WHY])
{
    (void)o, (void)before;
    snprintf(why, WEFT_TLS_WHY, "this build of weft has no TLS");
    return NULL;
}

struct weft_tls_context *
weft_tls_context_retain(struct weft_tls_context *c)
{
    return c;
}

void
weft_tls_context_release(struct weft_tls_context *c)
{
    (void)c;
}

struct weft_tls *
weft_tls_new(struct weft_tls_context *c, const char *host, uint16_t port)
{
    (void)c, (void)host, (void)port;
    return NULL;
}

void
weft_tls_free(struct weft_tls *t)
{
    (void)t;
}

void
weft_tls_lend(struct weft_tls *t, const void *bytes, size_t len)
{
    (void)t, (void)bytes, (void)len;
}

enum weft_status
weft_tls_settle(struct weft_tls *t)
{
    (void)t;
    return WEFT_E_TLS;
}

bool
weft_tls_prepare(struct weft_tls *t)
{
    (void)t;
    return true;
}

enum weft_status
weft_tls_handshake(struct weft_tls *t)
{
    (void)t;
    return WEFT_E_TLS;
}

long
weft_tls_read(struct weft_tls *t, void *to, size_t len)
{
    (void)t, (void)to, (void)len;
    return -EPROTO;
}

bool
weft_tls_has_more(const struct weft_tls *t)
{
    (void)t;
    return false;
}

long
weft_tls_write(struct weft_tls *t, const struct weft_span *spans, int count,
               size_t most, struct weft_buf *out)
{
    (void)t, (void)spans, (void)count, (void)most, (void)out;
    return -EPROTO;
}

bool
weft_tls_is_stuck(const struct weft_tls *t)
{
    (void)t;
    return false;
}

void
weft_tls_keep_warm(struct weft_tls *t, bool warm)
{
    (void)t, (void)warm;
}

void
weft_tls_end(struct weft_tls *t)
{
    (void)t;
}

void
weft_tls_cut_off(struct weft_tls *t)
{
    (void)t;
}

struct weft_buf *
weft_tls_pending(struct weft_tls *t)
{
    (void)t;
    return NULL;
}

size_t
weft_tls_held(const struct weft_tls *t)
{
    (void)t;
    return 0;
}

const char *
weft_tls_why(const struct weft_tls *t)
{
    (void)t;
    return "";
}

size_t
weft_tls_fact(const struct weft_tls *t, enum weft_tls_fact fact, char *to,
              size_t cap)
{
    (void)t, (void)fact, (void)to, (void)cap;
    return 0;
}

const char *
weft_tls_version(const struct weft_tls *t)
{
    (void)t;
    return "";
}

const char *
weft_tls_cipher(const struct weft_tls *t)
{
    (void)t;
    return "";
}

bool
weft_tls_resumed(const struct weft_tls *t)
{
    (void)t;
    return false;
}
