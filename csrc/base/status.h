/*
 * What a call came to.  Zero and up is progress, below zero is failure.
 *
 * Failures are of two kinds: those of this side (memory, a wrong call) and
 * those of the peer, which end the connection.  weft_status_close_code() says
 * which close code a failure sends, weft_status_text() the sentence for people
 * with the rule and its section of RFC 6455 or 7692.
 */
#ifndef WEFT_BASE_STATUS_H
#define WEFT_BASE_STATUS_H

enum weft_status {
    WEFT_OK = 0,   /* done */
    WEFT_MORE = 1, /* nothing wrong; more input is needed */
    WEFT_EVENT = 2, /* something for the caller is in the event */

    WEFT_E_MEMORY = -1, /* out of memory; the thing is as it was */
    WEFT_E_CLOSED = -2, /* the connection no longer sends */
    WEFT_E_BUSY = -3,   /* another message is being written in pieces */
    WEFT_E_SYSTEM = -4, /* a system call failed; errno says why */
    WEFT_E_HEAD = -5,   /* an HTTP head that is refused; the head says why */
    WEFT_E_TLS = -6,    /* TLS failed; the filter says why */

    /* faults of the peer, each with its close code */
    WEFT_E_RESERVED_BITS = -20,    /* 5.2: a reserved bit is set */
    WEFT_E_OPCODE = -21,           /* 5.2: an opcode nobody defined */
    WEFT_E_LENGTH_NOT_MINIMAL = -22, /* 5.2: 126 or 127 without need */
    WEFT_E_LENGTH_OVERFLOW = -23,  /* 5.2: the most significant bit is set */
    WEFT_E_UNMASKED = -24,         /* 5.1: a client must mask */
    WEFT_E_MASKED = -25,           /* 5.1: a server must not mask */
    WEFT_E_CONTROL_FRAGMENTED = -26, /* 5.5 */
    WEFT_E_CONTROL_TOO_LONG = -27,   /* 5.5: over 125 bytes */
    WEFT_E_CONTINUATION = -28, /* 5.4: a continuation of nothing */
    WEFT_E_INTERLEAVED = -29,  /* 5.4: a new message inside another */
    WEFT_E_UTF8 = -30,         /* 8.1: text that is not UTF-8 */
    WEFT_E_CLOSE_LENGTH = -31, /* 5.5.1: a close body of one byte */
    WEFT_E_CLOSE_CODE = -32,   /* 7.4: a code that must not be sent */
    WEFT_E_CLOSE_UTF8 = -33,   /* 5.5.1: a reason that is not UTF-8 */
    WEFT_E_MESSAGE_TOO_BIG = -34,  /* over max_message */
    WEFT_E_FRAME_TOO_BIG = -35,    /* over max_frame */
    WEFT_E_TOO_MANY_FRAGMENTS = -36, /* over max_fragments */
    WEFT_E_DEFLATE = -37,      /* RFC 7692, 7.2.2: it cannot be inflated */
    WEFT_E_TOO_MANY_MESSAGES = -38, /* more than rate.messages in a time */
    WEFT_E_TOO_MANY_BYTES = -39,    /* more than rate.bytes */
    WEFT_E_OVER_MEMORY = -40,       /* it held most when memory_limit was passed */
};

/* The close code a failure stands for: 1002, 1007, 1008, 1009, 1011 or
 * 1013. */
int weft_status_close_code(enum weft_status status);

/* A sentence for people, never NULL; it names the rule and its section. */
const char *weft_status_text(enum weft_status status);

#endif
