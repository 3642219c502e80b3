/*
 * The loop userdata: an instance of weft, its turns, sleeps and descriptors.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "loop/memory.h"
#include "lua/check.h"
#include "lua/signal.h"
#include "lua/state.h"
#include "net/clock.h"
#include "net/foreign.h"
#include "net/sock.h"

/* core.now() */
static int
core_now(lua_State *L)
{
    lua_pushnumber(L, (double)weft_now() / 1e9);
    return 1;
}

/* core.random(loop) -> a number from 0 up to, but not including, 1 */
static int
core_random(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    uint32_t bits;

    if (weft_random_bytes(&I->loop.random, &bits, sizeof(bits)) != WEFT_OK)
        return weft_raise(L, "no random numbers are to be had");
    lua_pushnumber(L, bits / 4294967296.0);
    return 1;
}

/* core.random_bytes(loop, n) -> n (at most 1024) bytes */
static int
core_random_bytes(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    lua_Integer n = luaL_checkinteger(L, 2);
    char bytes[sizeof(I->loop.random.pool)];

    luaL_argcheck(L, n >= 0 && (size_t)n <= sizeof(bytes), 2, "too many");
    if (weft_random_bytes(&I->loop.random, bytes, (size_t)n) != WEFT_OK)
        return weft_raise(L, "no random numbers are to be had");
    lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

static void
init_lists(struct weft_instance *I)
{
    weft_list_init(&I->ready);
    weft_list_init(&I->batch);
    weft_list_init(&I->borrowers);
    weft_list_init(&I->idle);
    weft_list_init(&I->tasks);
    weft_list_init(&I->signals);
    weft_list_init(&I->servers);
    I->signal_fd = -1;
    I->signal_watch.watch.fd = -1;
}

/* core.loop(force_poll) -> loop */
static int
core_loop(lua_State *L)
{
    bool force_poll = lua_toboolean(L, 1);
    struct weft_instance *I = lua_newuserdatauv(L, sizeof(*I), 1);
    enum weft_status rc;

    memset(I, 0, sizeof(*I));
    init_lists(I);
    I->state = weft_state_of(L);
    weft_make_anchors(L, I, -1);
    rc = weft_loop_init(&I->loop, force_poll);
    if (rc != WEFT_OK)
        return weft_raise(L, "weft: cannot make a loop: %s",
                          rc == WEFT_E_MEMORY ? "out of memory"
                                              : weft_error_words(errno));
    luaL_setmetatable(L, WEFT_LOOP_TYPE); /* all of it is there to be freed */
    return 1;
}

/* Everything that still lives in an instance's loop is dropped. */
static void
drop_links(const struct weft_node *links)
{
    struct weft_node *n;

    while ((n = links->next) != links)
        weft_link_abort(WEFT_CONTAINER(n, struct weft_link, node),
                        WEFT_CAUSE_CANCELLED, "the instance was closed");
}

static void
drop_servers(struct weft_instance *I)
{
    struct weft_node *n;

    while ((n = weft_list_take(&I->servers)) != NULL) {
        struct weft_server *s = WEFT_CONTAINER(n, struct weft_server, node);

        s->listening = false;
        drop_links(&s->listener.links); /* while their end can be told */
        weft_listener_deinit(&s->listener);
    }
    I->server_count = 0;
}

/* core.close(loop) */
static int
core_close(lua_State *L)
{
    struct weft_instance *I = luaL_checkudata(L, 1, WEFT_LOOP_TYPE);

    if (I->closed || I->closing)
        return 0;
    if (I->in_turn)
        return weft_raise(L, "weft.close: an instance cannot be closed from "
                             "inside its own turn");
    I->closing = true;
    weft_task_close_all(L, I);
    weft_signal_end(I);
    I->closed = true;
    drop_servers(I);
    drop_links(&I->loop.links);
    weft_log_tell(L, I, false);
    I->event_count = I->closing_count = 0;
    weft_loop_deinit(&I->loop);
    I->lent_count = 0;
    weft_make_anchors(L, I, 1); /* anew: what was anchored is let go of */
    return 0;
}

/* Timers of waits that will never end now. */
static int
loop_gc(lua_State *L)
{
    struct weft_instance *I = lua_touserdata(L, 1);
    struct weft_node *n;

    if (!I->closed)
        weft_signal_end(I);
    I->closed = true;
    drop_servers(I);
    drop_links(&I->loop.links);
    while ((n = weft_list_take(&I->tasks)) != NULL) {
        struct weft_task *t = WEFT_CONTAINER(n, struct weft_task, alive);

        weft_wait_end(&t->wait, WEFT_CANCELLED);
    }
    weft_loop_deinit(&I->loop);
    return 0;
}

/* core.check(loop, call) */
static int
core_check(lua_State *L)
{
    struct weft_instance *I = luaL_checkudata(L, 1, WEFT_LOOP_TYPE);

    if (I->closed || I->closing)
        return weft_raise(L, "%s: this weft instance is closed",
                          luaL_checkstring(L, 2));
    return 0;
}

/* core.hooks(loop, { error =, request =, response = }) */
static int
core_hooks(lua_State *L)
{
    static const char *const names[] = { "error", "request", "response" };
    struct weft_instance *I = weft_check_instance(L, 1);

    weft_remember_own(L);
    weft_push_anchors(L, I);
    for (size_t i = 0; i < 3; i++) {
        if (lua_getfield(L, 2, names[i]) != LUA_TNIL)
            lua_setfield(L, -2, names[i]);
        else
            lua_pop(L, 1);
    }
    return 0;
}

/* core.report(loop, err, traceback, subject) */
static int
core_report(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    lua_settop(L, 4);
    weft_report(L, I);
    return 0;
}

/* ---- turns */

static void
check_outside(lua_State *L, const struct weft_instance *I, const char *call)
{
    if (I->in_turn)
        weft_raise(L, "%s: called from inside a turn of this loop", call);
}

/* core.step(loop, timeout, messages, seconds) */
static int
core_step(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    int64_t ns = weft_nanoseconds(luaL_checknumber(L, 2));

    check_outside(L, I, "weft.step");
    if (!weft_turn(L, I, ns == WEFT_FOREVER ? -1 : ns,
                   luaL_optnumber(L, 3, HUGE_VAL),
                   luaL_optnumber(L, 4, HUGE_VAL)))
        return lua_error(L);
    lua_pushboolean(L, weft_instance_alive(I));
    return 1;
}

static void
turn_or_raise(lua_State *L, struct weft_instance *I)
{
    if (weft_let_interrupt(L) && weft_turn(L, I, -1, HUGE_VAL, HUGE_VAL))
        return;
    weft_loop_stir(&I->loop);
    lua_error(L);
}

/* The task at index 2 until it ends: its results, or its error again. */
static int
run_task(lua_State *L, struct weft_instance *I, struct weft_task *t)
{
    struct weft_wait join = { .kind = WEFT_WAIT_JOIN, .instance = I };
    int n;

    t->watched = true;
    while (t->status < WEFT_TASK_DONE)
        turn_or_raise(L, I);
    weft_loop_stir(&I->loop); /* a host is to ask for its timeout again */
    join.outcome = WEFT_DONE;
    join.u.task = t;
    if (t->status == WEFT_TASK_FAILED) {
        weft_push_task_error(L, t);
        lua_pop(L, 1);
        return lua_error(L);
    }
    n = weft_push_outcome(L, &join);
    if (t->status != WEFT_TASK_DONE)
        return n;
    lua_remove(L, -n); /* the "true" of a join */
    return n - 1;
}

/* core.run(loop [, fn, ...]) */
static int
core_run(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    check_outside(L, I, "weft.run");
    if (lua_gettop(L) >= 2 && !lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
        return run_task(L, I, weft_task_spawn(L, I, lua_gettop(L) - 2));
    }
    I->stopped = false;
    while (!I->stopped && weft_instance_alive(I))
        turn_or_raise(L, I);
    weft_loop_stir(&I->loop);
    lua_pushboolean(L, 1);
    return 1;
}

/* core.in_turn(loop) */
static int
core_in_turn(lua_State *L)
{
    const struct weft_instance *I = luaL_checkudata(L, 1, WEFT_LOOP_TYPE);

    lua_pushboolean(L, I->in_turn);
    return 1;
}

/* core.stop(loop) */
static int
core_stop(lua_State *L)
{
    weft_check_instance(L, 1)->stopped = true;
    return 0;
}

/* ---- waiting for time and descriptors */

/* core.sleep(loop, seconds) */
static int
core_sleep(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    double seconds = weft_check_seconds(L, 2, -1, "weft.sleep", "seconds");
    struct weft_wait *w = weft_wait_begin(L, I, "weft.sleep");

    if (w == NULL)
        return weft_wait_refused(L, I);
    w->kind = WEFT_WAIT_SLEEP;
    return weft_wait_park(L, w, seconds);
}

void
weft_descriptor_free(struct weft_instance *I, struct weft_descriptor *d)
{
    weft_loop_watch(&I->loop, &d->watch, 0);
    weft_sock_close(&d->watch.watch.fd);
    weft_free(d);
}

/* A watch of our own on a copy of the descriptor: two tasks may wait for one,
 * and the user may close it meanwhile.  NULL: errno says why. */
static struct weft_descriptor *
watch_copy(struct weft_wait *w, int fd, uint8_t wanted)
{
    struct weft_descriptor *d = weft_zalloc(sizeof(*d));
    int error;

    if (d == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    d->wait = w;
    d->watch.watch.fd = weft_foreign_copy(fd);
    if (d->watch.watch.fd >= 0
        && weft_loop_watch(&w->instance->loop, &d->watch, wanted) == WEFT_OK)
        return d;
    error = d->watch.watch.fd < 0 ? -d->watch.watch.fd : errno;
    weft_descriptor_free(w->instance, d);
    errno = error;
    return NULL;
}

static uint8_t
check_mode(lua_State *L, int index)
{
    const char *mode = luaL_checkstring(L, index);
    uint8_t wanted = 0;

    if (strchr(mode, 'r') != NULL)
        wanted |= WEFT_READABLE;
    if (strchr(mode, 'w') != NULL)
        wanted |= WEFT_WRITABLE;
    return wanted;
}

/* core.wait(loop, fd, mode, timeout) -> "r", "w" or "rw" */
static int
core_wait(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    int fd = (int)luaL_checkinteger(L, 2);
    uint8_t wanted = check_mode(L, 3);
    double seconds = luaL_optnumber(L, 4, HUGE_VAL);
    struct weft_wait *w = weft_wait_begin(L, I, "weft.wait");

    if (w == NULL)
        return weft_wait_refused(L, I);
    w->descriptor = watch_copy(w, fd, wanted);
    if (w->descriptor == NULL && errno == EPERM) {
        lua_pushvalue(L, 3); /* a regular file is always ready */
        return 1;
    }
    if (w->descriptor == NULL)
        return weft_raise(L, "weft.wait: descriptor %d: %s", fd,
                          weft_error_words(errno));
    w->kind = WEFT_WAIT_FD;
    return weft_wait_park(L, w, seconds);
}

/* core.read(fd, n) -> bytes, "" at the end, or nil, "again" */
static int
core_read(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    lua_Integer most = luaL_checkinteger(L, 2);
    char bytes[4096];
    long n;

    if (most > (lua_Integer)sizeof(bytes))
        most = (lua_Integer)sizeof(bytes);
    n = weft_foreign_read(fd, bytes, most > 0 ? (size_t)most : 1);
    if (n >= 0) {
        lua_pushlstring(L, bytes, (size_t)n);
        return 1;
    }
    if (n == -EAGAIN || n == -EINTR)
        return weft_push_failure(L, "again");
    return weft_push_failure(L, weft_error_words((int)-n));
}

static int
push_timeout(lua_State *L, struct weft_instance *I)
{
    int64_t ns = weft_loop_timeout(&I->loop);

    if (weft_instance_is_busy(I))
        ns = 0;
    if (ns < 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (double)ns / 1e9);
    return 1;
}

/* core.timeout(loop), loop:timeout() */
static int
core_timeout(lua_State *L)
{
    return push_timeout(L, weft_check_instance(L, 1));
}

/* core.fd(loop), loop:pollfd() */
static int
core_fd(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);
    int fd = weft_loop_fd(&I->loop);

    if (fd < 0 && errno != 0)
        return weft_raise(L, "weft.fd: %s", weft_error_words(errno));
    if (fd < 0)
        return weft_push_failure(L, "unsupported");
    if (!I->in_turn)
        weft_loop_doze(&I->loop, weft_instance_is_busy(I));
    lua_pushinteger(L, fd);
    return 1;
}

/* core.held(loop) -> the bytes that memory_limit bounds */
static int
core_held(lua_State *L)
{
    struct weft_instance *I = weft_check_instance(L, 1);

    lua_pushinteger(L, (lua_Integer)weft_loop_held(&I->loop));
    return 1;
}

/* loop:backend() */
static int
loop_backend(lua_State *L)
{
    lua_pushstring(L, weft_check_instance(L, 1)->loop.poller->ops->name);
    return 1;
}

/* loop:events(): what cqueues is to poll pollfd() for */
static int
loop_events(lua_State *L)
{
    lua_pushliteral(L, "r");
    return 1;
}

void
weft_loop_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", loop_gc }, { NULL, NULL } };
    static const luaL_Reg methods[] = { { "backend", loop_backend },
                                        { "pollfd", core_fd },
                                        { "events", loop_events },
                                        { "timeout", core_timeout },
                                        { NULL, NULL } };
    static const luaL_Reg functions[] = {
        { "now", core_now },     { "loop", core_loop },
        { "close", core_close }, { "hooks", core_hooks },
        { "report", core_report }, { "check", core_check }, { "step", core_step },
        { "run", core_run },     { "stop", core_stop },
        { "in_turn", core_in_turn },
        { "sleep", core_sleep }, { "wait", core_wait },
        { "read", core_read },   { "timeout", core_timeout },
        { "fd", core_fd },       { "random", core_random },
        { "random_bytes", core_random_bytes },
        { "held", core_held },
        { NULL, NULL },
    };

    weft_new_type(L, WEFT_LOOP_TYPE, meta, methods);
    luaL_setfuncs(L, functions, 0);
}
