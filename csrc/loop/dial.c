/*
 * Reaching the other side, by Happy Eyeballs (RFC 8305): IPv6 and IPv4
 * addresses of the name are asked for at the same time, tried in turns and a
 * little after each other, and the first that answers is it.  It must not
 * know what is said afterwards.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "loop/dial_inner.h"
#include "net/clock.h"
#include "net/sock.h"

#define RESOLUTION_DELAY (WEFT_SECOND / 20) /* 3: for IPv6, behind IPv4 */
#define ATTEMPT_DELAY (WEFT_SECOND / 4)     /* 5: between two attempts */
#define BUSY_DELAY (WEFT_SECOND / 20) /* a Unix-domain socket's queue is full */

void
weft_dial_free(struct weft_link *k)
{
    struct weft_dial *d = k->flow->dial;

    if (d == NULL)
        return;
    k->flow->dial = NULL;
    weft_timer_clear(&k->loop->timers, &d->timer);
    weft_poller_set(k->loop->poller, &d->watch, 0);
    weft_loop_forget(k->loop, &d->watch);
    for (int i = 0; i < d->begun; i++) {
        struct weft_attempt *a = &d->attempts[i];

        weft_poller_set(k->loop->poller, &a->watch, 0);
        weft_loop_forget(k->loop, &a->watch);
        weft_sock_close(&a->watch.fd);
    }
    weft_lookup_drop(d->lookup);
    weft_free(d);
}

/* One after the other ------------------------------------------------------ */

/* Whatever calls one of these does so last: the dial may be gone then. */

static void
set_timer(struct weft_dial *d, int64_t delay)
{
    struct weft_link *k = d->link;

    if (weft_timer_set(&k->loop->timers, &d->timer, weft_loop_after(delay))
        != WEFT_OK)
        weft_link_out_of_memory(k);
    else
        weft_loop_stir(k->loop);
}

/*
 * The next address: of the family whose turn it is, if that has any left.
 * Half of the attempts are kept for a family that has not answered yet.
 */
static const struct weft_addr *
next_address(struct weft_dial *d)
{
    struct weft_dial_family *f = &d->families[d->turn];
    int most = d->looking ? WEFT_DIAL_ATTEMPTS / 2 : WEFT_DIAL_ATTEMPTS;

    if (f->next == f->count)
        f = &d->families[!d->turn];
    if (f->next == f->count || d->begun >= most)
        return NULL;
    d->turn = f == &d->families[WEFT_V6] ? WEFT_V4 : WEFT_V6;
    return &f->addresses[f->next++];
}

/* Begins an attempt: 0, or why it failed at once. */
static int
begin(struct weft_dial *d, const struct weft_addr *to)
{
    struct weft_attempt *a = &d->attempts[d->begun++];
    enum weft_status rc;

    a->watch.kind = WEFT_KIND_DIAL;
    a->dial = d;
    a->to = *to;
    a->watch.fd = weft_sock_connect(to);
    if (a->watch.fd < 0) {
        a->error = -a->watch.fd;
        a->watch.fd = -1;
        return a->error;
    }
    rc = weft_poller_set(d->link->loop->poller, &a->watch, WEFT_WRITABLE);
    if (rc != WEFT_OK) {
        a->error = rc == WEFT_E_MEMORY ? ENOMEM : errno;
        weft_sock_close(&a->watch.fd);
        return a->error;
    }
    d->under_way++;
    return 0;
}

/* A Unix-domain socket whose queue is full says so at once; TCP would wait. */
static void
try_again(struct weft_dial *d)
{
    d->begun = d->families[WEFT_V4].next = 0;
    set_timer(d, BUSY_DELAY);
}

static void
try_next(struct weft_dial *d)
{
    const struct weft_addr *to;
    int error;

    while ((to = next_address(d)) != NULL) {
        error = begin(d, to);
        if (error == 0) {
            set_timer(d, ATTEMPT_DELAY);
            return;
        }
        if (error == EAGAIN && to->storage.ss_family == AF_UNIX) {
            try_again(d);
            return;
        }
    }
    if (d->under_way > 0)
        return;
    weft_timer_clear(&d->link->loop->timers, &d->timer);
    if (!d->looking)
        weft_dial_fail(d);
}

/* Goes on with what is known now. */
static void
found_more(struct weft_dial *d)
{
    bool v6 = d->families[WEFT_V6].count > 0;
    bool v4 = d->families[WEFT_V4].count > 0;

    if (!v6 && !v4 && !d->looking)
        weft_dial_fail_lookup(d, "dns", weft_lookup_why(d->lookup));
    else if (d->begun == 0 && v4 && !v6 && d->looking)
        set_timer(d, RESOLUTION_DELAY);
    else if (d->begun == 0 || !weft_timer_is_set(&d->timer))
        try_next(d); /* else at its time */
}

void
weft_dial_looked_up(struct weft_watch *w)
{
    struct weft_dial *d = WEFT_CONTAINER(w, struct weft_dial, watch);
    enum weft_status rc;
    struct weft_found found;
    bool more = false;

    while ((rc = weft_lookup_take(d->lookup, &found)) == WEFT_OK) {
        d->families[found.family] =
            (struct weft_dial_family){ found.addresses, found.count, 0 };
        more = true;
    }
    if (rc == WEFT_E_CLOSED) {
        d->looking = false;
        weft_poller_set(d->link->loop->poller, w, 0);
    }
    if (more)
        found_more(d);
}

static void
won(struct weft_attempt *a)
{
    struct weft_link *k = a->dial->link;
    enum weft_status rc = weft_link_keep_peer(k, &a->to);
    int fd = a->watch.fd;

    weft_poller_set(k->loop->poller, &a->watch, 0);
    a->watch.fd = -1;
    k->watch.fd = fd;
    weft_dial_free(k);
    if (rc == WEFT_OK)
        weft_link_connected(k);
    else
        weft_link_out_of_memory(k);
}

void
weft_dial_ready(struct weft_watch *w)
{
    struct weft_attempt *a = WEFT_CONTAINER(w, struct weft_attempt, watch);
    struct weft_dial *d = a->dial;
    int error = weft_sock_connected(w->fd);

    if (error == -EAGAIN)
        return;
    if (error == 0) {
        won(a);
        return;
    }
    a->error = -error;
    weft_poller_set(d->link->loop->poller, w, 0);
    weft_sock_close(&w->fd);
    d->under_way--;
    try_next(d);
}

void
weft_dial_expire(struct weft_timer *t)
{
    try_next(WEFT_CONTAINER(t, struct weft_dial, timer));
}

/* Starting ----------------------------------------------------------------- */

static struct weft_dial *
new_dial(struct weft_link *k, const char *host, uint16_t port)
{
    size_t size = strlen(host) + 1;
    struct weft_dial *d = weft_zalloc(sizeof(*d) + size);

    if (d == NULL)
        return NULL;
    k->flow->dial = d;
    d->link = k;
    d->port = port;
    d->watch.fd = -1;
    d->watch.kind = WEFT_KIND_LOOKUP;
    d->timer.kind = WEFT_KIND_DIAL;
    memcpy(d->host, host, size);
    return d;
}

/* Tries the one address there is. */
static void
try_known(struct weft_dial *d)
{
    d->families[WEFT_V4] = (struct weft_dial_family){ &d->known, 1, 0 };
    try_next(d);
}

static enum weft_status
look_up(struct weft_dial *d)
{
    enum weft_status rc = WEFT_E_SYSTEM;

    d->lookup = weft_lookup_start(d->host, d->port);
    if (d->lookup != NULL) {
        d->looking = true;
        d->watch.fd = weft_lookup_fd(d->lookup);
        rc = weft_poller_set(d->link->loop->poller, &d->watch, WEFT_READABLE);
    }
    if (rc != WEFT_E_SYSTEM)
        return rc;
    weft_dial_fail_lookup(d, "system", weft_error_words(errno));
    return WEFT_OK;
}

enum weft_status
weft_dial_start(struct weft_link *k, const char *host, uint16_t port)
{
    struct weft_dial *d = new_dial(k, host, port);

    if (d == NULL)
        return WEFT_E_MEMORY;
    if (weft_addr_parse(&d->known, host, port)) {
        try_known(d);
        return WEFT_OK;
    }
    if (weft_addr_zone_unknown(host)) {
        weft_dial_fail_lookup(d, "dns", "there is no such network interface");
        return WEFT_OK;
    }
    return look_up(d);
}

enum weft_status
weft_dial_unix(struct weft_link *k, const char *path)
{
    struct weft_dial *d = new_dial(k, path, 0);

    if (d == NULL)
        return WEFT_E_MEMORY;
    if (weft_addr_unix(&d->known, path))
        try_known(d);
    else
        weft_link_fail_opening(k, "refused", WEFT_CAUSE_RESET,
                               "connect to %.128s: %s", path,
                               *path != '\0' ? "the path is too long"
                                             : "the path is empty");
    return WEFT_OK;
}
