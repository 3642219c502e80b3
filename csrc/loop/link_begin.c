/*
 * How a link's opening begins, from a socket or a route to the request, and
 * what it leaves to the data phase.  It must not judge heads.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/inet.h"
#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/listener.h"
#include "loop/memory.h"
#include "net/clock.h"
#include "net/sock.h"
#include "proto/head_pack.h"

void
weft_link_fail_opening(struct weft_link *k, const char *word,
                       enum weft_cause cause, const char *format, ...)
{
    char message[WEFT_TARGET_TEXT + WEFT_TLS_WHY + 64];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (k->error == NULL)
        k->error = word;
    weft_link_finish(k, cause, message);
}

void
weft_link_out_of_memory(struct weft_link *k)
{
    weft_link_fail_opening(k, "system", WEFT_CAUSE_ERROR, "out of memory");
}

enum weft_status
weft_link_queue(struct weft_link *k, struct weft_buf *b)
{
    size_t len = weft_buf_len(b);
    uint8_t *to = weft_outq_reserve(&k->flow->session.out, len);

    if (to != NULL) {
        memcpy(to, weft_buf_head(b), len);
        weft_outq_commit(&k->flow->session.out, len);
    }
    weft_buf_deinit(b);
    return to != NULL ? WEFT_OK : WEFT_E_MEMORY;
}

enum weft_status
weft_link_keep_peer(struct weft_link *k, const struct weft_addr *peer)
{
    size_t len = (size_t)peer->len;

    if (peer->storage.ss_family == AF_INET && len > 0)
        len = offsetof(struct sockaddr_in, sin_zero); /* see weft_link_peer() */
    return weft_kept_add(&k->kept, WEFT_KEPT_PEER,
                         (struct weft_span){ (const char *)&peer->storage,
                                             len });
}

/* With a NUL behind it, as those who show it want it. */
static enum weft_status
keep_protocol(struct weft_link *k, struct weft_span protocol)
{
    enum weft_status rc;
    char *copy;

    if (protocol.len == 0)
        return WEFT_OK;
    copy = weft_realloc(NULL, protocol.len + 1);
    if (copy == NULL)
        return WEFT_E_MEMORY;
    memcpy(copy, protocol.data, protocol.len);
    copy[protocol.len] = '\0';
    rc = weft_kept_add(&k->kept, WEFT_KEPT_PROTOCOL,
                       (struct weft_span){ copy, protocol.len + 1 });
    weft_free(copy);
    return rc;
}

static enum weft_status
keep_head(struct weft_link *k, enum weft_kept_kind kind, struct weft_span head)
{
    struct weft_buf packed = { 0 };
    enum weft_status rc = weft_head_pack(&packed, head);

    if (rc == WEFT_OK)
        rc = weft_kept_add(&k->kept, kind, (struct weft_span){
                               (const char *)weft_buf_head(&packed),
                               weft_buf_len(&packed) });
    weft_buf_deinit(&packed);
    return rc;
}

enum weft_status
weft_link_keep_heads(struct weft_link *k)
{
    const struct weft_opening *o = k->flow->opening;
    struct weft_span sent = { (const char *)weft_buf_head(&o->sent),
                              weft_buf_len(&o->sent) };

    if (k->role == WEFT_SERVER)
        return keep_head(k, WEFT_KEPT_REQUEST, weft_opening_head(o));
    if (weft_link_kept(k, WEFT_KEPT_REQUEST).data == NULL
        && keep_head(k, WEFT_KEPT_REQUEST, sent) != WEFT_OK)
        return WEFT_E_MEMORY;
    return keep_head(k, WEFT_KEPT_RESPONSE, weft_opening_head(o));
}

/* What came behind the peer's head. */
static enum weft_status
keep_rest(struct weft_link *k, struct weft_span rest)
{
    if (rest.len == 0)
        return WEFT_OK;
    k->flow->rest = weft_realloc(NULL, rest.len);
    if (k->flow->rest == NULL)
        return WEFT_E_MEMORY;
    memcpy(k->flow->rest, rest.data, rest.len);
    return WEFT_OK;
}

/* Before anything of what follows may end it. */
static void
count_opened(struct weft_link *k)
{
    if (k->flow->opening->kind == WEFT_REQUEST_HTTP)
        k->counters->streams++;
    else
        k->counters->upgraded++;
}

enum weft_status
weft_link_begin(struct weft_link *k, struct weft_span protocol,
                const struct weft_deflate_agreed *agreed)
{
    struct weft_span rest = weft_opening_rest(k->flow->opening);

    if (weft_link_keep_heads(k) != WEFT_OK
        || keep_protocol(k, protocol) != WEFT_OK
        || keep_rest(k, rest) != WEFT_OK
        || weft_session_deflate(&k->flow->session, &k->config->deflate, agreed,
                                &k->loop->deflate) != WEFT_OK)
        return WEFT_E_MEMORY;
    k->deflate = k->flow->session.deflate;
    k->agreed = *agreed;
    count_opened(k);
    weft_link_tell_open(k, protocol);
    weft_opening_free(k->flow->opening);
    k->flow->opening = NULL;
    k->flow->session.front = weft_outq_len(&k->flow->session.out);
    k->state = WEFT_LINK_OPEN;
    k->life = k->last_message = k->loop->now;
    k->pinged = 0;
    if (rest.len > 0) {
        k->flow->input = (struct weft_input){ k->flow->rest, rest.len };
        weft_list_add(&k->loop->fed, &k->flow->fed);
    }
    weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
    weft_link_mark(k);
    weft_link_retime(k);
    return WEFT_OK;
}

enum weft_status
weft_link_begin_client(struct weft_link *k)
{
    const struct weft_opening *o = k->flow->opening;

    struct weft_deflate_agreed agreed = o->agreed; /* o will be gone */

    return weft_link_begin(k, o->protocol < 0
                                  ? (struct weft_span){ "", 0 }
                                  : o->request.protocols[o->protocol],
                           &agreed);
}

static void
begin_opening(struct weft_link *k, enum weft_link_state state)
{
    k->state = state;
    weft_memory_enter(k->loop, k->config);
    if (k->role == WEFT_CLIENT)
        k->loop->now = weft_now(); /* the caller may have taken its time */
    k->opened = k->life = k->loop->now;
    if (k->listener == NULL) /* which has it, else */
        weft_list_add(&k->loop->links, &k->node);
    weft_link_retime(k);
}

static enum weft_link_state
first_state(const struct weft_link *k)
{
    if (k->listener != NULL && k->listener->proxy_heads)
        return WEFT_LINK_PROXY_HEAD;
    return k->tls != NULL ? WEFT_LINK_SECURING : WEFT_LINK_HANDSHAKE;
}

enum weft_status
weft_link_serve(struct weft_link *k, int fd, const struct weft_addr *from,
                struct weft_tls_context *tls)
{
    if (!weft_link_wake(k)) {
        weft_sock_close(&fd);
        return WEFT_E_MEMORY;
    }
    k->flow->opening = weft_opening_server(k->config->max_header,
                                           k->config->max_headers);
    if (tls != NULL)
        k->tls = weft_tls_new(tls, NULL, 0);
    if (k->flow->opening == NULL
        || (tls != NULL && (k->tls == NULL || !weft_link_make_pipe(k)))
        || weft_link_keep_peer(k, from) != WEFT_OK) {
        weft_opening_free(k->flow->opening);
        weft_tls_free(k->tls);
        weft_link_free_pipe(k);
        k->flow->opening = NULL;
        k->tls = NULL;
        weft_sock_close(&fd);
        return WEFT_E_MEMORY;
    }
    if (k->config->nodelay)
        weft_sock_nodelay(fd);
    k->watch.fd = fd;
    begin_opening(k, first_state(k));
    weft_link_watch(k, WEFT_READABLE);
    return k->state == WEFT_LINK_CLOSED ? WEFT_E_SYSTEM : WEFT_OK;
}

enum weft_status
weft_link_connect(struct weft_link *k, const struct weft_route *to,
                  int64_t limit, const struct weft_client_request *r)
{
    struct weft_client_request request = *r;

    request.deflate = k->config->deflate;
    if (!weft_link_wake(k))
        return WEFT_E_MEMORY;
    k->flow->opening = weft_opening_client(&request, &k->loop->random,
                                           k->config->max_header,
                                           k->config->max_headers);
    if (k->flow->opening == NULL)
        return WEFT_E_MEMORY;
    k->opening_limit = limit;
    begin_opening(k, WEFT_LINK_DIALLING);
    return k->state == WEFT_LINK_CLOSED ? WEFT_E_MEMORY
                                        : weft_link_reach(k, to);
}

enum weft_status
weft_link_redial(struct weft_link *k, const struct weft_route *to,
                 const struct weft_client_request *r)
{
    struct weft_loop *loop = k->loop;
    struct weft_config *config = weft_config_retain(k->config);
    int64_t left = k->opening_limit;

    if (left != WEFT_FOREVER)
        left -= loop->now - k->opened;
    weft_link_deinit(k);
    weft_link_init(k, loop, config, WEFT_CLIENT);
    weft_config_release(config);
    return weft_link_connect(k, to, left > 0 ? left : 0, r);
}

void
weft_link_ask(struct weft_link *k)
{
    k->state = WEFT_LINK_HANDSHAKE;
    if (weft_link_keep_heads(k) != WEFT_OK
        || weft_link_queue(k, &k->flow->opening->sent) != WEFT_OK) {
        weft_link_out_of_memory(k);
        return;
    }
    weft_link_watch(k, WEFT_READABLE);
    weft_link_mark_dirty(k);
}
