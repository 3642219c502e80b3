/*
 * The grammar of Sec-WebSocket-Extensions (RFC 6455, 9.1).  It must not know
 * what any extension does.
 */
#include "proto/extension.h"

#include "proto/http.h"

static size_t
skip_blanks(struct weft_span s, size_t at)
{
    while (at < s.len && weft_http_is_blank(s.data[at]))
        at++;
    return at;
}

static size_t
skip_token(struct weft_span s, size_t at)
{
    while (at < s.len && weft_http_is_tchar(s.data[at]))
        at++;
    return at;
}

/* Past a token, or a quoted string that is one when unquoted; or `at`. */
static size_t
skip_parameter(struct weft_span s, size_t at)
{
    size_t i = at + 1;

    if (at == s.len || s.data[at] != '"')
        return skip_token(s, at);
    while (i < s.len && s.data[i] != '"') {
        if (s.data[i] == '\\')
            i++;
        if (i == s.len || !weft_http_is_tchar(s.data[i]))
            return at;
        i++;
    }
    return i < s.len && i > at + 1 ? i + 1 : at;
}

static struct weft_span
cut(struct weft_span s, size_t from, size_t to)
{
    return (struct weft_span){ s.data + from, to - from };
}

/* The value that may stand behind a parameter's name, past which *at moves. */
static enum weft_status
read_value(struct weft_span s, size_t *at, struct weft_extension_part *part)
{
    size_t start = skip_blanks(s, *at), end, quote;

    if (start == s.len || s.data[start] != '=')
        return WEFT_EVENT;
    start = skip_blanks(s, start + 1);
    end = skip_parameter(s, start);
    if (end == start)
        return WEFT_E_HEAD;
    quote = s.data[start] == '"' ? 1 : 0;
    part->value = cut(s, start + quote, end - quote);
    part->valued = true;
    *at = end;
    return WEFT_EVENT;
}

enum weft_status
weft_extension_next(struct weft_span s, size_t *at,
                    struct weft_extension_part *part)
{
    bool first = *at == 0;
    size_t start = first ? 0 : skip_blanks(s, *at), end;

    if (!first && start == s.len)
        return WEFT_OK;
    if (!first && s.data[start] != ';')
        return WEFT_E_HEAD;
    if (!first)
        start = skip_blanks(s, start + 1);
    end = skip_token(s, start);
    if (end == start)
        return WEFT_E_HEAD;
    *part = (struct weft_extension_part){ .name = cut(s, start, end) };
    *at = end;
    return first ? WEFT_EVENT : read_value(s, at, part);
}

bool
weft_extension_is_valid(struct weft_span s)
{
    struct weft_extension_part part;
    enum weft_status rc = WEFT_EVENT;
    size_t at = 0;

    while (rc == WEFT_EVENT)
        rc = weft_extension_next(s, &at, &part);
    return rc == WEFT_OK;
}
