/*
 * The rules of the opening handshake (RFC 6455, section 4): what a server
 * demands of a request and a client of the response.  It must not know how
 * heads are parsed or written.
 */
#include "proto/handshake.h"

#include <stdio.h>

#include "base/crypto.h"
#include "proto/extension.h"

enum { MAX_OFFERED = 64, KEY_LEN = 24, ACCEPT_LEN = 28 };

static bool
is(struct weft_span s, const char *word)
{
    return weft_http_same(s, weft_http_text(word));
}

/* Whether they are the same, with case. */
static bool
equal(struct weft_span a, struct weft_span b)
{
    return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

/* Each of the rules below returns what breaks it, or NULL. ---------------- */

/* RFC 9112, 3.2: exactly one, well-formed, in HTTP/1.1. */
static const char *
check_host(const struct weft_http_head *h, const char *bytes, bool websocket)
{
    uint32_t count = weft_http_count(h, bytes, "host");
    struct weft_span value = weft_http_value(h, bytes, "host"), name;
    int port;

    if (count == 0)
        return h->minor == 0 ? NULL : "the request has no Host";
    if (count > 1)
        return "the request has more than one Host";
    if (value.len == 0 && !websocket)
        return NULL;
    if (!weft_http_split_host(value, &name, &port))
        return "the request's Host is malformed";
    return NULL;
}

static bool
read_number(struct weft_span s, uint64_t *n)
{
    *n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(s.data[i] - '0');

        if (s.data[i] < '0' || digit > 9 || *n > (UINT64_MAX - digit) / 10)
            return false;
        *n = *n * 10 + digit;
    }
    return s.len > 0;
}

/* RFC 9112, 6.3: what says how long the body is must say it once. */
static const char *
check_body(const struct weft_http_head *h, const char *bytes, bool *body)
{
    bool chunked = weft_http_find(h, bytes, "transfer-encoding", 0) >= 0;
    uint64_t length = 0, n;
    int first = weft_http_find(h, bytes, "content-length", 0);

    for (int i = first; i >= 0;
         i = weft_http_find(h, bytes, "content-length", (uint32_t)i + 1)) {
        if (!read_number(weft_http_span(bytes, h->fields[i].value), &n))
            return "Content-Length is not a number";
        if (i != first && n != length)
            return "there are two lengths in Content-Length";
        length = n;
    }
    if (chunked && first >= 0)
        return "there is a Content-Length beside a Transfer-Encoding";
    if (chunked && h->minor == 0) /* RFC 9112, 6.1: a trap */
        return "there is a Transfer-Encoding in HTTP/1.0";
    *body = chunked || length > 0;
    return NULL;
}

/* 4.2.1, 1 to 4; an upgrade never has a body, which could hide a request. */
static const char *
check_upgrade(const struct weft_http_head *h, const char *bytes, bool body)
{
    struct weft_span method = weft_http_span(bytes, h->method);

    if (!equal(method, weft_http_text("GET")))
        return "a WebSocket handshake needs the method GET";
    if (h->minor == 0)
        return "a WebSocket handshake needs HTTP/1.1";
    if (body)
        return "a WebSocket handshake has no body";
    if (!weft_http_has_token(h, bytes, "upgrade", "websocket"))
        return "a WebSocket handshake needs \"Upgrade: websocket\"";
    if (!weft_http_has_token(h, bytes, "connection", "upgrade"))
        return "a WebSocket handshake needs \"Connection: Upgrade\"";
    if (weft_http_count(h, bytes, "sec-websocket-version") > 1)
        return "there is more than one Sec-WebSocket-Version";
    if (weft_http_count(h, bytes, "origin") > 1)
        return "there is more than one Origin";
    return NULL;
}

static bool
is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* 4.2.1, 5: 16 bytes are 22 characters and the padding. */
static const char *
check_key(const struct weft_http_head *h, const char *bytes)
{
    uint32_t count = weft_http_count(h, bytes, "sec-websocket-key");
    struct weft_span key = weft_http_value(h, bytes, "sec-websocket-key");

    if (count == 0)
        return "there is no Sec-WebSocket-Key";
    if (count > 1)
        return "there is more than one Sec-WebSocket-Key";
    if (key.len != KEY_LEN || memcmp(key.data + KEY_LEN - 2, "==", 2) != 0)
        return "Sec-WebSocket-Key is not 16 bytes in base64";
    for (size_t i = 0; i < KEY_LEN - 2; i++)
        if (!is_base64(key.data[i]))
            return "Sec-WebSocket-Key is not 16 bytes in base64";
    return NULL;
}

/* 4.1, 10: tokens, all different; so few that comparing each with each is
 * cheap. */
static const char *
check_protocols(const struct weft_http_head *h, const char *bytes)
{
    static const char name[] = "sec-websocket-protocol";
    struct weft_span offered[MAX_OFFERED], element;
    uint32_t count = 0, field = 0, at = 0;

    while (weft_http_next_element(h, bytes, name, &field, &at, &element)) {
        if (!weft_http_is_token(element))
            return "Sec-WebSocket-Protocol is malformed";
        if (count == MAX_OFFERED)
            return "Sec-WebSocket-Protocol offers too many subprotocols";
        for (uint32_t i = 0; i < count; i++)
            if (equal(offered[i], element))
                return "Sec-WebSocket-Protocol offers a subprotocol twice";
        offered[count++] = element;
    }
    if (count == 0 && weft_http_find(h, bytes, name, 0) >= 0)
        return "Sec-WebSocket-Protocol is empty";
    return NULL;
}

/* 9.1: what does not follow the grammar fails the connection at once. */
static const char *
check_extensions(const struct weft_http_head *h, const char *bytes)
{
    static const char name[] = "sec-websocket-extensions";
    uint32_t count = 0, field = 0, at = 0;
    struct weft_span element;

    while (weft_http_next_element(h, bytes, name, &field, &at, &element)) {
        if (!weft_extension_is_valid(element))
            return "Sec-WebSocket-Extensions is malformed";
        count++;
    }
    if (count == 0 && weft_http_find(h, bytes, name, 0) >= 0)
        return "Sec-WebSocket-Extensions is empty";
    return NULL;
}

/* The server's side ------------------------------------------------------ */

static enum weft_request_kind
refuse(struct weft_refusal *why, unsigned status, const char *headers,
       const char *text)
{
    why->status = status;
    why->headers = headers;
    snprintf(why->why, sizeof(why->why), "%s", text);
    return WEFT_REQUEST_REFUSED;
}

/* 4.2.1, 6 and 4.4; RFC 9110, 15.5.22, wants Upgrade on a 426. */
static enum weft_request_kind
refuse_version(struct weft_refusal *why)
{
    return refuse(why, 426,
                  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                  "the only WebSocket version spoken here is 13");
}

/* RFC 9112, 6.1: one that is not known leaves the body's end unknown. */
static bool
codes_only_chunks(const struct weft_http_head *h, const char *bytes)
{
    uint32_t field = 0, at = 0, count = 0;
    struct weft_span coding;

    while (weft_http_next_element(h, bytes, "transfer-encoding", &field, &at,
                                  &coding)) {
        if (!is(coding, "chunked"))
            return false;
        count++;
    }
    return count == 1
           || weft_http_find(h, bytes, "transfer-encoding", 0) < 0;
}

/* RFC 9110, 10.1.1 */
static bool
expects_what_is_known(const struct weft_http_head *h, const char *bytes)
{
    uint32_t field = 0, at = 0;
    struct weft_span what;

    while (weft_http_next_element(h, bytes, "expect", &field, &at, &what))
        if (!is(what, "100-continue"))
            return false;
    return true;
}

static enum weft_request_kind
check_plain(const struct weft_http_head *h, const char *bytes,
            struct weft_refusal *why)
{
    if (!codes_only_chunks(h, bytes))
        return refuse(why, 501, "", "the only Transfer-Encoding known here is"
                                    " chunked");
    if (!expects_what_is_known(h, bytes))
        return refuse(why, 417, "", "the only Expect known here is"
                                    " 100-continue");
    return WEFT_REQUEST_HTTP;
}

static const char *
check_offer(const struct weft_http_head *h, const char *bytes)
{
    const char *fault = check_key(h, bytes);

    if (fault == NULL)
        fault = check_protocols(h, bytes);
    if (fault == NULL)
        fault = check_extensions(h, bytes);
    return fault;
}

enum weft_request_kind
weft_handshake_check(const struct weft_http_head *h, const char *bytes,
                     struct weft_refusal *why)
{
    bool websocket = weft_http_has_token(h, bytes, "upgrade", "websocket") ||
                     weft_http_find(h, bytes, "sec-websocket-key", 0) >= 0;
    bool body = false;
    const char *fault = check_host(h, bytes, websocket);

    if (fault == NULL)
        fault = check_body(h, bytes, &body);
    if (fault == NULL && websocket)
        fault = check_upgrade(h, bytes, body);
    if (fault != NULL)
        return refuse(why, 400, "", fault);
    if (!websocket)
        return check_plain(h, bytes, why);
    /* before the key, which another version may write differently */
    if (!is(weft_http_value(h, bytes, "sec-websocket-version"), "13"))
        return refuse_version(why);
    fault = check_offer(h, bytes);
    if (fault != NULL)
        return refuse(why, 400, "", fault);
    return WEFT_REQUEST_WEBSOCKET;
}

int
weft_handshake_choose(const struct weft_http_head *h, const char *bytes,
                      const struct weft_span *spoken, size_t count)
{
    struct weft_span element;

    for (size_t i = 0; i < count; i++) {
        uint32_t field = 0, at = 0;

        while (weft_http_next_element(h, bytes, "sec-websocket-protocol",
                                      &field, &at, &element))
            if (equal(element, spoken[i]))
                return (int)i;
    }
    return -1;
}

/* The client's side ------------------------------------------------------ */

/* "handshake refused: 401 Unauthorized", in the server's words if it has any;
 * they may hold bytes of no known encoding. */
static void
tell_status(struct weft_refusal *why, const struct weft_http_head *h,
            const char *bytes)
{
    struct weft_span reason = weft_http_span(bytes, h->reason);
    size_t len;

    if (reason.len == 0)
        reason = weft_http_text(weft_http_reason(h->status));
    if (reason.len > 100)
        reason.len = 100;
    snprintf(why->why, sizeof(why->why), "handshake refused: %u %.*s",
             (unsigned)h->status, (int)reason.len, reason.data);
    len = strlen(why->why);
    for (size_t i = 0; i < len; i++)
        if (why->why[i] < 0x20 || why->why[i] > 0x7e)
            why->why[i] = '?';
}

/* 4.1, 2 and 3 of what the client must validate; RFC 9112, 6.1 and 6.2, for
 * the body that a 101 cannot have. */
static const char *
check_switch(const struct weft_http_head *h, const char *bytes)
{
    const char *fault;
    bool body = false;

    if (h->minor == 0)
        return "the server answered in HTTP/1.0";
    if (weft_http_count(h, bytes, "upgrade") != 1 ||
        !is(weft_http_value(h, bytes, "upgrade"), "websocket"))
        return "the server's answer has no \"Upgrade: websocket\"";
    if (!weft_http_has_token(h, bytes, "connection", "upgrade"))
        return "the server's answer has no \"Connection: Upgrade\"";
    fault = check_body(h, bytes, &body);
    if (fault == NULL && body)
        fault = "the server's answer to the handshake has a body";
    return fault;
}

/* 4.1, 4 */
static const char *
check_accept(const struct weft_http_head *h, const char *bytes,
             const char *expected)
{
    uint32_t count = weft_http_count(h, bytes, "sec-websocket-accept");
    struct weft_span given = weft_http_value(h, bytes, "sec-websocket-accept");

    if (count == 0)
        return "the server sent no Sec-WebSocket-Accept";
    if (count > 1)
        return "the server sent more than one Sec-WebSocket-Accept";
    if (!equal(given, (struct weft_span){ expected, ACCEPT_LEN }))
        return "the server's Sec-WebSocket-Accept is wrong";
    return NULL;
}

/* 4.1, 6 */
static const char *
check_protocol(const struct weft_http_head *h, const char *bytes,
               const struct weft_client_request *r, int *protocol)
{
    uint32_t count = weft_http_count(h, bytes, "sec-websocket-protocol");
    struct weft_span value = weft_http_value(h, bytes,
                                             "sec-websocket-protocol");

    if (count == 0)
        return NULL;
    if (count > 1)
        return "the server chose more than one subprotocol";
    for (size_t i = 0; i < r->protocol_count; i++) {
        if (equal(value, r->protocols[i])) {
            *protocol = (int)i;
            return NULL;
        }
    }
    return "the server chose a subprotocol that was not offered";
}

enum weft_status
weft_handshake_verify(const struct weft_http_head *h, const char *bytes,
                      const struct weft_client_request *r, int *protocol,
                      struct weft_deflate_agreed *agreed,
                      struct weft_refusal *why)
{
    char expected[ACCEPT_LEN + 1];
    const char *fault;

    *protocol = -1;
    *agreed = (struct weft_deflate_agreed){ .on = false };
    *why = (struct weft_refusal){ .status = h->status, .headers = "" };
    if (h->status != 101) {
        tell_status(why, h, bytes);
        return WEFT_E_HEAD;
    }
    if (weft_accept_key(NULL, r->key, KEY_LEN, expected) != WEFT_OK)
        return WEFT_E_MEMORY;
    fault = check_switch(h, bytes);
    if (fault == NULL)
        fault = check_accept(h, bytes, expected);
    if (fault == NULL)
        fault = weft_deflate_verify(h, bytes, &r->deflate, agreed);
    if (fault == NULL)
        fault = check_protocol(h, bytes, r, protocol);
    if (fault == NULL)
        return WEFT_OK;
    refuse(why, h->status, "", fault);
    return WEFT_E_HEAD;
}
