/*
 * How a tunnel goes through a SOCKS5 proxy.  It must not know of HTTP.
 *
 * What the proxy says is read message by message; each is consumed only once
 * what answers it is queued, so running out of memory loses nothing.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/inet.h"
#include "proto/tunnel_inner.h"

enum { VERSION = 5, NO_LOGIN = 0, LOGIN = 2, NO_METHOD = 0xff, CONNECT = 1 };

/* RFC 1928, 5 */
enum { IPV4 = 1, NAME = 3, IPV6 = 4 };

enum weft_status
weft_tunnel_socks_greet(struct weft_tunnel *t)
{
    static const uint8_t without[] = { VERSION, 1, NO_LOGIN };
    static const uint8_t with[] = { VERSION, 2, NO_LOGIN, LOGIN };

    t->state = WEFT_TUNNEL_METHOD;
    if (weft_tunnel_has_login(t))
        return weft_buf_add(&t->out, with, sizeof(with));
    return weft_buf_add(&t->out, without, sizeof(without));
}

/* One byte that says how many follow, and they. */
static size_t
put_counted(uint8_t *to, struct weft_span s)
{
    assert(s.len <= 255);
    to[0] = (uint8_t)s.len;
    memcpy(to + 1, s.data, s.len);
    return 1 + s.len;
}

/* RFC 1929, 2 */
static enum weft_status
send_login(struct weft_tunnel *t)
{
    uint8_t bytes[1 + 2 * 256] = { 1 };
    size_t len = 1;

    len += put_counted(bytes + len, t->user);
    len += put_counted(bytes + len, t->password);
    return weft_buf_add(&t->out, bytes, len);
}

/* The host as the proxy wants it: a literal as its bytes, or a name. */
static size_t
put_address(uint8_t *to, struct weft_span host)
{
    char text[256];

    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, to + 1) == 1) {
        to[0] = IPV4;
        return 1 + 4;
    }
    if (inet_pton(AF_INET6, text, to + 1) == 1) {
        to[0] = IPV6;
        return 1 + 16;
    }
    to[0] = NAME;
    return 1 + put_counted(to + 1, host);
}

/* RFC 1928, 4 */
static enum weft_status
send_connect(struct weft_tunnel *t)
{
    uint8_t bytes[3 + 257 + 2] = { VERSION, CONNECT, 0 };
    size_t len = 3;

    assert(t->host.len <= 255);
    len += put_address(bytes + len, t->host);
    weft_store16(bytes + len, t->port);
    return weft_buf_add(&t->out, bytes, len + 2);
}

/* Goes on behind a message of the proxy's, with what was made of sending the
 * answer to it. */
static enum weft_status
go_on(struct weft_tunnel *t, enum weft_status rc, size_t used,
      enum weft_tunnel_state next)
{
    if (rc != WEFT_OK)
        return rc;
    weft_buf_consume(&t->in, used);
    t->state = (int)next;
    return WEFT_OK;
}

static enum weft_status
fail_version(struct weft_tunnel *t)
{
    return weft_tunnel_fail(t, "it does not speak SOCKS5");
}

/* RFC 1928, 3 */
static enum weft_status
read_method(struct weft_tunnel *t, const uint8_t *in, size_t len)
{
    if (in[0] != VERSION)
        return fail_version(t);
    if (len < 2)
        return WEFT_MORE;
    if (in[1] == NO_LOGIN)
        return go_on(t, send_connect(t), 2, WEFT_TUNNEL_REPLY);
    if (in[1] == LOGIN && weft_tunnel_has_login(t))
        return go_on(t, send_login(t), 2, WEFT_TUNNEL_LOGIN);
    if (in[1] != NO_METHOD)
        return weft_tunnel_fail(t, "it chose a way to authenticate that was "
                                   "not offered");
    if (weft_tunnel_has_login(t))
        return weft_tunnel_fail(t, "it takes no user name and password");
    return weft_tunnel_fail(t, "it wants a user name and password");
}

/* RFC 1929, 2; some proxies give another version than 1, which says nothing */
static enum weft_status
read_login(struct weft_tunnel *t, const uint8_t *in, size_t len)
{
    if (len < 2)
        return WEFT_MORE;
    if (in[1] != 0)
        return weft_tunnel_fail(t, "the proxy refused user name and password");
    return go_on(t, send_connect(t), 2, WEFT_TUNNEL_REPLY);
}

/* RFC 1928, 6 */
static enum weft_status
fail_reply(struct weft_tunnel *t, unsigned code)
{
    static const char *const words[] = {
        [1] = "general failure",
        [2] = "not allowed by the proxy's rules",
        [3] = "network unreachable",
        [4] = "host unreachable",
        [5] = "connection refused",
        [6] = "TTL expired",
        [7] = "command not supported",
        [8] = "address type not supported",
    };
    bool known = code < sizeof(words) / sizeof(words[0]);

    weft_tunnel_fail(t, "");
    snprintf(t->why, sizeof(t->why), "%s (SOCKS5 reply %u)",
             known ? words[code] : "unknown failure", code);
    return WEFT_E_HEAD;
}

/* How long the reply is up to its port, or 0 while that is not known. */
static size_t
reply_length(const uint8_t *in, size_t len)
{
    switch (in[3]) {
    case IPV4:
        return 4 + 4;
    case IPV6:
        return 4 + 16;
    default:
        return len < 5 ? 0 : 5 + (size_t)in[4];
    }
}

/* A refusal shows with its second byte: some proxies send no more.  Where the
 * proxy has connected from is of no use. */
static enum weft_status
read_reply(struct weft_tunnel *t, const uint8_t *in, size_t len)
{
    size_t length;

    if (in[0] != VERSION)
        return fail_version(t);
    if (len >= 2 && in[1] != 0)
        return fail_reply(t, in[1]);
    if (len < 4)
        return WEFT_MORE;
    if (in[3] != IPV4 && in[3] != NAME && in[3] != IPV6)
        return weft_tunnel_fail(t, "its reply has an unknown type of address");
    length = reply_length(in, len);
    if (length == 0 || len < length + 2)
        return WEFT_MORE;
    return go_on(t, WEFT_OK, length + 2, WEFT_TUNNEL_STANDS);
}

enum weft_status
weft_tunnel_socks_read(struct weft_tunnel *t)
{
    enum weft_status rc = WEFT_OK;

    while (rc == WEFT_OK && t->state != WEFT_TUNNEL_STANDS) {
        size_t len = weft_buf_len(&t->in);
        const uint8_t *in;

        if (len == 0)
            return WEFT_MORE;
        in = weft_buf_head(&t->in);
        if (t->state == WEFT_TUNNEL_METHOD)
            rc = read_method(t, in, len);
        else if (t->state == WEFT_TUNNEL_LOGIN)
            rc = read_login(t, in, len);
        else
            rc = read_reply(t, in, len);
    }
    return rc;
}
