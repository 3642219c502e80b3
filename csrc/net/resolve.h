/*
 * Names to addresses without blocking: getaddrinfo() on helper threads, one
 * that asks for IPv6 addresses and one for IPv4, which tell through a pipe
 * that they are done.
 *
 * A thread knows nothing but its own copy of the question; a lookup that is
 * dropped lives on (with two descriptors) until getaddrinfo() has returned on
 * both and then frees itself, on one of those: another weft_free() must be fit
 * for threads.
 */
#ifndef WEFT_NET_RESOLVE_H
#define WEFT_NET_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "net/addr.h"

enum { WEFT_V6, WEFT_V4, WEFT_FAMILIES };

struct weft_lookup;

/* What one family has: addresses of the lookup's, each of them once, in the
 * system's order of preference. */
struct weft_found {
    int family; /* WEFT_V6 or WEFT_V4 */
    int count;  /* 16 at most, 0 when there is none */
    const struct weft_addr *addresses;
};

/*
 * Starts looking up host (NUL-terminated) for TCP and the port; NULL when
 * memory, threads or descriptors are out; errno says which.
 */
struct weft_lookup *weft_lookup_start(const char *host, uint16_t port);

/*
 * The descriptor that turns readable when an answer is there to be taken; the
 * lookup's own, to watch and not to read.
 */
int weft_lookup_fd(const struct weft_lookup *l);

/*
 * The next of the two answers, in the order in which they came.  WEFT_MORE:
 * not yet.  WEFT_E_CLOSED: both have been taken.
 */
enum weft_status weft_lookup_take(struct weft_lookup *l,
                                  struct weft_found *found);

/*
 * Why there is no address, in the resolver's words (static, to be used before
 * the next call), once both answers have been taken and neither had any.
 */
const char *weft_lookup_why(const struct weft_lookup *l);

/* Lets go of it, whether or not it has ended.  NULL is fine. */
void weft_lookup_drop(struct weft_lookup *l);

/*
 * Both families at once, on this thread, for listen(), where a host is given
 * by name: at most max addresses; returns how many, or 0 with *why set.
 */
int weft_resolve_now(const char *host, uint16_t port, struct weft_addr *to,
                     int max, const char **why);

#endif
