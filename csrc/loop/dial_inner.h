/*
 * A dial: one name, the addresses it has, and the attempts to connect to them.
 * What the files of the dial share; nobody else but its tests includes this.
 *
 *   dial.c  who is tried when, and who wins    dial_words.c  how it is told
 */
#ifndef WEFT_LOOP_DIAL_INNER_H
#define WEFT_LOOP_DIAL_INNER_H

#include "loop/link_inner.h"

enum { WEFT_DIAL_ATTEMPTS = 16 };

struct weft_attempt {
    struct weft_watch watch; /* fd -1: it is over */
    struct weft_dial *dial;
    struct weft_addr to;
    int error; /* how it failed */
};

/* What is known of one family, and how many of those have been tried. */
struct weft_dial_family {
    const struct weft_addr *addresses;
    int count, next;
};

struct weft_dial {
    struct weft_link *link;
    struct weft_lookup *lookup;
    struct weft_watch watch; /* of the lookup */
    struct weft_timer timer; /* when to try the next one */
    struct weft_dial_family families[WEFT_FAMILIES];
    int turn;                /* the family to take the next one from */
    bool looking;            /* an answer is still to come */
    int begun, under_way;    /* attempts */
    struct weft_attempt attempts[WEFT_DIAL_ATTEMPTS];
    struct weft_addr known;  /* instead of a lookup */
    uint16_t port;
    char host[];             /* or a path */
};

/* The opening fails, and the dial is gone: no address has answered ... */
void weft_dial_fail(struct weft_dial *d);
/* ... or the name has none, or cannot be looked up; code: the opener's. */
void weft_dial_fail_lookup(struct weft_dial *d, const char *code,
                           const char *why);

#endif
