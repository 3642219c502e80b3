/*
 * The bytes that links hold, and the limit on them.  It must not know what the
 * bytes mean.
 */
#include "loop/memory.h"

#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/listener.h"
#include "loop/room.h"

/* ---- the limit */

static void
find_limit(struct weft_loop *loop)
{
    loop->memory_limit = SIZE_MAX;
    for (struct weft_node *n = loop->limits.next; n != &loop->limits;
         n = n->next) {
        size_t limit = WEFT_CONTAINER(n, struct weft_config,
                                      limit)->memory_limit;

        if (limit < loop->memory_limit)
            loop->memory_limit = limit;
    }
}

void
weft_memory_enter(struct weft_loop *loop, struct weft_config *c)
{
    if (c->memory_limit == 0 || c->limited++ > 0)
        return;
    weft_list_add(&loop->limits, &c->limit);
    find_limit(loop);
}

void
weft_memory_leave(struct weft_loop *loop, struct weft_config *c)
{
    if (c->memory_limit == 0 || --c->limited > 0)
        return;
    weft_node_unlink(&c->limit);
    find_limit(loop);
}

/* ---- counting */

static size_t
output_of(const struct weft_link *k)
{
    return weft_outq_len(&k->flow->session.out);
}

static size_t
input_of(const struct weft_link *k)
{
    const struct weft_flow *f = k->flow;
    size_t n = weft_buf_len(&f->session.message) + weft_buf_len(&f->ahead);

    if (f->rest != NULL)
        n += f->input.len;
    if (f->opening != NULL)
        n += weft_opening_held(f->opening);
    if (k->pipe != NULL)
        n += weft_buf_len(&k->pipe->inbox);
    if (k->tls != NULL)
        n += weft_tls_held(k->tls);
    return n;
}

void
weft_link_count(struct weft_link *k)
{
    struct weft_flow *f = k->flow;
    size_t shared, now;

    if (!weft_link_is_awake(k))
        return;
    shared = f->session.out.shared;
    now = output_of(k) - shared + input_of(k);
    k->loop->held += now - f->held;
    f->held = now;
    if (now + shared > 0)
        weft_list_add(&k->loop->holders, &f->holding);
    else
        weft_node_unlink(&f->holding);
}

/* ---- giving up */

static void
drop_input(struct weft_link *k)
{
    struct weft_flow *f = k->flow;

    k->lent = k->from_ahead = false;
    weft_buf_deinit(&f->ahead);
    f->input = (struct weft_input){ 0 };
    weft_free(f->rest);
    f->rest = NULL;
    weft_pair_drop(k);
}

/* Its request is answered; what has come of the body is not needed for that. */
static void
refuse(struct weft_link *k)
{
    weft_link_refuse(k, 503, "The server has no memory to spare.");
    if (weft_link_is_awake(k) && k->flow->opening != NULL)
        weft_opening_drop_body(k->flow->opening);
}

static void
shed(struct weft_link *k)
{
    const char *why = weft_status_text(WEFT_E_OVER_MEMORY);
    enum weft_cause cause = output_of(k) > input_of(k) ? WEFT_CAUSE_SLOW
                                                       : WEFT_CAUSE_TOO_BIG;

    if (k->state != WEFT_LINK_CLOSED && !k->flow->shed)
        k->counters->over_memory++;
    k->flow->shed = true;
    k->cause = cause; /* also of one that ends, whose messages are lost */
    weft_link_explain(k, why);
    weft_room_leave_all(k); /* without what is gathered there */
    drop_input(k);
    if (k->state == WEFT_LINK_OPEN && weft_session_shed(&k->flow->session))
        weft_link_fail(k, WEFT_E_OVER_MEMORY);
    else if (weft_link_is_in_request(k) || k->state == WEFT_LINK_ASKED)
        refuse(k);
    else if (k->state < WEFT_LINK_ASKED && k->role == WEFT_CLIENT)
        weft_link_fail_opening(k, "system", cause, "%s", why);
    else if (k->state != WEFT_LINK_CLOSED)
        weft_link_abort(k, cause, NULL);
    else
        weft_session_shed(&k->flow->session);
    weft_link_flush(k); /* the kernel holds what it was told */
}

static struct weft_link *
largest(const struct weft_loop *loop)
{
    struct weft_link *found = NULL;
    size_t most = 0;

    for (struct weft_node *n = loop->holders.next; n != &loop->holders;
         n = n->next) {
        struct weft_link *k = WEFT_CONTAINER(n, struct weft_flow,
                                             holding)->link;
        size_t holds = output_of(k) + input_of(k);

        if (holds > most) {
            found = k;
            most = holds;
        }
    }
    return found;
}

void
weft_loop_relieve_any(struct weft_loop *loop)
{
    struct weft_node *n;
    struct weft_link *k;

    while ((n = weft_list_take(&loop->dirty)) != NULL)
        weft_link_flush(WEFT_CONTAINER(n, struct weft_flow, dirty)->link);
    while (loop->held > loop->memory_limit && (k = largest(loop)) != NULL)
        shed(k);
}
