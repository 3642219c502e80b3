/*
 * What the files of the binding share: instances, tasks, waits, connections.
 *
 * A wait is what a task (or the main thread) is parked on.  Whoever completes
 * it calls weft_wake(); the results are pushed when the task is resumed, by
 * the kind of the wait.  Only task.c resumes and yields.
 */
#ifndef WEFT_LUA_STATE_H
#define WEFT_LUA_STATE_H

#include "loop/link.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/room.h"
#include "lua/collector.h"
#include "lua/compat.h"
#include "net/clock.h"

/* One per lua_State, in the registry: what runs in it now. */
struct weft_state {
    int turns;              /* turns running, of all instances */
    struct weft_task *task; /* the running task, or NULL */
    lua_State *leaf;        /* the thread whose code runs on its behalf */
    const char *call;       /* on plain 5.1: the last that began to wait */
    const void *text, *binary; /* the strings "text" and "binary", as
                                  lua_topointer() names them */
    int text_ref, binary_ref;  /* and where the registry has them */
    int weak_ref;           /* the table that finds loops and anchors, and */
    lua_Integer weak_count; /* how much has been put into it; see util.c */
};

enum weft_wait_kind {
    WEFT_WAIT_NONE,
    WEFT_WAIT_RECEIVE, /* u.ws */
    WEFT_WAIT_CHUNK,   /* u.ws */
    WEFT_WAIT_SEND,    /* u.ws, send */
    WEFT_WAIT_WRITE,   /* u.ws, send: a piece by a writer */
    WEFT_WAIT_FLUSH,   /* u.ws */
    WEFT_WAIT_DRAIN,   /* u.ws: core.write */
    WEFT_WAIT_BODY,    /* u.ws: core.read_body */
    WEFT_WAIT_PING,    /* u.ws, ping */
    WEFT_WAIT_CLOSED,  /* u.ws: wait_closed */
    WEFT_WAIT_CLOSE,   /* u.ws: close */
    WEFT_WAIT_OPEN,    /* u.ws: connect */
    WEFT_WAIT_SLEEP,
    WEFT_WAIT_YIELD,
    WEFT_WAIT_JOIN,    /* u.task */
    WEFT_WAIT_TAKE,    /* u.queue */
    WEFT_WAIT_PUT,     /* u.queue; the value is the thread's top */
    WEFT_WAIT_FD,      /* watch */
    WEFT_WAIT_EMPTY,   /* u.server, allow */
    WEFT_WAIT_SIGNAL,  /* signal */
};

enum weft_outcome {
    WEFT_WAITING,
    WEFT_DONE,
    WEFT_TIMEOUT,
    WEFT_CANCELLED,
    WEFT_CLOSED, /* what it waited on has ended */
};

struct weft_ws;
struct weft_writer;
struct weft_queue;
struct weft_server;

/* Every idle connection with a handler has one: small, its parts shared by
 * what does not come together. */
struct weft_wait {
    enum weft_wait_kind kind : 8;
    enum weft_outcome outcome : 8;
    uint8_t opcode;          /* of a SEND or WRITE, as to `last` */
    uint8_t argument;        /* stack index of the message, in thread */
    struct weft_utf8 utf8;   /* where its text stands after it */
    bool plain;              /* it is not to be compressed */
    bool last;
    uint8_t ready;           /* of an FD: what the watch reported */
    struct weft_instance *instance;
    struct weft_task *task;  /* NULL: the main thread's */
    lua_State *thread;       /* whose call it is: weft.wrap has its own */
    struct weft_node node;   /* in the list of what it waits on; of a task's,
                                else, in instance->ready or ->idle */
    struct weft_timer timer;
    union {
        struct weft_ws *ws;
        struct weft_task *task;
        struct weft_queue *queue;
        struct weft_server *server;
    } u;
    union {
        struct { /* of a SEND or WRITE */
            struct weft_writer *writer; /* of a WRITE */
            const char *data;      /* its bytes */
            size_t len;
        };
        struct weft_ping *ping;    /* of a PING; heap */
        struct weft_descriptor *descriptor; /* of an FD; heap */
        uint32_t allow;            /* of an EMPTY */
        int signal;                /* of a SIGNAL */
    };
};

enum weft_task_status {
    WEFT_TASK_NEW,     /* starts in the next turn */
    WEFT_TASK_READY,   /* its wait is over */
    WEFT_TASK_WAITING,
    WEFT_TASK_RUNNING,
    WEFT_TASK_DONE,
    WEFT_TASK_FAILED,
    WEFT_TASK_CANCELLED,
    WEFT_TASK_IDLE,    /* in the pool for events and what leads to them */
};

/*
 * A userdata; user value 1: its thread, 2: the loop.  While it lives (until
 * DONE), it is anchored by its instance, or in the house of the connection that
 * it handles, which is anchored then: one anchor less for each of very many.
 * When it is over, its thread's stack holds the results, or the error and its
 * traceback.
 */
struct weft_task {
    lua_State *thread;
    enum weft_task_status status : 8;
    uint8_t cancels;          /* 0 none; see weft_wait_begin() */
    bool watched;             /* weft.run() raises its error again */
    bool housed;              /* by the connection it handles, see below */
    int arguments;            /* on its thread's stack, while NEW */
    struct weft_wait wait;    /* its instance is the task's, always */
    struct weft_node alive;   /* in instance->tasks */
    struct weft_node joiners; /* waits */
    struct weft_ws *handles;  /* the connection whose handler it runs */
    struct weft_ws *serves;   /* the connection whose events it runs */
};

/* Reasons to keep a connection alive although nobody refers to it. */
enum {
    WEFT_HOLD_OPENING = 1, /* a server's handshake */
    WEFT_HOLD_HANDLER = 2,
    WEFT_HOLD_EVENTS = 4,
    WEFT_HOLD_ROOM = 8,
    WEFT_HOLD_CLOSING = 16,
};

/* A userdata; user value 1: fields (lazy), 2: the loop, or the server, which
 * has it, 3: the events (until they are set, the task of a server's handler,
 * see weft_task_move_in()), 4, a
 * client's: the function that follows redirects. */
struct weft_ws {
    struct weft_link link;
    const void *magic;   /* &weft_ws_magic: in a userdata of the right size it
                            says that it is ours, for forty instructions a
                            call less than comparing metatables */
    struct weft_instance *instance;
    struct weft_wait *receiver;
    struct weft_node senders; /* waits, first come first served */
    struct weft_node waiters; /* flush, ping, closed, close, open */
    struct weft_task *handler;
    struct weft_server *server; /* whose connection it is, or NULL */
    struct weft_task *event_task; /* that runs an event now, or NULL */
    struct weft_writer *writer; /* in the middle of a message, or NULL */
    uint8_t holds;
    uint8_t lookups;     /* of methods, until it has a metatable of its own */
    bool late;           /* its link is in server->late */
    bool asked;          /* the handler was started, for this request */
    bool has_events;
    bool streaming;      /* ws:chunks() is in the middle of something */
    bool event_running;  /* one event at a time */
    bool in_events;      /* run_events() is at work: it sees what follows */
    bool event_begun;    /* events.messages starts: one is always taken */
    bool event_opened, event_closed;
    bool event_failed;   /* an event raised: only close is left */
    bool ended;          /* its end was seen to */
    bool redirects;      /* a refused handshake is shown to the function */
};

/* A userdata; user value 1: the handler, 2: the loop, 3: a connection that is
 * not connected yet, or nil, 4: ranges of trusted proxies, 5: the log, 6: what
 * Lua has said to it and has not been told, 7: its plan, for core.plan(). */
struct weft_server {
    struct weft_listener listener;
    struct weft_journal journal; /* the listener's, if there is a log */
    struct weft_instance *instance;
    struct weft_node node;    /* in instance->servers */
    struct weft_node waiters; /* WEFT_WAIT_EMPTY */
    struct weft_node late;    /* connections that have closed, their handlers
                                 not yet */
    uint32_t late_count;
    bool listening;
};

enum { WEFT_LENT_MAX = 64 }; /* strings lent in one turn */

/* The loop userdata: an instance. */
struct weft_instance {
    struct weft_loop loop;
    struct weft_state *state;
    lua_Integer loop_at, anchors_at, lent_at; /* in the state's weak table */
    bool closed, closing, stopped, in_turn;
    bool telling;             /* a log's function is being called */
    bool log_behind;          /* a bounded turn was over before it knew all */
    struct weft_node ready;   /* tasks to resume in the next turn */
    struct weft_node batch;   /* tasks to resume in this turn */
    struct weft_node borrowers; /* connections with lent strings of their own */
    uint32_t lent[WEFT_LENT_MAX], lent_count; /* numbers of strings lent in
                                                 this turn; see l_lend.c */
    struct weft_node idle;    /* pooled tasks */
    struct weft_node tasks;   /* every live task */
    struct weft_node signals; /* WEFT_WAIT_SIGNAL */
    struct weft_node servers; /* every server that is not collected */
    uint32_t idle_count, task_count, server_count, event_count, closing_count;
    struct weft_wait main;    /* the main thread's */
    bool unbounded;           /* this turn has no limits */
    double messages;          /* left in this turn: of those, and of requests,
                                 events, connections and tasks that go on */
    struct weft_untold untold;
    uint32_t done;            /* things done in it: one is always done */
    int signal_fd;            /* see signal.c; -1: none */
    struct weft_user_watch signal_watch;
};

#define WEFT_TASK_TYPE "weft.Task"
#define WEFT_WS_TYPE "weft.Connection"
#define WEFT_LOOP_TYPE "weft.Loop"
#define WEFT_SERVER_TYPE "weft.Listener"
#define WEFT_QUEUE_TYPE "weft.Queue"
#define WEFT_ROOM_TYPE "weft.Room"

/* ---- util.c */

/* A userdata of ours by its metatable; raises "name: argument 'x': ...". */
void *weft_check(lua_State *L, int index, const char *type, const char *call);
struct weft_instance *weft_check_instance(lua_State *L, int index);

extern const char weft_ws_magic; /* see struct weft_ws */
/* The connection at that index of L, or NULL when it is none. */
static inline struct weft_ws *
weft_to_ws(lua_State *L, int index)
{
    struct weft_ws *ws = lua_touserdata(L, index);

    return ws != NULL && lua_rawlen(L, index) == sizeof(*ws)
                   && ws->magic == &weft_ws_magic
               ? ws
               : NULL;
}
int weft_refuse_ws(lua_State *L, int index, const char *call); /* raises */
/* The connection at that index of L; raises when it is none. */
static inline struct weft_ws *
weft_check_ws(lua_State *L, int index, const char *call)
{
    struct weft_ws *ws = weft_to_ws(L, index);

    if (ws == NULL)
        weft_refuse_ws(L, index, call);
    return ws;
}

/* New userdata with `values` user values, all zero, of the type. */
void *weft_new_userdata(lua_State *L, size_t size, const char *type,
                        int values);
/* Makes the type's metatable; methods as __index unless NULL. */
void weft_new_type(lua_State *L, const char *type, const luaL_Reg *meta,
                   const luaL_Reg *methods);

/* Gives the loop userdata at that index its table of anchored things, anew. */
void weft_make_anchors(lua_State *L, struct weft_instance *I, int loop);
/* Pushes the list of strings lent in this turn, or nil. */
void weft_push_lent(lua_State *L, struct weft_instance *I);
/* Pushes the instance's table of anchored things, or nil when it is gone. */
void weft_push_anchors(lua_State *L, struct weft_instance *I);
/* anchors[p] = the value at index (nil: no longer). */
void weft_anchor(lua_State *L, struct weft_instance *I, const void *p,
                 int index);
void weft_push_loop(lua_State *L, struct weft_instance *I);
void weft_unanchor(lua_State *L, struct weft_instance *I, const void *p);
/* Pushes anchors[p]: the userdata at that address, or nil. */
void weft_push_anchored(lua_State *L, struct weft_instance *I, const void *p);

/* Notes weakly where a userdata of ours is, and pushes it, or nil when nobody
 * has it any more. */
void weft_note(lua_State *L, const void *p, int index);
void weft_push_noted(lua_State *L, const void *p);

/* nil, "timeout" and so on; each returns how many values it pushed. */
int weft_push_failure(lua_State *L, const char *word);
int weft_push_closed(lua_State *L, const struct weft_link *k);
int64_t weft_nanoseconds(double seconds); /* math.huge: WEFT_FOREVER */

/* ---- task.c */

extern const char weft_mark; /* its address is what parked threads yield */

struct weft_state *weft_state_of(lua_State *L);

/*
 * The wait that the call on L may use, clean.  Raises where a wait is not
 * possible.  NULL: the task was cancelled and the call ends at once with
 * weft_wait_refused().  The call fills kind and what it waits on, links the
 * wait's node, and ends with weft_wait_park().
 */
struct weft_wait *weft_wait_begin(lua_State *L, struct weft_instance *I,
                                  const char *call);

/* nil, "cancelled", or the end of the task where it stands.  Call it as
 * `return weft_wait_refused(...)`: Lua 5.1 comes back from a yield. */
int weft_wait_refused(lua_State *L, const struct weft_instance *I);

/* Raises where a wait is not possible, for a call that is to change something
 * before it waits. */
void weft_wait_check(lua_State *L, const struct weft_instance *I,
                     const char *call);

/* Whether a wait on L would block the main thread rather than park. */
bool weft_wait_is_on_main(lua_State *L); /* the dear half of it */
static inline bool
weft_wait_blocks(lua_State *L, const struct weft_instance *I)
{
    return I->state->turns == 0 && weft_wait_is_on_main(L);
}

/*
 * Parks (or, on the main thread, turns the loop) until the wait is over, at
 * most `seconds`.  Call it as `return weft_wait_park(...)`.
 */
int weft_wait_park(lua_State *L, struct weft_wait *w, double seconds);

/* False when somebody closed the waiting coroutine behind our back. */
static inline bool
weft_wait_stands(const struct weft_wait *w)
{
    return w->task == NULL || lua_status(w->thread) == LUA_YIELD;
}

/* Ends a wait without queueing its task: the caller resumes it at once. */
void weft_wait_end(struct weft_wait *w, enum weft_outcome outcome);
/* Frees the ping that a wait was for, if it was. */
void weft_wait_drop_ping(struct weft_wait *w);
/* Ends a wait; what it returns is pushed later, by its kind. */
void weft_wake(struct weft_wait *w, enum weft_outcome outcome);
void weft_wake_all(struct weft_node *waits, enum weft_outcome outcome);

/* Pushes on L what a wait that is over returns; the count. (results.c) */
int weft_push_outcome(lua_State *L, struct weft_wait *w);

/* Makes a task of the function and n arguments on the top of L (popped), to
 * start in the next turn; pushes its userdata.  Raises, leaving no task, when
 * memory is out. */
struct weft_task *weft_task_spawn(lua_State *L, struct weft_instance *I,
                                  int n);
/* A task, perhaps one from the pool, for n values (a function and arguments)
 * on the top of L (popped), to be started at once.  Raises as above. */
struct weft_task *weft_task_take(lua_State *L, struct weft_instance *I,
                                 int n);
/* From now on the connection's userdata, on the top of L, keeps the task that
 * handles it; and no longer (raises when memory is out). */
void weft_task_move_in(lua_State *L, struct weft_task *t);
void weft_task_move_out(lua_State *L, struct weft_task *t);
/* Starts a new task in this turn rather than in the next. */
void weft_task_start(lua_State *L, struct weft_task *t);
/* Resumes a parked task with the n values on the top of L. */
void weft_task_resume(lua_State *L, struct weft_task *t, int n);
void weft_task_cancel(lua_State *L, struct weft_task *t);
/* Resumes tasks whose waits are over; those that were ready at the start. */
void weft_task_run_ready(lua_State *L, struct weft_instance *I);
/* Closes every task of an instance that is being closed. */
void weft_task_close_all(lua_State *L, struct weft_instance *I);
/* Reports an error by the error hook. Pops subject, traceback, error. */
void weft_report(lua_State *L, struct weft_instance *I);
/* Pushes a failed task's error and traceback. */
void weft_push_task_error(lua_State *L, const struct weft_task *t);
void weft_task_register(lua_State *L); /* types and functions of task.c */

/* A copy of a user's descriptor that a wait watches. */
struct weft_descriptor {
    struct weft_user_watch watch;
    struct weft_wait *wait;
};

/* Stops watching, closes the copy and frees it. (l_loop.c) */
void weft_descriptor_free(struct weft_instance *I, struct weft_descriptor *d);

/* ---- l_lend.c */

enum { WEFT_BORROW_MIN = 16 * 1024 }; /* below it, copying is cheaper */

/* Sends the string at `message` for the connection at `self`, both on L, on a
 * link that is open, lent to the kernel where that is possible.  As
 * weft_link_send_plain(). */
enum weft_status weft_ws_lend(lua_State *L, enum weft_opcode opcode, int self,
                              int message);
/* Before the string at `string`, which is WEFT_BORROW_MIN bytes or more, is
 * queued by a call that borrows it: it is kept until the kernel has it.  False:
 * it has to be copied.  What the call returned goes to weft_lend_end(), which
 * returns it. */
bool weft_lend_begin(lua_State *L, int self, int string);
enum weft_status weft_lend_end(lua_State *L, struct weft_ws *ws,
                               enum weft_status rc);
/* Lets go of lent strings that the kernel has taken. */
void weft_return_lent(lua_State *L, struct weft_instance *I);

/* ---- turn.c */

/* One turn, protected; false: it raised, and the error is on the top. */
bool weft_turn(lua_State *L, struct weft_instance *I, int64_t timeout,
               double messages, double seconds);
/* Whether tasks are to be resumed in the next turn. */
bool weft_instance_is_busy(const struct weft_instance *I);
/* Whether run() would go on. */
bool weft_instance_alive(const struct weft_instance *I);
/* The clock of calls that come outside a turn. */
static inline void
weft_instance_touch(struct weft_instance *I)
{
    if (!I->in_turn)
        I->loop.now = weft_now();
}
/* Whether the turn's limits are reached. */
static inline bool
weft_turn_is_over(const struct weft_instance *I)
{
    if (I->unbounded || I->done == 0)
        return false;
    return I->messages <= 0 || weft_loop_is_late(&I->loop);
}
/* Lets Lua's own signal hook raise "interrupted!"; false: it did. */
bool weft_let_interrupt(lua_State *L);

/* ---- l_link.c and its neighbours */

/* A connection userdata with an initialised link; pushed.  `owner`: where the
 * loop or the server is on L, which it keeps alive. */
struct weft_ws *weft_ws_new(lua_State *L, int owner,
                            struct weft_instance *I,
                            struct weft_config *config, enum weft_role role);
/* Sees to all that waits on a connection whose link was named. */
void weft_ws_service(lua_State *L, struct weft_ws *ws);
/* Holds or lets go of the connection as its state demands. `index`: where it
 * is on L, or 0 when it is not there. */
void weft_ws_update_holds(lua_State *L, struct weft_ws *ws, int index);
void weft_ws_hold(lua_State *L, struct weft_ws *ws, int index, uint8_t why);
void weft_ws_unhold(lua_State *L, struct weft_ws *ws, uint8_t why);
/* Pushes the next message, or the end; 0: nothing now. */
int weft_ws_push_received(lua_State *L, struct weft_ws *ws,
                          enum weft_wait_kind kind);
/* The handler of a connection has ended. */
void weft_ws_handler_done(lua_State *L, struct weft_ws *ws,
                          enum weft_task_status how);
/* An event of a connection has ended; failed: it raised. */
void weft_ws_event_done(lua_State *L, struct weft_ws *ws, bool failed);
/* Tries to send for the wait, whose turn it is: true when that is over. */
bool weft_ws_send_waiting(lua_State *L, struct weft_wait *w);
/* Accepts what waits at a listener. */
void weft_server_service(lua_State *L, struct weft_server *s);
/* A closed connection's handler still runs, or no longer does. */
void weft_server_note_late(struct weft_server *s, struct weft_ws *ws,
                           bool late);
/* One of a server's connections is gone. */
void weft_server_check_empty(struct weft_server *s);
int weft_ws_push_close_outcome(lua_State *L, struct weft_wait *w);
/* The request's body, or nil, "closed" and so on. */
int weft_ws_push_body(lua_State *L, const struct weft_ws *ws);
int weft_ws_push_open_cancelled(lua_State *L);
/* A client's handshake was refused: true when it is connecting anew. */
bool weft_ws_redirect(lua_State *L, struct weft_ws *ws);
int weft_ws_push_open_outcome(lua_State *L, struct weft_ws *ws);

void weft_ws_register(lua_State *L);
void weft_server_register(lua_State *L);
int weft_core_listen(lua_State *L); /* l_listen.c */
int weft_server_stats(lua_State *L); /* l_stats.c */
int weft_server_spread(lua_State *L);
int weft_core_refuses(lua_State *L);
void weft_request_register(lua_State *L);
void weft_answer_register(lua_State *L);
void weft_client_register(lua_State *L);
void weft_events_register(lua_State *L);
void weft_loop_register(lua_State *L);

/* ---- l_log.c */

/* Gives the server on the top of L, before it listens, the log that stands in
 * the table at spec; false without one.  And has it told, once it listens. */
bool weft_log_prepare(lua_State *L, const struct weft_server *s, int spec);
void weft_log_begin(struct weft_server *s);
/* Tells what has happened to the servers' logs; or as much of it as there is
 * time for in a turn: I->log_behind says whether that was not all. */
void weft_log_tell(lua_State *L, struct weft_instance *I, bool bounded);
void weft_log_register(lua_State *L);

/* ---- l_queue.c, l_room.c, l_signal.c, l_crew.c, l_process.c, l_text.c: each
 * adds its functions to the module table on the top of the stack */
void weft_queue_register(lua_State *L);
void weft_room_register(lua_State *L);
void weft_signal_register(lua_State *L);
void weft_crew_register(lua_State *L);
void weft_process_register(lua_State *L);
void weft_text_register(lua_State *L);
/* Pushes what a TAKE or PUT that is over returns. */
int weft_queue_push_outcome(lua_State *L, struct weft_wait *w);
/* The signal watch is ready: wakes waits. */
void weft_signal_service(struct weft_instance *I);
const char *weft_signal_name(int signal);

#endif
