/*
 * Bodies under hostile bytes.  The first byte says what frames the body and how
 * much of it is taken; the rest is what comes behind the head.
 *
 * The oracle: whole, in pieces of any size and byte by byte the same body comes
 * out, the same fault is found and the same bytes are left; no more comes out
 * than is taken, and what is final stays.
 */
#include <stdlib.h>

#include "demand.h"
#include "proto/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const heads[] = {
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\n",
    "HTTP/1.1 403 No\r\n\r\n",
    "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n",
};

struct outcome {
    enum weft_status rc;
    unsigned error;
    size_t used;
    struct weft_buf body;
};

/* Reads what is there of the body; the rest of raw may come later. */
static struct outcome
read_body(const struct weft_http_head *h, const char *head, uint64_t most,
          struct weft_span raw, size_t step)
{
    struct outcome o = { 0 };
    struct weft_http_body b;
    size_t at = 0;

    o.rc = weft_http_body_begin(&b, h, head, most);
    while (o.rc == WEFT_MORE && at < raw.len) {
        at = raw.len - at > step ? at + step : raw.len;
        o.rc = weft_http_body_read(&b, (struct weft_span){ raw.data, at },
                                   &o.used, &o.body);
        DEMAND(o.used <= at && weft_buf_len(&o.body) <= most);
    }
    o.error = b.error;
    DEMAND((o.rc == WEFT_E_HEAD) == (b.error != 0));
    if (o.rc != WEFT_MORE && b.state != WEFT_BODY_LENGTH)
        DEMAND(weft_http_body_read(&b, raw, &o.used, &o.body) == o.rc);
    return o;
}

static void
check_same(struct outcome *a, struct outcome *b)
{
    size_t len = weft_buf_len(&a->body);

    DEMAND(a->rc == b->rc && a->error == b->error);
    DEMAND(len == weft_buf_len(&b->body));
    DEMAND(len == 0
           || memcmp(weft_buf_head(&a->body), weft_buf_head(&b->body), len)
                  == 0);
    DEMAND(a->rc < 0 || a->used == b->used);
    weft_buf_deinit(&b->body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *head = size > 0 ? heads[data[0] & 3] : heads[0];
    uint64_t most = size > 0 && (data[0] & 4) != 0 ? 20 : 1000;
    struct weft_span raw = { (const char *)data + 1, size > 0 ? size - 1 : 0 };
    struct weft_http_head h;
    struct outcome whole, pieces;

    weft_http_init(&h,
                   head[0] == 'P' ? WEFT_HTTP_REQUEST : WEFT_HTTP_RESPONSE,
                   1000, 10);
    DEMAND(weft_http_read(&h, head, strlen(head)) == WEFT_OK);
    whole = read_body(&h, head, most, raw, SIZE_MAX);
    for (size_t step = 1; step < 8; step += 3) {
        pieces = read_body(&h, head, most, raw, step);
        check_same(&whole, &pieces);
    }
    weft_buf_deinit(&whole.body);
    weft_http_deinit(&h);
    return 0;
}
