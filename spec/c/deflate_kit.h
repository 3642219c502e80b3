/*
 * permessage-deflate under test: what two ends agreed on, made short, and
 * data that compresses as real messages do.
 */
#ifndef WEFT_SPEC_DEFLATE_KIT_H
#define WEFT_SPEC_DEFLATE_KIT_H

#include <stdlib.h>

#include "check.h"
#include "proto/deflate.h"

/* Both ends alike: windows of that many bits, kept or not. */
struct agreement {
    struct weft_deflate_options o;
    struct weft_deflate_agreed a;
};

static inline struct agreement
agree(uint8_t bits, bool takeover, int level)
{
    return (struct agreement){
        .o = { .on = true, .window_bits = bits, .level = (int8_t)level,
               .server_max_window_bits = bits, .client_max_window_bits = bits,
               .server_no_context_takeover = !takeover,
               .client_no_context_takeover = !takeover },
        .a = { .on = true, .server_no_context_takeover = !takeover,
               .client_no_context_takeover = !takeover,
               .server_max_window_bits = bits,
               .client_max_window_bits = bits }
    };
}

/* Repeats itself near and far, with some noise; ASCII. */
static inline void
fill(uint8_t *to, size_t len, uint32_t seed)
{
    static const char words[] = "{\"name\":\"value\",\"list\":[1,2,3]}";

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        if (i > 20000 && (i >> 9) % 3 == 0)
            to[i] = to[i - 20000];
        else if (i > 300 && (i >> 7) % 3 == 0)
            to[i] = to[i - 1 - (i >> 7) % 300];
        else if ((seed >> 28) < 3)
            to[i] = (uint8_t)('0' + (seed >> 16) % 64);
        else
            to[i] = (uint8_t)words[i % (sizeof(words) - 1)];
    }
}

#endif
