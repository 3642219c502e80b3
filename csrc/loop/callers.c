/*
 * A hash table from addresses to how many connections they have.  It must not
 * know what connections are.
 */
#include "loop/callers.h"

#include <assert.h>
#include <string.h>

#include "base/inet.h"
#include "base/mem.h"

enum {
    FIRST_BITS = 4,
    TOLD_LEAST = 8, /* of one address at a time, however few it may have */
};

struct weft_caller {
    struct weft_caller *next; /* in the same place */
    uint64_t address;
    uint32_t admitted, turned_away;
};

bool
weft_callers_address(const struct weft_addr *from, uint64_t *address)
{
    const struct sockaddr_storage *s = &from->storage;
    const uint8_t *bytes;
    struct sockaddr_in six_four;

    if (from->len == 0)
        return false;
    *address = 0;
    if (s->ss_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)s)->sin6_addr;

        if (!IN6_IS_ADDR_V4MAPPED(a)) {
            memcpy(address, a->s6_addr, sizeof(*address));
            return true;
        }
        bytes = a->s6_addr + 12;
    } else if (s->ss_family == AF_INET) {
        memcpy(&six_four, s, sizeof(six_four));
        bytes = (const uint8_t *)&six_four.sin_addr;
    } else {
        return false;
    }
    /* ::ffff:a.b.c.d moved into the half that tells networks apart, where
     * nobody's address begins so */
    memcpy((uint8_t *)address + 2, "\xFF\xFF", 2);
    memcpy((uint8_t *)address + 4, bytes, 4);
    return true;
}

static struct weft_caller **
place_of(const struct weft_callers *c, uint64_t address)
{
    return &c->places[address * c->factor >> (64 - c->bits)];
}

/* Where the caller of that address is linked, or would be. */
static struct weft_caller **
find(const struct weft_callers *c, uint64_t address)
{
    struct weft_caller **at = place_of(c, address);

    while (*at != NULL && (*at)->address != address)
        at = &(*at)->next;
    return at;
}

static enum weft_status
begin(struct weft_callers *c, struct weft_random *random)
{
    if (c->places != NULL)
        return WEFT_OK;
    if (weft_random_bytes(random, &c->factor, sizeof(c->factor)) != WEFT_OK)
        return WEFT_E_MEMORY;
    c->factor |= 1;
    c->places = weft_zalloc(sizeof(struct weft_caller *) << FIRST_BITS);
    c->bits = FIRST_BITS;
    return c->places != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

/* Twice the places, once there are as many callers as places.  Without the
 * memory the chains get longer. */
static void
widen(struct weft_callers *c)
{
    size_t size = (size_t)1 << c->bits;
    struct weft_caller **old = c->places, *next;

    if (c->count < size)
        return;
    c->places = weft_zalloc(2 * size * sizeof(struct weft_caller *));
    if (c->places == NULL) {
        c->places = old;
        return;
    }
    c->bits++;
    for (size_t i = 0; i < size; i++) {
        for (struct weft_caller *a = old[i]; a != NULL; a = next) {
            struct weft_caller **at = place_of(c, a->address);

            next = a->next;
            a->next = *at;
            *at = a;
        }
    }
    weft_free(old);
}

static struct weft_caller *
add(struct weft_callers *c, uint64_t address)
{
    struct weft_caller *a = weft_zalloc(sizeof(*a));
    struct weft_caller **at;

    if (a == NULL)
        return NULL;
    widen(c);
    at = place_of(c, address);
    a->address = address;
    a->next = *at;
    *at = a;
    c->count++;
    return a;
}

enum weft_status
weft_callers_enter(struct weft_callers *c, struct weft_random *random,
                   struct weft_call *call)
{
    uint32_t told = c->most > TOLD_LEAST ? c->most : TOLD_LEAST;
    struct weft_caller *a;

    if (begin(c, random) != WEFT_OK)
        return WEFT_E_MEMORY;
    a = *find(c, call->address);
    if (a == NULL)
        a = add(c, call->address);
    if (a == NULL)
        return WEFT_E_MEMORY;
    if (a->admitted < c->most) {
        call->admission = WEFT_ADMITTED;
        a->admitted++;
    } else if (a->turned_away < told) {
        call->admission = WEFT_TURNED_AWAY;
        a->turned_away++;
    } else {
        call->admission = WEFT_DROPPED;
    }
    return WEFT_OK;
}

void
weft_callers_leave(struct weft_callers *c, const struct weft_call *call)
{
    struct weft_caller **at = find(c, call->address), *a = *at;

    assert(a != NULL);
    if (call->admission == WEFT_ADMITTED)
        a->admitted--;
    else
        a->turned_away--;
    if (a->admitted > 0 || a->turned_away > 0)
        return;
    *at = a->next;
    c->count--;
    weft_free(a);
}

void
weft_callers_deinit(struct weft_callers *c)
{
    struct weft_caller *next;

    if (c->places == NULL)
        return;
    for (size_t i = 0; i < (size_t)1 << c->bits; i++) {
        for (struct weft_caller *a = c->places[i]; a != NULL; a = next) {
            next = a->next;
            weft_free(a);
        }
    }
    weft_free(c->places);
    *c = (struct weft_callers){ .most = c->most };
}
