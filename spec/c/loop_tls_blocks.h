/*
 * OpenSSL's blocks, counted: how many large ones there are, such as its record
 * buffers, of more than 16 KiB each.
 */
#ifndef WEFT_SPEC_LOOP_TLS_BLOCKS_H
#define WEFT_SPEC_LOOP_TLS_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_inner.h"

enum { LARGE = 8 << 10 };

/* Each block is behind its size. */
union head {
    size_t size;
    max_align_t aligned;
};

static size_t large; /* how many there are of LARGE bytes and more */
static size_t made;  /* how many there ever were */

static inline void
count(size_t size)
{
    large += size >= LARGE;
    made += size >= LARGE;
}

static inline void
free_counted(void *p, const char *file, int line)
{
    union head *h = p;

    (void)file, (void)line;
    if (p == NULL)
        return;
    large -= h[-1].size >= LARGE;
    free(h - 1);
}

static inline void *
malloc_counted(size_t size, const char *file, int line)
{
    union head *h = malloc(sizeof(*h) + size);

    (void)file, (void)line;
    if (h == NULL)
        return NULL;
    h->size = size;
    count(size);
    return h + 1;
}

static inline void *
realloc_counted(void *p, size_t size, const char *file, int line)
{
    union head *h = p;
    void *to;

    if (size == 0) {
        free_counted(p, file, line);
        return NULL;
    }
    to = malloc_counted(size, file, line);
    if (to == NULL || p == NULL)
        return to;
    memcpy(to, p, h[-1].size < size ? h[-1].size : size);
    free_counted(p, file, line);
    return to;
}

/* Before anything of OpenSSL is called. */
static inline bool
count_blocks(void)
{
    return CRYPTO_set_mem_functions(malloc_counted, realloc_counted,
                                    free_counted) == 1;
}

#endif
