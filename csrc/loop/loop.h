/*
 * The event loop: waits for the kernel, reads what has come, names what there
 * is to do, and flushes what was sent.  Everything is pulled; nothing here
 * calls back.  One turn is
 *
 *     weft_loop_wait()     poll, accept nothing yet, read every ready link
 *     weft_loop_take_timer()  until NULL: the caller's own due timers
 *     weft_loop_next()     until NULL: links, listeners and watches with work
 *     weft_loop_flush()    read ahead what nobody pulled, then send
 *
 * The loop borrows everything: links, listeners, watches and timers belong to
 * the caller and are deinited before the loop is.
 */
#ifndef WEFT_LOOP_LOOP_H
#define WEFT_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/status.h"
#include "loop/counters.h"
#include "loop/poller.h"
#include "loop/timers.h"
#include "net/clock.h"
#include "proto/deflate.h"
#include "proto/http_response.h"

/* What a watch, a timer or an item of work belongs to. */
enum weft_kind {
    WEFT_KIND_LINK,
    WEFT_KIND_LOOKUP,   /* of a link that is dialling */
    WEFT_KIND_DIAL,     /* one attempt's watch; the dial's timer */
    WEFT_KIND_LISTENER,
    WEFT_KIND_USER,     /* the caller's */
    WEFT_KIND_WAKE,     /* the loop's own, see weft_loop_fd() */
};

enum {
    WEFT_READY_MAX = 256, /* descriptors looked at in one turn */
    WEFT_ARENA = 512 * 1024,
    WEFT_SLICE = 64 * 1024, /* the most one link reads in one turn */
    WEFT_SLICE_MIN = 8 * 1024,
    WEFT_SPARES = 256,
    WEFT_LARGE_BUFFERS = 4,
    WEFT_WARM = 512, /* links with TLS whose buffers are kept */
};

/* Links that may have rested keep what they move bytes with while they are no
 * more than these, so that busy ones need not ask for it anew. */
#ifndef WEFT_AWAKE
#define WEFT_AWAKE 256
#endif

#define WEFT_FOREVER INT64_MAX

/* An item of work, embedded in what it belongs to. */
struct weft_work {
    struct weft_node node;
    uint8_t kind;
};

/* A descriptor of the caller's own, see weft_loop_watch(). */
struct weft_user_watch {
    struct weft_watch watch;
    struct weft_work work;
    uint8_t ready;
};

struct weft_room;
struct weft_chunk;

/* What is gathered for a room, see post.h. */
struct weft_post {
    struct weft_room *room;   /* NULL: for none */
    size_t members;           /* who will get it; the others are: */
    struct weft_node apart;   /* struct weft_membership */
    struct weft_chunk *chunk; /* of frames; kept between uses */
    uint32_t messages;        /* how many of them */
};

struct weft_loop {
    struct weft_poller *poller;
    struct weft_timers timers;
    struct weft_random random;
    struct weft_digest digest;
    int64_t now; /* of this turn */
    int64_t woke;            /* when it began */
    struct weft_histogram turns;
    struct weft_counters unlisted; /* of links that no listener has */
    int64_t most;            /* how long a turn may work */
    int64_t until;           /* when this one is late; WEFT_FOREVER: never */
    struct weft_watch wake;  /* one end of a pipe, see weft_loop_fd(), and */
    int wake_fd;             /* the other; -1: nobody polls us */
    int64_t dated;           /* seconds since 1970, of: */
    char date[WEFT_DATE_TEXT];
    struct weft_node links;  /* every link that has a socket */
    struct weft_node journals; /* with something to be told */
    struct weft_node work;   /* struct weft_work: for the next batch */
    struct weft_node batch;  /* to be named by next() in this turn */
    bool named;              /* this turn's batch was taken from work */
    bool behind;             /* the last one was late: dirty ones go first */
    bool dozes;              /* who polls us is to be woken */
    struct weft_node dirty;  /* struct weft_flow: with output */
    struct weft_node later;  /* of these: what goes on in the next turn */
    struct weft_node fed;    /* struct weft_flow: with input in the arena */
    struct weft_node awake;  /* struct weft_flow: may rest; the first longest */
    struct weft_node spare_flows; /* struct weft_flow: without a link */
    uint32_t awake_count, spare_flow_count;
    uint32_t most_awake;     /* WEFT_AWAKE; a test sets another */
    struct weft_node piped;  /* links to look at without the kernel's word */
    struct weft_node unsecured; /* TLS handshakes that wait for their turn */
    uint8_t *sealed;         /* ciphertext on its way in; NULL until needed */
    struct weft_buf sealing; /* and out; empty between sends */
    struct weft_link *warm[WEFT_WARM]; /* busy ones, see weft_loop_cool() */
    uint32_t warm_count;
    int64_t cooled;          /* when they were looked at last */
    uint8_t *arena;          /* one turn's input; links own none of it */
    size_t arena_used;
    size_t share;            /* of the arena for one link in this turn */
    uint32_t first, reads;   /* where to begin among the ready; who has read */
    bool enough, goes_on;    /* was read in this turn of a large message, which
                                is not whole yet */
    bool timed;              /* turns are: somebody has asked how long they take */
    size_t held;             /* bytes, see memory.h */
    size_t memory_limit;     /* the least of those in: */
    struct weft_node limits; /* struct weft_config: in use, with a limit */
    struct weft_node holders; /* struct weft_flow: that hold something */
    struct weft_post post;
    struct weft_deflate_pool deflate; /* zlib streams between uses */
    struct weft_buf large[WEFT_LARGE_BUFFERS]; /* of large messages that came
                                                  in, between uses */
    int large_count;
    struct weft_buf spares[WEFT_SPARES]; /* output buffers between uses */
    int spare_count;
    int ready_count; /* of ready[], while it is gone through */
    struct weft_ready ready[WEFT_READY_MAX];
};

/* WEFT_OK, WEFT_E_MEMORY, or WEFT_E_SYSTEM with errno. */
enum weft_status weft_loop_init(struct weft_loop *loop, bool force_poll);
void weft_loop_deinit(struct weft_loop *loop);

/*
 * For a child process, before it does anything else with a loop that it has
 * from its parent and in which nothing is watched: it gets a poller and random
 * numbers of its own.  When that fails, as weft_loop_init() does, the loop is
 * good for nothing.
 */
enum weft_status weft_loop_renew(struct weft_loop *loop);

/*
 * Waits up to timeout nanoseconds (below zero: no limit), less when a timer is
 * due before or there is work already, and reads.  False when a signal ended
 * the wait.
 */
bool weft_loop_wait(struct weft_loop *loop, int64_t timeout);

/*
 * How long turns take, from the kernel's word of who is ready to the end of
 * weft_loop_end_turn(): counted from the first time that this is called.
 */
const struct weft_histogram *weft_loop_turns(struct weft_loop *loop);

/* Nanoseconds that weft_loop_wait() would wait at most; -1: no limit. */
int64_t weft_loop_timeout(const struct weft_loop *loop);

/*
 * How long the turns from here on may work (WEFT_FOREVER: as long as it takes).
 * A turn that is late leaves the rest to the next one, in every phase, but each
 * phase does something: so whatever is due gets done.
 */
static inline void
weft_loop_bound(struct weft_loop *loop, int64_t ns)
{
    loop->most = ns;
}

/* Whether this turn has worked for as long as it may. */
static inline bool
weft_loop_is_late(const struct weft_loop *loop)
{
    return loop->until != WEFT_FOREVER && weft_now() >= loop->until;
}

/*
 * A descriptor that is readable when a turn has something to do; -1 when the
 * poller has none (errno is 0) or with errno.  Only weft_loop_timeout() knows of
 * timers.  From the first call on, what comes up between turns makes it
 * readable as well: that is what a pipe is for, which the poller watches.
 */
int weft_loop_fd(struct weft_loop *loop);

/* The turn is over; busy: the caller has more to do. (wake.c) */
void weft_loop_doze(struct weft_loop *loop, bool busy);

/* Something has come up: who polls the descriptor learns of it. */
void weft_loop_rouse(struct weft_loop *loop);
static inline void
weft_loop_stir(struct weft_loop *loop)
{
    if (loop->dozes)
        weft_loop_rouse(loop);
}

/* The time that is ns from now, WEFT_FOREVER at most. */
int64_t weft_loop_after(int64_t ns);

/* The next of the caller's own timers that is due; links' are seen to. */
struct weft_timer *weft_loop_take_timer(struct weft_loop *loop);

/*
 * The next item of work, taken out; NULL when there is none.  What comes up
 * while the caller sees to it is for the next turn.
 */
struct weft_work *weft_loop_next(struct weft_loop *loop);

/* The Date of a response (RFC 9110, 6.6.1), good until the next call. */
const char *weft_loop_date(struct weft_loop *loop);

/* Queues an item of work again. */
void weft_loop_again(struct weft_loop *loop, struct weft_work *work);

/*
 * Ends the turn: input that nobody pulled is read ahead, output is sent.
 */
void weft_loop_flush(struct weft_loop *loop);

/* Behind all that the caller does in a turn: how long it took is counted. */
void weft_loop_end_turn(struct weft_loop *loop);

/*
 * For a watch whose memory goes while the loop reads: it may be among those
 * that are still to be looked at in this turn.
 */
void weft_loop_forget(struct weft_loop *loop, const struct weft_watch *w);

/* Watches a descriptor for the caller (0 stops); readiness comes as work. */
enum weft_status weft_loop_watch(struct weft_loop *loop,
                                 struct weft_user_watch *w, uint8_t wanted);

#endif
