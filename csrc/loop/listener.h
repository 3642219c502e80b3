/*
 * A listening socket.  Its connections are pulled: when the listener's work is
 * named, the caller accepts into links of its own until there is no more.
 */
#ifndef WEFT_LOOP_LISTENER_H
#define WEFT_LOOP_LISTENER_H

#include "loop/callers.h"
#include "loop/journal.h"
#include "loop/link.h"
#include "net/range.h"

struct weft_listener {
    struct weft_loop *loop;
    struct weft_config *config; /* counted; given to accepted links */
    struct weft_tls_context *tls; /* counted; NULL: without TLS */
    struct weft_watch watch;
    struct weft_timer timer;    /* while accepting pauses */
    struct weft_work work;
    struct weft_node links;     /* every connection that came from here */
    struct weft_addr address;
    uint32_t total;             /* how many those are */
    uint32_t most;              /* may be; 0: no limit */
    bool full;                  /* they are, and it does not accept */
    struct weft_callers callers; /* counted while they have a limit */
    char *path;                 /* of a Unix-domain socket, to be removed */
    struct weft_counters counters;
    struct weft_journal *journal; /* the caller's; NULL: nobody asks */
    bool proxy_heads;           /* each connection begins with one */
    const struct weft_range *trusted; /* the caller's: who may send one; NULL:
                                         whoever connects */
    size_t trusted_count;
};

/*
 * Listens on the address; WEFT_OK, WEFT_E_MEMORY, or WEFT_E_SYSTEM with errno.
 */
enum weft_status weft_listener_init(struct weft_listener *s,
                                    struct weft_loop *loop,
                                    struct weft_config *config,
                                    const struct weft_addr *address,
                                    int backlog, bool reuse_port, bool dual);

/*
 * At most so many connections of all kinds, and of one address; 0 is no limit.
 * At the first it does not accept until one of its connections has gone.  Past
 * the second they are answered with 429, over TLS behind its handshake, and the
 * caller sees nothing of it but the link's end; when a crowd of one address is
 * being told so, the next ones are dropped.  Before any connection is accepted.
 */
void weft_listener_limit(struct weft_listener *s, uint32_t most,
                         uint32_t most_per_address);

/*
 * The same with a socket that listens already, given to this process: it is
 * the listener's from then on, but a Unix-domain path stays.  WEFT_E_SYSTEM
 * with EINVAL or ENOTSOCK, and nothing is done to it, when it is none.
 */
enum weft_status weft_listener_adopt(struct weft_listener *s,
                                     struct weft_loop *loop,
                                     struct weft_config *config, int fd);

/* What new connections speak from now on: TLS, or with NULL not. */
void weft_listener_secure(struct weft_listener *s,
                          struct weft_tls_context *tls);

/*
 * New connections begin with a head of the PROXY protocol, which says who the
 * peer is.  With ranges, which must stay as long as it listens, others that
 * connect are dropped.
 */
void weft_listener_want_proxy_heads(struct weft_listener *s,
                                    const struct weft_range *trusted,
                                    size_t count);

/* Stops listening; connections go on, no longer listed. */
void weft_listener_deinit(struct weft_listener *s);

/* Stops accepting and closes the socket; connections stay listed. */
void weft_listener_stop(struct weft_listener *s);

/*
 * Accepts the next connection into an initialised link: WEFT_OK; WEFT_MORE:
 * none waits (the link is as it was); below zero: that one failed, try on.
 * When descriptors run out it says WEFT_MORE and listens again a while later
 * or when one of its connections has closed; at its limit when one has.
 */
enum weft_status weft_listener_accept(struct weft_listener *s,
                                      struct weft_link *k);

/*
 * Does not accept until weft_listener_wake(): connections wait in the kernel.
 * That fails as watching does.  A stopped listener does neither.
 */
void weft_listener_rest(struct weft_listener *s);
enum weft_status weft_listener_wake(struct weft_listener *s);

/* For others on its port, as weft_sock_share_port() has it: whether they can. */
bool weft_listener_share(struct weft_listener *s);

/* For a child process: the path is its parent's to remove. */
void weft_listener_disown(struct weft_listener *s);

/*
 * Called by links that begin with a PROXY head, once they know where they come
 * from; others are counted as they are accepted.  What becomes of it, see
 * weft_callers_enter(); it leaves with the listener or by itself.
 */
enum weft_status weft_listener_count(struct weft_listener *s,
                                     struct weft_link *k,
                                     const struct weft_addr *from,
                                     enum weft_admission *admission);

/* Called by links: whether it is to be told that its address has too many. */
bool weft_listener_turns_away(const struct weft_link *k);

/* Called by links: one of its connections is gone. */
void weft_listener_forget(struct weft_listener *s, struct weft_link *k);

/* Called by the loop: the pause is over. */
void weft_listener_resume(struct weft_listener *s);

#endif
