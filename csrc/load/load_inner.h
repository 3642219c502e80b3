/*
 * What the files of the load share; nobody else includes this.
 *
 *   load.c  phases and figures       load_open.c  connections
 *   load_send.c  what is sent        load_read.c  what comes
 *
 * A function that returns a bool has failed when it is false, and
 * weft_load_fail() has been called.
 */
#ifndef WEFT_LOAD_LOAD_INNER_H
#define WEFT_LOAD_LOAD_INNER_H

#include "base/histogram.h"
#include "load/load.h"
#include "loop/poller.h"
#include "proto/deflate.h"
#include "proto/frame.h"

enum {
    WEFT_LOAD_BATCH = 256,        /* connections of one wait */
    WEFT_LOAD_ARENA = 256 * 1024, /* bytes of one receive */
};

/*
 * What all connections send: two times `depth` frames, so that whatever is due
 * lies in one piece from wherever a connection stands in the first half.
 */
struct weft_load_block {
    struct weft_load_message message;
    uint8_t *bytes;
    size_t frame, half; /* bytes of one frame, of `depth` frames */
};

struct weft_load_conn {
    struct weft_watch watch;
    struct weft_load_client client;
    bool opened;

    /* sending */
    size_t at, owed;    /* where in the block; bytes due from there */
    uint8_t pong[WEFT_FRAME_HEAD_MAX + WEFT_CONTROL_MAX];
    size_t pong_at, pong_len;

    /* receiving */
    struct weft_frame frame;
    uint8_t head[WEFT_FRAME_HEAD_MAX]; /* an unfinished one */
    uint8_t head_len;
    bool in_payload;
    bool inside;        /* a message: some frames of it have come */
    bool compressed;    /* this message is */
    bool checked;       /* this message's payload is looked at */
    bool proven;        /* one message was right */
    uint64_t frame_at;  /* payload bytes of this frame that have come */
    uint64_t len;       /* of the message, this frame included */
    struct weft_deflate *deflate; /* NULL: without */
    size_t inflated;    /* bytes that came out of it, while they are looked at */
    uint8_t control[WEFT_CONTROL_MAX];

    /* the messages outstanding: when each was sent, a ring; of a broadcast the
     * publisher's, whose messages `taken` have come to this one */
    int64_t *sent;
    unsigned first, count;
    uint64_t taken;
};

/* One moment. */
struct weft_load_sample {
    int64_t time;
    uint64_t echoes;
    double cpu; /* seconds that this process has used */
};

struct weft_load {
    struct weft_load_plan plan;
    struct weft_poller *poller;
    struct weft_load_shared shared;
    struct weft_load_block block;
    struct weft_load_conn *conns;
    unsigned begun, opened;   /* of them */
    unsigned *missing;        /* of a broadcast: who has not got each of the
                                 messages outstanding; a ring */
    uint64_t completed;       /* messages that all have */
    uint8_t *arena;
    enum weft_load_phase phase;
    int64_t begin, ready;     /* when opening, the messages began */
    int64_t last;             /* when anything came */
    uint64_t started, echoes; /* messages */
    uint64_t carried;         /* bytes of the echoes' frames */
    struct weft_deflate_pool pool;
    struct weft_deflate_agreed agreed;
    struct weft_load_sample from, to;
    struct weft_histogram latency;
    bool failed;
    char why[WEFT_LOAD_WHY];
};

/* False, always: the first sentence is the load's. */
bool weft_load_fail(struct weft_load *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Begins as many connections as may be on their way at once, and goes on with
 * one of them. */
bool weft_load_open_more(struct weft_load *l);
bool weft_load_open_on(struct weft_load *l, struct weft_load_conn *c);
void weft_load_end(struct weft_load *l, struct weft_load_conn *c);

/* Writes the block, once it is known what was agreed on. */
bool weft_load_write_block(struct weft_load *l);

/* Whose messages this one receives. */
static inline struct weft_load_conn *
weft_load_sender(struct weft_load *l, struct weft_load_conn *c)
{
    return l->plan.broadcast ? &l->conns[0] : c;
}

/* Starts up to n messages, fewer when no more are wanted; sends what is due. */
void weft_load_start(struct weft_load *l, struct weft_load_conn *c, unsigned n,
                     int64_t now);
bool weft_load_flush(struct weft_load *l, struct weft_load_conn *c);

/* One receive, and at most one send for all that it brought. */
bool weft_load_serve(struct weft_load *l, struct weft_load_conn *c);

#endif
