/*
 * What an oracle says when something does not hold.
 */
#ifndef WEFT_SPEC_DEMAND_H
#define WEFT_SPEC_DEMAND_H

#include <stdio.h>
#include <stdlib.h>

static inline void
demand(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

#define DEMAND(condition) demand((condition) ? 1 : 0, #condition)

#endif
