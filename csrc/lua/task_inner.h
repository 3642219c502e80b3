/*
 * What the files of tasks share among themselves; the rest of the binding
 * uses state.h.
 *
 *   wait.c      who may wait, and how a wait ends
 *   task.c      parking and resuming
 *   task_end.c  how a task ends
 *   l_task.c    tasks as Lua sees them
 */
#ifndef WEFT_LUA_TASK_INNER_H
#define WEFT_LUA_TASK_INNER_H

#include "lua/state.h"

/* What a cancelled task's waits raise; nobody reports it. */
#define WEFT_CANCELLED_ERROR "the task was cancelled"

/* Why a task cannot wait although it is one, on plain 5.1; of a call's name. */
#define WEFT_CANNOT_LEAVE                                                    \
    "%s: cannot wait here: on plain Lua 5.1 a task cannot wait inside "      \
    "pcall, a generic for, a metamethod or another function written in C "   \
    "(start a task with weft.spawn, or make a coroutine with weft.wrap)"

/* A wait without a kind yet, for the task (NULL: the main thread) on L. */
struct weft_wait *weft_wait_clean(struct weft_wait *w,
                                  struct weft_instance *I,
                                  struct weft_task *t, lua_State *L);

/* Ends a wait that was begun when lua_yield() raised; false: it was not so. */
bool weft_wait_withdraw(lua_State *L, struct weft_wait *w);

/* It is to be resumed in the next turn. */
void weft_task_make_ready(struct weft_task *t);

/* The running task ends in the middle of the call on L. */
int weft_task_end_here(lua_State *L);

/* A new task, anchored, its userdata on the top of L; not alive yet. */
struct weft_task *weft_task_new(lua_State *L, struct weft_instance *I);
void weft_task_enlist(struct weft_task *t, enum weft_task_status status);

/* Pushes the userdata of a task that lives; and lets it be collected. */
void weft_task_push(lua_State *L, const struct weft_task *t);
void weft_task_let_go(lua_State *L, struct weft_task *t);

/* The three ends; a failure's error is on the top of L and popped. */
void weft_task_done(lua_State *L, struct weft_task *t);
void weft_task_cancelled(lua_State *L, struct weft_task *t);
void weft_task_failed(lua_State *L, struct weft_task *t);

/* Whether the error on the top of L is that of a cancelled task's wait. */
bool weft_task_is_cancellation(lua_State *L, const struct weft_task *t);

/* core.resume() */
int weft_core_resume(lua_State *L);

#endif
