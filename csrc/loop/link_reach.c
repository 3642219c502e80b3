/*
 * A client's way to its server once there is a socket: the proxy is asked for
 * a tunnel, then comes TLS, then the request.  It must not know heads.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "net/sock.h"

enum { TUNNEL_STEP = 1024 }; /* bytes read at a time from a proxy */

/* "example.com:443", "[::1]:80" */
static enum weft_status
keep_target(struct weft_link *k, const char *host, uint16_t port)
{
    bool brackets = strchr(host, ':') != NULL;
    size_t size = strlen(host) + sizeof("[]:65535");
    char *text = weft_realloc(NULL, size);
    enum weft_status rc;
    int len;

    if (text == NULL)
        return WEFT_E_MEMORY;
    len = snprintf(text, size, "%s%s%s:%u", brackets ? "[" : "", host,
                   brackets ? "]" : "", (unsigned)port);
    rc = weft_kept_add(&k->kept, WEFT_KEPT_TARGET,
                       (struct weft_span){ text, (size_t)len + 1 });
    weft_free(text);
    return rc;
}

void
weft_link_fail_reaching(struct weft_link *k, const char *word,
                        enum weft_cause cause, const char *why)
{
    char to[WEFT_TARGET_TEXT];
    bool timeout = strcmp(word, "timeout") == 0;

    weft_link_target(k, to);
    if (k->flow->tunnel == NULL)
        weft_link_fail_opening(k, word, cause, "connect to %s: %s", to, why);
    else
        weft_link_fail_opening(k, timeout ? word : "proxy", cause,
                               "connect to %.256s: proxy %.256s: %s",
                               weft_link_kept(k, WEFT_KEPT_TARGET).data, to,
                               why);
}

void
weft_link_name_target(const struct weft_link *k, char to[WEFT_TARGET_TEXT])
{
    if (k->proxied)
        snprintf(to, WEFT_TARGET_TEXT, "%s",
                 weft_link_kept(k, WEFT_KEPT_TARGET).data);
    else
        weft_link_target(k, to);
}

/* Nothing is between us and the server any more but TLS. */
static void
reached(struct weft_link *k)
{
    if (k->tls == NULL) {
        weft_link_ask(k);
        return;
    }
    k->state = WEFT_LINK_SECURING;
    weft_link_watch(k, WEFT_READABLE);
    if (k->state == WEFT_LINK_SECURING) /* else the poller has failed */
        weft_link_secure_later(k);
}

void
weft_link_connected(struct weft_link *k)
{
    if (k->config->nodelay)
        weft_sock_nodelay(k->watch.fd);
    if (k->flow->tunnel == NULL) {
        reached(k);
        return;
    }
    k->state = WEFT_LINK_TUNNEL;
    if (weft_link_queue(k, &k->flow->tunnel->out) != WEFT_OK) {
        weft_link_out_of_memory(k);
        return;
    }
    weft_link_watch(k, WEFT_READABLE);
    weft_link_mark_dirty(k);
}

static void
tunnel_stands(struct weft_link *k)
{
    bool early = weft_buf_len(&k->flow->tunnel->in) > 0
                 || weft_outq_len(&k->flow->session.out) > 0;

    if (early) { /* both TLS and HTTP begin with our bytes */
        weft_link_fail_reaching(k, "proxy", WEFT_CAUSE_PROTOCOL,
                                "it sent more than an answer");
        return;
    }
    weft_tunnel_free(k->flow->tunnel);
    k->flow->tunnel = NULL;
    reached(k);
}

static void
tunnel_read(struct weft_link *k, enum weft_status rc)
{
    if (rc >= 0 && weft_buf_len(&k->flow->tunnel->out) > 0) {
        if (weft_link_queue(k, &k->flow->tunnel->out) != WEFT_OK)
            rc = WEFT_E_MEMORY;
        weft_link_mark_dirty(k);
    }
    if (rc == WEFT_OK)
        tunnel_stands(k);
    else if (rc == WEFT_E_MEMORY)
        weft_link_out_of_memory(k);
    else if (rc < 0)
        weft_link_fail_reaching(k, "proxy", WEFT_CAUSE_PROTOCOL,
                                k->flow->tunnel->why);
}

void
weft_link_read_tunnel(struct weft_link *k)
{
    struct weft_buf *in = &k->flow->tunnel->in;
    uint8_t *to = weft_buf_reserve(in, TUNNEL_STEP);
    long n;

    if (to == NULL) {
        weft_link_out_of_memory(k);
        return;
    }
    n = weft_link_receive(k, to, TUNNEL_STEP);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        weft_link_fail_reaching(k, "proxy",
                                n == 0 ? WEFT_CAUSE_EOF : WEFT_CAUSE_RESET,
                                n == 0 ? "it closed the connection"
                                       : weft_error_words((int)-n));
        return;
    }
    weft_buf_commit(in, (size_t)n);
    tunnel_read(k, weft_tunnel_read(k->flow->tunnel));
}

enum weft_status
weft_link_reach(struct weft_link *k, const struct weft_route *to)
{
    bool proxied = to->proxy_host != NULL && to->unix_path == NULL;

    if (keep_target(k, to->host, to->port) != WEFT_OK)
        return WEFT_E_MEMORY;
    if (to->tls != NULL) {
        k->tls = weft_tls_new(to->tls, to->tls_name != NULL ? to->tls_name
                                                            : to->host,
                              to->port);
        if (k->tls == NULL || !weft_link_make_pipe(k))
            return WEFT_E_MEMORY;
    }
    if (proxied) {
        k->proxied = true;
        k->flow->tunnel = weft_tunnel_new(&to->tunnel);
        if (k->flow->tunnel == NULL)
            return WEFT_E_MEMORY;
        return weft_dial_start(k, to->proxy_host, to->proxy_port);
    }
    if (to->unix_path != NULL)
        return weft_dial_unix(k, to->unix_path);
    return weft_dial_start(k, to->host, to->port);
}
