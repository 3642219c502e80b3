/*
 * Who is connected to a listener, counted by address: how many connections
 * each has, and whether one more may come in.  An IPv6 address counts with all
 * others of its /64, since that is what one host may be given.
 *
 * An address is known while it has a connection, so this is never larger than
 * the connections are many.  All zero is valid, and lets everybody in.
 */
#ifndef WEFT_LOOP_CALLERS_H
#define WEFT_LOOP_CALLERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/status.h"
#include "net/addr.h"

struct weft_caller;

struct weft_callers {
    struct weft_caller **places; /* a power of two of them, chained */
    unsigned bits;               /* which one */
    uint32_t count;              /* addresses */
    uint32_t most;               /* connections of one; 0: no limit */
    uint64_t factor; /* odd and random: nobody can choose where they go */
};

enum weft_admission {
    WEFT_ADMITTED,
    WEFT_TURNED_AWAY, /* it is to be told so */
    WEFT_DROPPED,     /* too many are being told already: not counted */
};

/* What is remembered of a connection that is counted. */
struct weft_call {
    uint64_t address;
    enum weft_admission admission;
};

/* Whether connections from there are counted at all (those of a Unix-domain
 * socket are not), and under what. */
bool weft_callers_address(const struct weft_addr *from, uint64_t *address);

/*
 * One more connection from call->address: call->admission says what becomes of
 * it, and unless it is dropped it is counted until weft_callers_leave().
 * WEFT_E_MEMORY: it is not.
 */
enum weft_status weft_callers_enter(struct weft_callers *c,
                                    struct weft_random *random,
                                    struct weft_call *call);
void weft_callers_leave(struct weft_callers *c, const struct weft_call *call);

/* Forgets all of them, and may be repeated; the limit stays. */
void weft_callers_deinit(struct weft_callers *c);

#endif
