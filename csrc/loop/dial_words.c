/*
 * A dial in words: whom it tries to reach, and why nobody was reached.  It
 * must not know what is tried when.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/inet.h"
#include "loop/dial_inner.h"
#include "net/sock.h"

enum { NAMED = 2 }; /* addresses that failed alike; the others are counted */

static void
print_target(char to[WEFT_TARGET_TEXT], const char *host, unsigned port)
{
    bool brackets = strchr(host, ':') != NULL;

    snprintf(to, WEFT_TARGET_TEXT, "%s%.256s%s:%u", brackets ? "[" : "", host,
             brackets ? "]" : "", port);
}

static void
print_address(char to[WEFT_TARGET_TEXT], const struct weft_addr *a)
{
    char host[WEFT_ADDR_TEXT];

    weft_addr_host(a, host);
    if (a->storage.ss_family == AF_UNIX)
        snprintf(to, WEFT_TARGET_TEXT, "%s", host);
    else
        print_target(to, host, weft_addr_port(a));
}

/* The attempt that it all hangs on, or NULL. */
static const struct weft_attempt *
only_attempt(const struct weft_dial *d)
{
    if (d->looking)
        return NULL;
    if (d->begun == 1)
        return &d->attempts[0];
    for (int i = 0; d->under_way == 1 && i < d->begun; i++)
        if (d->attempts[i].watch.fd >= 0)
            return &d->attempts[i];
    return NULL;
}

void
weft_link_target(const struct weft_link *k, char to[WEFT_TARGET_TEXT])
{
    const struct weft_dial *d = k->flow->dial;
    const struct weft_attempt *a;
    struct weft_addr peer;

    if (d == NULL) {
        weft_link_peer(k, &peer);
        print_address(to, &peer);
        return;
    }
    a = only_attempt(d);
    if (d->known.len > 0)
        print_address(to, &d->known);
    else if (a != NULL)
        print_address(to, &a->to);
    else
        print_target(to, d->host, d->port);
}

static bool
lacks_zone(const struct weft_addr *a)
{
    struct sockaddr_in6 v6;

    if (a->storage.ss_family != AF_INET6)
        return false;
    memcpy(&v6, &a->storage, sizeof(v6));
    return IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) && v6.sin6_scope_id == 0;
}

/* "connection refused" */
static void
print_error(const struct weft_attempt *a, char *to, size_t size)
{
    if (a->error == EINVAL && lacks_zone(&a->to)) {
        snprintf(to, size, "a link-local address needs a zone, as in "
                           "fe80::1%%eth0");
        return;
    }
    snprintf(to, size, "%s", weft_error_words(a->error));
    if (to[0] >= 'A' && to[0] <= 'Z')
        to[0] = (char)(to[0] - 'A' + 'a');
}

/* The opener's word: what came from the other side tells most. */
static const char *
word_for(const struct weft_dial *d)
{
    bool refused = false, late = false, system = true;

    for (int i = 0; i < d->begun; i++) {
        int error = d->attempts[i].error;

        refused |= error == ECONNREFUSED;
        late |= error == ETIMEDOUT;
        system &= error == EMFILE || error == ENFILE || error == ENOMEM
                  || error == ENOBUFS || error == ENOSPC || error == ENOTSUP;
    }
    return system ? "system" : late && !refused ? "timeout" : "refused";
}

struct words {
    char text[384];
};

/* Adds text, as far as there is room. */
static void
add(struct words *w, const char *text)
{
    size_t len = strlen(w->text);

    snprintf(w->text + len, sizeof(w->text) - len, "%s", text);
}

/* "connection refused (::1, 127.0.0.1)": a, and who failed like it behind. */
static void
add_alike(struct words *w, const struct weft_dial *d, const struct weft_attempt *a)
{
    const struct weft_attempt *end = &d->attempts[d->begun];
    int error = a->error, count = 0;
    char text[WEFT_ADDR_TEXT];

    print_error(a, text, sizeof(text));
    add(w, text);
    for (; a < end; a++) {
        if (a->error != error || ++count > NAMED)
            continue;
        weft_addr_host(&a->to, text);
        add(w, count == 1 ? " (" : ", ");
        add(w, text);
    }
    snprintf(text, sizeof(text), " and %d more", count - NAMED);
    add(w, count > NAMED ? text : "");
    add(w, ")");
}

static bool
failed_alike_before(const struct weft_dial *d, int i)
{
    for (int j = 0; j < i; j++)
        if (d->attempts[j].error == d->attempts[i].error)
            return true;
    return false;
}

/* There is nobody left to try. */
void
weft_dial_fail(struct weft_dial *d)
{
    struct words w = { "" };

    if (d->begun == 1)
        print_error(&d->attempts[0], w.text, sizeof(w.text));
    for (int i = 0; d->begun > 1 && i < d->begun; i++) {
        if (failed_alike_before(d, i))
            continue;
        add(&w, i > 0 ? "; " : "");
        add_alike(&w, d, &d->attempts[i]);
    }
    weft_link_fail_reaching(d->link, word_for(d), WEFT_CAUSE_RESET, w.text);
}

void
weft_dial_fail_lookup(struct weft_dial *d, const char *code, const char *why)
{
    struct weft_link *k = d->link;

    if (k->flow->tunnel == NULL)
        weft_link_fail_opening(k, code, WEFT_CAUSE_RESET,
                               "look up %.256s: %s", d->host, why);
    else
        weft_link_fail_opening(k, "proxy", WEFT_CAUSE_RESET,
                               "connect to %.256s: look up proxy %.256s: %s",
                               weft_link_kept(k, WEFT_KEPT_TARGET).data,
                               d->host, why);
}
