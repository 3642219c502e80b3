/*
 * Reaching the other side: the name's addresses, then a TCP connection to the
 * first of them that answers.  It must not know what is said afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "net/sock.h"

struct weft_dial {
    struct weft_link *link;
    struct weft_lookup *lookup;
    struct weft_watch watch; /* of the lookup */
    const struct weft_addr *addresses;
    int count, next;
    struct weft_addr literal;
    uint16_t port;
    char host[];
};

void
weft_dial_free(struct weft_link *k)
{
    struct weft_dial *d = k->dial;

    if (d == NULL)
        return;
    weft_poller_set(k->loop->poller, &d->watch, 0);
    weft_lookup_drop(d->lookup);
    weft_free(d);
    k->dial = NULL;
}

void
weft_link_target(const struct weft_link *k, char to[WEFT_TARGET_TEXT])
{
    char host[WEFT_ADDR_TEXT];
    bool brackets;

    if (k->peer_addr.len == 0) { /* the name is still being looked up */
        snprintf(to, WEFT_TARGET_TEXT, "%.256s:%u",
                 k->dial != NULL ? k->dial->host : "",
                 k->dial != NULL ? (unsigned)k->dial->port : 0);
        return;
    }
    weft_addr_host(&k->peer_addr, host);
    brackets = strchr(host, ':') != NULL;
    snprintf(to, WEFT_TARGET_TEXT, "%s%s%s:%u", brackets ? "[" : "", host,
             brackets ? "]" : "", (unsigned)weft_addr_port(&k->peer_addr));
}

/* "connect to 127.0.0.1:9: connection refused" */
static void
refused(struct weft_link *k, int error)
{
    char to[WEFT_TARGET_TEXT], words[128];

    weft_link_target(k, to);
    snprintf(words, sizeof(words), "%s", strerror(error));
    if (words[0] >= 'A' && words[0] <= 'Z')
        words[0] = (char)(words[0] - 'A' + 'a');
    weft_link_fail_opening(k, error == ETIMEDOUT ? "timeout"
                              : error == EMFILE || error == ENFILE
                                      || error == ENOMEM
                                  ? "system"
                                  : "refused",
                           WEFT_CAUSE_RESET, "connect to %s: %s", to, words);
}

/* Tries the addresses from d->next on; error is how the one before failed. */
static void
try_next(struct weft_link *k, int error)
{
    struct weft_dial *d = k->dial;

    while (d->next < d->count) {
        k->peer_addr = d->addresses[d->next++];
        k->watch.fd = weft_sock_connect(&k->peer_addr);
        if (k->watch.fd >= 0) {
            weft_link_watch(k, WEFT_WRITABLE);
            return;
        }
        error = -k->watch.fd;
        k->watch.fd = -1;
    }
    refused(k, error);
}

void
weft_dial_ready(struct weft_link *k)
{
    int error = weft_sock_connected(k->watch.fd);

    if (error == -EAGAIN)
        return;
    if (error == 0) {
        weft_dial_free(k);
        weft_link_connected(k);
        return;
    }
    weft_link_watch(k, 0);
    weft_sock_close(&k->watch.fd);
    try_next(k, -error);
}

void
weft_dial_looked_up(struct weft_watch *w)
{
    struct weft_dial *d = WEFT_CONTAINER(w, struct weft_dial, watch);
    struct weft_link *k = d->link;
    const char *why;

    if (weft_lookup_result(d->lookup, &d->addresses, &d->count, &why)
        == WEFT_MORE)
        return;
    weft_poller_set(k->loop->poller, &d->watch, 0);
    if (d->count == 0)
        weft_link_fail_opening(k, "dns", WEFT_CAUSE_RESET,
                               "look up %s: %s", d->host, why);
    else
        try_next(k, 0);
}

enum weft_status
weft_dial_start(struct weft_link *k, const char *host, uint16_t port)
{
    size_t size = strlen(host) + 1;
    struct weft_dial *d = weft_zalloc(sizeof(*d) + size);

    if (d == NULL)
        return WEFT_E_MEMORY;
    k->dial = d;
    d->link = k;
    d->port = port;
    d->watch.fd = -1;
    d->watch.kind = WEFT_KIND_LOOKUP;
    memcpy(d->host, host, size);
    if (weft_addr_parse(&d->literal, host, port)) {
        d->addresses = &d->literal;
        d->count = 1;
        try_next(k, 0);
        return WEFT_OK;
    }
    d->lookup = weft_lookup_start(host, port);
    if (d->lookup == NULL)
        return WEFT_E_SYSTEM;
    d->watch.fd = weft_lookup_fd(d->lookup);
    return weft_poller_set(k->loop->poller, &d->watch, WEFT_READABLE);
}
