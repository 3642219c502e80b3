/*
 * Tasks: coroutines that the loop resumes, parked on waits.  The only file
 * with lua_resume and lua_yield.  It must not know what is waited for.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "lua/check.h"
#include "lua/state.h"

const char weft_mark = 0;
static const char kill_mark = 0;
static const char state_key = 0;

/* What a cancelled task's waits raise; nobody reports it. */
#define CANCELLED_ERROR "the task was cancelled"

struct weft_state *
weft_state_of(lua_State *L)
{
    struct weft_state *S;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    S = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (S != NULL)
        return S;
    S = lua_newuserdatauv(L, sizeof(*S), 0);
    memset(S, 0, sizeof(*S));
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
    return S;
}

/* ---- waits */

static bool
is_main(lua_State *L)
{
    bool main = lua_pushthread(L) == 1;

    lua_pop(L, 1);
    return main;
}

/* Whether a finalizer is among the active functions. */
static bool
in_finalizer(lua_State *L)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "n", &ar);
        if (ar.name != NULL && strcmp(ar.name, "__gc") == 0
            && strcmp(ar.namewhat, "metamethod") == 0)
            return true;
    }
    return false;
}

bool
weft_wait_blocks(lua_State *L, struct weft_instance *I)
{
    return I->state->turns == 0 && is_main(L) && !in_finalizer(L);
}

/* What a cancelled task gets: once a return, twice an error, then its end. */
static bool
pass_cancelled(lua_State *L, struct weft_task *t)
{
    switch (t->cancels) {
    case 0:
        return true;
    case 1:
        t->cancels++;
        return false;
    case 2:
    case 3:
        t->cancels++;
        lua_pushliteral(L, CANCELLED_ERROR);
        lua_error(L);
        break;
    default:
        lua_pushlightuserdata(L, (void *)&kill_mark);
        lua_yield(L, 1);
        break;
    }
    return false;
}

static struct weft_wait *
clean_wait(struct weft_wait *w, struct weft_instance *I,
           struct weft_task *t, lua_State *L)
{
    *w = (struct weft_wait){ 0 };
    w->instance = I;
    w->task = t;
    w->thread = L;
    w->timer.kind = WEFT_KIND_USER;
    return w;
}

struct weft_wait *
weft_wait_begin(lua_State *L, struct weft_instance *I, const char *call)
{
    struct weft_state *S = I->state;
    struct weft_task *t = S->task;

    if (I->closed)
        weft_raise(L, "%s: this weft instance is closed", call);
    if (t != NULL && S->leaf == L && lua_isyieldable(L)) {
        if (t->instance != I)
            weft_raise(L, "%s: belongs to another weft instance than the "
                          "running task",
                       call);
        return pass_cancelled(L, t) ? clean_wait(&t->wait, I, t, L) : NULL;
    }
    if (!weft_wait_blocks(L, I))
        weft_raise(L, "%s: cannot wait here: neither a task nor the main "
                      "thread (start a task with weft.spawn, or make the "
                      "coroutine with weft.wrap)",
                   call);
    return clean_wait(&I->main, I, NULL, L);
}

void
weft_wait_end(struct weft_wait *w, enum weft_outcome outcome)
{
    if (w->kind == WEFT_WAIT_NONE || w->outcome != WEFT_WAITING)
        return;
    w->outcome = outcome;
    weft_node_unlink(&w->node);
    weft_timer_clear(&w->instance->loop.timers, &w->timer);
    if (w->kind == WEFT_WAIT_RECEIVE || w->kind == WEFT_WAIT_CHUNK) {
        w->u.ws->receiver = NULL;
        weft_link_want(&w->u.ws->link, false);
    }
    if (w->ping != NULL)
        weft_node_unlink(&w->ping->node);
    if (w->watch != NULL) {
        w->ready = w->watch->ready;
        weft_loop_watch(&w->instance->loop, w->watch, 0);
        weft_fd_release(w->watch);
        w->watch = NULL;
    }
}

static void
make_ready(struct weft_task *t)
{
    t->status = WEFT_TASK_READY;
    weft_list_add(&t->instance->ready, &t->queued);
}

void
weft_wake(struct weft_wait *w, enum weft_outcome outcome)
{
    if (w->kind == WEFT_WAIT_NONE || w->outcome != WEFT_WAITING)
        return;
    weft_wait_end(w, outcome);
    if (w->task != NULL)
        make_ready(w->task);
}

void
weft_wake_all(struct weft_node *waits, enum weft_outcome outcome)
{
    struct weft_node *n;

    while ((n = weft_list_take(waits)) != NULL)
        weft_wake(WEFT_CONTAINER(n, struct weft_wait, node), outcome);
}

/* Withdraws a main-thread wait that an error interrupts. */
static int
give_up(lua_State *L, struct weft_wait *w)
{
    weft_wait_end(w, WEFT_CANCELLED);
    weft_free(w->ping);
    w->ping = NULL;
    w->kind = WEFT_WAIT_NONE;
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
    return lua_yield(L, 1);
}

/* ---- the end of a task */

static void
leave(lua_State *L, struct weft_task *t, enum weft_task_status status)
{
    struct weft_instance *I = t->instance;

    t->status = status;
    weft_node_unlink(&t->queued);
    weft_node_unlink(&t->alive);
    I->task_count--;
    weft_wake_all(&t->joiners, WEFT_DONE);
    weft_unanchor(L, I, t);
}

/* Tells the connection that the task worked for. */
static void
tell_connection(lua_State *L, struct weft_task *t,
                enum weft_task_status status)
{
    struct weft_ws *ws = t->handles, *served = t->serves;

    t->handles = t->serves = NULL;
    if (ws != NULL)
        weft_ws_handler_done(L, ws, status);
    if (served != NULL)
        weft_ws_event_done(L, served, status == WEFT_TASK_FAILED);
}

/* Back to the pool, its thread empty. */
static void
rest(lua_State *L, struct weft_task *t)
{
    lua_settop(t->thread, 0);
    weft_node_unlink(&t->alive);
    t->instance->task_count--;
    t->status = WEFT_TASK_IDLE;
    t->cancels = 0;
    weft_list_add(&t->instance->idle, &t->queued);
    tell_connection(L, t, WEFT_TASK_DONE);
}

static void
task_done(lua_State *L, struct weft_task *t)
{
    if (t->pooled) {
        rest(L, t);
        return;
    }
    weft_push_anchored(L, t->instance, t); /* not collected before we end */
    leave(L, t, WEFT_TASK_DONE);
    tell_connection(L, t, WEFT_TASK_DONE);
    lua_pop(L, 1);
}

static bool
is_cancellation(lua_State *L, const struct weft_task *t)
{
    return t->cancels >= 2 && lua_type(L, -1) == LUA_TSTRING
           && strcmp(lua_tostring(L, -1), CANCELLED_ERROR) == 0;
}

static void
reset_thread(lua_State *co, lua_State *L)
{
#if LUA_VERSION_RELEASE_NUM >= 50406
    lua_closethread(co, L);
#else
    (void)L;
    lua_resetthread(co);
#endif
}

static void
task_cancelled(lua_State *L, struct weft_task *t)
{
    weft_push_anchored(L, t->instance, t);
    reset_thread(t->thread, L);
    leave(L, t, WEFT_TASK_CANCELLED);
    tell_connection(L, t, WEFT_TASK_CANCELLED);
    lua_pop(L, 1);
}

/* What a failed task leaves for those who join it: { error, traceback }. */
static void
keep_error(lua_State *L, struct weft_task *t, int error)
{
    lua_settop(t->thread, 0);
    lua_pushvalue(L, error);
    lua_pushvalue(L, error + 1);
    lua_xmove(L, t->thread, 2);
}

void
weft_push_task_error(lua_State *L, const struct weft_task *t)
{
    lua_pushvalue(t->thread, 1);
    lua_pushvalue(t->thread, 2);
    lua_xmove(t->thread, L, 2);
}

void
weft_report(lua_State *L, struct weft_instance *I)
{
    const char *words;

    weft_push_anchors(L, I);
    if (lua_istable(L, -1))
        lua_getfield(L, -1, "error");
    else
        lua_pushnil(L);
    lua_remove(L, -2);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 4);
        return;
    }
    lua_insert(L, -4);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        words = lua_tostring(L, -1);
        fprintf(stderr, "weft: error in on_error: %s\n",
                words != NULL ? words : "(not a string)");
        lua_pop(L, 1);
    }
}

static int
to_string(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* The error as text, whatever its __tostring may do. */
static const char *
push_words(lua_State *L, int error)
{
    lua_pushcfunction(L, to_string);
    lua_pushvalue(L, error);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        lua_pop(L, 1);
        lua_pushfstring(L, "(error object is a %s value)",
                        luaL_typename(L, error));
    }
    return lua_tostring(L, -1);
}

/* The error is on the top of L. */
static void
task_failed(lua_State *L, struct weft_task *t)
{
    bool joined = t->watched || !weft_list_empty(&t->joiners);
    struct weft_instance *I = t->instance;
    lua_State *co = t->thread;
    struct weft_ws *subject = t->handles != NULL ? t->handles : t->serves;
    const char *words;
    int error = lua_gettop(L), task;

    words = push_words(L, error);
    luaL_traceback(L, co, words, 0);
    lua_remove(L, -2);
    weft_push_anchored(L, I, t);
    task = lua_gettop(L);
    reset_thread(co, L);
    keep_error(L, t, error);
    leave(L, t, WEFT_TASK_FAILED);
    if (!joined) {
        lua_pushvalue(L, error);
        lua_pushvalue(L, error + 1);
        if (subject != NULL)
            weft_push_anchored(L, I, subject);
        else
            lua_pushvalue(L, task);
        weft_report(L, I);
    }
    tell_connection(L, t, WEFT_TASK_FAILED);
    lua_settop(L, error - 1);
}

/* ---- resuming */

static void
task_yielded(lua_State *L, struct weft_task *t, int n)
{
    const void *mark = n > 0 ? lua_touserdata(t->thread, -n) : NULL;

    if (mark == &weft_mark) {
        if (t->wait.outcome == WEFT_WAITING)
            t->status = WEFT_TASK_WAITING;
        else if (!weft_node_linked(&t->queued))
            make_ready(t);
    } else if (mark == &kill_mark) {
        task_cancelled(L, t);
    } else if (n == 0 && t->cancels > 0 && t->cancels++ > 3) {
        task_cancelled(L, t); /* it only ever gives way */
    } else if (n == 0) { /* a bare yield gives way for one turn */
        clean_wait(&t->wait, t->instance, t, t->thread);
        t->wait.kind = WEFT_WAIT_YIELD;
        weft_wake(&t->wait, WEFT_DONE);
    } else {
        lua_pushliteral(L, "coroutine.yield with values in a weft task: only "
                           "a bare yield gives way (use weft.queue to pass "
                           "values, or weft.wrap for a generator)");
        task_failed(L, t);
    }
}

/* Resumes with n values that are on the task's own thread already. */
static void
go(lua_State *L, struct weft_task *t, int n)
{
    struct weft_state *S = t->instance->state;
    struct weft_task *task = S->task;
    lua_State *leaf = S->leaf;
    int status, results = 0;

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
        task_done(L, t);
    } else {
        lua_xmove(t->thread, L, 1);
        if (is_cancellation(L, t)) {
            lua_pop(L, 1);
            task_cancelled(L, t);
        } else {
            task_failed(L, t);
        }
    }
}

void
weft_task_resume(lua_State *L, struct weft_task *t, int n)
{
    if (!lua_checkstack(t->thread, n + LUA_MINSTACK)) {
        lua_pop(L, n);
        lua_pushliteral(L, "stack overflow");
        task_failed(L, t);
        return;
    }
    lua_xmove(L, t->thread, n);
    go(L, t, n);
}

void
weft_task_start(lua_State *L, struct weft_task *t)
{
    weft_node_unlink(&t->queued);
    go(L, t, t->arguments);
}

void
weft_task_run_ready(lua_State *L, struct weft_instance *I)
{
    struct weft_node *n;

    while ((n = weft_list_take(&I->batch)) != NULL) {
        struct weft_task *t = WEFT_CONTAINER(n, struct weft_task, queued);

        if (t->status == WEFT_TASK_NEW)
            go(L, t, t->arguments);
        else
            weft_task_resume(L, t, weft_push_outcome(L, &t->wait));
        if (weft_turn_is_over(I))
            return;
    }
}

/* ---- making tasks */

static struct weft_task *
new_task(lua_State *L, struct weft_instance *I)
{
    struct weft_task *t;

    t = weft_new_userdata(L, sizeof(*t), WEFT_TASK_TYPE, 2);
    weft_list_init(&t->joiners);
    t->instance = I;
    t->status = WEFT_TASK_DONE;
    t->thread = lua_newthread(L);
    lua_setiuservalue(L, -2, 1);
    weft_push_loop(L, I);
    lua_setiuservalue(L, -2, 2);
    weft_anchor(L, I, t, -1);
    return t;
}

static void
enlist(struct weft_task *t, enum weft_task_status status)
{
    t->status = status;
    t->instance->task_count++;
    weft_list_add(&t->instance->tasks, &t->alive);
}

struct weft_task *
weft_task_spawn(lua_State *L, struct weft_instance *I, int n)
{
    struct weft_task *t = new_task(L, I);

    lua_insert(L, -2 - n);
    if (!lua_checkstack(t->thread, n + LUA_MINSTACK)) {
        weft_unanchor(L, I, t);
        weft_raise(L, "too many arguments");
    }
    lua_xmove(L, t->thread, n + 1);
    t->arguments = n;
    enlist(t, WEFT_TASK_NEW);
    weft_list_add(&I->ready, &t->queued);
    return t;
}

void
weft_task_event(lua_State *L, struct weft_instance *I, struct weft_ws *ws,
                int n)
{
    struct weft_node *idle = weft_list_take(&I->idle);
    struct weft_task *t;

    if (idle != NULL) {
        t = WEFT_CONTAINER(idle, struct weft_task, queued);
    } else {
        t = new_task(L, I); /* anchored: needs no place on L */
        t->pooled = true;
        lua_pop(L, 1);
    }
    t->serves = ws;
    enlist(t, WEFT_TASK_NEW);
    lua_xmove(L, t->thread, n);
    go(L, t, n - 1);
}

/* ---- cancelling */

void
weft_task_cancel(lua_State *L, struct weft_task *t)
{
    switch (t->status) {
    case WEFT_TASK_NEW:
        t->cancels = 2;
        task_cancelled(L, t);
        break;
    case WEFT_TASK_WAITING:
        if (t->cancels < 2)
            t->cancels = 2;
        weft_wake(&t->wait, WEFT_CANCELLED);
        break;
    case WEFT_TASK_READY:
    case WEFT_TASK_RUNNING:
        if (t->cancels == 0)
            t->cancels = 1;
        break;
    case WEFT_TASK_DONE:
    case WEFT_TASK_FAILED:
    case WEFT_TASK_CANCELLED:
    case WEFT_TASK_IDLE:
        break;
    }
}

/* A live task that is not the one that asks, or NULL. */
static struct weft_task *
first_parked(struct weft_instance *I)
{
    for (struct weft_node *n = I->tasks.next; n != &I->tasks; n = n->next) {
        struct weft_task *t = WEFT_CONTAINER(n, struct weft_task, alive);

        if (t->status != WEFT_TASK_RUNNING)
            return t;
    }
    return NULL;
}

void
weft_task_close_all(lua_State *L, struct weft_instance *I)
{
    struct weft_task *t;

    while ((t = first_parked(I)) != NULL) {
        weft_wait_end(&t->wait, WEFT_CANCELLED);
        weft_free(t->wait.ping);
        t->wait.ping = NULL;
        t->handles = t->serves = NULL;
        t->cancels = 2;
        task_cancelled(L, t);
    }
}

/* ---- what Lua calls */

static struct weft_task *
check_task(lua_State *L, const char *call)
{
    return weft_check(L, 1, WEFT_TASK_TYPE, call);
}

/* core.spawn(loop, fn, ...) -> task */
static int
core_spawn(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    if (lua_type(L, 2) != LUA_TFUNCTION)
        return weft_argument_error(L, 2, "weft.spawn", "fn", "a function");
    weft_task_spawn(L, I, lua_gettop(L) - 2);
    return 1;
}

static int
task_join(lua_State *L)
{
    struct weft_task *t = check_task(L, "task:join");
    double seconds = weft_check_seconds(L, 2, HUGE_VAL, "task:join",
                                        "timeout");
    struct weft_wait *w, over = { .kind = WEFT_WAIT_JOIN };

    if (t->status >= WEFT_TASK_DONE) {
        over.outcome = WEFT_DONE;
        over.u.task = t;
        return weft_push_outcome(L, &over);
    }
    if (seconds <= 0)
        return weft_push_failure(L, "timeout");
    w = weft_wait_begin(L, t->instance, "task:join");
    if (w == NULL)
        return weft_push_failure(L, "cancelled");
    if (w->task == t)
        return weft_raise(L, "task:join: a task cannot join itself");
    w->kind = WEFT_WAIT_JOIN;
    w->u.task = t;
    weft_list_add(&t->joiners, &w->node);
    return weft_wait_park(L, w, seconds);
}

static int
task_status(lua_State *L)
{
    static const char *const names[] = {
        [WEFT_TASK_NEW] = "ready",       [WEFT_TASK_READY] = "ready",
        [WEFT_TASK_WAITING] = "waiting", [WEFT_TASK_RUNNING] = "running",
        [WEFT_TASK_DONE] = "done",       [WEFT_TASK_FAILED] = "failed",
        [WEFT_TASK_CANCELLED] = "cancelled", [WEFT_TASK_IDLE] = "done",
    };

    lua_pushstring(L, names[check_task(L, "task:status")->status]);
    return 1;
}

static int
task_cancel(lua_State *L)
{
    weft_task_cancel(L, check_task(L, "task:cancel"));
    lua_pushboolean(L, 1);
    return 1;
}

/* core.resume(loop, co, ...): see types/core.lua */
static int
core_resume(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    struct weft_state *S = I->state;
    lua_State *co = lua_tothread(L, 2), *leaf = S->leaf;
    int n = lua_gettop(L) - 2, status, results = 0;
    const void *mark;

    if (co == NULL)
        return weft_argument_error(L, 2, "weft.wrap", "co", "a thread");
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
               ? lua_touserdata(co, -results)
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
        lua_xmove(co, L, 1);
        reset_thread(co, L);
        return 2;
    }
    luaL_checkstack(L, results + 1, "too many results");
    lua_pushstring(L, status == LUA_OK ? "done" : "yield");
    lua_xmove(co, L, results);
    return results + 1;
}

static int
task_gc(lua_State *L)
{
    struct weft_task *t = lua_touserdata(L, 1);

    /* alive only when the whole state closes: its loop sees to the rest */
    if (t->wait.ping != NULL)
        weft_node_unlink(&t->wait.ping->node);
    weft_free(t->wait.ping);
    t->wait.ping = NULL;
    return 0;
}

void
weft_task_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", task_gc }, { NULL, NULL } };
    static const luaL_Reg methods[] = { { "join", task_join },
                                        { "status", task_status },
                                        { "cancel", task_cancel },
                                        { NULL, NULL } };
    static const luaL_Reg functions[] = { { "spawn", core_spawn },
                                          { "resume", core_resume },
                                          { NULL, NULL } };

    weft_new_type(L, WEFT_TASK_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, (void *)&weft_mark);
    lua_setfield(L, -2, "mark");
}
