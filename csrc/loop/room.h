/*
 * A room: links that one message is sent to, WebSockets and event streams.  The
 * message is framed once, made an event once, and compressed once for all
 * members that share parameters; a member that is slow never holds up the
 * others.
 *
 * A room owns its memberships, not its members.  A link that begins to close
 * leaves its rooms by itself.
 */
#ifndef WEFT_LOOP_ROOM_H
#define WEFT_LOOP_ROOM_H

#include <stdbool.h>

#include "loop/link.h"

/*
 * What happens to a member that cannot take a message: its backlog is above
 * its high-water mark, though the kernel was offered it, a message is being
 * written to it in pieces, or memory is out.
 */
enum weft_on_full {
    WEFT_FULL_CLOSE, /* it is closed with 1013, cause "slow" */
    WEFT_FULL_DROP,  /* it misses the message */
};

struct weft_sse;

struct weft_membership {
    struct weft_node in_room; /* of room->members */
    struct weft_node apart;   /* of the loop's post, see post.h */
    struct weft_membership *next; /* of the link's, see link->rooms */
    struct weft_room *room;
    struct weft_link *link;
};

struct weft_room {
    struct weft_node members;
    size_t count;
    enum weft_on_full on_full;
};

void weft_room_init(struct weft_room *r, enum weft_on_full on_full);
void weft_room_deinit(struct weft_room *r); /* everybody leaves */

/* WEFT_OK (also for a member); WEFT_E_CLOSED: it is not open; WEFT_E_MEMORY. */
enum weft_status weft_room_join(struct weft_room *r, struct weft_link *k);

/* Whether it was a member. */
bool weft_room_leave(struct weft_room *r, struct weft_link *k);

/* Called by links that close or end. */
void weft_room_leave_all(struct weft_link *k);

/* A message to a room. */
struct weft_letter {
    enum weft_opcode opcode;
    const struct weft_sse *event; /* what event streams get; NULL: the event of
                                     the message, without a name and an id */
    bool plain; /* not compressed, whatever a member has agreed on */
    const void *data;
    size_t len;
    const struct weft_link *except; /* who does not get it, or NULL */
};

/*
 * Queues a message for the members and counts those who got it and those who
 * could not take it.  WEFT_E_MEMORY when it could not be framed; then nobody
 * got it.
 */
enum weft_status weft_room_send(struct weft_room *r,
                                const struct weft_letter *letter,
                                size_t *queued, size_t *dropped);

#endif
