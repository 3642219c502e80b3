/*
 * The one allocation hook: every byte that weft's own code takes or gives
 * back passes here.  An engine or a fault-injection test links another mem.c.
 */
#ifndef WEFT_BASE_MEM_H
#define WEFT_BASE_MEM_H

#include <stddef.h>

/*
 * Resizes p (NULL: allocates) to size bytes and returns it, or NULL when
 * memory is out and p is as it was.  Size must not be zero.
 */
void *weft_realloc(void *p, size_t size);

/* Like weft_realloc(NULL, size), the bytes all zero. */
void *weft_zalloc(size_t size);

/* Gives p back; NULL is fine. */
void weft_free(void *p);

#endif
