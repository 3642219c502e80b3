/*
 * The connections of a load, from the first to the last.  It must not know what
 * is sent on them.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "load/load_inner.h"
#include "net/clock.h"

static bool
fail_one(struct weft_load *l, const struct weft_load_conn *c, const char *why)
{
    return weft_load_fail(l, "connection %u of %u: %s",
                          (unsigned)(c - l->conns) + 1, l->plan.connections,
                          why);
}

/* It is open. */
static bool
welcome(struct weft_load *l, struct weft_load_conn *c)
{
    l->agreed = c->client.agreed;
    if (l->agreed.on) {
        c->deflate = weft_deflate_new(false, &l->plan.to.deflate, &l->agreed,
                                      &l->pool);
        if (c->deflate == NULL)
            return fail_one(l, c, weft_status_text(WEFT_E_MEMORY));
    }
    c->opened = true;
    l->opened++;
    l->last = weft_now();
    return true;
}

bool
weft_load_open_on(struct weft_load *l, struct weft_load_conn *c)
{
    char why[WEFT_LOAD_WHY];
    uint8_t wanted = WEFT_READABLE;

    switch (weft_load_client_step(&c->client, why)) {
    case WEFT_OK:
        if (!welcome(l, c))
            return false;
        break;
    case WEFT_MORE:
        wanted = weft_load_client_wants(&c->client);
        break;
    default:
        return fail_one(l, c, why);
    }
    if (weft_poller_set(l->poller, &c->watch, wanted) != WEFT_OK)
        return fail_one(l, c, strerror(errno));
    return true;
}

static bool
begin(struct weft_load *l, struct weft_load_conn *c)
{
    char why[WEFT_LOAD_WHY];

    if (weft_load_sender(l, c) == c) {
        c->sent = weft_zalloc(l->plan.depth * sizeof(*c->sent));
        if (c->sent == NULL)
            return fail_one(l, c, weft_status_text(WEFT_E_MEMORY));
    }
    if (!weft_load_client_begin(&c->client, &l->plan.to, 0, &l->shared, why))
        return fail_one(l, c, why);
    c->watch.fd = c->client.wire.fd;
    return weft_load_open_on(l, c);
}

bool
weft_load_open_more(struct weft_load *l)
{
    while (l->begun < l->plan.connections
           && l->begun - l->opened < l->plan.at_once) {
        struct weft_load_conn *c = &l->conns[l->begun++];

        c->client.wire.fd = -1;
        if (!begin(l, c))
            return false;
    }
    return true;
}

void
weft_load_end(struct weft_load *l, struct weft_load_conn *c)
{
    weft_poller_set(l->poller, &c->watch, 0);
    weft_load_client_close(&c->client);
    weft_deflate_free(c->deflate);
    weft_free(c->sent);
}
