/*
 * Processes for the workers of weft.serve: fork, what a parent waits for, and
 * the pipes that tell workers to end.  It must not know what a worker does,
 * nor when one is started again.
 *
 * A crew is the parent's hold on its workers.  It blocks the signals that the
 * parent sees to and lets them in only while it waits, so none is missed, and
 * a worker is forked with them blocked: it has time to see to its own.
 *
 * Each worker has a pipe from the parent, who alone keeps the end that writes.
 * When that end is closed, by the parent or by the parent's death, the
 * worker's end turns readable; a byte in it tells this one that another takes
 * its place.  By one more pipe, of them all, workers tell that they accept, or
 * that they have stopped doing so of themselves.
 * Who writes has the other end open too: a write never raises SIGPIPE.
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
#include "net/clock.h"
#include "net/sock.h"

#define CREW_TYPE "weft.Crew"

enum {
    SIGNALS = 4,
    LINES = 1025 /* as many workers as there may be, and one that is to come */
};

/* The first is seen to in any case, the others when the crew is to end by
 * them; the last one not if it was ignored, as by nohup(1). */
static const int numbers[SIGNALS] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP };

struct crew {
    int lines[LINES][2]; /* a worker has its own alone, without the end that
                            writes */
    int own;             /* in a worker: which one that is */
    int news[2];
    bool holds;      /* the signals are ours */
    int held;        /* so many of them */
    bool had_terminal;
    struct sigaction before[SIGNALS];
    sigset_t mask;   /* as it was before */
    sigset_t open;   /* while waiting */
};

static bool taken;
static volatile sig_atomic_t first, second; /* what ends the crew; or 0 */
static volatile sig_atomic_t renewal;       /* SIGHUP came; or 0 */
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
    } else if (number != SIGHUP && now - first_at > WEFT_ONE_BREATH) {
        second = number;
    }
}

static void
on_hangup(int number)
{
    (void)number;
    renewal = 1;
}

static int
signals_to_hold(bool ends)
{
    struct sigaction hangup;

    if (!ends)
        return 1;
    sigaction(SIGHUP, NULL, &hangup);
    return hangup.sa_handler == SIG_IGN ? SIGNALS - 1 : SIGNALS;
}

static void
take_signals(struct crew *c, bool ends)
{
    struct sigaction action = { .sa_flags = SA_RESTART };
    sigset_t ours;

    c->held = signals_to_hold(ends);
    sigemptyset(&ours);
    for (int i = 0; i < c->held; i++)
        sigaddset(&ours, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &ours, &c->mask);
    c->open = c->mask;
    action.sa_mask = ours;
    for (int i = 0; i < c->held; i++) {
        sigdelset(&c->open, numbers[i]);
        action.sa_handler = numbers[i] == SIGCHLD  ? on_child
                            : numbers[i] == SIGHUP ? on_hangup
                                                   : on_end;
        sigaction(numbers[i], &action, &c->before[i]);
    }
    first = second = renewal = 0;
    c->had_terminal = weft_has_terminal();
    c->holds = taken = true;
}

/* The handlers are as before; the signals are still blocked. */
static void
put_handlers_back(struct crew *c)
{
    for (int i = 0; c->holds && i < c->held; i++)
        sigaction(numbers[i], &c->before[i], NULL);
    c->holds = taken = false;
}

static void
close_pipe(int fds[2])
{
    weft_sock_close(&fds[0]);
    weft_sock_close(&fds[1]);
}

static void
crew_end(struct crew *c)
{
    for (int i = 0; i < LINES; i++)
        close_pipe(c->lines[i]);
    close_pipe(c->news);
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

    memset(c->lines, 0xFF, sizeof(c->lines)); /* all -1 */
    c->news[0] = c->news[1] = -1;
    if (taken)
        return weft_push_failure(L, "this process has workers already");
    rc = weft_sock_pipe(c->news);
    if (rc == 0 && c->news[0] >= FD_SETSIZE)
        rc = -EMFILE;
    if (rc < 0)
        return weft_push_failure(L, strerror(-rc));
    take_signals(c, signals);
    return 1;
}

/* In the worker: the others' pipes are the parent's. */
static void
keep_line(struct crew *c, int own)
{
    c->own = own;
    weft_sock_close(&c->lines[own][1]);
    for (int i = 0; i < LINES; i++)
        if (i != own)
            close_pipe(c->lines[i]);
}

static int
new_line(struct crew *c)
{
    int i = 0, rc;

    while (i < LINES && c->lines[i][0] >= 0)
        i++;
    rc = i < LINES ? weft_sock_pipe(c->lines[i]) : -EAGAIN;
    return rc < 0 ? rc : i;
}

/* crew:fork() -> pid, and its line for crew:retire() and crew:forget(); 0 in
 * the worker; or nil, message */
static int
crew_fork(lua_State *L)
{
    struct crew *c = check_crew(L);
    int line = new_line(c);
    pid_t pid;

    if (line < 0)
        return weft_push_failure(L, strerror(-line));
    fflush(NULL); /* or both would write what is buffered */
    pid = fork();
    if (pid < 0) {
        int error = errno;

        close_pipe(c->lines[line]);
        return weft_push_failure(L, strerror(error));
    }
    if (pid == 0) {
        keep_line(c, line);
        put_handlers_back(c);
    }
    lua_pushinteger(L, (lua_Integer)pid);
    lua_pushinteger(L, line);
    return 2;
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
    struct crew *c = check_crew(L);

    lua_pushinteger(L, c->lines[c->own][0]);
    return 1;
}

/* crew:is_replaced() -> in a worker whose lifeline is readable: whether it is
 * that one alone that is to end */
static int
crew_is_replaced(lua_State *L)
{
    struct crew *c = check_crew(L);
    char byte;

    lua_pushboolean(L, read(c->lines[c->own][0], &byte, 1) == 1);
    return 1;
}

static int
tell_news(lua_State *L, pid_t pid)
{
    if (write(check_crew(L)->news[1], &pid, sizeof(pid)) < 0)
        lua_pushnil(L); /* the pipe holds thousands of them */
    else
        lua_pushboolean(L, 1);
    return 1;
}

/* crew:accepts(): a worker tells that it does */
static int
crew_accepts(lua_State *L)
{
    return tell_news(L, getpid());
}

/* crew:leaves(): a worker tells that it does so no more, of itself */
static int
crew_leaves(lua_State *L)
{
    return tell_news(L, -getpid());
}

/* crew:news() -> the pid of a worker that accepts, or -pid of one that does so
 * no more; or nil */
static int
crew_news(lua_State *L)
{
    pid_t pid;

    if (read(check_crew(L)->news[0], &pid, sizeof(pid))
        != (ssize_t)sizeof(pid))
        return 0;
    lua_pushinteger(L, (lua_Integer)pid);
    return 1;
}

static int *
check_line(lua_State *L)
{
    lua_Integer line = luaL_checkinteger(L, 2);
    struct crew *c = check_crew(L);

    luaL_argcheck(L, line >= 0 && line < LINES, 2, "no line");
    return c->lines[line];
}

/* crew:retire(line): tells one worker to end, as another takes its place */
static int
crew_retire(lua_State *L)
{
    weft_sock_wake(check_line(L)[1]);
    return 0;
}

/* crew:forget(line): its worker has ended */
static int
crew_forget(lua_State *L)
{
    close_pipe(check_line(L));
    return 0;
}

/* crew:dismiss(): tells the workers to end */
static int
crew_dismiss(lua_State *L)
{
    struct crew *c = check_crew(L);

    for (int i = 0; i < LINES; i++)
        weft_sock_close(&c->lines[i][1]);
    return 0;
}

/* A hang-up ends the crew when it was the terminal's, or else renews it. */
static bool
take_renewal(const struct crew *c)
{
    if (renewal == 0)
        return false;
    renewal = 0;
    if (!c->had_terminal || weft_has_terminal())
        return true;
    on_end(SIGHUP);
    return false;
}

/* The signal's double, if it has one, is let in while it counts as such: behind
 * what is done next it would seem a second one. */
static void
wait_a_breath(const struct crew *c)
{
    struct timespec breath = { .tv_nsec = WEFT_ONE_BREATH };

    pselect(0, NULL, NULL, NULL, &breath, &c->open);
}

/* crew:wait(seconds) -> how many signals to end have come: 0, 1 or 2; whether
 * SIGHUP has.  It is over early when anything at all has happened. */
static int
crew_wait(lua_State *L)
{
    struct crew *c = check_crew(L);
    bool renew, quiet = first == 0;
    fd_set set;
    int64_t ns = weft_nanoseconds(luaL_checknumber(L, 2));
    struct timespec most = { .tv_sec = (time_t)(ns / WEFT_SECOND),
                             .tv_nsec = (long)(ns % WEFT_SECOND) };

    FD_ZERO(&set);
    FD_SET(c->news[0], &set);
    pselect(c->news[0] + 1, &set, NULL, NULL,
            ns == WEFT_FOREVER ? NULL : &most, &c->open);
    if (quiet && first != 0)
        wait_a_breath(c);
    renew = take_renewal(c);
    lua_pushinteger(L, (first != 0) + (second != 0));
    lua_pushboolean(L, renew);
    return 2;
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
    weft_signal_die(number);
    return 0;
}

static int
crew_gc(lua_State *L)
{
    crew_end(lua_touserdata(L, 1));
    return 0;
}

void
weft_crew_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", crew_gc }, { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "fork", crew_fork },         { "unblock", crew_unblock },
        { "lifeline", crew_lifeline }, { "dismiss", crew_dismiss },
        { "wait", crew_wait },         { "reap", crew_reap },
        { "kill", crew_kill },         { "close", crew_close },
        { "die", crew_die },           { "is_replaced", crew_is_replaced },
        { "accepts", crew_accepts },   { "news", crew_news },
        { "leaves", crew_leaves },
        { "retire", crew_retire },     { "forget", crew_forget },
        { NULL, NULL },
    };
    static const luaL_Reg functions[] = { { "crew", core_crew },
                                          { NULL, NULL } };

    weft_new_type(L, CREW_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
}
