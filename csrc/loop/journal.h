/*
 * What a listener has to tell of its connections, where somebody asks: records
 * in the order in which it happened, pulled by the caller between the phases
 * of a turn.  A listener without a journal makes none.
 */
#ifndef WEFT_LOOP_JOURNAL_H
#define WEFT_LOOP_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"

struct weft_loop;

enum weft_told_what {
    WEFT_TOLD_OPEN,    /* the data phase has begun */
    WEFT_TOLD_CLOSE,   /* and the connection is gone */
    WEFT_TOLD_REQUEST, /* a plain request was answered, or broke off */
    WEFT_TOLD_REFUSED, /* answered without anybody having been asked */
    WEFT_TOLD_FAILED,  /* ended before there was something to answer */
    WEFT_TOLD_TLS,     /* the same, in the TLS handshake */
    WEFT_TOLD_LIMIT,
    WEFT_TOLD_SAID,    /* the caller's own; see `said` */
};

enum weft_told_text {
    WEFT_TOLD_ADDRESS,
    WEFT_TOLD_METHOD,
    WEFT_TOLD_PATH, /* without the query, where secrets stand */
    WEFT_TOLD_PROTOCOL,
    WEFT_TOLD_REASON,
    WEFT_TOLD_MESSAGE,
    WEFT_TOLD_TEXTS
};

enum { WEFT_TOLD_LONGEST = 1024 }; /* bytes of a text; the rest is cut off */

/* 0, NULL and empty texts are what there is nothing to tell of. */
struct weft_told {
    enum weft_told_what what;
    double time;           /* seconds since 1970; set when it is added */
    uint64_t connection;   /* its number, from 1 */
    unsigned status;       /* of an answer */
    unsigned code, sent_code; /* of close frames: the peer's and ours */
    bool has_bytes, has_lasted;
    uint64_t bytes;        /* of an answer's body */
    int64_t lasted;        /* nanoseconds */
    const char *kind, *tls, *option, *cause; /* static strings */
    int said;
    struct weft_span texts[WEFT_TOLD_TEXTS];
};

/* Limits of all connections together: they may be met very often. */
enum weft_told_limit {
    WEFT_LIMIT_CONNECTIONS,
    WEFT_LIMIT_ADDRESS,
    WEFT_LIMIT_SYSTEM,
    WEFT_LIMITS
};

struct weft_journal {
    struct weft_loop *loop;
    struct weft_node node;    /* in loop->journals, while there is something */
    struct weft_buf records;  /* what comes in */
    struct weft_buf lent;     /* what goes out, so that its texts stay */
    uint64_t connections;     /* that have got a number */
    uint64_t lost;            /* for want of memory, since the last record */
    int64_t met[WEFT_LIMITS]; /* when each was told of last; 0: never */
};

void weft_journal_init(struct weft_journal *j, struct weft_loop *loop);
void weft_journal_deinit(struct weft_journal *j);

/* Adds a record, of which everything is copied; false: memory is out, and it
 * counts as lost. */
bool weft_journal_add(struct weft_journal *j, const struct weft_told *t);

/* Adds a record of such a limit, unless it has within a second. */
void weft_journal_add_limit(struct weft_journal *j, enum weft_told_limit which,
                            const struct weft_told *t);

/* Takes out the next record; its texts are good until the next call, whatever
 * is added.  False: there is none, and the journal is in no list. */
bool weft_journal_next(struct weft_journal *j, struct weft_told *t);

#endif
