/*
 * A memory that can run out, in place of base/mem.c: for a while from some
 * allocation on, or at one alone.  Included by one file of a test program.
 */
#ifndef WEFT_SPEC_FAILING_MEM_H
#define WEFT_SPEC_FAILING_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static long allowed = -1; /* allocations to come until all fail; -1: no end */
static long failing = -1, allocations; /* the one that fails, counted from 0 */
static bool refused;      /* one did */
static atomic_long unfreed; /* blocks that were not freed; a thread that looks
                               a name up may be who frees one */

void *
weft_realloc(void *p, size_t size)
{
    void *q;

    if (allowed == 0 || (failing >= 0 && allocations++ == failing)) {
        refused = true;
        return NULL;
    }
    if (allowed > 0)
        allowed--;
    q = realloc(p, size);
    unfreed += p == NULL && q != NULL;
    return q;
}

void *
weft_zalloc(size_t size)
{
    void *p = weft_realloc(NULL, size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void
weft_free(void *p)
{
    unfreed -= p != NULL;
    free(p);
}

#endif
