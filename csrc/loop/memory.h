/*
 * How many bytes the links of a loop hold for their peers, and who has to give
 * them up when that is too much.
 *
 * What counts is what waits: output that the kernel has not taken, messages that
 * came in and were not taken, what has come of messages, heads and bodies that
 * are not complete, ciphertext of TLS.  It is counted as queues grow and shrink,
 * to the byte; what many hold together, a message to a room, counts once.  What
 * buffers have besides, for more to come, does not count, nor do compressors.
 *
 * Past the limit the link that holds the most, its part in what is shared taken
 * as its own, is closed with 1013 (its request answered with 503), and all that
 * it holds is dropped, but for the rest of a frame that has begun to leave.  If
 * even that is too much, the connection is cut.  So it goes on until the limit
 * is kept.  Before anybody is closed, the kernel is offered what is queued.
 */
#ifndef WEFT_LOOP_MEMORY_H
#define WEFT_LOOP_MEMORY_H

#include "loop/loop.h"

struct weft_config;

/*
 * Something was opened with these settings, or has ended: their limit holds in
 * between.  The least counts of all that hold.
 */
void weft_memory_enter(struct weft_loop *loop, struct weft_config *c);
void weft_memory_leave(struct weft_loop *loop, struct weft_config *c);

void weft_loop_relieve_any(struct weft_loop *loop); /* past the limit */

/*
 * Sees to it that the limit is kept.  Any link may end in here, none is freed:
 * whoever goes through a list of links does so before or behind.
 */
static inline void
weft_loop_relieve(struct weft_loop *loop)
{
    if (loop->held > loop->memory_limit)
        weft_loop_relieve_any(loop);
}

/* The bytes that count now. */
static inline size_t
weft_loop_held(const struct weft_loop *loop)
{
    return loop->held;
}

#endif
