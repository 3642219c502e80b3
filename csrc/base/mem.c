/*
 * Allocation by the C library.  It must know nothing but libc.
 */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void *
weft_realloc(void *p, size_t size)
{
    return realloc(p, size);
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
    free(p);
}
