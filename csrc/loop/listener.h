/*
 * A listening socket.  Its connections are pulled: when the listener's work is
 * named, the caller accepts into links of its own until there is no more.
 */
#ifndef WEFT_LOOP_LISTENER_H
#define WEFT_LOOP_LISTENER_H

#include "loop/link.h"

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
    char *path;                 /* of a Unix-domain socket, to be removed */
    uint64_t accepted, upgraded, refused;
};

/*
 * Listens on the address; WEFT_OK, WEFT_E_MEMORY, or WEFT_E_SYSTEM with errno.
 */
enum weft_status weft_listener_init(struct weft_listener *s,
                                    struct weft_loop *loop,
                                    struct weft_config *config,
                                    const struct weft_addr *address,
                                    int backlog, bool reuse_port, bool dual);

/* What new connections speak from now on: TLS, or with NULL not. */
void weft_listener_secure(struct weft_listener *s,
                          struct weft_tls_context *tls);

/* Stops listening; connections go on, no longer listed. */
void weft_listener_deinit(struct weft_listener *s);

/* Stops accepting and closes the socket; connections stay listed. */
void weft_listener_stop(struct weft_listener *s);

/*
 * Accepts the next connection into an initialised link: WEFT_OK; WEFT_MORE:
 * none waits (the link is as it was); below zero: that one failed, try on.
 * When descriptors run out it says WEFT_MORE and listens again a while later
 * or when one of its connections has closed.
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

/* Called by links: one of its connections is gone. */
void weft_listener_forget(struct weft_listener *s, struct weft_link *k);

/* Called by the loop: the pause is over. */
void weft_listener_resume(struct weft_listener *s);

#endif
