/*
 * A handshake and the session behind it as one thing.  It must not know what
 * the bytes travel on, nor how the one who owns it waits.
 */
#include "proto/endpoint.h"

#include <string.h>

enum { KEPT_INPUT = 64 * 1024 }; /* an empty buffer keeps no more than this */

/* Beginning and end ------------------------------------------------------- */

static void
init(struct weft_endpoint *e, enum weft_role role,
     const struct weft_endpoint_options *options)
{
    *e = (struct weft_endpoint){ .options = *options, .protocol = -1 };
    weft_session_init(&e->session, role, &e->options.limits, &e->random);
}

/* Queues bytes as they are. */
static enum weft_status
queue(struct weft_endpoint *e, const struct weft_buf *bytes)
{
    size_t len = weft_buf_len(bytes);
    uint8_t *to = weft_outq_reserve(&e->session.out, len);

    if (to == NULL)
        return WEFT_E_MEMORY;
    memcpy(to, weft_buf_head(bytes), len);
    weft_outq_commit(&e->session.out, len);
    return WEFT_OK;
}

enum weft_status
weft_endpoint_server(struct weft_endpoint *e,
                     const struct weft_endpoint_options *options)
{
    init(e, WEFT_SERVER, options);
    e->opening = weft_opening_server(options->max_header,
                                     options->max_headers);
    if (e->opening != NULL)
        return WEFT_OK;
    weft_endpoint_deinit(e);
    return WEFT_E_MEMORY;
}

enum weft_status
weft_endpoint_client(struct weft_endpoint *e,
                     const struct weft_endpoint_options *options)
{
    init(e, WEFT_CLIENT, options);
    e->options.request.deflate = options->deflate;
    e->opening = weft_opening_client(&e->options.request, &e->random,
                                     options->max_header,
                                     options->max_headers);
    if (e->opening != NULL && queue(e, &e->opening->sent) == WEFT_OK)
        return WEFT_OK;
    weft_endpoint_deinit(e);
    return WEFT_E_MEMORY;
}

void
weft_endpoint_deinit(struct weft_endpoint *e)
{
    weft_opening_free(e->opening);
    e->opening = NULL;
    weft_session_deinit(&e->session);
    weft_deflate_pool_deinit(&e->pool);
    weft_buf_deinit(&e->in);
    e->found = WEFT_FOUND_NOTHING;
    e->over = true;
}

/* All is used up, or sent: streams that messages have only for themselves, some
 * 300 KiB, are not for an idle connection to keep. */
static void
rest(struct weft_endpoint *e)
{
    weft_deflate_pool_deinit(&e->pool);
}

/* Looking: the opening ---------------------------------------------------- */

static enum weft_status
find_error(struct weft_endpoint *e, const char *error, unsigned code)
{
    e->over = true;
    e->found = WEFT_FOUND_ERROR;
    e->error = error;
    e->code = code;
    return WEFT_EVENT;
}

/* From here on messages may go and come compressed. */
static enum weft_status
begin_deflate(struct weft_endpoint *e, const struct weft_deflate_agreed *agreed)
{
    e->agreed = *agreed;
    if (e->session.deflate != NULL) /* memory was out behind this */
        return WEFT_OK;
    return weft_session_deflate(&e->session, &e->options.deflate, agreed,
                                &e->pool);
}

/* The handshake is complete; what came behind it is the session's. */
static enum weft_status
find_open(struct weft_endpoint *e, int protocol,
          const struct weft_deflate_agreed *agreed)
{
    struct weft_span rest = weft_opening_rest(e->opening);
    enum weft_status rc = begin_deflate(e, agreed);

    if (rc == WEFT_OK)
        rc = weft_buf_add(&e->in, rest.data, rest.len);
    if (rc != WEFT_OK)
        return rc;
    e->protocol = protocol;
    e->open = true;
    e->found = WEFT_FOUND_OPEN;
    return WEFT_EVENT;
}

/* A server's answer to a request that is not welcome. */
static enum weft_status
refuse(struct weft_endpoint *e, unsigned status, const char *headers,
       const char *why)
{
    const struct weft_opening *o = e->opening;
    struct weft_span method = weft_http_span(
        (const char *)weft_buf_head(&o->bytes), o->head.method);
    bool head_only = method.len == 4 && memcmp(method.data, "HEAD", 4) == 0;
    struct weft_buf response = { 0 };
    enum weft_status rc;

    rc = weft_http_respond(&response, status, weft_http_text(headers),
                           weft_http_text(why), head_only);
    if (rc == WEFT_OK)
        rc = queue(e, &response);
    weft_buf_deinit(&response);
    return rc == WEFT_OK ? find_error(e, why, status) : rc;
}

/* Queues the 101 when nothing else can fail, so that it is queued once. */
static enum weft_status
accept_request(struct weft_endpoint *e)
{
    const struct weft_opening *o = e->opening;
    const char *bytes = (const char *)weft_buf_head(&o->bytes);
    const struct weft_span *spoken = e->options.protocols;
    struct weft_span protocol = { "", 0 };
    struct weft_deflate_agreed agreed;
    struct weft_buf response = { 0 };
    enum weft_status rc;
    int i;

    i = weft_handshake_choose(&o->head, bytes, spoken,
                              e->options.protocol_count);
    if (i >= 0)
        protocol = spoken[i];
    weft_deflate_choose(&o->head, bytes, &e->options.deflate, &agreed);
    if (weft_buf_reserve(&e->in, weft_opening_rest(o).len + 1) == NULL)
        return WEFT_E_MEMORY;
    rc = begin_deflate(e, &agreed);
    if (rc == WEFT_OK)
        rc = weft_handshake_accept(&response, &o->head, bytes, protocol,
                                   &agreed, e->options.headers, NULL);
    if (rc == WEFT_OK)
        rc = queue(e, &response);
    weft_buf_deinit(&response);
    return rc == WEFT_OK ? find_open(e, i, &agreed) : rc;
}

static enum weft_status
answer_request(struct weft_endpoint *e)
{
    const struct weft_opening *o = e->opening;
    const char *bytes = (const char *)weft_buf_head(&o->bytes);

    if (o->kind == WEFT_REQUEST_HTTP) /* RFC 9110, 15.5.22, wants Upgrade */
        return refuse(e, 426, "Upgrade: websocket\r\n",
                      "only WebSocket is spoken here");
    if (weft_http_find(&o->head, bytes, "origin", 0) >= 0 &&
        !weft_origin_allowed(weft_opening_field(o, "origin"),
                             weft_http_host(&o->head, bytes),
                             e->options.origins, e->options.origin_count))
        return refuse(e, 403, "", "pages of this origin may not connect "
                                  "(see the option \"origins\")");
    return accept_request(e);
}

static enum weft_status
look_at_opening(struct weft_endpoint *e)
{
    struct weft_opening *o = e->opening;
    enum weft_status rc = weft_opening_read(o);

    if (rc == WEFT_OK)
        return o->role == WEFT_SERVER ? answer_request(e)
                                      : find_open(e, o->protocol, &o->agreed);
    if (rc != WEFT_E_HEAD)
        return rc;
    if (o->role == WEFT_SERVER)
        return refuse(e, o->refusal.status, o->refusal.headers,
                      o->refusal.why);
    return find_error(e, o->refusal.why, o->refusal.status);
}

/* Looking: the session ---------------------------------------------------- */

static void
use_input(struct weft_endpoint *e, size_t len)
{
    weft_buf_consume(&e->in, len);
    if (weft_buf_len(&e->in) == 0 && e->in.cap > KEPT_INPUT)
        weft_buf_deinit(&e->in);
}

static enum weft_status
find_event(struct weft_endpoint *e, size_t used)
{
    e->found = WEFT_FOUND_EVENT;
    e->used = used;
    if (e->event.type == WEFT_EVENT_CLOSE && e->event.len > 0) {
        memcpy(e->reason, e->event.data, e->event.len);
        e->reason_len = e->event.len;
    }
    return WEFT_EVENT;
}

static enum weft_status
look_at_session(struct weft_endpoint *e)
{
    size_t len = weft_buf_len(&e->in);
    struct weft_input in = { len > 0 ? weft_buf_head(&e->in) : NULL, len };
    enum weft_status rc = weft_session_read(&e->session, &in, &e->event);

    if (rc == WEFT_EVENT)
        return find_event(e, len - in.len);
    use_input(e, len);
    if (rc == WEFT_MORE)
        return rc;
    weft_session_fail(&e->session, rc);
    return find_error(e, weft_status_text(rc),
                      (unsigned)weft_status_close_code(rc));
}

enum weft_status
weft_endpoint_look(struct weft_endpoint *e)
{
    enum weft_status rc = WEFT_MORE;

    if (e->found != WEFT_FOUND_NOTHING)
        return WEFT_EVENT;
    if (!e->over)
        rc = e->open ? look_at_session(e) : look_at_opening(e);
    if (rc == WEFT_MORE)
        rest(e);
    return rc;
}

void
weft_endpoint_take(struct weft_endpoint *e)
{
    if (e->found == WEFT_FOUND_EVENT)
        use_input(e, e->used);
    if (e->open || e->over) {
        weft_opening_free(e->opening);
        e->opening = NULL;
    }
    e->found = WEFT_FOUND_NOTHING;
}

/* In and out -------------------------------------------------------------- */

/* The bytes of the event that was found may lie in `in`, which moves. */
static enum weft_status
add_input(struct weft_endpoint *e, const void *bytes, size_t len)
{
    uintptr_t start = (uintptr_t)e->in.data, data = (uintptr_t)e->event.data;
    bool inside = e->found == WEFT_FOUND_EVENT && e->event.len > 0 &&
                  data >= start && data < start + e->in.cap;
    size_t at = inside ? data - start - e->in.head : 0;
    enum weft_status rc = weft_buf_add(&e->in, bytes, len);

    if (inside)
        e->event.data = weft_buf_head(&e->in) + at;
    return rc;
}

enum weft_status
weft_endpoint_feed(struct weft_endpoint *e, const void *bytes, size_t len)
{
    if (e->over || e->session.close_received)
        return WEFT_E_CLOSED;
    return e->open ? add_input(e, bytes, len)
                   : weft_opening_add(e->opening, bytes, len);
}

struct weft_span
weft_endpoint_output(const struct weft_endpoint *e)
{
    struct weft_span s = { "", 0 };

    /* one piece, since nothing here is a reference */
    weft_outq_spans(&e->session.out, &s, 1);
    return s;
}

void
weft_endpoint_sent(struct weft_endpoint *e, size_t len)
{
    weft_outq_consume(&e->session.out, len);
    if (weft_outq_len(&e->session.out) == 0 && e->found == WEFT_FOUND_NOTHING)
        rest(e);
}

enum weft_endpoint_state
weft_endpoint_state(const struct weft_endpoint *e)
{
    if (e->over || weft_session_closed(&e->session))
        return WEFT_CLOSED;
    if (!e->open)
        return WEFT_CONNECTING;
    return e->session.muted ? WEFT_CLOSING : WEFT_OPEN;
}

unsigned
weft_endpoint_close_code(const struct weft_endpoint *e)
{
    return e->session.close_received ? e->session.close_code : 1006;
}

static bool
can_send(const struct weft_endpoint *e)
{
    return weft_endpoint_state(e) == WEFT_OPEN;
}

enum weft_status
weft_endpoint_send(struct weft_endpoint *e, enum weft_opcode opcode,
                   const void *data, size_t len)
{
    if (!can_send(e))
        return WEFT_E_CLOSED;
    return weft_session_send(&e->session, opcode, data, len);
}

enum weft_status
weft_endpoint_send_plain(struct weft_endpoint *e, enum weft_opcode opcode,
                         const void *data, size_t len)
{
    if (!can_send(e))
        return WEFT_E_CLOSED;
    return weft_session_send_plain(&e->session, opcode, data, len);
}

enum weft_status
weft_endpoint_ping(struct weft_endpoint *e, const void *data, size_t len)
{
    if (!can_send(e))
        return WEFT_E_CLOSED;
    return weft_session_ping(&e->session, data, len);
}

enum weft_status
weft_endpoint_pong(struct weft_endpoint *e, const void *data, size_t len)
{
    if (!can_send(e))
        return WEFT_E_CLOSED;
    return weft_session_pong(&e->session, data, len);
}

enum weft_status
weft_endpoint_close(struct weft_endpoint *e, unsigned code,
                    const void *reason, size_t len)
{
    if (!e->open)
        return WEFT_E_CLOSED;
    return weft_session_close(&e->session, code, reason, len);
}
