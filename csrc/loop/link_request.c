/*
 * Requests on a server's connection before its data phase: their bodies, and
 * the one that comes behind another.  It must not know how they are answered.
 */
#include "loop/link_inner.h"

enum { BODY_STEP = 16 * 1024 }; /* bytes read at a time */

/* RFC 9110, 10.1.1: whoever has begun with the body needs no word. */
static enum weft_status
tell_to_continue(struct weft_link *k)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct weft_opening *o = k->flow->opening;
    struct weft_buf out = { 0 };

    if (o->head.minor == 0 || weft_opening_rest(o).len > 0
        || !weft_http_has_token(&o->head, weft_opening_head(o).data, "expect",
                                "100-continue"))
        return WEFT_OK;
    if (weft_buf_add(&out, text, sizeof(text) - 1) != WEFT_OK
        || weft_link_queue(k, &out) != WEFT_OK)
        return WEFT_E_MEMORY;
    weft_link_mark_dirty(k);
    return WEFT_OK;
}

/* How far the body has come; a fault is answered. */
static enum weft_status
body_looked_at(struct weft_link *k, enum weft_status rc)
{
    struct weft_answer *a = &k->flow->answer;
    const struct weft_http_body *b = &k->flow->opening->framing;

    a->reads_body = rc == WEFT_MORE;
    if (rc == WEFT_MORE) {
        weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
        weft_link_retime(k);
        return k->state == WEFT_LINK_ASKED ? rc : WEFT_E_CLOSED;
    }
    weft_link_mark(k);
    if (rc == WEFT_OK) {
        a->body_read = true;
        return rc;
    }
    if (rc == WEFT_E_HEAD)
        weft_link_refuse(k, b->error, b->why);
    else
        weft_link_out_of_memory(k);
    return WEFT_E_CLOSED;
}

enum weft_status
weft_link_want_body(struct weft_link *k)
{
    struct weft_opening *o = k->flow->opening;
    enum weft_status rc;

    if (k->state != WEFT_LINK_ASKED)
        return WEFT_E_CLOSED;
    if (k->flow->answer.body_read)
        return WEFT_OK;
    if (k->flow->answer.reads_body)
        return WEFT_MORE;
    rc = o->framing.error != 0 ? WEFT_E_HEAD : tell_to_continue(k);
    if (rc == WEFT_OK)
        rc = weft_opening_read_body(o);
    return body_looked_at(k, rc);
}

struct weft_span
weft_link_body(const struct weft_link *k)
{
    const struct weft_buf *b = &k->flow->opening->body;

    if (weft_buf_len(b) == 0)
        return (struct weft_span){ "", 0 };
    return (struct weft_span){ (const char *)weft_buf_head(b),
                               weft_buf_len(b) };
}

void
weft_link_read_asked(struct weft_link *k)
{
    if (!k->flow->answer.reads_body) /* wait for the answer */
        weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
    else if (weft_link_receive_opening(k, BODY_STEP))
        body_looked_at(k, weft_opening_read_body(k->flow->opening));
}

void
weft_link_next_request(struct weft_link *k)
{
    struct weft_opening *o = k->flow->opening;

    weft_opening_again(o);
    weft_kept_drop(k->kept, WEFT_KEPT_CLIENT); /* it may be another's */
    k->flow->answer = (struct weft_answer){ 0 };
    k->head_only = false;
    k->cause = WEFT_CAUSE_NONE;
    k->opened = k->loop->now;
    k->state = WEFT_LINK_HANDSHAKE;
    k->again = true;
    weft_link_count(k);
    weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
    weft_link_retime(k);
    if (k->state == WEFT_LINK_HANDSHAKE && weft_buf_len(&o->bytes) > 0)
        weft_link_look_at_head(k);
}

bool
weft_link_is_in_request(const struct weft_link *k)
{
    return k->role == WEFT_SERVER
           && ((k->state == WEFT_LINK_HANDSHAKE
                && weft_buf_len(&k->flow->opening->bytes) > 0)
               || (k->state == WEFT_LINK_ASKED
                   && k->flow->answer.reads_body));
}
