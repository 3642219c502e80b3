/*
 * One turn of an instance: wait, read, run, flush.  It must not know what a
 * connection or a task does with its turn.
 */
#include <math.h>

#include "lua/state.h"

bool
weft_instance_alive(const struct weft_instance *I)
{
    return I->task_count > 0 || I->server_count > 0 || I->event_count > 0
           || I->closing_count > 0 || I->loop.behind
           || !weft_list_empty(&I->loop.journals);
}

bool
weft_instance_is_busy(const struct weft_instance *I)
{
    return !weft_list_empty(&I->ready) || !weft_list_empty(&I->batch);
}

static void
wake_timers(struct weft_instance *I)
{
    struct weft_timer *t;

    while ((t = weft_loop_take_timer(&I->loop)) != NULL) {
        struct weft_wait *w = WEFT_CONTAINER(t, struct weft_wait, timer);

        weft_wake(w, w->kind == WEFT_WAIT_SLEEP ? WEFT_DONE : WEFT_TIMEOUT);
        if (weft_loop_is_late(&I->loop))
            break;
    }
}

/* A descriptor that a task waits for, or the signals'. */
static void
watch_ready(struct weft_instance *I, struct weft_user_watch *u)
{
    if (u == &I->signal_watch) {
        u->ready = 0;
        weft_signal_service(I);
        return;
    }
    weft_wake(WEFT_CONTAINER(u, struct weft_descriptor, watch)->wait,
              WEFT_DONE);
}

static void
service(lua_State *L, struct weft_instance *I, struct weft_work *work)
{
    switch ((enum weft_kind)work->kind) {
    case WEFT_KIND_LINK:
        weft_ws_service(L, (struct weft_ws *)WEFT_CONTAINER(
                               work, struct weft_link, work));
        break;
    case WEFT_KIND_LISTENER:
        weft_server_service(L, (struct weft_server *)WEFT_CONTAINER(
                                   work, struct weft_listener, work));
        break;
    case WEFT_KIND_USER:
        watch_ready(I, WEFT_CONTAINER(work, struct weft_user_watch, work));
        break;
    case WEFT_KIND_LOOKUP:
    case WEFT_KIND_DIAL:
    case WEFT_KIND_WAKE:
        break;
    }
}

/*
 * What is named, then tasks.  Those that a turn has left when it was over go first
 * in the next one, and if that is over with them, what is named goes first after
 * that: neither can keep the other from running.  Before all that comes what the
 * log has not been told: once it knows, what is named has its turn.
 */
static void
run(lua_State *L, struct weft_instance *I)
{
    struct weft_work *work;

    if (I->log_behind)
        weft_log_tell(L, I, true);
    weft_task_run_ready(L, I);
    if (weft_turn_is_over(I))
        return;
    weft_list_move(&I->batch, &I->ready);
    while (!weft_turn_is_over(I)
           && (work = weft_loop_next(&I->loop)) != NULL) {
        service(L, I, work);
        I->done++;
    }
    if (!weft_turn_is_over(I))
        weft_task_run_ready(L, I);
}

/* The phases.  What raises (memory) leaves every list to go on from. */
static int
turn_body(lua_State *L)
{
    struct weft_instance *I = lua_touserdata(L, 1);
    int64_t timeout = (int64_t)lua_tointeger(L, 2);

    luaL_checkstack(L, 64, "turn");
    if (weft_instance_is_busy(I))
        timeout = 0;
    weft_return_lent(L, I); /* of sends between turns */
    weft_loop_wait(&I->loop, timeout);
    wake_timers(I);
    run(L, I);
    weft_loop_flush(&I->loop);
    weft_return_lent(L, I);
    if (!weft_list_empty(&I->loop.journals))
        weft_log_tell(L, I, true);
    weft_loop_end_turn(&I->loop);
    weft_untold_settle(L, &I->untold);
    return 0;
}

bool
weft_turn(lua_State *L, struct weft_instance *I, int64_t timeout,
          double messages, double seconds)
{
    struct weft_state *S = I->state;
    struct weft_task *task = S->task;
    lua_State *leaf = S->leaf;
    int status;

    I->messages = messages;
    I->unbounded = messages == HUGE_VAL && seconds == HUGE_VAL;
    weft_loop_bound(&I->loop, weft_nanoseconds(seconds));
    I->done = 0;
    I->in_turn = true;
    S->turns++;
    lua_pushcfunction(L, turn_body);
    lua_pushlightuserdata(L, I);
    lua_pushinteger(L, timeout);
    status = lua_pcall(L, 2, 0, 0);
    S->turns--;
    S->task = task;
    S->leaf = leaf;
    I->in_turn = false;
    weft_loop_doze(&I->loop, weft_instance_is_busy(I));
    return status == LUA_OK;
}

static int
nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/*
 * lua.c answers SIGINT by a hook that raises at the next call or instruction;
 * while we wait there is none, so we make one.
 */
bool
weft_let_interrupt(lua_State *L)
{
    if (lua_gethook(L) == NULL)
        return true;
    lua_pushcfunction(L, nothing);
    return lua_pcall(L, 0, 0, 0) == LUA_OK;
}
