/*
 * How a task ends: with results, with an error that is reported or joined, or
 * cancelled.  It must not know what the task did.
 */
#include <stdio.h>
#include <string.h>

#include "lua/task_inner.h"

enum { IDLE_MAX = 64 }; /* a kilobyte and a half each */

static void
leave(lua_State *L, struct weft_task *t, enum weft_task_status status)
{
    struct weft_instance *I = t->wait.instance;

    t->status = status;
    weft_node_unlink(&t->wait.node);
    weft_node_unlink(&t->alive);
    I->task_count--;
    weft_wake_all(&t->joiners, WEFT_DONE);
    weft_task_let_go(L, t);
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

/*
 * Whether another may use its coroutine: events may, one that has only led to
 * events, and one that has answered a plain request.  A connection's own
 * coroutine is never another's.
 */
static bool
is_pooled(const struct weft_task *t)
{
    return (t->serves != NULL
            || (t->handles != NULL
                && (t->handles->has_events
                    || t->handles->link.state == WEFT_LINK_ANSWERING)
                && !t->housed))
           && t->wait.instance->idle_count < IDLE_MAX;
}

/* Back to the pool, its thread empty. */
static void
rest(lua_State *L, struct weft_task *t)
{
    lua_settop(t->thread, 0);
    weft_node_unlink(&t->alive);
    t->wait.instance->task_count--;
    t->status = WEFT_TASK_IDLE;
    t->cancels = 0;
    weft_list_add(&t->wait.instance->idle, &t->wait.node);
    t->wait.instance->idle_count++;
    tell_connection(L, t, WEFT_TASK_DONE);
}

void
weft_task_done(lua_State *L, struct weft_task *t)
{
    if (is_pooled(t)) {
        rest(L, t);
        return;
    }
    weft_task_push(L, t); /* not collected before we end */
    leave(L, t, WEFT_TASK_DONE);
    tell_connection(L, t, WEFT_TASK_DONE);
    lua_pop(L, 1);
}

bool
weft_task_is_cancellation(lua_State *L, const struct weft_task *t)
{
    return t->cancels >= 2 && lua_type(L, -1) == LUA_TSTRING
           && strcmp(lua_tostring(L, -1), WEFT_CANCELLED_ERROR) == 0;
}

void
weft_task_cancelled(lua_State *L, struct weft_task *t)
{
    weft_task_push(L, t);
    t->status = WEFT_TASK_RUNNING; /* its <close> variables may act on it */
    lua_closethread(t->thread, L);
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
void
weft_task_failed(lua_State *L, struct weft_task *t)
{
    bool joined = t->watched || !weft_list_empty(&t->joiners);
    struct weft_instance *I = t->wait.instance;
    lua_State *co = t->thread;
    struct weft_ws *subject = t->handles != NULL ? t->handles : t->serves;
    const char *words;
    int error = lua_gettop(L), task;

    words = push_words(L, error);
    luaL_traceback(L, co, words, 0);
    lua_remove(L, -2);
    weft_task_push(L, t);
    task = lua_gettop(L);
    lua_closethread(co, L);
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
