/*
 * Processes for the workers of weft.serve: fork, what a parent waits for, and
 * the pipe that tells workers to end.  It must not know what a worker does,
 * nor when one is started again.
 *
 * A crew is the parent's hold on its workers.  It blocks the signals that the
 * parent sees to and lets them in only while it waits, so none is missed, and
 * a worker is forked with them blocked: it has time to see to its own.
 *
 * Of the pipe the parent alone has the end that writes, and never writes.
 * When that end is closed, by the parent or by the parent's death, the
 * workers' end turns readable.
 *
 * What is static here belongs to the process, as in signal.c: one crew at a
 * time owns it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua/check.h"
#include "lua/signal.h"
#include "lua/state.h"
#include "net/sock.h"

#define CREW_TYPE "weft.Crew"

enum { SIGNALS = 3 };

/* The first is seen to in any case, the others when the crew is to end by
 * them. */
static const int numbers[SIGNALS] = { SIGCHLD, SIGINT, SIGTERM };

struct crew {
    int lifeline[2]; /* [1]: -1 in a worker, and once they are to end */
    bool holds;      /* the signals are ours */
    bool ends;       /* those that end it as well */
    struct sigaction before[SIGNALS];
    sigset_t mask;   /* as it was before */
    sigset_t open;   /* while waiting */
};

static bool taken;
static volatile sig_atomic_t first, second; /* what ends the crew; or 0 */
static int64_t first_at;

/* Signals ------------------------------------------------------------------*/

/* A child has ended: that the wait is over is all there is to it. */
static void
on_child(int number)
{
    (void)number;
}

static void
on_end(int number)
{
    int64_t now = weft_now();

    if (first == 0) {
        first = number;
        first_at = now;
    } else if (now - first_at > WEFT_ONE_BREATH) {
        second = number;
    }
}

static int
held(const struct crew *c)
{
    return !c->holds ? 0 : c->ends ? SIGNALS : 1;
}

static void
take_signals(struct crew *c, bool ends)
{
    struct sigaction action = { .sa_flags = SA_RESTART };
    int count = ends ? SIGNALS : 1;
    sigset_t ours;

    sigemptyset(&ours);
    for (int i = 0; i < count; i++)
        sigaddset(&ours, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &ours, &c->mask);
    c->open = c->mask;
    action.sa_mask = ours;
    for (int i = 0; i < count; i++) {
        sigdelset(&c->open, numbers[i]);
        action.sa_handler = numbers[i] == SIGCHLD ? on_child : on_end;
        sigaction(numbers[i], &action, &c->before[i]);
    }
    first = second = 0;
    c->ends = ends;
    c->holds = taken = true;
}

/* The handlers are as before; the signals are still blocked. */
static void
put_handlers_back(struct crew *c)
{
    for (int i = 0; i < held(c); i++)
        sigaction(numbers[i], &c->before[i], NULL);
    c->holds = taken = false;
}

static void
crew_end(struct crew *c)
{
    weft_sock_close(&c->lifeline[0]);
    weft_sock_close(&c->lifeline[1]);
    if (!c->holds)
        return;
    put_handlers_back(c);
    pthread_sigmask(SIG_SETMASK, &c->mask, NULL);
}

/* What Lua calls -----------------------------------------------------------*/

static struct crew *
check_crew(lua_State *L)
{
    return luaL_checkudata(L, 1, CREW_TYPE);
}

/* core.crew(signals) -> crew, or nil, message */
static int
core_crew(lua_State *L)
{
    bool signals = lua_toboolean(L, 1);
    struct crew *c = weft_new_userdata(L, sizeof(*c), CREW_TYPE, 0);
    int rc;

    c->lifeline[0] = c->lifeline[1] = -1;
    if (taken)
        return weft_push_failure(L, "this process has workers already");
    rc = weft_sock_pipe(c->lifeline);
    if (rc < 0)
        return weft_push_failure(L, strerror(-rc));
    take_signals(c, signals);
    return 1;
}

/* crew:fork() -> pid; 0 in the worker; or nil, message */
static int
crew_fork(lua_State *L)
{
    struct crew *c = check_crew(L);
    pid_t pid;

    fflush(NULL); /* or both would write what is buffered */
    pid = fork();
    if (pid < 0)
        return weft_push_failure(L, strerror(errno));
    if (pid == 0) {
        weft_sock_close(&c->lifeline[1]);
        put_handlers_back(c);
    }
    lua_pushinteger(L, (lua_Integer)pid);
    return 1;
}

/* crew:unblock(): in a worker, which now sees to its own signals */
static int
crew_unblock(lua_State *L)
{
    pthread_sigmask(SIG_SETMASK, &check_crew(L)->mask, NULL);
    return 0;
}

/* crew:lifeline() -> the descriptor that turns readable in a worker */
static int
crew_lifeline(lua_State *L)
{
    lua_pushinteger(L, check_crew(L)->lifeline[0]);
    return 1;
}

/* crew:dismiss(): tells the workers to end */
static int
crew_dismiss(lua_State *L)
{
    weft_sock_close(&check_crew(L)->lifeline[1]);
    return 0;
}

/* crew:wait(seconds) -> how many signals to end have come: 0, 1 or 2.  It is
 * over early when anything at all has happened. */
static int
crew_wait(lua_State *L)
{
    struct crew *c = check_crew(L);
    int64_t ns = weft_nanoseconds(luaL_checknumber(L, 2));
    struct timespec most = { .tv_sec = (time_t)(ns / WEFT_SECOND),
                             .tv_nsec = (long)(ns % WEFT_SECOND) };

    pselect(0, NULL, NULL, NULL, ns == WEFT_FOREVER ? NULL : &most, &c->open);
    lua_pushinteger(L, (first != 0) + (second != 0));
    return 1;
}

/* crew:reap(pid) -> nil as long as it runs; or "exited" and its status,
 * "killed" and the signal, "lost" when somebody else has waited for it */
static int
crew_reap(lua_State *L)
{
    pid_t pid = (pid_t)luaL_checkinteger(L, 2);
    int status = 0;
    pid_t rc = waitpid(pid, &status, WNOHANG);

    check_crew(L);
    if (rc == 0)
        return 0;
    if (rc < 0) {
        lua_pushliteral(L, "lost");
        return 1;
    }
    lua_pushstring(L, WIFSIGNALED(status) ? "killed" : "exited");
    lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status)
                                           : WEXITSTATUS(status));
    return 2;
}

/* crew:kill(pid) */
static int
crew_kill(lua_State *L)
{
    check_crew(L);
    kill((pid_t)luaL_checkinteger(L, 2), SIGKILL);
    return 0;
}

/* crew:close(): signals are what they were */
static int
crew_close(lua_State *L)
{
    crew_end(check_crew(L));
    return 0;
}

/* crew:die(): by the second signal */
static int
crew_die(lua_State *L)
{
    int number = (int)second;

    crew_end(check_crew(L));
    signal(number, SIG_DFL);
    raise(number);
    return 0;
}

static int
crew_gc(lua_State *L)
{
    crew_end(lua_touserdata(L, 1));
    return 0;
}

/* core.is_unused(loop) -> whether there is nothing in it, and we are not in a
 * turn, of this loop or another */
static int
core_is_unused(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    lua_pushboolean(L, I->state->turns == 0 && !weft_instance_alive(I)
                           && weft_list_empty(&I->loop.links));
    return 1;
}

/* core.renew(loop): in a worker, from whose parent it is */
static int
core_renew(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    if (weft_loop_renew(&I->loop) != WEFT_OK)
        return weft_raise(L, "weft: cannot make a loop: %s", strerror(errno));
    return 0;
}

/* core.exit(status): ends the process, whatever was made of os.exit, without
 * closing the state: what is in it is the parent's as well */
static int
core_exit(lua_State *L)
{
    exit((int)luaL_checkinteger(L, 1));
}

void
weft_process_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", crew_gc }, { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "fork", crew_fork },         { "unblock", crew_unblock },
        { "lifeline", crew_lifeline }, { "dismiss", crew_dismiss },
        { "wait", crew_wait },         { "reap", crew_reap },
        { "kill", crew_kill },         { "close", crew_close },
        { "die", crew_die },           { NULL, NULL },
    };
    static const luaL_Reg functions[] = {
        { "crew", core_crew },
        { "is_unused", core_is_unused },
        { "renew", core_renew },
        { "exit", core_exit },
        { NULL, NULL },
    };

    weft_new_type(L, CREW_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
}
