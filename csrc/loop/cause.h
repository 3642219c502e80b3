/*
 * Why a connection ended.
 */
#ifndef WEFT_LOOP_CAUSE_H
#define WEFT_LOOP_CAUSE_H

enum weft_cause {
    WEFT_CAUSE_NONE,
    WEFT_CAUSE_PEER,
    WEFT_CAUSE_LOCAL,
    WEFT_CAUSE_HANDLER,
    WEFT_CAUSE_ERROR,
    WEFT_CAUSE_PROTOCOL,
    WEFT_CAUSE_TOO_BIG,
    WEFT_CAUSE_PING_TIMEOUT,
    WEFT_CAUSE_IDLE,
    WEFT_CAUSE_TIMEOUT,
    WEFT_CAUSE_SLOW,
    WEFT_CAUSE_RESET,
    WEFT_CAUSE_EOF,
    WEFT_CAUSE_TLS,
    WEFT_CAUSE_SHUTDOWN,
    WEFT_CAUSE_CANCELLED,
    WEFT_CAUSE_COLLECTED,
    WEFT_CAUSES, /* how many */
};

/* The public word, and a sentence (NULL for NONE). */
const char *weft_cause_name(enum weft_cause cause);
const char *weft_cause_text(enum weft_cause cause);

#endif
