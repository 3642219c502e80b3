/*
 * Links at rest: they give what they need only while something passes through
 * them back to the loop, since very many may be open that say nothing.  It must
 * not know what passes.
 *
 * Nothing is copied on the way: a flow is taken back when it holds nothing that
 * a new one would not.
 */
#include "base/mem.h"
#include "loop/link_inner.h"

/* Whoever wrote to it would know at once: it is constant. */
const struct weft_flow weft_flow_none = {
    .fault = WEFT_MORE, /* not 0, with which the session may be read */
    .pings = { (struct weft_node *)&weft_flow_none.pings,
               (struct weft_node *)&weft_flow_none.pings },
};

static struct weft_flow *
take_spare(struct weft_loop *loop)
{
    struct weft_node *n = weft_list_take(&loop->spare_flows);

    if (n == NULL)
        return weft_realloc(NULL, sizeof(struct weft_flow));
    loop->spare_flow_count--;
    return WEFT_CONTAINER(n, struct weft_flow, awake);
}

bool
weft_link_get_flow(struct weft_link *k)
{
    struct weft_flow *f = take_spare(k->loop);

    if (f == NULL)
        return false;
    *f = (struct weft_flow){ .link = k };
    weft_list_init(&f->pings);
    weft_session_init(&f->session, k->role, &k->config->limits,
                      &k->loop->random);
    f->session.deflate = k->deflate;
    if (k->quota != NULL)
        weft_session_ration(&f->session, &k->quota->left);
    k->flow = f;
    weft_flow_touch(f);
    return true;
}

void
weft_link_drop_flow(struct weft_link *k)
{
    struct weft_loop *loop = k->loop;
    struct weft_flow *f = k->flow;

    if (f == &weft_flow_none)
        return;
    k->flow = (struct weft_flow *)&weft_flow_none;
    loop->held -= f->held;
    weft_node_unlink(&f->holding);
    f->session.deflate = NULL; /* the link's */
    weft_session_deinit(&f->session);
    weft_buf_deinit(&f->ahead);
    if (weft_node_linked(&f->awake))
        loop->awake_count--;
    weft_node_unlink(&f->awake);
    if (loop->spare_flow_count < loop->most_awake / 4) {
        weft_list_add(&loop->spare_flows, &f->awake);
        loop->spare_flow_count++;
    } else {
        weft_free(f);
    }
}

/* Whether a new flow would do as well as this one. */
static bool
may_rest(const struct weft_flow *f)
{
    const struct weft_link *k = f->link;

    return k->state == WEFT_LINK_OPEN && !k->lent && !k->reading_over
           && f->fault == 0 && f->input.len == 0 && f->rest == NULL
           && weft_buf_len(&f->ahead) == 0 && f->stalled == 0
           && f->ending == 0 && weft_list_empty(&f->pings)
           && !weft_node_linked(&f->dirty) && !weft_node_linked(&f->fed)
           && !weft_node_linked(&f->borrower)
           && (k->pipe == NULL || weft_buf_len(&k->pipe->inbox) == 0)
           && weft_session_rests(&f->session);
}

void
weft_loop_rest(struct weft_loop *loop)
{
    while (loop->awake_count > loop->most_awake) {
        struct weft_flow *f = WEFT_CONTAINER(weft_list_take(&loop->awake),
                                             struct weft_flow, awake);

        loop->awake_count--; /* one that may not yet will be touched again */
        if (may_rest(f))
            weft_link_drop_flow(f->link);
    }
}

void
weft_loop_free_flows(struct weft_loop *loop)
{
    struct weft_node *n;

    while ((n = weft_list_take(&loop->spare_flows)) != NULL)
        weft_free(WEFT_CONTAINER(n, struct weft_flow, awake));
    loop->spare_flow_count = 0;
    loop->most_awake = 0; /* links that are left keep none here */
}
