/*
 * The phases of a turn.  It must not know what messages are, nor who calls.
 */
#include "loop/loop.h"

#include <errno.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/listener.h"
#include "loop/memory.h"
#include "net/clock.h"
#include "net/sock.h"

enum weft_status
weft_loop_init(struct weft_loop *loop, bool force_poll)
{
    int error;

    *loop = (struct weft_loop){ .wake_fd = -1, .most = WEFT_FOREVER,
                                .until = WEFT_FOREVER };
    weft_list_init(&loop->links);
    weft_list_init(&loop->journals);
    weft_list_init(&loop->work);
    weft_list_init(&loop->batch);
    weft_list_init(&loop->dirty);
    weft_list_init(&loop->later);
    weft_list_init(&loop->fed);
    weft_list_init(&loop->awake);
    weft_list_init(&loop->spare_flows);
    loop->most_awake = WEFT_AWAKE;
    weft_list_init(&loop->piped);
    weft_list_init(&loop->unsecured);
    weft_list_init(&loop->limits);
    weft_list_init(&loop->holders);
    loop->memory_limit = SIZE_MAX;
    error = weft_sock_begin();
    if (error < 0) {
        errno = -error;
        return WEFT_E_SYSTEM;
    }
    loop->arena = weft_realloc(NULL, WEFT_ARENA);
    if (loop->arena == NULL)
        return WEFT_E_MEMORY;
    loop->poller = weft_poller_new(force_poll);
    if (loop->poller == NULL) {
        weft_free(loop->arena);
        loop->arena = NULL;
        return WEFT_E_SYSTEM;
    }
    loop->now = weft_now();
    return WEFT_OK;
}

void
weft_loop_deinit(struct weft_loop *loop)
{
    if (loop->arena == NULL)
        return;
    for (int i = 0; i < loop->spare_count; i++)
        weft_buf_deinit(&loop->spares[i]);
    for (int i = 0; i < loop->large_count; i++)
        weft_buf_deinit(&loop->large[i]);
    loop->large_count = 0;
    weft_loop_free_post(loop);
    weft_loop_free_flows(loop);
    weft_buf_deinit(&loop->sealing);
    weft_digest_deinit(&loop->digest);
    weft_deflate_pool_deinit(&loop->deflate);
    weft_free(loop->sealed);
    weft_timers_deinit(&loop->timers);
    weft_poller_free(loop->poller);
    weft_loop_end_wake(loop);
    weft_free(loop->arena);
    loop->arena = NULL;
    loop->poller = NULL;
}

enum weft_status
weft_loop_renew(struct weft_loop *loop)
{
    bool by_poll = loop->poller->ops == &weft_poller_poll;

    loop->random = (struct weft_random){ .left = 0 };
    weft_poller_free(loop->poller); /* first: a kqueue is not inherited, and
                                       the next descriptor may get its number */
    weft_loop_end_wake(loop);
    loop->poller = weft_poller_new(by_poll);
    return loop->poller != NULL ? WEFT_OK : WEFT_E_SYSTEM;
}

/* When the loop is to wake up whatever the kernel says. */
static int64_t
next_deadline(const struct weft_loop *loop)
{
    const struct weft_timer *first = weft_timers_first(&loop->timers);
    int64_t at = first != NULL ? first->at : WEFT_FOREVER;
    int64_t cooling = loop->cooled + WEFT_WARM_TIME;

    return loop->warm_count > 0 && cooling < at ? cooling : at;
}

int64_t
weft_loop_timeout(const struct weft_loop *loop)
{
    int64_t at, left;

    if (!weft_list_empty(&loop->work) || !weft_list_empty(&loop->batch)
        || !weft_list_empty(&loop->dirty)
        || !weft_list_empty(&loop->later) || loop->post.room != NULL
        || !weft_list_empty(&loop->fed)
        || !weft_list_empty(&loop->piped)
        || !weft_list_empty(&loop->unsecured)
        || !weft_list_empty(&loop->journals))
        return 0;
    at = next_deadline(loop);
    if (at == WEFT_FOREVER)
        return -1;
    left = at - weft_now();
    return left > 0 ? left : 0;
}

int64_t
weft_loop_after(int64_t ns)
{
    int64_t now = weft_now();

    return now > WEFT_FOREVER - ns ? WEFT_FOREVER : now + ns;
}

const char *
weft_loop_date(struct weft_loop *loop)
{
    int64_t seconds = weft_wall_clock();

    if (seconds != loop->dated || loop->date[0] == '\0') {
        loop->dated = seconds;
        weft_http_date(loop->date, seconds);
    }
    return loop->date;
}

static void
user_ready(struct weft_loop *loop, struct weft_watch *w, uint8_t what)
{
    struct weft_user_watch *u = WEFT_CONTAINER(w, struct weft_user_watch,
                                               watch);

    u->ready |= what;
    weft_list_add(&loop->work, &u->work.node);
}

static void
dispatch(struct weft_loop *loop, struct weft_watch *w, uint8_t what)
{
    struct weft_listener *listener;

    if (w == NULL || w->wanted == 0)
        return; /* an earlier one in this batch has stopped it */
    switch ((enum weft_kind)w->kind) {
    case WEFT_KIND_LINK:
        weft_link_ready(WEFT_CONTAINER(w, struct weft_link, watch), what);
        break;
    case WEFT_KIND_LOOKUP:
        weft_dial_looked_up(w);
        break;
    case WEFT_KIND_DIAL:
        weft_dial_ready(w);
        break;
    case WEFT_KIND_LISTENER:
        listener = WEFT_CONTAINER(w, struct weft_listener, watch);
        weft_list_add(&loop->work, &listener->work.node);
        break;
    case WEFT_KIND_USER:
        user_ready(loop, w, what);
        break;
    case WEFT_KIND_WAKE:
        weft_sock_drain(w->fd);
        break;
    }
}

/* Ends of pairs, and what TLS has kept: each gets one look a turn. */
static void
read_piped(struct weft_loop *loop)
{
    struct weft_node now, *n;

    weft_list_init(&now);
    weft_list_move(&now, &loop->piped);
    while ((n = weft_list_take(&now)) != NULL) {
        weft_link_ready(WEFT_CONTAINER(n, struct weft_pipe, node)->link,
                        WEFT_READABLE | WEFT_WRITABLE);
        if (weft_loop_is_late(loop))
            break;
    }
    weft_list_move(&now, &loop->piped); /* behind those that are left */
    weft_list_move(&loop->piped, &now);
}

/*
 * Everybody gets as much of the arena; where it is too little for all, those
 * who did not get any come first in the next turn.
 */
static void
share_arena(struct weft_loop *loop, int ready)
{
    loop->arena_used = 0;
    loop->reads = 0;
    loop->share = ready > 0 ? WEFT_ARENA / (size_t)ready : WEFT_SLICE;
    if (loop->share > WEFT_SLICE)
        loop->share = WEFT_SLICE;
    if (loop->share < WEFT_SLICE_MIN)
        loop->share = WEFT_SLICE_MIN;
}

/* All that are ready, or as many as it takes to have enough of a large message
 * or to be late: the others come first in the next turn. */
static void
read_ready(struct weft_loop *loop, int n)
{
    loop->enough = loop->goes_on = false;
    loop->ready_count = n;
    for (int i = 0; i < n; i++) {
        const struct weft_ready *r =
            &loop->ready[(loop->first + (uint32_t)i) % (uint32_t)n];

        dispatch(loop, r->watch, r->what);
        if (loop->enough || weft_loop_is_late(loop)) {
            loop->reads = (uint32_t)i + (loop->goes_on ? 0 : 1);
            break;
        }
    }
    loop->ready_count = 0;
    loop->first += loop->reads;
}

static void
flush_dirty(struct weft_loop *loop)
{
    struct weft_node *n;

    while ((n = weft_list_take(&loop->dirty)) != NULL) {
        weft_link_flush(WEFT_CONTAINER(n, struct weft_flow, dirty)->link);
        if (weft_loop_is_late(loop))
            break;
    }
    loop->behind = !weft_list_empty(&loop->dirty);
}

/* When the turn that begins to work now is late. */
static int64_t
end_of_turn(struct weft_loop *loop)
{
    loop->now = weft_now();
    return loop->most > WEFT_FOREVER - loop->now ? WEFT_FOREVER
                                                 : loop->now + loop->most;
}

bool
weft_loop_wait(struct weft_loop *loop, int64_t timeout)
{
    int64_t most = weft_loop_timeout(loop);
    bool was_behind = loop->behind;
    int n;

    loop->dozes = false;
    if (was_behind) { /* first, so that it never falls behind by more */
        loop->until = end_of_turn(loop);
        flush_dirty(loop);
    }
    weft_loop_rest(loop);
    if (most >= 0 && (timeout < 0 || timeout > most))
        timeout = most;
    n = weft_poller_wait(loop->poller, timeout, loop->ready, WEFT_READY_MAX);
    if (was_behind)
        loop->now = weft_now();
    else
        loop->until = end_of_turn(loop);
    loop->woke = loop->now;
    loop->named = false;
    share_arena(loop, n);
    read_ready(loop, n);
    read_piped(loop);
    weft_loop_secure(loop);
    weft_loop_cool(loop);
    return n >= 0;
}

void
weft_loop_forget(struct weft_loop *loop, const struct weft_watch *w)
{
    for (int i = 0; i < loop->ready_count; i++)
        if (loop->ready[i].watch == w)
            loop->ready[i].watch = NULL;
}

struct weft_timer *
weft_loop_take_timer(struct weft_loop *loop)
{
    struct weft_timer *t;

    while ((t = weft_timers_take(&loop->timers, loop->now)) != NULL) {
        switch ((enum weft_kind)t->kind) {
        case WEFT_KIND_LINK:
            weft_link_expire(WEFT_CONTAINER(t, struct weft_link, timer));
            break;
        case WEFT_KIND_LISTENER:
            weft_listener_resume(WEFT_CONTAINER(t, struct weft_listener,
                                                timer));
            break;
        case WEFT_KIND_DIAL:
            weft_dial_expire(t);
            break;
        case WEFT_KIND_LOOKUP:
        case WEFT_KIND_USER:
        case WEFT_KIND_WAKE:
            return t;
        }
        if (weft_loop_is_late(loop))
            break;
    }
    return NULL;
}

struct weft_work *
weft_loop_next(struct weft_loop *loop)
{
    struct weft_node *n;

    weft_loop_relieve(loop);
    if (!loop->named) {
        weft_list_move(&loop->batch, &loop->work);
        loop->named = true;
    }
    n = weft_list_take(&loop->batch);
    return n != NULL ? WEFT_CONTAINER(n, struct weft_work, node) : NULL;
}

void
weft_loop_again(struct weft_loop *loop, struct weft_work *work)
{
    weft_list_add(&loop->work, &work->node);
    weft_loop_stir(loop);
}

void
weft_loop_flush(struct weft_loop *loop)
{
    struct weft_node now, *n;

    weft_list_init(&now);
    weft_list_move(&now, &loop->fed); /* some are for the next turn again */
    while ((n = weft_list_take(&now)) != NULL) {
        weft_link_settle(WEFT_CONTAINER(n, struct weft_flow, fed)->link);
        weft_loop_relieve(loop);
    }
    weft_loop_post(loop);
    flush_dirty(loop);
    weft_loop_relieve(loop);
    weft_list_move(&loop->dirty, &loop->later);
}

void
weft_loop_end_turn(struct weft_loop *loop)
{
    if (loop->timed)
        weft_histogram_add(&loop->turns, (uint64_t)(weft_now() - loop->woke));
}

const struct weft_histogram *
weft_loop_turns(struct weft_loop *loop)
{
    loop->timed = true;
    return &loop->turns;
}

enum weft_status
weft_loop_watch(struct weft_loop *loop, struct weft_user_watch *w,
                uint8_t wanted)
{
    w->watch.kind = WEFT_KIND_USER;
    w->work.kind = WEFT_KIND_USER;
    if (wanted == 0) {
        weft_node_unlink(&w->work.node);
        w->ready = 0;
    }
    return weft_poller_set(loop->poller, &w->watch, wanted);
}
