/*
 * Waits: who may wait and how, and how a wait ends.  It must not know what is
 * waited for, nor resume anybody.
 */
#include <string.h>

#include "base/mem.h"
#include "lua/check.h"
#include "lua/task_inner.h"

static const char state_key = 0;

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
weft_wait_is_on_main(lua_State *L)
{
    return is_main(L) && !in_finalizer(L);
}

/* What a cancelled task gets: once a return, twice an error, then its end, for
 * which weft_wait_refused() sees. */
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
        lua_pushliteral(L, WEFT_CANCELLED_ERROR);
        lua_error(L);
        break;
    default:
        break;
    }
    return false;
}

int
weft_wait_refused(lua_State *L, const struct weft_instance *I)
{
    if (I->state->task->cancels > 3)
        return weft_task_end_here(L);
    return weft_push_failure(L, "cancelled");
}

struct weft_wait *
weft_wait_clean(struct weft_wait *w, struct weft_instance *I,
                struct weft_task *t, lua_State *L)
{
    *w = (struct weft_wait){ 0 };
    w->instance = I;
    w->task = t;
    w->thread = L;
    w->timer.kind = WEFT_KIND_USER;
    return w;
}

static bool
parks(lua_State *L, const struct weft_state *S)
{
    return S->task != NULL && S->leaf == L && lua_isyieldable(L);
}

void
weft_wait_check(lua_State *L, const struct weft_instance *I, const char *call)
{
    const struct weft_state *S = I->state;
    const struct weft_task *t = S->task;

    if (I->closed)
        weft_raise(L, "%s: this weft instance is closed", call);
    if (parks(L, S)) {
        if (t->wait.instance != I)
            weft_raise(L, "%s: belongs to another weft instance than the "
                          "running task",
                       call);
        return;
    }
    if (WEFT_PLAIN_51 && t != NULL && S->leaf == L)
        weft_raise(L, WEFT_CANNOT_LEAVE, call);
    if (!weft_wait_blocks(L, I))
        weft_raise(L, "%s: cannot wait here: neither a task nor the main "
                      "thread (start a task with weft.spawn, or make the "
                      "coroutine with weft.wrap)",
                   call);
}

struct weft_wait *
weft_wait_begin(lua_State *L, struct weft_instance *I, const char *call)
{
    struct weft_task *t = I->state->task;

    weft_wait_check(L, I, call);
    if (!parks(L, I->state))
        return weft_wait_clean(&I->main, I, NULL, L);
    if (WEFT_YIELD_MAY_RAISE) {
        weft_wait_withdraw(L, &t->wait);
        I->state->call = call;
    }
    return pass_cancelled(L, t) ? weft_wait_clean(&t->wait, I, t, L) : NULL;
}

void
weft_wait_drop_ping(struct weft_wait *w)
{
    if (w->kind != WEFT_WAIT_PING || w->ping == NULL)
        return;
    weft_node_unlink(&w->ping->node);
    weft_free(w->ping);
    w->ping = NULL;
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
    if (w->kind == WEFT_WAIT_PING && w->ping != NULL)
        weft_node_unlink(&w->ping->node);
    if (w->kind == WEFT_WAIT_FD && w->descriptor != NULL) {
        w->ready = w->descriptor->watch.ready;
        weft_descriptor_free(w->instance, w->descriptor);
        w->descriptor = NULL;
    }
}

bool
weft_wait_withdraw(lua_State *L, struct weft_wait *w)
{
    if (w->kind == WEFT_WAIT_NONE || w->outcome != WEFT_WAITING)
        return false;
    weft_wait_end(w, WEFT_CANCELLED);
    lua_pop(L, weft_push_outcome(L, w)); /* which lets go of what it has */
    w->kind = WEFT_WAIT_NONE;
    return true;
}

void
weft_task_make_ready(struct weft_task *t)
{
    t->status = WEFT_TASK_READY;
    weft_list_add(&t->wait.instance->ready, &t->wait.node);
    weft_loop_stir(&t->wait.instance->loop);
}

void
weft_wake(struct weft_wait *w, enum weft_outcome outcome)
{
    if (w->kind == WEFT_WAIT_NONE || w->outcome != WEFT_WAITING)
        return;
    weft_wait_end(w, outcome);
    if (w->task != NULL)
        weft_task_make_ready(w->task);
}

void
weft_wake_all(struct weft_node *waits, enum weft_outcome outcome)
{
    struct weft_node *n;

    while ((n = weft_list_take(waits)) != NULL)
        weft_wake(WEFT_CONTAINER(n, struct weft_wait, node), outcome);
}
