/*
 * A hostile beginning of a connection where a proxy is expected to speak.
 *
 * The oracle: at every cut the same comes of it, as soon as it can be known
 * and never again otherwise; a head is no longer than it may be and than what
 * came; and what is said of the client is of the kind that it is said to be.
 */
#include <stdlib.h>
#include <string.h>

#include "demand.h"
#include "proto/proxy_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_shape(const struct weft_proxy_head *h, enum weft_status rc, size_t size)
{
    DEMAND(rc == WEFT_OK || rc == WEFT_MORE || rc == WEFT_E_HEAD);
    DEMAND((h->why != NULL) == (rc == WEFT_E_HEAD));
    DEMAND((h->length > 0) == (rc == WEFT_OK));
    DEMAND(h->length <= size && h->length <= WEFT_PROXY_HEAD_MAX);
    DEMAND(rc != WEFT_MORE || size < WEFT_PROXY_HEAD_MAX);
    DEMAND(rc == WEFT_OK || h->from == WEFT_PROXY_UNTOLD);
    DEMAND(h->from != WEFT_PROXY_UNTOLD || h->port == 0);
    DEMAND(h->from == WEFT_PROXY_UNIX || h->path[0] == '\0');
    DEMAND(h->path[WEFT_PROXY_PATH_MAX] == '\0');
}

/* Each piece in memory of its own, so that nobody looks behind it unseen. */
static enum weft_status
read_start(struct weft_proxy_head *h, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    enum weft_status rc;

    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    rc = weft_proxy_head_read(h, copy, size);
    free(copy);
    check_shape(h, rc, size);
    return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_proxy_head whole, cut;
    enum weft_status rc = read_start(&whole, data, size), now = WEFT_MORE;
    size_t step = 1 + size / 400, n = 0;

    for (; n < size; n += step) {
        enum weft_status before = now;

        now = read_start(&cut, data, n);
        DEMAND(before == WEFT_MORE || now == before);
        DEMAND(now == WEFT_MORE || now == rc);
        DEMAND(now != WEFT_OK || cut.length == whole.length);
        DEMAND(now != WEFT_OK || (cut.from == whole.from
                                  && cut.port == whole.port
                                  && memcmp(cut.address, whole.address,
                                            sizeof(cut.address)) == 0));
        DEMAND(now != WEFT_E_HEAD || strcmp(cut.why, whole.why) == 0);
        if (rc == WEFT_OK)
            DEMAND((n >= whole.length) == (now == WEFT_OK));
    }
    return 0;
}
