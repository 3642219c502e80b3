/*
 * A link's life and death: settings, states, and the one place where a
 * connection ends.  It must not know frames or heads.
 */
#include "loop/link.h"

#include <string.h>

#include "base/inet.h"
#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/listener.h"
#include "loop/memory.h"
#include "loop/room.h"
#include "net/clock.h"
#include "net/sock.h"

const char *
weft_link_message(const struct weft_link *k)
{
    return k->close_message != NULL ? k->close_message
                                    : weft_cause_text(k->cause);
}

struct weft_config *
weft_config_retain(struct weft_config *c)
{
    c->references++;
    return c;
}

void
weft_config_release(struct weft_config *c)
{
    if (c != NULL && --c->references == 0)
        weft_free(c);
}

void
weft_link_init(struct weft_link *k, struct weft_loop *loop,
               struct weft_config *config, enum weft_role role)
{
    *k = (struct weft_link){ 0 };
    k->loop = loop;
    k->config = weft_config_retain(config);
    k->role = role;
    k->watch.fd = -1;
    k->watch.kind = WEFT_KIND_LINK;
    k->timer.kind = WEFT_KIND_LINK;
    k->work.kind = WEFT_KIND_LINK;
    k->close_code = 1006;
    k->latency = -1;
    k->opening_limit = config->handshake_timeout;
    k->counters = &loop->unlisted;
    k->flow = (struct weft_flow *)&weft_flow_none;
}

void
weft_link_peer(const struct weft_link *k, struct weft_addr *peer)
{
    struct weft_span kept = weft_link_kept(k, WEFT_KEPT_PEER);

    *peer = (struct weft_addr){ 0 };
    if (kept.len > sizeof(peer->storage))
        return;
    if (kept.len > 0)
        memcpy(&peer->storage, kept.data, kept.len);
    peer->len = (socklen_t)kept.len;
    if (peer->storage.ss_family == AF_INET) /* kept without its padding */
        peer->len = sizeof(struct sockaddr_in);
}

void
weft_link_mark(struct weft_link *k)
{
    weft_list_add(&k->loop->work, &k->work.node);
    weft_loop_stir(k->loop);
}

void
weft_link_mark_dirty(struct weft_link *k)
{
    weft_list_add(&k->loop->dirty, &k->flow->dirty);
    weft_loop_stir(k->loop);
}

void
weft_link_explain(struct weft_link *k, const char *message)
{
    size_t size = strlen(message) + 1;
    char *copy = weft_realloc(NULL, size);

    if (copy == NULL)
        return;
    weft_free(k->close_message);
    k->close_message = memcpy(copy, message, size);
}

void
weft_link_blame(struct weft_link *k, enum weft_cause cause,
                const char *message)
{
    if (k->cause != WEFT_CAUSE_NONE)
        return;
    k->cause = cause;
    if (message != NULL)
        weft_link_explain(k, message);
}

/* What only a live link has in its flow. */
static void
dry_up(struct weft_link *k)
{
    struct weft_flow *f = k->flow;

    if (!weft_link_is_awake(k))
        return;
    weft_dial_free(k);
    weft_tunnel_free(f->tunnel);
    f->tunnel = NULL;
    weft_opening_free(f->opening);
    f->opening = NULL;
    weft_answer_close_file(&f->answer);
    weft_node_unlink(&f->dirty);
    weft_node_unlink(&f->fed); /* or unsecured */
    f->input = (struct weft_input){ 0 };
    weft_free(f->rest);
    f->rest = NULL;
    weft_outq_deinit(&f->session.out);
    f->session.deflate = NULL;
    weft_session_ration(&f->session, NULL);
}

/* Lets go of the transport and of everything only a live link needs. */
static void
disconnect(struct weft_link *k)
{
    if (k->watch.fd >= 0)
        weft_poller_set(k->loop->poller, &k->watch, 0);
    k->watch.wanted = 0;
    weft_sock_close(&k->watch.fd);
    weft_pair_leave(k);
    weft_room_leave_all(k);
    weft_sealed_cool(k);
    weft_tls_free(k->tls);
    k->tls = NULL;
    weft_timer_clear(&k->loop->timers, &k->timer);
    weft_node_unlink(&k->node);
    dry_up(k);
    weft_deflate_free(k->deflate); /* nothing is read or sent now */
    k->deflate = NULL;
    weft_free(k->quota);
    k->quota = NULL;
    if (k->listener != NULL)
        weft_listener_forget(k->listener, k);
    if (k->state != WEFT_LINK_IDLE && k->state != WEFT_LINK_CLOSED)
        weft_memory_leave(k->loop, k->config);
}

/* The code of the close frame that came first, either way; event streams have
 * none. */
static void
count_close(struct weft_link *k)
{
    const struct weft_session *s = &k->flow->session;

    if (!weft_link_is_upgraded(k))
        return;
    k->counters->closed[k->cause]++;
    if (k->role != WEFT_EVENTS)
        weft_counters_add_code(k->counters, k->cause == WEFT_CAUSE_PEER
                                                ? k->close_code
                                            : s->close_sent ? s->sent_code
                                                            : 1006);
}

void
weft_link_finish(struct weft_link *k, enum weft_cause cause,
                 const char *message)
{
    if (k->state == WEFT_LINK_CLOSED || k->state == WEFT_LINK_IDLE)
        return;
    weft_link_blame(k, cause, message);
    weft_link_tell_end(k);
    if (k->state == WEFT_LINK_BODY)
        weft_link_keep_body(k);
    if ((weft_session_closed(&k->flow->session) || cause == WEFT_CAUSE_TLS)
        && weft_link_is_sealed(k) && !k->write_dead)
        weft_sealed_end(k); /* close_notify, or the alert */
    count_close(k);
    disconnect(k);
    k->state = WEFT_LINK_CLOSED;
    k->reading_over = true;
    k->clean = weft_session_closed(&k->flow->session);
    weft_link_count(k);
    weft_link_mark(k);
}

void
weft_link_deinit(struct weft_link *k)
{
    if (k->loop == NULL)
        return;
    disconnect(k);
    weft_node_unlink(&k->work.node);
    while (weft_list_take(&k->flow->pings) != NULL)
        continue;
    weft_link_drop_flow(k);
    weft_free(k->kept);
    weft_free(k->close_message);
    weft_config_release(k->config);
    *k = (struct weft_link){ .state = WEFT_LINK_CLOSED, .cause = k->cause,
                             .flow = k->flow };
    k->watch.fd = -1;
    k->close_code = 1006;
    k->latency = -1;
}

static enum weft_cause
fault_cause(enum weft_status fault)
{
    switch (fault) {
    case WEFT_E_MEMORY:
        return WEFT_CAUSE_ERROR;
    case WEFT_E_MESSAGE_TOO_BIG:
    case WEFT_E_FRAME_TOO_BIG:
    case WEFT_E_TOO_MANY_FRAGMENTS:
    case WEFT_E_TOO_MANY_MESSAGES:
    case WEFT_E_TOO_MANY_BYTES:
        return WEFT_CAUSE_TOO_BIG;
    default:
        return WEFT_CAUSE_PROTOCOL;
    }
}

void
weft_link_fail(struct weft_link *k, enum weft_status fault)
{
    weft_link_catch_up(k);
    if (k->state == WEFT_LINK_CLOSED)
        return;
    k->flow->fault = WEFT_OK;
    k->reading_over = true;
    k->loop->now = weft_now();
    weft_link_blame(k, fault_cause(fault), weft_status_text(fault));
    if (weft_status_close_code(fault) == 1008) {
        k->counters->too_fast++;
        weft_link_tell_rate(k, fault);
    }
    weft_session_fail(&k->flow->session, fault);
    weft_room_leave_all(k);
    k->flow->ending = k->loop->now;
    k->state = WEFT_LINK_LINGER;
    weft_link_mark_dirty(k);
    weft_link_mark(k);
    weft_link_retime(k);
    weft_link_watch(k, WEFT_READABLE);
}

void
weft_link_close(struct weft_link *k, unsigned code, struct weft_span reason,
                enum weft_cause cause)
{
    weft_link_catch_up(k);
    if (k->state == WEFT_LINK_IDLE || k->state >= WEFT_LINK_LINGER)
        return;
    if (k->state < WEFT_LINK_OPEN) {
        weft_link_abort(k, cause, NULL);
        return;
    }
    if (k->flow->fault < 0) {
        weft_link_fail(k, k->flow->fault);
        return;
    }
    if (k->flow->session.close_sent)
        return;
    k->loop->now = weft_now(); /* the caller may have taken its time */
    weft_link_blame(k, cause, NULL);
    if (!weft_link_wake(k)
        || weft_session_close(&k->flow->session, code, reason.data,
                              reason.len) == WEFT_E_MEMORY) {
        weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
        return;
    }
    weft_room_leave_all(k);
    k->flow->ending = k->loop->now;
    if (k->role == WEFT_EVENTS) /* nobody answers */
        k->state = WEFT_LINK_LINGER;
    weft_link_watch(k, k->watch.wanted | WEFT_READABLE);
    weft_link_holds_input(k); /* the peer's answer may stand in it */
    weft_link_mark_dirty(k);
    weft_link_mark(k);
    weft_link_retime(k);
}

void
weft_link_abort(struct weft_link *k, enum weft_cause cause,
                const char *message)
{
    if (k->state == WEFT_LINK_IDLE || k->state == WEFT_LINK_CLOSED)
        return;
    if (k->state < WEFT_LINK_OPEN && k->error == NULL)
        k->error = "cancelled";
    if (weft_link_is_awake(k))
        weft_buf_deinit(&k->flow->ahead);
    k->lent = k->from_ahead = false;
    weft_link_finish(k, cause, message);
}
