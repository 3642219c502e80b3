/*
 * Parking and resuming: the only file with lua_resume and lua_yield.  It must
 * not know what is waited for.
 */
#include "lua/check.h"
#include "lua/task_inner.h"

#include <math.h>

const char weft_mark = 0;
static const char kill_mark = 0;

/* ---- parking */

int
weft_task_end_here(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&kill_mark);
    return lua_yield(L, 1);
}

/* Withdraws a main-thread wait that an error interrupts. */
static int
give_up(lua_State *L, struct weft_wait *w)
{
    weft_wait_end(w, WEFT_CANCELLED);
    weft_wait_drop_ping(w);
    w->kind = WEFT_WAIT_NONE;
    weft_loop_stir(&w->instance->loop);
    return lua_error(L);
}

/* The main thread turns the loop until its wait is over. */
static int
block(lua_State *L, struct weft_wait *w)
{
    struct weft_instance *I = w->instance;
    int n;

    while (w->outcome == WEFT_WAITING) {
        if (!weft_let_interrupt(L)
            || !weft_turn(L, I, -1, HUGE_VAL, HUGE_VAL))
            return give_up(L, w);
    }
    n = weft_push_outcome(L, w);
    w->kind = WEFT_WAIT_NONE;
    weft_loop_stir(&I->loop); /* a host is to ask for its timeout again */
    return n;
}

int
weft_wait_park(lua_State *L, struct weft_wait *w, double seconds)
{
    struct weft_instance *I = w->instance;
    int64_t ns = weft_nanoseconds(seconds);

    if (ns != WEFT_FOREVER
        && weft_timer_set(&I->loop.timers, &w->timer, weft_loop_after(ns))
               != WEFT_OK) {
        weft_wait_end(w, WEFT_CANCELLED);
        return weft_raise(L, "out of memory");
    }
    if (w->task == NULL)
        return block(L, w);
    lua_pushlightuserdata(L, (void *)&weft_mark);
    /* all of the call's stack: before 5.4 what is not yielded is out of the
       reach of who completes the wait */
    return lua_yield(L, lua_gettop(L));
}

/* ---- resuming */

static void
task_yielded(lua_State *L, struct weft_task *t, int n)
{
    const void *mark = n > 0 ? lua_touserdata(t->thread, -1) : NULL;

    if (WEFT_YIELD_MAY_RAISE && mark != &weft_mark)
        weft_wait_withdraw(L, &t->wait);
    if (mark == &weft_mark) {
        if (t->wait.outcome == WEFT_WAITING)
            t->status = WEFT_TASK_WAITING;
        else if (!weft_node_linked(&t->wait.node))
            weft_task_make_ready(t);
    } else if (mark == &kill_mark) {
        weft_task_cancelled(L, t);
    } else if (n == 0 && t->cancels > 0 && t->cancels++ > 3) {
        weft_task_cancelled(L, t); /* it only ever gives way */
    } else if (n == 0) { /* a bare yield gives way for one turn */
        weft_wait_clean(&t->wait, t->wait.instance, t, t->thread);
        t->wait.kind = WEFT_WAIT_YIELD;
        weft_wake(&t->wait, WEFT_DONE);
    } else {
        lua_pushliteral(L, "coroutine.yield with values in a weft task: only "
                           "a bare yield gives way (use weft.queue to pass "
                           "values, or weft.wrap for a generator)");
        weft_task_failed(L, t);
    }
}

/* The running code of a task, or of a coroutine in it, has ended by the error on
 * the top of L.  On plain 5.1, if it was lua_yield() that raised, it is said in
 * our words. */
static void
withdraw(lua_State *L, struct weft_task *t)
{
    if (!weft_wait_withdraw(L, &t->wait) || !WEFT_PLAIN_51)
        return;
    lua_pop(L, 1);
    lua_pushfstring(L, WEFT_CANNOT_LEAVE, t->wait.instance->state->call);
}

/* Resumes with n values that are on the task's own thread already. */
static void
go(lua_State *L, struct weft_task *t, int n)
{
    struct weft_state *S = t->wait.instance->state;
    struct weft_task *task = S->task;
    lua_State *leaf = S->leaf;
    int status, results = 0;

    t->wait.instance->done++;
    t->status = WEFT_TASK_RUNNING;
    t->wait.kind = WEFT_WAIT_NONE;
    S->task = t;
    S->leaf = t->thread;
    status = lua_resume(t->thread, L, n, &results);
    S->task = task;
    S->leaf = leaf;
    if (status == LUA_YIELD) {
        task_yielded(L, t, results);
    } else if (status == LUA_OK) {
        if (WEFT_YIELD_MAY_RAISE)
            weft_wait_withdraw(L, &t->wait);
        weft_task_done(L, t);
    } else {
        lua_xmove(t->thread, L, 1);
        if (WEFT_YIELD_MAY_RAISE)
            withdraw(L, t);
        if (weft_task_is_cancellation(L, t)) {
            lua_pop(L, 1);
            weft_task_cancelled(L, t);
        } else {
            weft_task_failed(L, t);
        }
    }
}

void
weft_task_resume(lua_State *L, struct weft_task *t, int n)
{
    if (!lua_checkstack(t->thread, n + LUA_MINSTACK)) {
        lua_pop(L, n);
        lua_pushliteral(L, "stack overflow");
        weft_task_failed(L, t);
        return;
    }
    lua_xmove(L, t->thread, n);
    go(L, t, n);
}

void
weft_task_start(lua_State *L, struct weft_task *t)
{
    weft_node_unlink(&t->wait.node);
    go(L, t, t->arguments);
}

void
weft_task_run_ready(lua_State *L, struct weft_instance *I)
{
    struct weft_node *n;

    while ((n = weft_list_take(&I->batch)) != NULL) {
        struct weft_task *t = WEFT_CONTAINER(n, struct weft_task, wait.node);

        I->messages--;
        if (t->status == WEFT_TASK_NEW)
            go(L, t, t->arguments);
        else
            weft_task_resume(L, t, weft_push_outcome(L, &t->wait));
        if (weft_turn_is_over(I))
            return;
    }
}

struct weft_task *
weft_task_take(lua_State *L, struct weft_instance *I, int n)
{
    struct weft_node *idle = weft_list_take(&I->idle);
    struct weft_task *t;

    if (idle != NULL) {
        t = WEFT_CONTAINER(idle, struct weft_task, wait.node);
        I->idle_count--;
    } else {
        t = weft_task_new(L, I); /* anchored: needs no place on L */
        lua_pop(L, 1);
    }
    t->arguments = n - 1;
    weft_task_enlist(t, WEFT_TASK_NEW);
    lua_xmove(L, t->thread, n);
    return t;
}

/*
 * Pushes the error of a coroutine that failed, and closes that.  Its <close>
 * variables are given the error, and theirs takes its place; what is left on
 * the stack would pass for a function that has not started.
 */
static void
take_error(lua_State *L, lua_State *co)
{
    lua_xmove(co, L, 1);
    lua_pushvalue(L, -1);
    lua_xmove(L, co, 1);
    lua_closethread(co, L);
    if (lua_gettop(co) > 0) {
        lua_xmove(co, L, 1);
        lua_replace(L, -2);
    }
    lua_settop(co, 0);
}

/* core.resume(co, ...): see types/core.lua */
int
weft_core_resume(lua_State *L)
{
    struct weft_state *S = weft_state_of(L);
    lua_State *co = lua_tothread(L, 1), *leaf = S->leaf;
    int n = lua_gettop(L) - 1, status, results = 0;
    const void *mark;
    lua_Debug ar;

    if (co == NULL)
        return weft_argument_error(L, 1, "weft.wrap", "co", "a thread");
    if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))
        return weft_raise(L, "cannot resume non-suspended coroutine");
    if (lua_status(co) == LUA_OK && lua_gettop(co) == 0)
        return weft_raise(L, "cannot resume dead coroutine");
    if (!lua_checkstack(co, n + LUA_MINSTACK))
        return weft_raise(L, "too many arguments");
    lua_xmove(L, co, n);
    if (leaf == L && lua_isyieldable(L))
        S->leaf = co; /* the task's code goes on in there */
    status = lua_resume(co, L, n, &results);
    S->leaf = leaf;
    mark = status == LUA_YIELD && results > 0
               ? lua_touserdata(co, -1)
               : NULL;
    if (mark == &weft_mark) {
        lua_pushliteral(L, "wait");
        return 1;
    }
    if (mark == &kill_mark) {
        lua_pushlightuserdata(L, (void *)&kill_mark);
        return lua_yield(L, 1);
    }
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushliteral(L, "error");
        if (WEFT_YIELD_MAY_RAISE && S->task != NULL)
            withdraw(L, S->task);
        take_error(L, co);
        return 2;
    }
    luaL_checkstack(L, results + 1, "too many results");
    lua_pushstring(L, status == LUA_OK ? "done" : "yield");
    lua_xmove(co, L, results);
    return results + 1;
}
