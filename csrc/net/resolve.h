/*
 * Names to addresses without blocking: getaddrinfo() on a helper thread, which
 * tells that it is done through a pipe.
 *
 * The thread knows nothing but its own copy of the question; a lookup that is
 * dropped lives on (with two descriptors) until getaddrinfo() returns and then
 * frees itself, on that thread: another weft_free() must be fit for threads.
 */
#ifndef WEFT_NET_RESOLVE_H
#define WEFT_NET_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "net/addr.h"

struct weft_lookup;

/*
 * Starts looking up host (NUL-terminated) for TCP and the port; NULL when
 * memory, threads or descriptors are out; errno says which.
 */
struct weft_lookup *weft_lookup_start(const char *host, uint16_t port);

/*
 * The descriptor that turns readable when the answer is there, and stays so;
 * the lookup's own, to watch and not to read.
 */
int weft_lookup_fd(const struct weft_lookup *l);

/*
 * The answer: how many addresses (in the system's order of preference, 16 at
 * most), which are good until weft_lookup_drop(), or 0 with *why set to the
 * resolver's words (static, to be used before the next call; else NULL).
 * WEFT_MORE while it is not there.
 */
enum weft_status weft_lookup_result(struct weft_lookup *l,
                                    const struct weft_addr **addresses,
                                    int *count, const char **why);

/* Lets go of it, whether or not it has ended.  NULL is fine. */
void weft_lookup_drop(struct weft_lookup *l);

/*
 * The same at once, on this thread, for listen(), where a host is given by
 * name: at most max addresses; returns how many, or 0 with *why set.
 */
int weft_resolve_now(const char *host, uint16_t port, struct weft_addr *to,
                     int max, const char **why);

#endif
