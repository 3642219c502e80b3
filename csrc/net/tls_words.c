/*
 * OpenSSL's errors as sentences that a person can act on.  It must not change
 * anything but a connection's `why`.
 */
#include "net/tls_inner.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { ALERTS = SSL_AD_REASON_OFFSET, REASON = 120 };

/* RFC 8446, 6 and B.2; RFC 5246, 7.2 */
enum {
    UNEXPECTED_MESSAGE = 10,
    HANDSHAKE_FAILURE = 40,
    BAD_CERTIFICATE = 42,
    CERTIFICATE_UNKNOWN = 46,
    UNKNOWN_CA = 48,
    ACCESS_DENIED = 49,
    PROTOCOL_VERSION = 70,
    INSUFFICIENT_SECURITY = 71,
    UNRECOGNIZED_NAME = 112,
    CERTIFICATE_REQUIRED = 116,
    NO_APPLICATION_PROTOCOL = 120,
};

/* Where text of `end` bytes may end: not inside a character of UTF-8. */
static size_t
boundary(const char *text, size_t end)
{
    while (end > 0 && (text[end - 1] & 0xc0) == 0x80)
        end--;
    return end > 0 && (text[end - 1] & 0x80) != 0 ? end - 1 : end;
}

void
weft_tls_say(char *to, const char *format, ...)
{
    va_list values;

    if (to == NULL)
        return;
    va_start(values, format);
    if (vsnprintf(to, WEFT_TLS_WHY, format, values) >= WEFT_TLS_WHY)
        to[boundary(to, WEFT_TLS_WHY - 1)] = '\0';
    va_end(values);
}

char *
weft_tls_room_for_why(struct weft_tls *t)
{
    if (t->why == NULL)
        t->why = weft_zalloc(WEFT_TLS_WHY);
    return t->why;
}

/* "CA md too weak" stays, "Hostname mismatch" does not. */
void
weft_tls_lower(char *text)
{
    if (text[0] != '\0' && islower((unsigned char)text[1]))
        text[0] = (char)tolower((unsigned char)text[0]);
}

static void
reason_of(unsigned long error, char *to, size_t cap)
{
    const char *words = ERR_reason_error_string(error);

    if (error == 0)
        snprintf(to, cap, "unknown error");
    else if (words != NULL)
        snprintf(to, cap, "%s", words);
    else
        snprintf(to, cap, "error %lx", error);
    weft_tls_lower(to);
}

void
weft_tls_reason(char *to, size_t cap)
{
    reason_of(ERR_peek_error(), to, cap);
    ERR_clear_error();
}

/* What of the queue says most: the first that the TLS library itself found,
   else the first; what follows a cause is what it led to. */
static unsigned long
cause(void)
{
    unsigned long first = ERR_peek_error(), error;

    while ((error = ERR_get_error()) != 0)
        if (ERR_GET_LIB(error) == ERR_LIB_SSL)
            break;
    ERR_clear_error();
    return error != 0 ? error : first;
}

/* What the peer told this side --------------------------------------------- */

static const char *
version_words(const struct weft_tls *t)
{
    return t->context->min_version >= 13 ? "1.3" : "1.2";
}

static void
name_alert(int alert, char *to, size_t cap)
{
    const char *words = SSL_alert_desc_string_long(alert);

    if (alert == CERTIFICATE_REQUIRED) /* too new for OpenSSL 3's list */
        words = "certificate required";
    if (alert == NO_APPLICATION_PROTOCOL)
        words = "no application protocol";
    if (strcmp(words, "unknown") == 0)
        snprintf(to, cap, "alert %d", alert);
    else
        snprintf(to, cap, "alert %s", words);
    for (; *to != '\0'; to++)
        *to = (char)tolower((unsigned char)*to);
}

static bool
about_certificate(int alert)
{
    return (alert >= BAD_CERTIFICATE && alert <= CERTIFICATE_UNKNOWN) ||
           alert == UNKNOWN_CA || alert == ACCESS_DENIED;
}

/* The certificate that this side showed is refused. */
static void
say_refused(const struct weft_tls *t, const char *name, char *why)
{
    if (t->context->server)
        weft_tls_say(why, "the peer does not trust our certificate (%s)",
                     name);
    else if (t->context->presents)
        weft_tls_say(why, "the peer does not accept our client certificate "
                     "(%s)", name);
    else
        weft_tls_say(why, "the peer requires a client certificate (pass "
                     "tls.cert and tls.key)");
}

/* A client that was asked for a certificate and has none is refused with
   whatever the server finds fit. */
static bool
is_missing_certificate(const struct weft_tls *t, int alert)
{
    return alert == CERTIFICATE_REQUIRED ||
           (t->asked && !t->context->presents &&
            (alert == HANDSHAKE_FAILURE || about_certificate(alert)));
}

static void
say_alert(const struct weft_tls *t, int alert, char *why)
{
    char name[REASON];

    name_alert(alert, name, sizeof(name));
    if (!t->context->server && is_missing_certificate(t, alert))
        weft_tls_say(why, "the peer requires a client certificate (pass "
                     "tls.cert and tls.key)");
    else if (about_certificate(alert) &&
             (t->context->server || t->context->presents))
        say_refused(t, name, why);
    else if (alert == PROTOCOL_VERSION && !t->context->server)
        weft_tls_say(why, "no common TLS version (the peer offers less than "
                     "tls.min_version %s)", version_words(t));
    else if (alert == PROTOCOL_VERSION)
        weft_tls_say(why, "no common TLS version (the peer wants another "
                     "than this side offers)");
    else if (alert == UNRECOGNIZED_NAME && t->host != NULL)
        weft_tls_say(why, "the peer does not know the name %s (%s)", t->host,
                     name);
    else if (alert == NO_APPLICATION_PROTOCOL)
        weft_tls_say(why, "the peer does not speak http/1.1 on this port "
                     "(%s)", name);
    else if (t->state != WEFT_TLS_SHAKING)
        weft_tls_say(why, "the peer gave up the TLS stream (%s)", name);
    else
        weft_tls_say(why, "the peer refused the TLS handshake (%s)%s", name,
                     alert == HANDSHAKE_FAILURE ||
                     alert == INSUFFICIENT_SECURITY
                     ? "; perhaps there is no cipher in common" : "");
}

/* What this side found ------------------------------------------------------*/

/* Before the peer's first message: a reason that means "this is not TLS". */
static bool
is_foreign(const struct weft_tls *t, int reason)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(t->ssl);

    if (state != TLS_ST_BEFORE && state != TLS_ST_CW_CLNT_HELLO &&
        state != TLS_ST_SR_CLNT_HELLO)
        return false;
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_LENGTH_TOO_SHORT:
        return true;
    default:
        return false;
    }
}

static void
say_found(const struct weft_tls *t, int reason, const char *words, char *why)
{
    if (is_foreign(t, reason))
        weft_tls_say(why, "the peer does not speak TLS on this port");
    else if (reason == SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)
        weft_tls_say(why, "the TLS stream is damaged (bad record mac)");
    else if (t->state != WEFT_TLS_SHAKING)
        weft_tls_say(why, "the TLS stream is damaged (%s)", words);
    else if (reason == SSL_R_UNSUPPORTED_PROTOCOL ||
             reason == SSL_R_VERSION_TOO_LOW)
        weft_tls_say(why, "no common TLS version (the peer offers less than "
                     "tls.min_version %s)", version_words(t));
    else if (reason == SSL_R_NO_SHARED_CIPHER)
        weft_tls_say(why, "no cipher in common with the peer");
    else if (reason == SSL_R_NO_APPLICATION_PROTOCOL)
        weft_tls_say(why, "the peer does not offer http/1.1 (ALPN)");
    else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        weft_tls_say(why, "client certificate: the peer sent none, and "
                     "tls.client_cert is \"required\"");
    else
        weft_tls_say(why, "the TLS handshake failed: %s", words);
}

void
weft_tls_explain(struct weft_tls *t)
{
    unsigned long error = cause();
    int reason = 0;
    char words[REASON];

    if (t->why != NULL)
        return;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL)
        reason = ERR_GET_REASON(error);
    reason_of(error, words, sizeof(words));
    if (reason > ALERTS)
        say_alert(t, reason - ALERTS, weft_tls_room_for_why(t));
    else
        say_found(t, reason, words, weft_tls_room_for_why(t));
}
