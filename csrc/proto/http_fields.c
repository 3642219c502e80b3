/*
 * Questions to a head that was parsed, and to the small grammars in it
 * (RFC 9110, sections 5.6, 7.2 and 15).  It must not know how a head arrives.
 */
#include "proto/http.h"

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool
weft_http_same(struct weft_span a, struct weft_span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.data[i] != b.data[i] && lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

int
weft_http_find(const struct weft_http_head *h, const char *bytes,
               const char *name, uint32_t from)
{
    struct weft_span wanted = weft_http_text(name);

    for (uint32_t i = from; i < h->count; i++)
        if (h->fields[i].name.len == wanted.len
            && weft_http_same(weft_http_span(bytes, h->fields[i].name),
                              wanted))
            return (int)i;
    return -1;
}

uint32_t
weft_http_count(const struct weft_http_head *h, const char *bytes,
                const char *name)
{
    uint32_t count = 0;
    int i = -1;

    while ((i = weft_http_find(h, bytes, name, (uint32_t)(i + 1))) >= 0)
        count++;
    return count;
}

struct weft_span
weft_http_value(const struct weft_http_head *h, const char *bytes,
                const char *name)
{
    int i = weft_http_find(h, bytes, name, 0);

    if (i < 0)
        return (struct weft_span){ "", 0 };
    return weft_http_span(bytes, h->fields[i].value);
}

static struct weft_span
strip(struct weft_span s)
{
    while (s.len > 0 && weft_http_is_blank(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && weft_http_is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* What stands between *at and the next comma, past which it moves *at. */
static struct weft_span
cut_element(struct weft_span list, uint32_t *at)
{
    struct weft_span element = { list.data + *at, 0 };
    bool quoted = false;
    size_t i = *at;

    for (; i < list.len && (quoted || list.data[i] != ','); i++) {
        if (list.data[i] == '"')
            quoted = !quoted;
        else if (quoted && list.data[i] == '\\' && i + 1 < list.len)
            i++;
    }
    element.len = i - *at;
    *at = (uint32_t)(i < list.len ? i + 1 : i);
    return strip(element);
}

bool
weft_http_next_element(const struct weft_http_head *h, const char *bytes,
                       const char *name, uint32_t *field, uint32_t *at,
                       struct weft_span *element)
{
    int i;

    while ((i = weft_http_find(h, bytes, name, *field)) >= 0) {
        struct weft_span list = weft_http_span(bytes, h->fields[i].value);

        if ((uint32_t)i != *field)
            *at = 0;
        *field = (uint32_t)i;
        while (*at < list.len) {
            *element = cut_element(list, at);
            if (element->len > 0)
                return true;
        }
        *field += 1;
        *at = 0;
    }
    *field = h->count;
    return false;
}

bool
weft_http_has_token(const struct weft_http_head *h, const char *bytes,
                    const char *name, const char *token)
{
    struct weft_span wanted = weft_http_text(token), element;
    uint32_t field = 0, at = 0;

    while (weft_http_next_element(h, bytes, name, &field, &at, &element))
        if (weft_http_same(element, wanted))
            return true;
    return false;
}

bool
weft_http_is_token(struct weft_span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!weft_http_is_tchar(s.data[i]))
            return false;
    return s.len > 0;
}

bool
weft_http_is_value(struct weft_span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!weft_http_is_vchar(s.data[i]))
            return false;
    return true;
}

static bool
all_of(struct weft_span s, const char *set)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '\0' || strchr(set, s.data[i]) == NULL)
            return false;
    return true;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* RFC 3986, 3.2.2, without the comma, which would look like two hosts. */
static bool
is_host(struct weft_span s)
{
    if (s.len > 2 && s.data[0] == '[' && s.data[s.len - 1] == ']')
        return all_of((struct weft_span){ s.data + 1, s.len - 2 },
                      DIGITS "abcdefABCDEF:.");
    return s.len > 0 && all_of(s, DIGITS LETTERS "-._~%!$&'()*+;=");
}

/* RFC 3986, 3.2.3: the digits may be missing. */
static bool
read_port(struct weft_span s, int *port)
{
    int n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        n = n * 10 + (s.data[i] - '0');
        if (n > 65535)
            return false;
    }
    *port = s.len > 0 ? n : -1;
    return true;
}

bool
weft_http_split_host(struct weft_span authority, struct weft_span *host,
                     int *port)
{
    size_t i = authority.len;

    /* the last colon; one inside brackets is followed by the bracket */
    while (i > 0 && authority.data[i - 1] != ':' &&
           authority.data[i - 1] != ']')
        i--;
    *host = authority;
    *port = -1;
    if (i > 0 && authority.data[i - 1] == ':') {
        struct weft_span digits = { authority.data + i, authority.len - i };

        host->len = i - 1;
        if (!read_port(digits, port))
            return false;
    }
    return is_host(*host);
}

/* The length of the scheme and "://" that a URL for us begins with, or 0. */
static size_t
scheme_len(struct weft_span url)
{
    static const char *const schemes[] = { "http://", "https://", "ws://",
                                           "wss://" };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct weft_span scheme = weft_http_text(schemes[i]);
        struct weft_span start = { url.data, scheme.len };

        if (url.len >= scheme.len && weft_http_same(start, scheme))
            return scheme.len;
    }
    return 0;
}

bool
weft_http_split_target(struct weft_span target, struct weft_span *authority,
                       struct weft_span *resource)
{
    size_t start = scheme_len(target), end = start;
    struct weft_span host;
    int port;

    *authority = (struct weft_span){ target.data, 0 };
    *resource = target;
    for (size_t i = 0; i < target.len; i++)
        if (!weft_http_is_target(target.data[i]))
            return false;
    if (start == 0)
        return target.len > 0 && (target.data[0] == '/' ||
                                  (target.data[0] == '*' && target.len == 1));
    while (end < target.len && target.data[end] != '/' &&
           target.data[end] != '?')
        end++;
    *authority = (struct weft_span){ target.data + start, end - start };
    *resource = (struct weft_span){ target.data + end, target.len - end };
    return weft_http_split_host(*authority, &host, &port);
}

struct weft_span
weft_http_host(const struct weft_http_head *h, const char *bytes)
{
    struct weft_span authority, resource;

    if (weft_http_split_target(weft_http_span(bytes, h->target), &authority,
                               &resource) &&
        authority.len > 0)
        return authority;
    return weft_http_value(h, bytes, "host");
}

const char *
weft_http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        { 100, "Continue" },
        { 101, "Switching Protocols" },
        { 102, "Processing" },
        { 103, "Early Hints" },
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 203, "Non-Authoritative Information" },
        { 204, "No Content" },
        { 205, "Reset Content" },
        { 206, "Partial Content" },
        { 300, "Multiple Choices" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 402, "Payment Required" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 407, "Proxy Authentication Required" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 416, "Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 418, "I'm a Teapot" },
        { 421, "Misdirected Request" },
        { 422, "Unprocessable Content" },
        { 425, "Too Early" },
        { 426, "Upgrade Required" },
        { 428, "Precondition Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 451, "Unavailable For Legal Reasons" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
        { 511, "Network Authentication Required" },
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}
