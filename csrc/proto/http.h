/*
 * A strict, incremental parser for the head of an HTTP/1.1 request or
 * response (RFC 9112), as the opening handshake needs it.
 *
 * The caller collects the head's bytes in one place and calls weft_http_read()
 * with all of them whenever more have come; each byte is looked at once, and
 * what is wrong shows as soon as its byte is there, not only at the end of the
 * head.  The result is slices: offsets into the caller's bytes, which may
 * move between calls.  The head owns its table of fields.
 */
#ifndef WEFT_PROTO_HTTP_H
#define WEFT_PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/status.h"

/* Bytes [at, at + len) of the head. */
struct weft_slice {
    uint32_t at, len;
};

struct weft_field {
    struct weft_slice name, value; /* value without surrounding blanks */
};

enum weft_http_kind { WEFT_HTTP_REQUEST, WEFT_HTTP_RESPONSE };

struct weft_http_head {
    enum weft_http_kind kind;
    uint32_t max_bytes, max_fields; /* 431 past them */

    struct weft_slice method, target; /* of a request */
    uint16_t status;                  /* of a response */
    struct weft_slice reason;
    uint8_t minor;                    /* HTTP/1.minor, 0 or 1 */
    struct weft_field *fields;        /* in order of arrival */
    uint32_t count, cap;
    uint32_t length; /* of the whole head, blank line included, once known */

    uint16_t error;  /* HTTP status of a fault: 400, 431 or 505; else 0 */
    const char *why; /* what was wrong, words for people; else NULL */

    uint32_t at, mark; /* looked at so far; where the current part began */
    struct weft_slice name; /* of the field whose value is being read */
    uint8_t state;          /* which part that is */
};

/* Starts a head that owns nothing yet. */
void weft_http_init(struct weft_http_head *h, enum weft_http_kind kind,
                    uint32_t max_bytes, uint32_t max_fields);

/* Frees the fields; h is inert and may be deinited again. */
void weft_http_deinit(struct weft_http_head *h);

/*
 * Looks at what is new in the len bytes that have arrived since the head's
 * start.  WEFT_OK: complete, h->length bytes long, what follows is not the
 * head's.  WEFT_MORE.  WEFT_E_HEAD: refused, h->error and h->why say how, and
 * h->at is the offset of the byte that showed it.  WEFT_E_MEMORY: as it was,
 * the call may be made again.  OK and E_HEAD are final: later calls repeat
 * them.
 * Refused: a bare CR, a bare LF, NUL and other controls, a folded line, a
 * blank before the colon, an empty or non-token name, a malformed start line,
 * more than one blank in it, a target that weft_http_split_target() does not
 * know, "*" without OPTIONS, HTTP/0.9 and HTTP/2 (505), a head over max_bytes
 * (431) or max_fields (431).  An empty line before a request line is accepted
 * once (RFC 9112, 2.2); HTTP/1.2 and up count as 1.1 (RFC 9110, 2.5).
 */
enum weft_status weft_http_read(struct weft_http_head *h, const char *bytes,
                                size_t len);

/* The slice's bytes. */
static inline struct weft_span
weft_http_span(const char *bytes, struct weft_slice s)
{
    return (struct weft_span){ bytes + s.at, s.len };
}

/* The bytes of a C string. */
static inline struct weft_span
weft_http_text(const char *s)
{
    return (struct weft_span){ s, strlen(s) };
}

/*
 * The index of the next field with this name (lower case; names compare
 * without case) at or after `from`, or -1.
 */
int weft_http_find(const struct weft_http_head *h, const char *bytes,
                   const char *name, uint32_t from);

/* The value of the first field with this name, empty when there is none. */
struct weft_span weft_http_value(const struct weft_http_head *h,
                                 const char *bytes, const char *name);

/* How many fields have this name. */
uint32_t weft_http_count(const struct weft_http_head *h, const char *bytes,
                         const char *name);

/* Whether a comma-separated list in any field of this name holds the token
 * (compared without case). */
bool weft_http_has_token(const struct weft_http_head *h, const char *bytes,
                         const char *name, const char *token);

/*
 * Walks the comma-separated elements of all fields of this name: *field and
 * *at start at 0; each call gives the next non-empty element, blanks
 * stripped, or false at the end.  A comma in a quoted string separates
 * nothing.  (RFC 9110, 5.6.1.)
 */
bool weft_http_next_element(const struct weft_http_head *h, const char *bytes,
                            const char *name, uint32_t *field, uint32_t *at,
                            struct weft_span *element);

/*
 * Takes a request's target apart (RFC 9112, 3.2).  "/path?query" and "*": the
 * authority is empty, the resource is all of it.  A URL of scheme http, https,
 * ws or wss: its authority, and the rest as resource, which may be empty or
 * begin with "?" where the path "/" is meant.  False: neither, a malformed
 * authority, a control, a blank, a "#" or a byte over 0x7E.
 */
bool weft_http_split_target(struct weft_span target,
                            struct weft_span *authority,
                            struct weft_span *resource);

/*
 * Takes host[:port] apart: brackets of an IPv6 address stay with the host, the
 * port is -1 when there is none.  False: an empty host, a user name, or what
 * cannot stand in either.
 */
bool weft_http_split_host(struct weft_span authority, struct weft_span *host,
                          int *port);

/*
 * Which host a complete request is for: the one its target names, which wins
 * over the Host field (RFC 9112, 3.2.2), else the Host field, else empty.
 */
struct weft_span weft_http_host(const struct weft_http_head *h,
                                const char *bytes);

/* Whether two names are the same but for the case of A to Z. */
bool weft_http_same(struct weft_span a, struct weft_span b);

/* Whether the byte may stand in a token (RFC 9110, 5.6.2). */
static inline bool
weft_http_is_tchar(char c)
{
    static const uint32_t bits[4] = { 0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff };
    uint8_t u = (uint8_t)c;

    return u < 0x80 && (bits[u / 32] >> u % 32 & 1) != 0;
}

/* Whether the byte may stand in a field value (RFC 9110, 5.5). */
static inline bool
weft_http_is_vchar(char c)
{
    uint8_t u = (uint8_t)c;

    return u == '\t' || (u >= 0x20 && u != 0x7f);
}

/* Whether the byte may stand in a target; a fragment is never sent. */
static inline bool
weft_http_is_target(char c)
{
    return c > 0x20 && c < 0x7f && c != '#';
}

/* RFC 9110, 5.6.3: optional whitespace. */
static inline bool
weft_http_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether the bytes are one token (RFC 9110, 5.6.2), not empty. */
bool weft_http_is_token(struct weft_span s);

/* Whether the bytes may stand in a field value: no controls but tab. */
bool weft_http_is_value(struct weft_span s);

/* The standard phrase of a status, or "Unknown". */
const char *weft_http_reason(unsigned status);

#endif
