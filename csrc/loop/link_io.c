/*
 * A link's bytes: from the socket into the loop's arena, and from the output
 * queue to the socket.  It must not know what the bytes mean.
 */
#include <errno.h>
#include <string.h>

#include "loop/link_inner.h"
#include "loop/memory.h"
#include "net/sock.h"

enum {
    DISCARD_MAX = 1024 * 1024, /* bytes thrown away while lingering */
    SPANS = 64,
    SPARE_CAP_MAX = 64 * 1024,
    ALIGN = 64,
};

/* The system lets this side down; who is connecting hears of what. */
static void
let_down(struct weft_link *k, enum weft_cause cause, const char *why)
{
    char to[WEFT_TARGET_TEXT];

    if (k->role != WEFT_CLIENT || k->state >= WEFT_LINK_OPEN) {
        weft_link_finish(k, cause, why);
        return;
    }
    weft_link_name_target(k, to);
    weft_link_fail_opening(k, "system", cause, "connect to %.256s: %s", to,
                           why);
}

void
weft_link_watch(struct weft_link *k, uint8_t wanted)
{
    bool was_reading = weft_link_is_reading(k);

    if (k->state == WEFT_LINK_IDLE || k->state == WEFT_LINK_CLOSED)
        return;
    if (k->watch.fd < 0) {
        k->watch.wanted = wanted;
        weft_pair_watch(k);
    } else if (weft_poller_set(k->loop->poller, &k->watch, wanted)
               != WEFT_OK) {
        let_down(k, WEFT_CAUSE_ERROR, "the poller failed");
        return;
    }
    if (was_reading != weft_link_is_reading(k))
        weft_quota_watch(k);
    if (!was_reading && weft_link_is_reading(k)) {
        k->life = k->loop->now; /* the keepalive clock stood still */
        weft_link_retime(k);
        if (weft_link_is_sealed(k))
            weft_sealed_watch(k);
    }
}

long
weft_link_receive(struct weft_link *k, void *to, size_t len)
{
    long n;

    if (weft_link_is_sealed(k))
        n = weft_sealed_receive(k, to, len);
    else if (k->watch.fd < 0)
        n = weft_pair_receive(k, to, len);
    else
        n = weft_sock_recv(k->watch.fd, to, len);
    if (n > 0) {
        k->counters->bytes_in += (uint64_t)n;
        k->asked = false;
        k->life = k->loop->now;
    }
    return n;
}

void
weft_link_input_ended(struct weft_link *k, long n)
{
    if (n == 0 && k->was_reset)
        weft_link_finish(k, WEFT_CAUSE_RESET, weft_error_words(ECONNRESET));
    else if (n == 0 && k->role == WEFT_EVENTS)
        weft_link_client_went(k);
    else if (n == 0)
        weft_link_finish(k, WEFT_CAUSE_EOF,
                         "the peer went without a close frame");
    else if (n == -EPROTO && k->tls != NULL)
        weft_link_finish(k, WEFT_CAUSE_TLS, weft_tls_why(k->tls));
    else
        weft_link_finish(k, WEFT_CAUSE_RESET, weft_error_words((int)-n));
}

/* Has the link looked at again in the next turn, whatever is in the way. The
 * kernel, level triggered, needs no reminder. */
static void
read_later(struct weft_link *k)
{
    if (weft_link_is_sealed(k))
        weft_sealed_watch(k);
    else if (k->watch.fd < 0)
        weft_pair_watch(k);
}

void
weft_link_hears_no_more(struct weft_link *k)
{
    k->inbox_ended = true;
    weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
}

static void
discard(struct weft_link *k)
{
    size_t len = WEFT_ARENA - k->loop->arena_used;
    long n;

    if (len > WEFT_SLICE)
        len = WEFT_SLICE;
    if (len == 0) {
        read_later(k);
        return;
    }
    n = weft_link_receive(k, k->loop->arena + k->loop->arena_used, len);
    if (n == -EAGAIN)
        return;
    if (n == 0 && weft_link_queued(k) > 0) {
        weft_link_hears_no_more(k);
        return;
    }
    if (n <= 0) {
        weft_link_input_ended(k, n);
        return;
    }
    k->flow->discarded += (uint32_t)n;
    /* unread, not reset: till the deadline */
    if (k->flow->discarded > DISCARD_MAX)
        weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
}

/* Receives into a slice of the arena, for this turn. */
static void
read_into_arena(struct weft_link *k)
{
    struct weft_loop *loop = k->loop;
    size_t limit = weft_link_read_limit(k);
    size_t left = WEFT_ARENA - loop->arena_used;
    uint8_t *to = loop->arena + loop->arena_used;
    long n;

    if (limit == 0) { /* nobody receives: let TCP push back */
        weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
        return;
    }
    if (left < WEFT_SLICE_MIN) {
        read_later(k);
        return;
    }
    if (limit > left)
        limit = left;
    if (limit > loop->share)
        limit = loop->share;
    loop->reads++;
    n = weft_link_receive(k, to, limit);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        weft_link_input_ended(k, n);
        return;
    }
    loop->arena_used += ((size_t)n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (loop->arena_used > WEFT_ARENA)
        loop->arena_used = WEFT_ARENA;
    k->flow->input = (struct weft_input){ to, (size_t)n };
    weft_list_add(&loop->fed, &k->flow->fed);
    weft_link_mark(k);
}

static void
read_open(struct weft_link *k)
{
    if (weft_node_linked(&k->flow->fed)) {
        read_later(k); /* what has come in this turn goes first */
        return;
    }
    if (k->flow->fault < 0) {
        weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
        return; /* nothing after the bad frame is looked at */
    }
    if (weft_link_holds_input(k)) {
        read_later(k); /* or when it is read again: it may have stopped that */
        return;
    }
    if (!weft_link_read_large(k))
        read_into_arena(k);
}

static void
read_link(struct weft_link *k)
{
    switch (k->state) {
    case WEFT_LINK_TUNNEL:
        weft_link_read_tunnel(k);
        break;
    case WEFT_LINK_PROXY_HEAD:
        weft_link_read_proxy_head(k);
        break;
    case WEFT_LINK_SECURING:
        weft_link_secure_later(k);
        break;
    case WEFT_LINK_HANDSHAKE:
        weft_link_read_head(k);
        break;
    case WEFT_LINK_BODY:
        weft_link_read_body(k);
        break;
    case WEFT_LINK_OPEN:
        read_open(k);
        break;
    case WEFT_LINK_LINGER:
        discard(k);
        break;
    case WEFT_LINK_ASKED:
        weft_link_read_asked(k);
        break;
    case WEFT_LINK_ANSWERING: /* the next request waits */
        weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
        break;
    case WEFT_LINK_IDLE:
    case WEFT_LINK_DIALLING:
    case WEFT_LINK_CLOSED:
        break;
    }
}

void
weft_link_ready(struct weft_link *k, uint8_t what)
{
    if (!weft_link_wake(k)) {
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
        return;
    }
    weft_flow_touch(k->flow);
    if (what & WEFT_WRITABLE)
        weft_link_mark_dirty(k);
    if (what & (WEFT_READABLE | WEFT_HANGUP)) {
        if (weft_link_is_reading(k))
            read_link(k);
        else if (what & WEFT_HANGUP) /* seen when somebody reads again */
            weft_link_watch(k, 0);
    }
    weft_loop_relieve(k->loop);
}

/* Takes a used buffer over for the next message, or gives one back. */
static void
return_buffer(struct weft_link *k)
{
    struct weft_buf *b = &k->flow->session.out.bytes;
    struct weft_loop *loop = k->loop;

    if (b->data == NULL)
        return;
    if (loop->spare_count < WEFT_SPARES && b->cap <= SPARE_CAP_MAX) {
        b->head = b->tail = 0;
        loop->spares[loop->spare_count++] = *b;
        *b = (struct weft_buf){ 0 };
    } else {
        weft_buf_deinit(b);
    }
}

/* The socket takes nothing any more; what came before is still read. */
static void
output_broken(struct weft_link *k, long error)
{
    struct weft_outq *out = &k->flow->session.out;

    k->write_dead = true;
    k->was_reset = error == -ECONNRESET;
    weft_outq_deinit(out);
    k->flow->stalled = 0;
    weft_link_mark(k);
    if (k->state != WEFT_LINK_OPEN || k->reading_over) {
        let_down(k, WEFT_CAUSE_RESET,
                 weft_error_words((int)-error));
        return;
    }
    if (k->flow->ending == 0)
        k->flow->ending = k->loop->now;
    weft_link_watch(k, WEFT_READABLE);
    weft_link_retime(k);
}

static void
output_stalls(struct weft_link *k)
{
    weft_session_set_blocked(&k->flow->session, true);
    if (k->flow->stalled == 0)
        k->flow->stalled = k->loop->now;
    if (weft_link_is_sealed(k) && weft_tls_is_stuck(k->tls))
        weft_link_watch(k, k->watch.wanted & WEFT_READABLE);
    else
        weft_link_watch(k, k->watch.wanted | WEFT_WRITABLE);
    weft_link_retime(k);
}

/* Sends once; true when all that was queued then is gone. */
static bool
send_some(struct weft_link *k)
{
    struct weft_outq *out = &k->flow->session.out;
    struct weft_span spans[SPANS];
    int count = weft_outq_spans(out, spans, SPANS);
    size_t size = 0;
    bool sealed = weft_link_is_sealed(k);
    long n;

    for (int i = 0; i < count; i++)
        size += spans[i].len;
    if (sealed)
        n = weft_sealed_send(k, spans, count);
    else if (k->watch.fd < 0)
        n = weft_pair_send(k, spans, count);
    else
        n = weft_sock_sendv(k->watch.fd, spans, count);
    if (n == -EAGAIN) {
        output_stalls(k);
        return false;
    }
    if (n < 0) {
        output_broken(k, n);
        return false;
    }
    if (k->flow->opening == NULL)
        weft_session_sent(&k->flow->session, spans, (size_t)n);
    else /* HTTP */
        weft_outq_consume(out, (size_t)n);
    k->counters->bytes_out += (uint64_t)n;
    if (!sealed) { /* else ciphertext has been counted where it was sent */
        k->life = k->loop->now;
        k->flow->stalled = 0;
    }
    if (k->drain)
        weft_link_mark(k);
    if (sealed ? weft_buf_len(weft_tls_pending(k->tls)) > 0
               : (size_t)n < size) {
        output_stalls(k);
        return false;
    }
    return true;
}

/* Sends close_notify, if there is TLS; true when that is gone too. */
static bool
end_sealed(struct weft_link *k)
{
    if (!weft_link_is_sealed(k))
        return true;
    weft_tls_end(k->tls);
    return weft_link_backlog(k) == 0 || send_some(k);
}

/* All is sent: is the connection to end? (7.1.1) */
static void
output_done(struct weft_link *k)
{
    if (k->flow->ending != 0 && !k->ending_sent) {
        k->ending_sent = true; /* close_timeout counts from here */
        k->flow->ending = k->loop->now;
    }
    if (k->state == WEFT_LINK_LINGER && end_sealed(k)) {
        if (k->watch.fd >= 0)
            weft_sock_shutdown_write(k->watch.fd);
        else
            weft_pair_end(k);
        if (k->inbox_ended)
            weft_link_finish(k, WEFT_CAUSE_EOF, NULL);
    } else if (k->state == WEFT_LINK_ANSWERING) {
        weft_link_advance(k);
    } else if (k->state == WEFT_LINK_OPEN
               && weft_session_closed(&k->flow->session)
               && k->role == WEFT_SERVER) {
        weft_link_finish(k, WEFT_CAUSE_PEER, NULL);
    }
}

bool
weft_link_send_now(struct weft_link *k, struct weft_chunk *c)
{
    struct weft_span all = { (const char *)c->bytes, c->len };
    long n = 0;

    if (weft_link_queued(k) == 0 && k->watch.fd >= 0 && k->tls == NULL)
        n = weft_sock_sendv(k->watch.fd, &all, 1);
    if (n > 0)
        k->counters->bytes_out += (uint64_t)n;
    if (n == (long)c->len) {
        k->counters->messages_out++;
        k->last_message = k->life = k->loop->now;
        return true;
    }
    if (!weft_link_wake(k)) {
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
        return false;
    }
    if (n < 0 && n != -EAGAIN) {
        output_broken(k, n);
        return false;
    }
    if (weft_link_send_chunk(k, c) != WEFT_OK) {
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
        return false;
    }
    if (n > 0) {
        weft_session_sent(&k->flow->session, &all, (size_t)n);
        k->life = k->loop->now;
    }
    weft_link_count(k);
    return true;
}

/* Sends all that is queued; false: the socket does not take it. */
static bool
send_queued(struct weft_link *k)
{
    struct weft_outq *out = &k->flow->session.out;

    while (weft_link_backlog(k) > 0) {
        if (!send_some(k))
            return false;
        if (weft_outq_len(out) == 0 && k->flow->session.blocked)
            weft_session_set_blocked(&k->flow->session, false);
    }
    return true;
}

static void
flush(struct weft_link *k)
{
    weft_link_catch_up(k);
    if (k->state == WEFT_LINK_IDLE || k->state == WEFT_LINK_CLOSED
        || k->state == WEFT_LINK_DIALLING)
        return;
    if (!weft_link_is_awake(k))
        return; /* it has nothing to send */
    if (!send_queued(k) || weft_link_add_piece(k))
        return;
    weft_session_set_blocked(&k->flow->session, false);
    return_buffer(k);
    weft_flow_touch(k->flow);
    if (k->watch.wanted & WEFT_WRITABLE)
        weft_link_watch(k, k->watch.wanted & WEFT_READABLE);
    if (k->drain)
        weft_link_mark(k);
    output_done(k);
}

void
weft_link_flush(struct weft_link *k)
{
    flush(k);
    weft_link_count(k);
}
