/*
 * A link's opening, both roles: the head is read, a bad one is answered or
 * fails, a good one waits for the caller or begins the data phase.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/listener.h"
#include "net/sock.h"
#include "proto/http_body.h"

enum {
    HEAD_STEP = 2048,      /* bytes read at a time while a head comes in */
    BODY_MAX = 16 * 1024,  /* of a refused handshake's response */
    RESPONSE_MAX = 64 * 1024, /* head, chunk sizes and all */
};

void
weft_link_fail_opening(struct weft_link *k, const char *word,
                       enum weft_cause cause, const char *format, ...)
{
    char message[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (k->error == NULL)
        k->error = word;
    weft_link_finish(k, cause, message);
}

static void
out_of_memory(struct weft_link *k)
{
    weft_link_fail_opening(k, "system", WEFT_CAUSE_ERROR, "out of memory");
}

/* Keeps a head for ws.request or ws.response, at its exact size. */
static enum weft_status
keep_head(struct weft_buf *to, struct weft_span head)
{
    if (head.len == 0)
        return WEFT_OK;
    to->data = weft_realloc(NULL, head.len);
    if (to->data == NULL)
        return WEFT_E_MEMORY;
    memcpy(to->data, head.data, head.len);
    to->cap = to->tail = head.len;
    return WEFT_OK;
}

static enum weft_status
keep_protocol(struct weft_link *k, struct weft_span protocol)
{
    if (protocol.len == 0)
        return WEFT_OK;
    k->protocol = weft_realloc(NULL, protocol.len + 1);
    if (k->protocol == NULL)
        return WEFT_E_MEMORY;
    memcpy(k->protocol, protocol.data, protocol.len);
    k->protocol[protocol.len] = '\0';
    return WEFT_OK;
}

static enum weft_status
keep_heads(struct weft_link *k)
{
    const struct weft_opening *o = k->opening;
    struct weft_span sent = { (const char *)weft_buf_head(&o->sent),
                              weft_buf_len(&o->sent) };

    if (k->role == WEFT_SERVER)
        return keep_head(&k->request, weft_opening_head(o));
    if (k->request.data == NULL && keep_head(&k->request, sent) != WEFT_OK)
        return WEFT_E_MEMORY;
    return o->head.length > 0 ? keep_head(&k->response, weft_opening_head(o))
                              : WEFT_OK;
}

enum weft_status
weft_link_begin(struct weft_link *k, struct weft_span protocol)
{
    struct weft_span rest = weft_opening_rest(k->opening);

    if (keep_heads(k) != WEFT_OK || keep_protocol(k, protocol) != WEFT_OK
        || weft_buf_add(&k->rest, rest.data, rest.len) != WEFT_OK)
        return WEFT_E_MEMORY;
    weft_opening_free(k->opening);
    k->opening = NULL;
    k->state = WEFT_LINK_OPEN;
    k->opened = k->life = k->last_message = k->loop->now;
    if (rest.len > 0) {
        k->input = (struct weft_input){ weft_buf_head(&k->rest), rest.len };
        weft_list_add(&k->loop->fed, &k->fed);
    }
    weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
    weft_link_mark(k);
    weft_link_retime(k);
    return WEFT_OK;
}

enum weft_status
weft_link_begin_client(struct weft_link *k)
{
    const struct weft_opening *o = k->opening;

    return weft_link_begin(k, o->protocol < 0
                                  ? (struct weft_span){ "", 0 }
                                  : o->request.protocols[o->protocol]);
}

/* Puts a finished answer out; the connection ends behind it. */
static void
end_with_answer(struct weft_link *k)
{
    k->state = WEFT_LINK_LINGER;
    k->ending = k->loop->now = weft_now();
    k->reading_over = true;
    weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
    weft_link_mark_dirty(k);
    weft_link_mark(k);
    weft_link_retime(k);
}

/* Queues what is in b, and frees b whatever came before. */
static enum weft_status
queue(struct weft_link *k, struct weft_buf *b, enum weft_status rc)
{
    size_t len = weft_buf_len(b);
    uint8_t *to = NULL;

    if (rc == WEFT_OK)
        to = weft_outq_reserve(&k->session.out, len);
    if (to != NULL) {
        memcpy(to, weft_buf_head(b), len);
        weft_outq_commit(&k->session.out, len);
    } else if (rc == WEFT_OK) {
        rc = WEFT_E_MEMORY;
    }
    weft_buf_deinit(b);
    return rc;
}

static enum weft_status
answer(struct weft_link *k, unsigned status, struct weft_span headers,
       struct weft_span body)
{
    struct weft_buf out = { 0 };
    enum weft_status rc;

    rc = weft_http_respond(&out, status, headers, body, k->head_only);
    return queue(k, &out, rc);
}

enum weft_status
weft_link_respond(struct weft_link *k, unsigned status,
                  struct weft_span headers, struct weft_span body)
{
    enum weft_status rc;

    if (k->state != WEFT_LINK_ASKED)
        return WEFT_E_CLOSED;
    rc = answer(k, status, headers, body);
    if (rc != WEFT_OK)
        return rc;
    weft_link_blame(k, WEFT_CAUSE_LOCAL, NULL);
    end_with_answer(k);
    return WEFT_OK;
}

enum weft_status
weft_link_accept(struct weft_link *k, struct weft_span protocol,
                 struct weft_span headers)
{
    const struct weft_opening *o = k->opening;
    struct weft_buf out = { 0 };
    enum weft_status rc;

    if (k->state != WEFT_LINK_ASKED)
        return WEFT_E_CLOSED;
    rc = weft_handshake_accept(&out, &o->head, weft_opening_head(o).data,
                               protocol, headers);
    rc = queue(k, &out, rc);
    if (rc == WEFT_OK)
        rc = weft_link_begin(k, protocol);
    if (rc != WEFT_OK) {
        out_of_memory(k);
        return rc;
    }
    if (k->listener != NULL)
        k->listener->upgraded++;
    weft_link_mark_dirty(k);
    return WEFT_OK;
}

/* A refused request is answered here; the caller never sees it. */
static void
refuse(struct weft_link *k)
{
    const struct weft_refusal *why = &k->opening->refusal;
    struct weft_span headers = { why->headers, strlen(why->headers) };
    char body[sizeof(why->why) + 1];
    int n = snprintf(body, sizeof(body), "%s\n", why->why);

    if (answer(k, why->status, headers,
               (struct weft_span){ body, (size_t)n }) != WEFT_OK) {
        out_of_memory(k);
        return;
    }
    if (k->listener != NULL)
        k->listener->refused++;
    k->error = "handshake";
    weft_link_blame(k, WEFT_CAUSE_PROTOCOL, why->why);
    end_with_answer(k);
}

static void
request_read(struct weft_link *k)
{
    const struct weft_opening *o = k->opening;
    const char *bytes = weft_opening_head(o).data;

    k->head_only = o->head.method.len == 4
                   && memcmp(bytes + o->head.method.at, "HEAD", 4) == 0;
    k->state = WEFT_LINK_ASKED;
    weft_link_mark(k);
}

/* Says what was tried, but for a plain refusal, which speaks for itself. */
static void
blame_response(struct weft_link *k, enum weft_cause cause, const char *why)
{
    char to[WEFT_TARGET_TEXT], message[WEFT_TARGET_TEXT + 256];

    weft_link_target(k, to);
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
    const struct weft_opening *o = k->opening;

    k->error = "handshake";
    blame_response(k, WEFT_CAUSE_PROTOCOL, o->refusal.why);
    if (o->head.length == 0 || keep_heads(k) != WEFT_OK
        || o->head.status == 101) {
        weft_link_finish(k, WEFT_CAUSE_PROTOCOL, NULL);
        return;
    }
    k->state = WEFT_LINK_BODY;
    weft_link_read_body(k);
}

void
weft_link_read_body(struct weft_link *k)
{
    struct weft_opening *o = k->opening;
    long n = 1;

    while (weft_http_body(&o->head, weft_opening_head(o).data,
                          weft_opening_rest(o), BODY_MAX, &k->body)
               == WEFT_MORE
           && n > 0 && weft_buf_len(&o->bytes) < RESPONSE_MAX) {
        uint8_t *to = weft_buf_reserve(&o->bytes, HEAD_STEP);

        n = to == NULL ? 0 : weft_link_receive(k, to, HEAD_STEP);
        if (n == -EAGAIN)
            return;
        if (n > 0)
            weft_buf_commit(&o->bytes, (size_t)n);
    }
    weft_link_finish(k, WEFT_CAUSE_PROTOCOL, NULL);
}

static void
head_ended(struct weft_link *k, long n)
{
    const char *what = n == 0 ? "the peer closed the connection during the "
                                "handshake"
                              : strerror((int)-n);

    enum weft_cause cause = n == 0 ? WEFT_CAUSE_EOF : WEFT_CAUSE_RESET;

    k->error = "handshake";
    if (k->role == WEFT_CLIENT)
        blame_response(k, cause, what);
    weft_link_finish(k, cause, what);
}

static void
head_looked_at(struct weft_link *k, enum weft_status rc)
{
    if (rc == WEFT_MORE)
        return;
    if (rc == WEFT_E_MEMORY)
        out_of_memory(k);
    else if (k->role == WEFT_SERVER && rc == WEFT_OK)
        request_read(k);
    else if (k->role == WEFT_SERVER)
        refuse(k);
    else if (rc != WEFT_OK)
        response_refused(k);
    else if (weft_link_begin_client(k) != WEFT_OK)
        out_of_memory(k);
}

void
weft_link_read_head(struct weft_link *k)
{
    struct weft_buf *bytes = &k->opening->bytes;
    uint8_t *to = weft_buf_reserve(bytes, HEAD_STEP);
    long n;

    if (to == NULL) {
        out_of_memory(k);
        return;
    }
    n = weft_link_receive(k, to, HEAD_STEP);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        head_ended(k, n);
        return;
    }
    weft_buf_commit(bytes, (size_t)n);
    head_looked_at(k, weft_opening_read(k->opening));
}

static void
begin_opening(struct weft_link *k, enum weft_link_state state)
{
    k->state = state;
    k->opened = k->life = k->loop->now;
    weft_list_add(&k->loop->links, &k->node);
    weft_link_retime(k);
}

enum weft_status
weft_link_serve(struct weft_link *k, int fd, const struct weft_addr *from)
{
    k->opening = weft_opening_server(k->config->max_header,
                                     k->config->max_headers);
    if (k->opening == NULL) {
        weft_sock_close(&fd);
        return WEFT_E_MEMORY;
    }
    if (k->config->nodelay)
        weft_sock_nodelay(fd);
    k->watch.fd = fd;
    k->peer_addr = *from;
    begin_opening(k, WEFT_LINK_HANDSHAKE);
    weft_link_watch(k, WEFT_READABLE);
    return k->state == WEFT_LINK_CLOSED ? WEFT_E_SYSTEM : WEFT_OK;
}

enum weft_status
weft_link_connect(struct weft_link *k, const char *host, uint16_t port,
                  int64_t limit, const struct weft_client_request *r)
{
    k->opening = weft_opening_client(r, &k->loop->random,
                                     k->config->max_header,
                                     k->config->max_headers);
    if (k->opening == NULL)
        return WEFT_E_MEMORY;
    k->opening_limit = limit;
    begin_opening(k, WEFT_LINK_DIALLING);
    return weft_dial_start(k, host, port);
}

void
weft_link_connected(struct weft_link *k)
{
    if (k->config->nodelay)
        weft_sock_nodelay(k->watch.fd);
    k->state = WEFT_LINK_HANDSHAKE;
    if (keep_heads(k) != WEFT_OK
        || queue(k, &k->opening->sent, WEFT_OK) != WEFT_OK) {
        out_of_memory(k);
        return;
    }
    weft_link_watch(k, WEFT_READABLE);
    weft_link_mark_dirty(k);
}
