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

bool
weft_extension_is_valid(struct weft_span s)
{
    size_t at = skip_token(s, 0), start;

    if (at == 0)
        return false;
    while ((at = skip_blanks(s, at)) < s.len) {
        if (s.data[at] != ';')
            return false;
        start = skip_blanks(s, at + 1);
        at = skip_token(s, start);
        if (at == start)
            return false;
        at = skip_blanks(s, at);
        if (at < s.len && s.data[at] == '=') {
            start = skip_blanks(s, at + 1);
            at = skip_parameter(s, start);
            if (at == start)
                return false;
        }
    }
    return true;
}
