/*
 * A link's messages: handed out one at a time, read ahead when nobody takes
 * them, and sent.  It must not know sockets.
 *
 * What is read ahead stands in one buffer, each message behind a small entry
 * that tells its size and kind.
 */
#include <string.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "net/clock.h"
#include "loop/room.h"

struct entry {
    uint32_t len;
    uint8_t type, opcode, last, unused;
};

/* The session may only be read while the link is open (and not at rest, where
 * there is nothing to read: see weft_flow_none). */
static bool
can_read(const struct weft_link *k)
{
    return k->state == WEFT_LINK_OPEN && !k->reading_over
           && k->flow->fault == 0;
}

static void
note_close(struct weft_link *k, const struct weft_event *ev)
{
    k->close_code = ev->code;
    weft_kept_add(&k->kept, WEFT_KEPT_REASON, /* without memory: none */
                  (struct weft_span){ (const char *)ev->data, ev->len });
    weft_link_blame(k, WEFT_CAUSE_PEER, NULL);
    weft_room_leave_all(k);
    k->reading_over = true;
    if (k->flow->ending == 0)
        k->flow->ending = k->loop->now;
    weft_link_mark_dirty(k); /* the answer; then the end of the connection */
    weft_link_mark(k);
    weft_link_retime(k);
}

static void
count_round_trip(struct weft_link *k, int64_t ns)
{
    weft_histogram_add(&k->counters->round_trips, (uint64_t)ns);
}

/* A pong answers its ping and all before it (5.5.3). */
static void
note_pong(struct weft_link *k, const struct weft_event *ev)
{
    struct weft_node *n = k->flow->pings.next;
    struct weft_ping *p;

    if (k->pinged != 0) {
        int64_t us = (k->loop->now - k->pinged) / 1000;

        count_round_trip(k, k->loop->now - k->pinged);
        k->latency = us < INT32_MAX ? (int32_t)us : INT32_MAX;
        k->pinged = 0;
        weft_link_retime(k); /* the next ping is nearer than the timeout was */
    }
    for (; n != &k->flow->pings; n = n->next) {
        p = WEFT_CONTAINER(n, struct weft_ping, node);
        if (p->len == ev->len && memcmp(p->payload, ev->data, p->len) == 0)
            break;
    }
    if (n == &k->flow->pings)
        return;
    for (struct weft_node *m = k->flow->pings.next;; m = m->next) {
        p = WEFT_CONTAINER(m, struct weft_ping, node);
        if (p->round_trip < 0) {
            p->round_trip = k->loop->now - p->sent;
            count_round_trip(k, p->round_trip);
        }
        if (m == n)
            break;
    }
    weft_link_mark(k);
}

/*
 * Reads on to the next message, from where the short way (rc) has come to:
 * WEFT_EVENT, WEFT_MORE, or a fault (which nobody has acted upon yet).
 * Control frames are seen to on the way.
 */
static enum weft_status
find_message(struct weft_link *k, struct weft_event *ev, enum weft_status rc)
{
    struct weft_flow *f = k->flow;

    if (f->session.lent)
        weft_link_end_large(k);
    if (f->input.len > 0)
        weft_link_catch_up(k); /* a close may be answered */
    weft_link_refill(k);
    for (; can_read(k); rc = WEFT_OK) {
        rc = weft_session_read_on(&f->session, &f->input, ev, rc);
        if (weft_outq_len(&f->session.out) > 0)
            weft_link_mark_dirty(k); /* pongs, the answer to a close */
        if (rc != WEFT_EVENT)
            return rc;
        switch (ev->type) {
        case WEFT_EVENT_MESSAGE:
        case WEFT_EVENT_CHUNK:
            if (ev->type == WEFT_EVENT_CHUNK && ev->last)
                weft_session_stream(&f->session, false);
            k->last_message = k->loop->now;
            if (f->session.close_sent)
                break; /* 1.4: after our close, what comes in is dropped */
            k->counters->messages_in += ev->last;
            return rc;
        case WEFT_EVENT_PING:
            break;
        case WEFT_EVENT_PONG:
            note_pong(k, ev);
            break;
        case WEFT_EVENT_CLOSE:
            note_close(k, ev);
            break;
        }
    }
    return WEFT_MORE;
}

static enum weft_status
read_message(struct weft_link *k, struct weft_event *ev, enum weft_status rc)
{
    const struct weft_buf *message = &k->flow->session.message;
    size_t before = weft_buf_len(message);

    rc = find_message(k, ev, rc);
    if (weft_buf_len(message) != before || k->flow->rest != NULL)
        weft_link_count(k);
    return rc;
}

static void
lend_ahead(struct weft_link *k)
{
    struct entry e;
    const uint8_t *at = weft_buf_head(&k->flow->ahead);

    memcpy(&e, at, sizeof(e));
    k->flow->event = (struct weft_event){
        .type = (enum weft_event_type)e.type, .opcode = e.opcode,
        .last = e.last != 0, .data = at + sizeof(e), .len = e.len
    };
    k->from_ahead = true;
    k->lent = true;
}

/* Somebody has use for more than was read ahead. */
static void
read_again(struct weft_link *k)
{
    if (k->state == WEFT_LINK_OPEN && !k->reading_over
        && k->flow->fault >= 0 && !weft_link_is_reading(k))
        weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
}

enum weft_status
weft_link_next_any(struct weft_link *k, enum weft_status rc)
{
    if (!k->lent && weft_buf_len(&k->flow->ahead) > 0)
        lend_ahead(k);
    if (!k->lent) {
        k->owes = false; /* whoever asks for more has said what it had to */
        rc = k->flow->fault < 0 ? k->flow->fault
                                : read_message(k, &k->flow->event, rc);
        if (rc == WEFT_EVENT)
            k->lent = true;
        else if (rc < 0)
            weft_link_fail(k, rc);
    }
    if (k->lent)
        return WEFT_EVENT;
    if (k->reading_over || k->state == WEFT_LINK_CLOSED)
        return WEFT_E_CLOSED;
    k->asked = true;
    read_again(k);
    return WEFT_MORE;
}

/*
 * What is compressed may inflate a thousandfold, so how much is read ahead is
 * not bounded by how much is received.
 */
static bool
is_ahead_full(const struct weft_link *k)
{
    return k->deflate != NULL && !k->flow->session.close_sent
           && weft_buf_len(&k->flow->ahead) >= k->config->receive_buffer;
}

void
weft_link_taken_ahead(struct weft_link *k)
{
    k->from_ahead = false;
    weft_buf_consume(&k->flow->ahead,
                     sizeof(struct entry) + k->flow->event.len);
    if (k->flow->input.len > 0 && !is_ahead_full(k)) {
        weft_list_add(&k->loop->fed, &k->flow->fed); /* there is room */
        weft_loop_stir(k->loop);
    }
    weft_link_count(k);
    if (weft_buf_len(&k->flow->ahead) > 0)
        return;
    weft_buf_deinit(&k->flow->ahead);
    weft_flow_touch(k->flow);
    read_again(k); /* nobody may ask for more, but a close may come */
}

bool
weft_link_has_next(const struct weft_link *k)
{
    return k->lent || weft_buf_len(&k->flow->ahead) > 0 || k->reading_over
           || k->flow->fault < 0 || k->flow->input.len > 0
           || weft_session_pending(&k->flow->session);
}

size_t
weft_link_read_limit(const struct weft_link *k)
{
    size_t held, bound = k->config->receive_buffer;

    if (k->wanted || k->flow->session.close_sent)
        return WEFT_SLICE;
    held = weft_buf_len(&k->flow->ahead) + weft_session_held(&k->flow->session);
    if (k->asked && weft_buf_len(&k->flow->ahead) == 0)
        return WEFT_SLICE; /* a message above the bound comes in by asking */
    if (held >= bound)
        return 0;
    return bound - held < WEFT_SLICE ? bound - held : WEFT_SLICE;
}

void
weft_link_want(struct weft_link *k, bool wanted)
{
    k->wanted = wanted;
    if (wanted)
        read_again(k);
}

/* Drops what has been read of a message in chunks; true: to its end. */
static bool
skip_chunks(struct weft_link *k)
{
    bool last = false;

    while (!last && (k->lent || weft_buf_len(&k->flow->ahead) > 0)) {
        if (!k->lent)
            lend_ahead(k);
        if (k->flow->event.type != WEFT_EVENT_CHUNK)
            break;
        last = k->flow->event.last;
        weft_link_taken(k);
    }
    return last;
}

void
weft_link_stream(struct weft_link *k, bool on)
{
    if (k->state == WEFT_LINK_CLOSED || (!weft_link_is_awake(k) && !on))
        return;
    if (!weft_link_wake(k)) {
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
        return;
    }
    weft_flow_touch(k->flow);
    if (!on && !skip_chunks(k))
        weft_session_stream(&k->flow->session, false);
    else if (on && !k->lent && weft_buf_len(&k->flow->ahead) == 0)
        weft_session_stream(&k->flow->session, true);
}

bool
weft_link_holds_input(struct weft_link *k)
{
    if (k->flow->input.len == 0)
        return false;
    if (is_ahead_full(k))
        weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
    else
        weft_list_add(&k->loop->fed, &k->flow->fed);
    return true;
}

/* What is left of the input, once no more of it may be read ahead, outlives
 * the arena. */
static enum weft_status
keep_input(struct weft_link *k)
{
    size_t len = can_read(k) ? k->flow->input.len : 0;
    uint8_t *kept = len > 0 ? weft_realloc(NULL, len) : NULL;
    enum weft_status rc = len > 0 && kept == NULL ? WEFT_E_MEMORY : WEFT_OK;

    if (kept != NULL)
        memcpy(kept, k->flow->input.data, len);
    k->flow->input = (struct weft_input){ kept, kept != NULL ? len : 0 };
    if (kept != k->flow->rest) {
        weft_free(k->flow->rest);
        k->flow->rest = kept;
        weft_link_count(k);
    }
    return rc;
}

static enum weft_status
put_ahead(struct weft_link *k, const struct weft_event *ev)
{
    struct entry e = { .type = (uint8_t)ev->type,
                       .opcode = ev->opcode,
                       .last = ev->last,
                       .len = (uint32_t)ev->len };
    uint8_t *to;

    if (ev->len > UINT32_MAX)
        return WEFT_E_MEMORY;
    to = weft_buf_reserve(&k->flow->ahead, sizeof(e) + ev->len);
    if (to == NULL)
        return WEFT_E_MEMORY;
    memcpy(to, &e, sizeof(e));
    if (ev->len > 0)
        memcpy(to + sizeof(e), ev->data, ev->len);
    weft_buf_commit(&k->flow->ahead, sizeof(e) + ev->len);
    return WEFT_OK;
}

/* A fault waits until what came before it has been answered. */
static void
note_fault(struct weft_link *k, enum weft_status fault)
{
    if (weft_buf_len(&k->flow->ahead) == 0 && !k->owes) {
        weft_link_fail(k, fault);
        return;
    }
    k->flow->fault = fault;
    if (k->flow->ending == 0)
        k->flow->ending = k->loop->now;
    weft_link_mark(k);
    weft_link_retime(k);
}

/* The arena bounds what a turn reads ahead, but not what it inflates for that:
 * one message of each connection when it is late. */
static bool
inflates_late(const struct weft_link *k)
{
    return k->deflate != NULL && weft_loop_is_late(k->loop);
}

/*
 * The end of a turn: input that nobody pulled is read ahead, since the arena
 * is the next turn's.  Control frames act here too.
 */
void
weft_link_settle(struct weft_link *k)
{
    struct weft_event ev;
    enum weft_status rc = WEFT_OK, kept;
    bool any = false;

    weft_flow_touch(k->flow);
    if (k->lent && !k->from_ahead) {
        rc = put_ahead(k, &k->flow->event);
        any = true;
    }
    k->lent = k->from_ahead = false; /* `ahead` may move; it lends again */
    while (rc >= 0 && !is_ahead_full(k) && !(any && inflates_late(k))
           && (rc = read_message(k, &ev, WEFT_OK)) == WEFT_EVENT) {
        rc = put_ahead(k, &ev);
        any = true;
    }
    if (rc < 0) /* nothing after the bad frame is looked at */
        k->flow->input.len = 0;
    kept = keep_input(k);
    if (rc < 0 || kept < 0)
        note_fault(k, rc < 0 ? rc : kept);
    weft_link_holds_input(k); /* the keepalive stands still from here on */
    if (any) {
        weft_link_count(k);
        weft_link_mark(k);
    }
}

/* Whether the link may be sent to; it is ready for it then. */
static inline enum weft_status
begin_sending(struct weft_link *k)
{
    weft_link_catch_up(k);
    if (!weft_link_is_open(k))
        return WEFT_E_CLOSED;
    return weft_link_get_buffer(k) ? WEFT_OK : WEFT_E_MEMORY;
}

static enum weft_status
sent(struct weft_link *k, enum weft_status rc)
{
    if (rc != WEFT_OK)
        return rc;
    k->last_message = k->loop->now;
    k->counters->messages_out++;
    weft_link_mark_dirty(k);
    weft_link_count(k);
    return rc;
}

enum weft_status
weft_link_send(struct weft_link *k, enum weft_opcode opcode,
               const void *data, size_t len)
{
    enum weft_status rc = begin_sending(k);

    if (rc != WEFT_OK)
        return rc;
    return sent(k, weft_session_send(&k->flow->session, opcode, data, len));
}

enum weft_status
weft_link_send_plain(struct weft_link *k, enum weft_opcode opcode,
                     const void *data, size_t len)
{
    enum weft_status rc = begin_sending(k);

    if (rc != WEFT_OK)
        return rc;
    return sent(k, weft_session_send_plain(&k->flow->session, opcode, data,
                                           len));
}

enum weft_status
weft_link_send_borrowed(struct weft_link *k, enum weft_opcode opcode,
                        const void *data, size_t len)
{
    enum weft_status rc = begin_sending(k);

    if (rc != WEFT_OK)
        return rc;
    return sent(k, weft_session_send_borrowed(&k->flow->session, opcode, data,
                                              len));
}

enum weft_status
weft_link_send_chunk_any(struct weft_link *k, struct weft_chunk *frame)
{
    return sent(k, weft_session_send_chunk(&k->flow->session, frame));
}

static enum weft_status
wrote(struct weft_link *k, enum weft_status rc, bool last)
{
    if (rc != WEFT_OK || last)
        return sent(k, rc);
    weft_link_mark_dirty(k);
    weft_link_count(k);
    return rc;
}

enum weft_status
weft_link_write(struct weft_link *k, enum weft_opcode opcode,
                const void *data, size_t len, bool last)
{
    enum weft_status rc = begin_sending(k);

    if (rc != WEFT_OK)
        return rc;
    return wrote(k, weft_session_write(&k->flow->session, opcode, data, len,
                                       last),
                 last);
}

enum weft_status
weft_link_write_plain(struct weft_link *k, enum weft_opcode opcode,
                      const void *data, size_t len, bool last)
{
    enum weft_status rc = begin_sending(k);

    if (rc != WEFT_OK)
        return rc;
    return wrote(k, weft_session_write_plain(&k->flow->session, opcode, data,
                                             len, last),
                 last);
}

enum weft_status
weft_link_ping(struct weft_link *k, struct weft_ping *p)
{
    enum weft_status rc;

    weft_link_catch_up(k);
    if (!weft_link_is_open(k))
        return WEFT_E_CLOSED;
    if (!weft_link_wake(k))
        return WEFT_E_MEMORY;
    rc = weft_session_ping(&k->flow->session, p->payload, p->len);
    if (rc != WEFT_OK)
        return rc;
    p->sent = k->loop->now = weft_now();
    p->round_trip = -1;
    weft_list_add(&k->flow->pings, &p->node);
    k->counters->pings++;
    weft_link_mark_dirty(k);
    return WEFT_OK;
}
