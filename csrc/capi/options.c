/*
 * Options checked and copied.  It must not know what becomes of them.
 */
#include "capi/options.h"

#include <string.h>

#include "base/mem.h"

enum { SUBPROTOCOLS = 64 }; /* as many as a server reads, see handshake.h */

/* Checking ---------------------------------------------------------------- */

/* Whether a string may be the value of a field, or is left out. */
static bool
is_value(const char *s)
{
    return s == NULL || (*s != '\0' && weft_http_is_value(weft_http_text(s)));
}

static bool
is_host(const char *s)
{
    struct weft_span host;
    int port;

    return s != NULL && weft_http_split_host(weft_http_text(s), &host, &port);
}

static bool
is_target(const char *s)
{
    if (s == NULL)
        return true;
    if (*s != '/')
        return false;
    while (*s != '\0' && weft_http_is_target(*s))
        s++;
    return *s == '\0';
}

static bool
are_origins(const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        if (!is_value(*list))
            return false;
    return true;
}

/* 4.1: tokens, each once. */
static bool
are_subprotocols(const char *const *list)
{
    size_t count = 0;

    for (; list != NULL && list[count] != NULL; count++) {
        if (count == SUBPROTOCOLS
            || !weft_http_is_token(weft_http_text(list[count])))
            return false;
        for (size_t i = 0; i < count; i++)
            if (strcmp(list[i], list[count]) == 0)
                return false;
    }
    return true;
}

/* Whether the handshake sets this field itself. */
static bool
is_own(struct weft_span name)
{
    static const char *const own[] = { "connection", "content-length", "host",
                                       "transfer-encoding", "upgrade" };
    struct weft_span prefix = weft_http_text("sec-websocket-");

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (weft_http_same(name, weft_http_text(own[i])))
            return true;
    return name.len >= prefix.len
           && weft_http_same((struct weft_span){ name.data, prefix.len },
                             prefix);
}

/* "Name: value", without the CRLF. */
static bool
is_line(struct weft_span line)
{
    const char *colon = memchr(line.data, ':', line.len);
    struct weft_span name, value;

    if (colon == NULL)
        return false;
    name = (struct weft_span){ line.data, (size_t)(colon - line.data) };
    value = (struct weft_span){ colon + 1, line.len - name.len - 1 };
    return weft_http_is_token(name) && !is_own(name)
           && weft_http_is_value(value);
}

static bool
are_lines(const char *s)
{
    const char *end;

    for (; s != NULL && *s != '\0'; s = end + 2) {
        end = strstr(s, "\r\n");
        if (end == NULL
            || !is_line((struct weft_span){ s, (size_t)(end - s) }))
            return false;
    }
    return true;
}

static enum weft_protocol_status
check_client(const struct weft_protocol_options *o)
{
    if (!is_host(o->host))
        return WEFT_PROTOCOL_E_HOST;
    if (!is_target(o->target))
        return WEFT_PROTOCOL_E_TARGET;
    if (!is_value(o->origin))
        return WEFT_PROTOCOL_E_ORIGIN;
    if (!is_value(o->user_agent))
        return WEFT_PROTOCOL_E_USER_AGENT;
    return WEFT_PROTOCOL_OK;
}

enum weft_protocol_status
weft_options_check(const struct weft_protocol_options *o, enum weft_role role)
{
    if (!are_subprotocols(o->subprotocols))
        return WEFT_PROTOCOL_E_SUBPROTOCOLS;
    if (!are_lines(o->headers))
        return WEFT_PROTOCOL_E_HEADERS;
    if ((unsigned)o->compression > WEFT_PROTOCOL_SLIDING)
        return WEFT_PROTOCOL_E_COMPRESSION;
    if (o->compression_level > 9)
        return WEFT_PROTOCOL_E_LEVEL;
    if (role == WEFT_CLIENT)
        return check_client(o);
    return are_origins(o->origins) ? WEFT_PROTOCOL_OK
                                   : WEFT_PROTOCOL_E_ORIGINS;
}

/* Keeping ----------------------------------------------------------------- */

/* How many there are, their bytes and NULs added to *size. */
static size_t
measure(const char *const *list, size_t *size)
{
    size_t count = 0;

    for (; list != NULL && list[count] != NULL; count++)
        *size += strlen(list[count]) + 1;
    return count;
}

/* Copies a string and its NUL to *to, which moves behind it. */
static struct weft_span
keep(char **to, const char *s)
{
    struct weft_span kept = { *to, strlen(s) };

    memcpy(*to, s, kept.len + 1);
    *to += kept.len + 1;
    return kept;
}

static void
keep_list(struct weft_span *spans, char **to, const char *const *list,
          size_t count)
{
    for (size_t i = 0; i < count; i++)
        spans[i] = keep(to, list[i]);
}

static struct weft_span
text_or(const char *s, const char *missing)
{
    return weft_http_text(s != NULL ? s : missing);
}

/* Windows that are kept are small, and a server decides on both. */
static struct weft_deflate_options
deflate_of(const struct weft_protocol_options *o, enum weft_role role)
{
    bool each = o->compression == WEFT_PROTOCOL_EACH;
    uint8_t bits = role == WEFT_SERVER && !each ? 12 : 15;
    uint8_t level = o->compression_level;

    if (o->compression == WEFT_PROTOCOL_PLAIN)
        return (struct weft_deflate_options){ 0 };
    return (struct weft_deflate_options){
        .on = true,
        .server_no_context_takeover = each,
        .client_no_context_takeover = each,
        .server_max_window_bits = bits,
        .client_max_window_bits = bits,
        .window_bits = 12,
        .level = (int8_t)(level != 0 ? level : 6),
        .threshold = o->compression_threshold != 0 ? o->compression_threshold
                                                   : 512,
    };
}

static struct weft_endpoint_options
convert(const struct weft_protocol_options *o, enum weft_role role)
{
    uint64_t most = o->max_message != 0 ? o->max_message : 1 << 20;

    return (struct weft_endpoint_options){
        .limits.max_message = most,
        .limits.max_frame = o->max_frame != 0 ? o->max_frame : most,
        .limits.max_fragments = o->max_fragments != 0 ? o->max_fragments : 1024,
        .max_header = o->max_header != 0 ? o->max_header : 16 * 1024,
        .max_headers = o->max_headers != 0 ? o->max_headers : 100,
        .deflate = deflate_of(o, role),
        .request.host = text_or(o->host, ""),
        .request.target = text_or(o->target, "/"),
        .request.origin = text_or(o->origin, ""),
        .request.user_agent = text_or(o->user_agent, ""),
    };
}

struct weft_span *
weft_options_keep(const struct weft_protocol_options *o, enum weft_role role,
                  struct weft_endpoint_options *to)
{
    const char *headers = o->headers != NULL ? o->headers : "";
    size_t size = strlen(headers) + 1;
    size_t protocols = measure(o->subprotocols, &size);
    size_t origins = measure(o->origins, &size);
    struct weft_span *spans = weft_realloc(
        NULL, (protocols + origins) * sizeof(*spans) + size);
    char *text;

    if (spans == NULL)
        return NULL;
    text = (char *)(spans + protocols + origins);
    keep_list(spans, &text, o->subprotocols, protocols);
    keep_list(spans + protocols, &text, o->origins, origins);
    *to = convert(o, role);
    to->protocols = to->request.protocols = spans;
    to->protocol_count = to->request.protocol_count = protocols;
    to->origins = spans + protocols;
    to->origin_count = origins;
    to->headers = to->request.headers = keep(&text, headers);
    return spans;
}
