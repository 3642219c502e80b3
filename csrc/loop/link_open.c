/*
 * A link's opening handshake, both roles: the head is read, a bad one is
 * answered or fails, a good one waits for the caller or begins the data phase.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loop/link_inner.h"
#include "loop/listener.h"
#include "net/sock.h"

enum {
    HEAD_STEP = 2048,      /* bytes read at a time while a head comes in */
    BODY_MAX = 16 * 1024,  /* of a refused handshake's response */
};

enum weft_status
weft_link_accept(struct weft_link *k, struct weft_span protocol,
                 struct weft_span headers)
{
    const struct weft_opening *o = k->flow->opening;
    struct weft_deflate_agreed agreed;
    struct weft_buf out = { 0 };
    const char *bytes;
    enum weft_status rc;

    if (k->state != WEFT_LINK_ASKED)
        return WEFT_E_CLOSED;
    bytes = weft_opening_head(o).data;
    weft_deflate_choose(&o->head, bytes, &k->config->deflate, &agreed);
    rc = weft_handshake_accept(&out, &o->head, bytes, protocol, &agreed,
                               headers, &k->loop->digest);
    if (rc == WEFT_OK)
        rc = weft_link_queue(k, &out);
    if (rc == WEFT_OK && !weft_link_ration(k))
        rc = WEFT_E_MEMORY;
    if (rc == WEFT_OK)
        rc = weft_link_begin(k, protocol, &agreed);
    if (rc != WEFT_OK) {
        weft_link_out_of_memory(k);
        return rc;
    }
    weft_link_mark_dirty(k);
    return WEFT_OK;
}

/* A refused request is answered here; the caller never sees it. */
static void
refuse(struct weft_link *k)
{
    const struct weft_refusal *why = &k->flow->opening->refusal;
    char body[sizeof(why->why) + 1], lines[128];
    int n = snprintf(body, sizeof(body), "%s\n", why->why);
    struct weft_buf out = { 0 };
    enum weft_status rc;

    snprintf(lines, sizeof(lines), "%sDate: %s\r\n", why->headers,
             weft_loop_date(k->loop)); /* RFC 9110, 6.6.1 */
    rc = weft_http_respond(&out, why->status, weft_http_text(lines),
                           (struct weft_span){ body, (size_t)n },
                           k->head_only);
    if (rc == WEFT_OK)
        rc = weft_link_queue(k, &out);
    if (rc != WEFT_OK) {
        weft_link_out_of_memory(k);
        return;
    }
    k->counters->refused[weft_refused_by(why->status)]++;
    weft_link_tell_refused(k);
    weft_link_blame(k, WEFT_CAUSE_PROTOCOL, why->why);
    k->error = k->cause == WEFT_CAUSE_TIMEOUT ? "timeout" : "handshake";
    weft_link_end_with_answer(k);
}

static bool
is_head(const struct weft_opening *o)
{
    const char *bytes = weft_opening_head(o).data;

    return o->head.method.len == 4
           && memcmp(bytes + o->head.method.at, "HEAD", 4) == 0;
}

static void
request_read(struct weft_link *k)
{
    const struct weft_opening *o = k->flow->opening;

    if (o->kind == WEFT_REQUEST_HTTP) { /* without one it has been read */
        k->counters->requests++;
        k->flow->answer.body_read = weft_opening_begin_body(
            k->flow->opening, k->config->max_body) == WEFT_OK;
    }
    k->flow->answer.asked = k->loop->now;
    k->state = WEFT_LINK_ASKED;
    weft_link_mark(k);
    weft_link_retime(k);
}

/* Says what was tried, but for a plain refusal, which speaks for itself. */
static void
blame_response(struct weft_link *k, enum weft_cause cause, const char *why)
{
    char to[WEFT_TARGET_TEXT], message[WEFT_TARGET_TEXT + 256];

    weft_link_name_target(k, to);
    if (strncmp(why, "handshake refused: ", 19) == 0)
        snprintf(message, sizeof(message), "%s", why);
    else
        snprintf(message, sizeof(message),
                 "connect to %s: no WebSocket handshake: %s", to, why);
    weft_link_blame(k, cause, message);
}

/* The rest of a refused handshake's response is worth a moment. */
static void
response_refused(struct weft_link *k)
{
    const struct weft_opening *o = k->flow->opening;

    k->error = "handshake";
    blame_response(k, WEFT_CAUSE_PROTOCOL, o->refusal.why);
    if (o->head.length == 0 || weft_link_keep_heads(k) != WEFT_OK
        || o->head.status == 101) {
        weft_link_finish(k, WEFT_CAUSE_PROTOCOL, NULL);
        return;
    }
    k->state = WEFT_LINK_BODY;
    if (weft_opening_begin_body(k->flow->opening, BODY_MAX) == WEFT_OK)
        weft_link_finish(k, WEFT_CAUSE_PROTOCOL, NULL);
    else
        weft_link_read_body(k);
}

void
weft_link_read_body(struct weft_link *k)
{
    struct weft_opening *o = k->flow->opening;
    long n = 1;

    while (weft_opening_read_body(o) == WEFT_MORE && n > 0) {
        uint8_t *to = weft_buf_reserve(&o->bytes, HEAD_STEP);

        n = to == NULL ? 0 : weft_link_receive(k, to, HEAD_STEP);
        if (n == -EAGAIN)
            return;
        if (n > 0)
            weft_buf_commit(&o->bytes, (size_t)n);
    }
    weft_link_finish(k, WEFT_CAUSE_PROTOCOL, NULL);
}

void
weft_link_keep_body(struct weft_link *k)
{
    const struct weft_buf *body = &k->flow->opening->body;

    weft_kept_add(&k->kept, WEFT_KEPT_BODY, /* without memory: none */
                  (struct weft_span){ (const char *)weft_buf_head(body),
                                      weft_buf_len(body) });
}

/* The word for what ended the stream that a head was to come by. */
static enum weft_cause
end_cause(long n)
{
    if (n == 0)
        return WEFT_CAUSE_EOF;
    return n == -EPROTO ? WEFT_CAUSE_TLS : WEFT_CAUSE_RESET;
}

void
weft_link_head_ended(struct weft_link *k, long n)
{
    enum weft_cause cause = end_cause(n);
    const char *what = n == 0 ? "the peer closed the connection during the "
                                "handshake"
                       : cause == WEFT_CAUSE_TLS ? weft_tls_why(k->tls)
                                                 : weft_error_words((int)-n);

    if (n == 0 && k->role == WEFT_SERVER && weft_link_queued(k) > 0) {
        weft_link_blame(k, cause, what); /* answers, which it may still want */
        weft_link_end_with_answer(k);
        weft_link_hears_no_more(k);
        return;
    }
    if (cause == WEFT_CAUSE_TLS && k->role == WEFT_CLIENT) {
        weft_link_fail_reaching(k, "tls", cause, what);
        return;
    }
    k->error = "handshake";
    if (k->role == WEFT_CLIENT)
        blame_response(k, cause, what);
    weft_link_finish(k, cause, what);
}

void
weft_link_look_at_head(struct weft_link *k)
{
    enum weft_status rc = weft_opening_read(k->flow->opening);

    if (rc == WEFT_MORE)
        return;
    k->head_only = is_head(k->flow->opening);
    if (rc == WEFT_E_MEMORY)
        weft_link_out_of_memory(k);
    else if (k->role == WEFT_SERVER && rc == WEFT_OK)
        request_read(k);
    else if (k->role == WEFT_SERVER)
        refuse(k);
    else if (rc != WEFT_OK)
        response_refused(k);
    else if (weft_link_begin_client(k) != WEFT_OK)
        weft_link_out_of_memory(k);
}

void
weft_link_refuse(struct weft_link *k, unsigned status, const char *why)
{
    struct weft_refusal *r = &k->flow->opening->refusal;

    *r = (struct weft_refusal){ .status = status, .headers = "" };
    snprintf(r->why, sizeof(r->why), "%s", why);
    refuse(k);
}

/* RFC 6585, 4.  The request that is on its way is discarded behind it. */
void
weft_link_turn_away(struct weft_link *k)
{
    struct weft_refusal *r = &k->flow->opening->refusal;

    *r = (struct weft_refusal){ .status = 429,
                                .headers = "Retry-After: 10\r\n" };
    snprintf(r->why, sizeof(r->why),
             "There are too many connections from this address.");
    refuse(k);
}

/* Every TLS client knows a plain answer for what it is. */
static bool
refuse_tls(struct weft_link *k)
{
    const struct weft_buf *bytes = &k->flow->opening->bytes;

    if (k->role == WEFT_CLIENT || k->tls != NULL
        || weft_tls_first(weft_buf_head(bytes), weft_buf_len(bytes))
               != WEFT_FIRST_TLS)
        return false;
    weft_link_refuse(k, 400, "This port does not speak TLS: use ws:// or http://.");
    return true;
}

void
weft_link_refuse_plain(struct weft_link *k)
{
    weft_tls_free(k->tls);
    k->tls = NULL;
    weft_link_refuse(k, 400, "This port speaks TLS: use wss:// or https://.");
}

void
weft_link_head_grew(struct weft_link *k)
{
    if (!refuse_tls(k))
        weft_link_look_at_head(k);
}

bool
weft_link_receive_opening(struct weft_link *k, size_t len)
{
    struct weft_buf *bytes = &k->flow->opening->bytes;
    uint8_t *to = weft_buf_reserve(bytes, len);
    long n;

    if (to == NULL) {
        weft_link_out_of_memory(k);
        return false;
    }
    n = weft_link_receive(k, to, len);
    if (n > 0) {
        weft_buf_commit(bytes, (size_t)n);
        weft_link_count(k);
    } else if (n != -EAGAIN) {
        weft_link_head_ended(k, n);
    }
    return n > 0;
}

void
weft_link_read_head(struct weft_link *k)
{
    if (weft_link_receive_opening(k, HEAD_STEP))
        weft_link_head_grew(k);
}
