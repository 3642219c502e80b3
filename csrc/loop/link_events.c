/*
 * A link as an event stream: a request is answered with one that goes on, and
 * from there it is a link in state OPEN whose session speaks events.  It must
 * not know what an event looks like.
 *
 * Nothing that the client sends has a meaning; that it goes is the one thing
 * to be heard of it.
 */
#include "loop/link_inner.h"
#include "proto/events.h"

static enum weft_status
queue_head(struct weft_link *k, struct weft_span headers, int64_t retry)
{
    struct weft_buf out = { 0 };
    enum weft_status rc = weft_sse_head(&out, headers,
                                        weft_loop_date(k->loop),
                                        k->head_only ? -1 : retry);

    if (rc == WEFT_OK)
        return weft_link_queue(k, &out);
    weft_buf_deinit(&out);
    return rc;
}

enum weft_status
weft_link_begin_events(struct weft_link *k, struct weft_span headers,
                       int64_t retry)
{
    static const struct weft_deflate_agreed none;
    enum weft_status rc;

    if (k->state != WEFT_LINK_ASKED)
        return WEFT_E_CLOSED;
    rc = queue_head(k, headers, retry);
    if (rc == WEFT_OK)
        rc = weft_link_begin(k, (struct weft_span){ "", 0 }, &none);
    if (rc != WEFT_OK) {
        weft_link_out_of_memory(k);
        return rc;
    }
    if (k->state != WEFT_LINK_OPEN)
        return WEFT_E_CLOSED;
    k->role = WEFT_EVENTS;
    weft_session_speak_events(&k->flow->session);
    weft_link_mark_dirty(k);
    if (k->head_only)
        weft_link_close(k, 1000, (struct weft_span){ "", 0 },
                        WEFT_CAUSE_LOCAL);
    return WEFT_OK;
}

void
weft_link_keep_events(struct weft_link *k)
{
    static const char comment[] = ":\n\n";

    k->pinged = k->loop->now;
    if (weft_link_queued(k) > 0)
        return; /* what waits says as much */
    if (!weft_link_wake(k)
        || weft_session_send(&k->flow->session,
                             (enum weft_opcode)WEFT_ENCODED, comment,
                             sizeof(comment) - 1) != WEFT_OK) {
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
        return;
    }
    weft_link_mark_dirty(k);
}

void
weft_link_client_went(struct weft_link *k)
{
    struct weft_session *s = &k->flow->session;

    if (weft_link_queued(k) == 0) {
        s->close_sent = s->close_received = true; /* an orderly end */
        k->close_code = 1005;
    }
    weft_link_finish(k, WEFT_CAUSE_PEER, "the client closed the stream");
}
