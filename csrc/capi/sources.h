/*
 * weft's Lua modules as they were when libweft.a was made, see embed.
 */
#ifndef WEFT_CAPI_SOURCES_H
#define WEFT_CAPI_SOURCES_H

#include <stddef.h>

struct weft_source {
    const char *name;  /* what require() calls it */
    const char *chunk; /* what tracebacks do */
    const unsigned char *text;
    size_t len;
};

/* Ends with one that has no name. */
extern const struct weft_source weft_sources[];

#endif
