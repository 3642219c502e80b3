/*
 * The negotiation of permessage-deflate (RFC 7692, 5 and 7.1).  It must not
 * know how heads are parsed, nor how anything is compressed.
 *
 * Names compare without case, as literals of these RFCs' grammars do.
 */
#include "proto/deflate_offer.h"

#include <string.h>

#include "proto/deflate.h"
#include "proto/extension.h"

#define FIELD "sec-websocket-extensions"
#define EXTENSION "permessage-deflate"

enum { MIN_BITS = 8, MAX_BITS = 15 };

/* The parameters, in the order in which they are written. */
enum parameter {
    SERVER_TAKEOVER,
    CLIENT_TAKEOVER,
    SERVER_BITS,
    CLIENT_BITS,
    PARAMETERS,
};

static const char *const names[] = {
    [SERVER_TAKEOVER] = "server_no_context_takeover",
    [CLIENT_TAKEOVER] = "client_no_context_takeover",
    [SERVER_BITS] = "server_max_window_bits",
    [CLIENT_BITS] = "client_max_window_bits",
};

/* What stands in an offer or an answer. */
struct terms {
    bool given[PARAMETERS];
    uint8_t bits[PARAMETERS]; /* its value; 0: it has none */
};

static uint8_t
least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* The window of an option, which may be left out. */
static uint8_t
limit(uint8_t bits)
{
    return bits == 0 ? MAX_BITS : bits;
}

/* The window of a term that was given, or the largest. */
static uint8_t
asked(const struct terms *t, enum parameter i)
{
    return limit(t->bits[i]);
}

/* Reading ----------------------------------------------------------------- */

/*
 * 7.1.2: a decimal number from 8 to 15 without leading zeros; 0 for anything
 * else.  A backslash only escapes, since it cannot stand in a token.
 */
static uint8_t
read_bits(struct weft_span value)
{
    unsigned bits = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (c == '\\')
            continue;
        if (c < '0' || c > '9' || (c == '0' && bits == 0))
            return 0;
        bits = bits * 10 + (unsigned)(c - '0');
        if (bits > MAX_BITS)
            return 0;
    }
    return bits >= MIN_BITS ? (uint8_t)bits : 0;
}

/* What is wrong with the parameter, in a client's words, or NULL. */
static const char *
read_parameter(const struct weft_extension_part *part, struct terms *t)
{
    int i = 0;

    while (i < PARAMETERS &&
           !weft_http_same(part->name, weft_http_text(names[i])))
        i++;
    if (i == PARAMETERS)
        return "the server's permessage-deflate has an unknown parameter";
    if (t->given[i])
        return "the server's permessage-deflate has a parameter twice";
    t->given[i] = true;
    if (!part->valued)
        return i == SERVER_BITS ? "the server's permessage-deflate has a "
                                  "window without its size"
                                : NULL;
    if (i == SERVER_TAKEOVER || i == CLIENT_TAKEOVER)
        return "the server's permessage-deflate has a value where none "
               "belongs";
    t->bits[i] = read_bits(part->value);
    if (t->bits[i] == 0)
        return "the server's permessage-deflate has a window that is not of "
               "8 to 15 bits";
    return NULL;
}

/* Whether the element is permessage-deflate, past whose name *at moves. */
static bool
is_deflate(struct weft_span element, size_t *at)
{
    struct weft_extension_part part;

    *at = 0;
    return weft_extension_next(element, at, &part) == WEFT_EVENT &&
           weft_http_same(part.name, weft_http_text(EXTENSION));
}

/* The terms behind the name: what is wrong with them, or NULL. */
static const char *
read_terms(struct weft_span element, size_t at, struct terms *t)
{
    struct weft_extension_part part;
    const char *fault = NULL;
    enum weft_status rc;

    *t = (struct terms){ { false }, { 0 } };
    while (fault == NULL &&
           (rc = weft_extension_next(element, &at, &part)) != WEFT_OK) {
        if (rc != WEFT_EVENT)
            return "the server's Sec-WebSocket-Extensions is malformed";
        fault = read_parameter(&part, t);
    }
    return fault;
}

/* The server's side ------------------------------------------------------- */

/* Any offer that can be read can be met: each side may do with less. */
static struct weft_deflate_agreed
agree(const struct weft_deflate_options *o, const struct terms *t)
{
    struct weft_deflate_agreed a = { .on = true };

    a.server_no_context_takeover =
        o->server_no_context_takeover || t->given[SERVER_TAKEOVER];
    a.client_no_context_takeover =
        o->client_no_context_takeover || t->given[CLIENT_TAKEOVER];
    a.server_max_window_bits = least(limit(o->server_max_window_bits),
                                     asked(t, SERVER_BITS));
    a.says_server_bits = t->given[SERVER_BITS] || /* 7.1.2.1: it must */
                         a.server_max_window_bits < MAX_BITS;
    a.client_max_window_bits = MAX_BITS;
    if (t->given[CLIENT_BITS]) /* 7.1.2.2: else it must not be named */
        a.client_max_window_bits = least(limit(o->client_max_window_bits),
                                         asked(t, CLIENT_BITS));
    a.says_client_bits = a.client_max_window_bits < MAX_BITS;
    return a;
}

bool
weft_deflate_choose(const struct weft_http_head *h, const char *bytes,
                    const struct weft_deflate_options *o,
                    struct weft_deflate_agreed *a)
{
    uint32_t field = 0, at = 0;
    struct weft_span element;
    struct terms t;
    size_t behind;

    *a = (struct weft_deflate_agreed){ .on = false };
    if (!o->on || !weft_deflate_available())
        return false;
    while (weft_http_next_element(h, bytes, FIELD, &field, &at, &element)) {
        if (is_deflate(element, &behind) &&
            read_terms(element, behind, &t) == NULL) {
            *a = agree(o, &t);
            return true;
        }
    }
    return false;
}

/* Writing ----------------------------------------------------------------- */

static char *
put(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len + 1);
    return to + len;
}

static char *
put_bits(char *to, uint8_t bits)
{
    *to++ = '=';
    if (bits >= 10)
        *to++ = '1';
    *to++ = (char)('0' + bits % 10);
    *to = '\0';
    return to;
}

static size_t
write_terms(const struct terms *t, char to[WEFT_DEFLATE_TEXT])
{
    char *end = put(to, EXTENSION);

    for (int i = 0; i < PARAMETERS; i++) {
        if (!t->given[i])
            continue;
        end = put(put(end, "; "), names[i]);
        if (t->bits[i] != 0)
            end = put_bits(end, t->bits[i]);
    }
    return (size_t)(end - to);
}

size_t
weft_deflate_answer(const struct weft_deflate_agreed *a,
                    char to[WEFT_DEFLATE_TEXT])
{
    struct terms t = {
        .given = { a->server_no_context_takeover,
                   a->client_no_context_takeover, a->says_server_bits,
                   a->says_client_bits },
        .bits = { 0, 0, a->server_max_window_bits,
                  a->client_max_window_bits },
    };

    to[0] = '\0';
    return a->on ? write_terms(&t, to) : 0;
}

/* What a client asks for.  7.1.2.2: client_max_window_bits lets the server
 * name a window, so it is always there. */
static struct terms
offer(const struct weft_deflate_options *o)
{
    uint8_t server = limit(o->server_max_window_bits);
    uint8_t client = limit(o->client_max_window_bits);

    return (struct terms){
        .given = { o->server_no_context_takeover,
                   o->client_no_context_takeover, server < MAX_BITS, true },
        .bits = { 0, 0, server, client < MAX_BITS ? client : 0 },
    };
}

size_t
weft_deflate_offer(const struct weft_deflate_options *o,
                   char to[WEFT_DEFLATE_TEXT])
{
    struct terms t = offer(o);

    to[0] = '\0';
    return o->on && weft_deflate_available() ? write_terms(&t, to) : 0;
}

/* The client's side ------------------------------------------------------- */

/*
 * Whether the answer meets what was asked for.  What a client says of itself
 * (7.1.1.2, 7.1.2.2) is a promise, which the server need not repeat.
 */
static const char *
check_answer(const struct terms *ours, const struct terms *t)
{
    if (ours->given[SERVER_TAKEOVER] && !t->given[SERVER_TAKEOVER])
        return "the server does not agree to server_no_context_takeover";
    if (ours->given[SERVER_BITS] && !t->given[SERVER_BITS])
        return "the server does not agree to server_max_window_bits";
    if (asked(t, SERVER_BITS) > asked(ours, SERVER_BITS))
        return "the server's server_max_window_bits is above what was asked "
               "for";
    if (!t->given[CLIENT_BITS])
        return NULL;
    if (t->bits[CLIENT_BITS] == 0)
        return "the server's permessage-deflate has a window without its "
               "size";
    if (t->bits[CLIENT_BITS] > asked(ours, CLIENT_BITS))
        return "the server's client_max_window_bits is above what was "
               "offered";
    return NULL;
}

/* What is in force then: the answer, and what was promised. */
static struct weft_deflate_agreed
take(const struct terms *ours, const struct terms *t)
{
    return (struct weft_deflate_agreed){
        .on = true,
        .server_no_context_takeover = t->given[SERVER_TAKEOVER],
        .client_no_context_takeover = t->given[CLIENT_TAKEOVER] ||
                                      ours->given[CLIENT_TAKEOVER],
        .says_server_bits = t->given[SERVER_BITS],
        .says_client_bits = t->given[CLIENT_BITS],
        .server_max_window_bits = asked(t, SERVER_BITS),
        .client_max_window_bits = least(asked(t, CLIENT_BITS),
                                        asked(ours, CLIENT_BITS)),
    };
}

static const char *
verify(const struct weft_http_head *h, const char *bytes,
       const struct weft_deflate_options *o, struct weft_deflate_agreed *a)
{
    struct terms ours = offer(o), t;
    uint32_t field = 0, at = 0;
    struct weft_span element;
    const char *fault;
    size_t behind;

    while (weft_http_next_element(h, bytes, FIELD, &field, &at, &element)) {
        if (!is_deflate(element, &behind))
            return "the server uses an extension that was not offered";
        if (a->on)
            return "the server uses permessage-deflate twice";
        fault = read_terms(element, behind, &t);
        if (fault == NULL)
            fault = check_answer(&ours, &t);
        if (fault != NULL)
            return fault;
        *a = take(&ours, &t);
    }
    return a->on ? NULL : "the server's Sec-WebSocket-Extensions is empty";
}

const char *
weft_deflate_verify(const struct weft_http_head *h, const char *bytes,
                    const struct weft_deflate_options *o,
                    struct weft_deflate_agreed *a)
{
    const char *fault;

    *a = (struct weft_deflate_agreed){ .on = false };
    if (weft_http_find(h, bytes, FIELD, 0) < 0)
        return NULL;
    if (!o->on || !weft_deflate_available())
        return "the server uses an extension that was not offered";
    fault = verify(h, bytes, o, a);
    if (fault != NULL)
        *a = (struct weft_deflate_agreed){ .on = false };
    return fault;
}
