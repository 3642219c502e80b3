/*
 * Small facts, one behind the other, each behind its kind and length.  It must
 * not know what they mean.
 */
#include "loop/kept.h"

#include <string.h>

#include "base/mem.h"

enum { HEAD = 1 + sizeof(uint32_t) };

enum weft_status
weft_kept_add(struct weft_kept **kept, enum weft_kept_kind kind,
              struct weft_span bytes)
{
    uint32_t len = (uint32_t)bytes.len;
    size_t before = *kept != NULL ? (*kept)->size : 0;
    struct weft_kept *grown;
    uint8_t *to;

    if (bytes.len == 0)
        return WEFT_OK;
    if (bytes.len > UINT32_MAX - HEAD - before)
        return WEFT_E_MEMORY;
    grown = weft_realloc(*kept, sizeof(*grown) + before + HEAD + len);
    if (grown == NULL)
        return WEFT_E_MEMORY;
    to = grown->bytes + before;
    *to = (uint8_t)kind;
    memcpy(to + 1, &len, sizeof(len));
    memcpy(to + HEAD, bytes.data, len);
    grown->size = (uint32_t)(before + HEAD + len);
    *kept = grown;
    return WEFT_OK;
}

struct weft_span
weft_kept_find(const struct weft_kept *kept, enum weft_kept_kind kind)
{
    uint32_t at = 0, len;

    while (kept != NULL && at < kept->size) {
        memcpy(&len, kept->bytes + at + 1, sizeof(len));
        if (kept->bytes[at] == (uint8_t)kind)
            return (struct weft_span){
                (const char *)kept->bytes + at + HEAD, len
            };
        at += HEAD + len;
    }
    return (struct weft_span){ NULL, 0 };
}

void
weft_kept_drop(struct weft_kept *kept, enum weft_kept_kind kind)
{
    struct weft_span found = weft_kept_find(kept, kind);
    uint8_t *from, *to;
    size_t behind;

    if (found.data == NULL)
        return;
    to = kept->bytes + (found.data - (const char *)kept->bytes) - HEAD;
    from = to + HEAD + found.len;
    behind = kept->size - (size_t)(from - kept->bytes);
    memmove(to, from, behind);
    kept->size -= (uint32_t)(HEAD + found.len);
}
