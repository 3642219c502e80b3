/*
 * A large message on its way in: its bytes are received straight into the
 * buffer that it is collected in, and that buffer serves the next one too.  It
 * must not know what the bytes mean.
 *
 * A message grows with what arrives, never with what was announced.  Growing
 * copies, and new memory is slow at first: so a loop keeps a few buffers that
 * messages have grown, and a message that has come to need more than its own
 * goes on in one of those.
 */
#include <errno.h>
#include <string.h>

#include "loop/link_inner.h"

enum {
    SPARE_LEAST = 64 * 1024, /* less is not worth keeping */
    SPARE_MOST = 2 * 1024 * 1024,
    ENOUGH = 128 * 1024, /* for one turn; the next one costs little beside it */
    TOO_LONG = 2 * 1024 * 1024, /* for the others to wait until it is whole */
};

/* The message goes on in a spare buffer, if one is larger than its own. */
static void
use_spare(struct weft_loop *loop, struct weft_buf *own)
{
    size_t len = weft_buf_len(own);
    struct weft_buf *spare;

    if (loop->large_count == 0)
        return;
    spare = &loop->large[loop->large_count - 1];
    if (spare->cap <= own->cap)
        return;
    if (len > 0)
        memcpy(spare->data, weft_buf_head(own), len);
    weft_buf_deinit(own);
    *own = *spare;
    own->head = 0;
    own->tail = len;
    loop->large_count--;
}

void
weft_link_end_large(struct weft_link *k)
{
    struct weft_session *s = &k->flow->session;
    struct weft_buf *b = &s->message;
    struct weft_loop *loop = k->loop;

    if (b->cap < SPARE_LEAST || b->cap > SPARE_MOST || loop->arena == NULL
        || loop->large_count == WEFT_LARGE_BUFFERS)
        return; /* the session frees it */
    loop->large[loop->large_count++] = *b;
    *b = (struct weft_buf){ 0 };
    s->lent = false;
}

/*
 * n bytes more of a large message, or all that was missing.  The turn ends
 * with it; if it is not whole, it goes on in the next one, before others begin
 * theirs: so one after the other comes in and is handled while the processor
 * has it in its cache, and they need one buffer.
 */
static void
share_turn(struct weft_loop *loop, struct weft_session *s, size_t n)
{
    size_t len = weft_buf_len(&s->message);
    bool whole = weft_session_pending(s);

    if (whole ? len >= ENOUGH : n >= ENOUGH && len < TOO_LONG)
        loop->enough = true;
    loop->goes_on = loop->enough && !whole;
}

bool
weft_link_read_large(struct weft_link *k)
{
    struct weft_session *s = &k->flow->session;
    size_t len;
    uint8_t *to;
    long n;

    if (!k->wanted && !k->asked && !s->close_sent)
        return false; /* the read-ahead bound holds in the arena's way */
    if (!weft_session_has_room(s))
        return false;
    use_spare(k->loop, &s->message);
    to = weft_session_room(s, &len);
    if (to == NULL)
        return false;
    weft_link_refill(k);
    n = weft_link_receive(k, to, len);
    if (n == -EAGAIN)
        return true;
    if (n <= 0) {
        weft_link_input_ended(k, n);
        return true;
    }
    weft_session_received(s, (size_t)n);
    weft_link_count(k);
    if (weft_session_pending(s)) {
        weft_list_add(&k->loop->fed, &k->flow->fed);
        weft_link_mark(k);
    }
    share_turn(k->loop, s, (size_t)n);
    return true;
}
