/*
 * Which pages may connect: the Origin of a request against its Host or a list
 * (RFC 6455, 10.2; RFC 6454, 7), and as which hosts a server may be asked.  It
 * must not know the rest of the handshake.
 */
#include "proto/handshake.h"

struct origin {
    struct weft_span scheme, host;
    int port; /* -1: the scheme's own */
};

static bool
is(struct weft_span s, const char *word)
{
    return weft_http_same(s, weft_http_text(word));
}

static int
default_port(struct weft_span scheme)
{
    if (is(scheme, "http") || is(scheme, "ws"))
        return 80;
    if (is(scheme, "https") || is(scheme, "wss"))
        return 443;
    return -1;
}

/* RFC 6454, 7.1: scheme "://" host [ ":" port ]; "null" is none of these. */
static bool
split_origin(struct weft_span s, struct origin *o)
{
    struct weft_span rest;
    size_t i = 0;

    while (i < s.len && s.data[i] != ':')
        i++;
    if (i == 0 || s.len - i < 3 || memcmp(s.data + i, "://", 3) != 0)
        return false;
    o->scheme = (struct weft_span){ s.data, i };
    rest = (struct weft_span){ s.data + i + 3, s.len - i - 3 };
    if (!weft_http_split_host(rest, &o->host, &o->port))
        return false;
    if (o->port == default_port(o->scheme))
        o->port = -1;
    return true;
}

/* The Host does not tell the scheme, so either default port equals none. */
static bool
is_origin_of(const struct origin *o, struct weft_span authority)
{
    struct weft_span host;
    int port;

    if (!weft_http_split_host(authority, &host, &port) ||
        !weft_http_same(o->host, host))
        return false;
    return o->port == port || (o->port == -1 && (port == 80 || port == 443));
}

static bool
host_matches(struct weft_span host, struct weft_span pattern)
{
    size_t below;

    if (pattern.len < 2 || memcmp(pattern.data, "*.", 2) != 0)
        return weft_http_same(host, pattern);
    pattern.data++; /* ".example.com", with a name before it */
    pattern.len--;
    if (host.len <= pattern.len)
        return false;
    below = host.len - pattern.len;
    host.data += below;
    host.len -= below;
    return weft_http_same(host, pattern);
}

bool
weft_origin_allowed(struct weft_span origin, struct weft_span host,
                    const struct weft_span *allowed, size_t count)
{
    struct origin o, a;
    bool known = split_origin(origin, &o);

    if (count == 0)
        return known && is_origin_of(&o, host);
    for (size_t i = 0; i < count; i++) {
        if (is(allowed[i], "*") || weft_http_same(origin, allowed[i]))
            return true;
        if (known && split_origin(allowed[i], &a) && a.port == o.port &&
            weft_http_same(a.scheme, o.scheme) &&
            host_matches(o.host, a.host))
            return true;
    }
    return false;
}

/* -1: no port, or the default one of either scheme. */
static int
port_that_counts(int port)
{
    return port == 80 || port == 443 ? -1 : port;
}

bool
weft_host_allowed(struct weft_span host, int own,
                  const struct weft_span *allowed, size_t count)
{
    struct weft_span name, pattern;
    int port, wanted;

    if (!weft_http_split_host(host, &name, &port))
        return false;
    port = port_that_counts(port);
    for (size_t i = 0; i < count; i++) {
        if (!weft_http_split_host(allowed[i], &pattern, &wanted))
            continue;
        wanted = port_that_counts(wanted);
        if ((port == wanted || (wanted == -1 && port == own))
            && host_matches(name, pattern))
            return true;
    }
    return false;
}
