/*
 * A server's answers to plain requests: whole ones, and ones that are written
 * piece by piece.  It must not know how requests are read.
 */
#include <errno.h>
#include <string.h>

#include "loop/link_inner.h"
#include "loop/listener.h"
#include "net/clock.h"
#include "net/sock.h"

/* ---- what becomes of the connection */

void
weft_link_end_with_answer(struct weft_link *k)
{
    weft_link_blame(k, WEFT_CAUSE_LOCAL, NULL);
    k->state = WEFT_LINK_LINGER;
    k->flow->ending = k->loop->now = weft_now();
    k->reading_over = true;
    weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
    weft_link_mark_dirty(k);
    weft_link_mark(k);
    weft_link_retime(k);
}

void
weft_link_shut_down(struct weft_link *k)
{
    if (k->state == WEFT_LINK_OPEN) {
        weft_link_close(k, 1001, (struct weft_span){ "", 0 },
                        WEFT_CAUSE_SHUTDOWN);
    } else if (k->state == WEFT_LINK_HANDSHAKE && weft_link_queued(k) > 0) {
        weft_link_blame(k, WEFT_CAUSE_SHUTDOWN, NULL);
        weft_link_end_with_answer(k);
    } else if (k->state < WEFT_LINK_ASKED) {
        weft_link_abort(k, WEFT_CAUSE_SHUTDOWN, NULL);
    }
}

bool
weft_link_is_idle(const struct weft_link *k)
{
    return k->state == WEFT_LINK_HANDSHAKE && k->again
           && !weft_link_is_in_request(k);
}

bool
weft_link_is_opening(const struct weft_link *k)
{
    if (k->state == WEFT_LINK_ASKED)
        return k->flow->opening->kind != WEFT_REQUEST_HTTP;
    return k->state < WEFT_LINK_ASKED && !weft_link_is_idle(k);
}

static bool
is_accepting(const struct weft_listener *s)
{
    return s != NULL && s->watch.fd >= 0;
}

static bool
wishes(const struct weft_opening *o, const char *what)
{
    return weft_http_has_token(&o->head, weft_opening_head(o).data,
                               "connection", what);
}

/* Whether another request may come behind this one (RFC 9112, 9.3).  A body
 * that nobody has read would be taken for it. */
static bool
may_keep(const struct weft_link *k, struct weft_span headers)
{
    const struct weft_opening *o = k->flow->opening;

    return o->kind == WEFT_REQUEST_HTTP && k->flow->answer.body_read
           && is_accepting(k->listener)
           && !weft_http_lines_name(headers, "connection")
           && !wishes(o, "close")
           && (o->head.minor != 0 || wishes(o, "keep-alive"));
}

/* Those that came at once are answered at once.  To wait for one that has not
 * come begins when the client has the answer: it is no idle one before. */
static bool
is_next_due(const struct weft_link *k)
{
    size_t queued = weft_link_queued(k);

    return queued == 0
           || (queued <= k->config->send_buffer
               && weft_opening_rest(k->flow->opening).len > 0);
}

/* The connection goes on when the response is whole and nobody looks at the
 * request any more. */
void
weft_link_advance(struct weft_link *k)
{
    const struct weft_answer *a = &k->flow->answer;

    if (k->state != WEFT_LINK_ANSWERING || !a->whole)
        return;
    if (!a->keeps || !is_accepting(k->listener))
        weft_link_end_with_answer(k);
    else if (a->released && is_next_due(k))
        weft_link_next_request(k);
}

/* What has been written leaves, and the peer can tell that there is more: by
 * the framing, or else by a reset. */
static void
break_off(struct weft_link *k)
{
    const struct weft_answer *a = &k->flow->answer;

    k->cause = WEFT_CAUSE_ERROR;
    if (a->chunked || a->left != WEFT_UNKNOWN) {
        weft_link_tell_answer(k);
        weft_link_end_with_answer(k);
        return;
    }
    weft_link_watch(k, 0);
    weft_sock_reset(&k->watch.fd);
    weft_link_abort(k, WEFT_CAUSE_ERROR, NULL);
}

void
weft_link_retract(struct weft_link *k)
{
    struct weft_answer *a = &k->flow->answer;

    if (k->state != WEFT_LINK_ANSWERING || a->whole || a->has_file
        || a->written > 0 || weft_link_queued(k) < a->head)
        return; /* the head is the last that was queued */
    weft_outq_take_back(&k->flow->session.out, a->head);
    if (a->is_refused)
        k->counters->refused[a->why]--; /* who answers now counts it */
    a->status = 0;
    a->is_refused = false;
    k->state = WEFT_LINK_ASKED;
    weft_link_count(k);
    weft_link_retime(k);
}

void
weft_link_release(struct weft_link *k)
{
    struct weft_answer *a = &k->flow->answer;

    if (k->state != WEFT_LINK_ANSWERING)
        return;
    if (!a->whole && !a->has_file) {
        break_off(k);
        return;
    }
    a->released = true;
    weft_link_advance(k);
}

/* ---- heads */

/* The framing of a body whose length may not be known. */
static enum weft_http_framing
framing_for(const struct weft_link *k, uint64_t length)
{
    if (length != WEFT_UNKNOWN)
        return WEFT_FRAMED_LENGTH;
    return k->flow->opening->head.minor == 0 ? WEFT_FRAMED_END
                                             : WEFT_FRAMED_CHUNKS;
}

static enum weft_http_then
then_for(const struct weft_link *k)
{
    if (!k->flow->answer.keeps)
        return WEFT_THEN_CLOSE;
    return k->flow->opening->head.minor == 0 ? WEFT_THEN_KEEP_OLD
                                             : WEFT_THEN_KEEP;
}

/* Queues the head; the answer has begun then. */
static enum weft_status
begin(struct weft_link *k, unsigned status, struct weft_span headers,
      uint64_t length)
{
    struct weft_answer *a = &k->flow->answer;
    struct weft_buf *bytes = &k->flow->session.out.bytes;
    struct weft_http_response r = {
        .status = status, .headers = headers,
        .framing = framing_for(k, length), .length = length,
        .date = weft_loop_date(k->loop),
    };
    size_t before = weft_buf_len(bytes), len;

    a->keeps = r.framing != WEFT_FRAMED_END && may_keep(k, headers);
    r.then = weft_http_lines_name(headers, "connection") ? WEFT_THEN_KEEP
                                                         : then_for(k);
    if (weft_http_write_head(bytes, &r) != WEFT_OK)
        return WEFT_E_MEMORY;
    len = weft_buf_len(bytes) - before;
    bytes->tail -= len; /* the queue counts them */
    weft_outq_commit(&k->flow->session.out, len);
    a->bodiless = k->head_only || weft_http_never_has_body(status);
    a->chunked = r.framing == WEFT_FRAMED_CHUNKS && !a->bodiless;
    a->left = length;
    a->head = len;
    a->status = status;
    return WEFT_OK;
}

/* Nothing of it was queued, as if nobody had tried. */
static void
take_back(struct weft_link *k, size_t before)
{
    struct weft_outq *out = &k->flow->session.out;

    weft_outq_take_back(out, weft_buf_len(&out->bytes) - before);
}

void
weft_link_refuses(struct weft_link *k, enum weft_refused why)
{
    if (k->state != WEFT_LINK_ASKED)
        return;
    k->flow->answer.is_refused = true;
    k->flow->answer.why = why;
}

static void
begun(struct weft_link *k)
{
    const struct weft_answer *a = &k->flow->answer;

    if (a->is_refused)
        k->counters->refused[a->why]++;
    k->state = WEFT_LINK_ANSWERING;
    weft_link_mark_dirty(k);
    weft_link_count(k);
    weft_link_retime(k);
}

void
weft_link_finish_answer(struct weft_link *k)
{
    k->flow->answer.whole = true;
    weft_link_tell_answer(k);
    weft_link_advance(k);
}

/* ---- whole answers */

static enum weft_status
copy(struct weft_link *k, struct weft_span s)
{
    uint8_t *to = weft_outq_reserve(&k->flow->session.out, s.len);

    if (to == NULL)
        return WEFT_E_MEMORY;
    if (s.len > 0)
        memcpy(to, s.data, s.len);
    weft_outq_commit(&k->flow->session.out, s.len);
    return WEFT_OK;
}

static enum weft_status
add(struct weft_link *k, struct weft_span s, bool borrowed)
{
    return borrowed ? weft_outq_add_borrowed(&k->flow->session.out, s.data,
                                             s.len)
                    : copy(k, s);
}

static enum weft_status
respond(struct weft_link *k, unsigned status, struct weft_span headers,
        struct weft_span body, bool borrowed)
{
    size_t before = weft_buf_len(&k->flow->session.out.bytes);

    if (k->state != WEFT_LINK_ASKED)
        return WEFT_E_CLOSED;
    if (!weft_link_get_buffer(k)
        || begin(k, status, headers, body.len) != WEFT_OK)
        return WEFT_E_MEMORY;
    if (!k->flow->answer.bodiless && add(k, body, borrowed) != WEFT_OK) {
        take_back(k, before);
        k->flow->answer.status = 0;
        return WEFT_E_MEMORY;
    }
    k->flow->answer.written = k->flow->answer.bodiless ? 0 : body.len;
    begun(k);
    weft_link_finish_answer(k);
    return WEFT_OK;
}

enum weft_status
weft_link_respond(struct weft_link *k, unsigned status,
                  struct weft_span headers, struct weft_span body)
{
    return respond(k, status, headers, body, false);
}

enum weft_status
weft_link_respond_borrowed(struct weft_link *k, unsigned status,
                           struct weft_span headers, struct weft_span body)
{
    return respond(k, status, headers, body, true);
}

/* ---- piece by piece */

enum weft_status
weft_link_begin_answer(struct weft_link *k, unsigned status,
                       struct weft_span headers, uint64_t length)
{
    if (k->state != WEFT_LINK_ASKED)
        return WEFT_E_CLOSED;
    if (!weft_link_get_buffer(k)
        || begin(k, status, headers, length) != WEFT_OK)
        return WEFT_E_MEMORY;
    begun(k);
    return WEFT_OK;
}

/* RFC 9112, 7.1; queued whole or not at all */
static enum weft_status
copy_chunk(struct weft_link *k, struct weft_span s)
{
    char head[WEFT_CHUNK_HEAD];
    size_t n = weft_http_chunk_head(head, s.len);
    uint8_t *to = weft_outq_reserve(&k->flow->session.out, n + s.len + 2);

    if (to == NULL)
        return WEFT_E_MEMORY;
    memcpy(to, head, n);
    memcpy(to + n, s.data, s.len);
    to[n + s.len] = '\r';
    to[n + s.len + 1] = '\n';
    weft_outq_commit(&k->flow->session.out, n + s.len + 2);
    return WEFT_OK;
}

static enum weft_status
borrow_chunk(struct weft_link *k, struct weft_span s)
{
    struct weft_outq *out = &k->flow->session.out;
    char head[WEFT_CHUNK_HEAD];
    size_t n = weft_http_chunk_head(head, s.len);
    uint8_t *to;

    if (weft_outq_prepare_ref(out) != WEFT_OK
        || (to = weft_outq_reserve(out, n + 2)) == NULL)
        return WEFT_E_MEMORY;
    memcpy(to, head, n);
    weft_outq_commit(out, n);
    weft_outq_add_borrowed(out, s.data, s.len); /* there is room */
    to[n] = '\r';
    to[n + 1] = '\n';
    weft_outq_commit(out, 2);
    return WEFT_OK;
}

static enum weft_status
add_chunk(struct weft_link *k, struct weft_span s, bool borrowed)
{
    return borrowed ? borrow_chunk(k, s) : copy_chunk(k, s);
}

static enum weft_status
write_answer(struct weft_link *k, struct weft_span s, bool borrowed)
{
    struct weft_answer *a = &k->flow->answer;
    enum weft_status rc;

    if (k->state != WEFT_LINK_ANSWERING || a->whole || k->write_dead)
        return WEFT_E_CLOSED;
    if (a->left != WEFT_UNKNOWN && s.len > a->left)
        return WEFT_E_BUSY;
    if (s.len == 0 || a->bodiless)
        return WEFT_OK;
    if (!weft_link_get_buffer(k))
        return WEFT_E_MEMORY;
    rc = a->chunked ? add_chunk(k, s, borrowed) : add(k, s, borrowed);
    if (rc != WEFT_OK)
        return rc;
    if (a->left != WEFT_UNKNOWN)
        a->left -= s.len;
    a->written += s.len;
    weft_link_mark_dirty(k);
    weft_link_count(k);
    return WEFT_OK;
}

enum weft_status
weft_link_write_answer(struct weft_link *k, struct weft_span s)
{
    return write_answer(k, s, false);
}

enum weft_status
weft_link_write_answer_borrowed(struct weft_link *k, struct weft_span s)
{
    return write_answer(k, s, true);
}

enum weft_status
weft_link_end_answer(struct weft_link *k)
{
    struct weft_answer *a = &k->flow->answer;

    if (k->state != WEFT_LINK_ANSWERING || a->whole)
        return WEFT_E_CLOSED;
    if (!a->bodiless && a->left != WEFT_UNKNOWN && a->left > 0)
        return WEFT_E_BUSY;
    if (a->chunked
        && (!weft_link_get_buffer(k)
            || copy(k, (struct weft_span){ "0\r\n\r\n", 5 }) != WEFT_OK))
        return WEFT_E_MEMORY;
    weft_link_mark_dirty(k);
    weft_link_finish_answer(k);
    return WEFT_OK;
}
