/*
 * What the loop does for a connection whose link was named: it starts the
 * handler, delivers messages and events, lets waiting sends go, and at the end
 * tells everybody.  It must not know sockets or frames.
 */
#include "lua/l_link.h"

/* ---- keeping connections alive */

static uint32_t *
hold_count(struct weft_instance *I, uint8_t why)
{
    if (why == WEFT_HOLD_EVENTS)
        return &I->event_count;
    return why == WEFT_HOLD_CLOSING ? &I->closing_count : NULL;
}

void
weft_ws_hold(lua_State *L, struct weft_ws *ws, int index, uint8_t why)
{
    uint32_t *count = hold_count(ws->instance, why);

    if (ws->holds & why)
        return;
    if (ws->holds == 0 && index != 0)
        weft_anchor(L, ws->instance, ws, index);
    if (count != NULL)
        ++*count;
    ws->holds |= why;
}

void
weft_ws_unhold(lua_State *L, struct weft_ws *ws, uint8_t why)
{
    uint32_t *count = hold_count(ws->instance, why);

    if (!(ws->holds & why))
        return;
    ws->holds &= (uint8_t)~why;
    if (count != NULL)
        --*count;
    if (ws->holds == 0)
        weft_unanchor(L, ws->instance, ws);
}

static bool
is_closing(const struct weft_link *k)
{
    return k->state == WEFT_LINK_LINGER
           || (k->state == WEFT_LINK_OPEN && k->flow->ending != 0);
}

void
weft_ws_update_holds(lua_State *L, struct weft_ws *ws, int index)
{
    struct weft_link *k = &ws->link;

    if (is_closing(k)) {
        if (index != 0 || ws->holds != 0)
            weft_ws_hold(L, ws, index, WEFT_HOLD_CLOSING);
    } else {
        weft_ws_unhold(L, ws, WEFT_HOLD_CLOSING);
    }
    if (k->state == WEFT_LINK_CLOSED
        || (k->role == WEFT_CLIENT && k->state >= WEFT_LINK_OPEN))
        weft_ws_unhold(L, ws, WEFT_HOLD_OPENING);
    if (k->rooms == NULL)
        weft_ws_unhold(L, ws, WEFT_HOLD_ROOM);
}

/* ---- the handler of a server's connection */

/* ws.request, if somebody has read it, was the one before; ws is on the top. */
static void
forget_request(lua_State *L)
{
    if (lua_getiuservalue(L, -1, 1) == LUA_TTABLE) {
        lua_pushnil(L);
        lua_setfield(L, -2, "request");
    }
    lua_pop(L, 1);
}

/* A request is there: the server's Lua function takes over, as a task. */
static void
start_handler(lua_State *L, struct weft_ws *ws)
{
    struct weft_instance *I = ws->instance;
    struct weft_task *t;

    if (ws->asked)
        return;
    ws->asked = true;
    weft_push_anchored(L, I, ws); /* kept on the stack while it is served */
    forget_request(L);
    lua_getiuservalue(L, -1, 2);  /* the server */
    lua_getiuservalue(L, -1, 1);  /* its handler */
    lua_remove(L, -2);
    lua_pushvalue(L, -2);
    t = weft_task_take(L, I, 2);
    t->handles = ws;
    ws->handler = t;
    if (ws->link.flow->opening->kind == WEFT_REQUEST_WEBSOCKET)
        weft_task_move_in(L, t); /* it may last as long as the connection */
    weft_ws_hold(L, ws, -1, WEFT_HOLD_HANDLER);
    weft_ws_unhold(L, ws, WEFT_HOLD_OPENING);
    I->messages--;
    weft_task_start(L, t);
}

static void
close_plainly(struct weft_ws *ws, unsigned code, enum weft_cause cause)
{
    weft_link_close(&ws->link, code, (struct weft_span){ "", 0 }, cause);
}

static void
answer_500(struct weft_ws *ws)
{
    static const char body[] = "Internal Server Error\n";

    if (ws->link.flow->opening->kind == WEFT_REQUEST_WEBSOCKET)
        weft_link_refuses(&ws->link, WEFT_REFUSED_ERROR);
    if (weft_link_respond(&ws->link, 500, (struct weft_span){ "", 0 },
                          (struct weft_span){ body, sizeof(body) - 1 })
        != WEFT_OK)
        weft_link_abort(&ws->link, WEFT_CAUSE_ERROR, NULL);
}

/* The handler has ended before the data phase: the next request may come. */
static void
request_done(struct weft_ws *ws, enum weft_task_status how)
{
    struct weft_link *k = &ws->link;

    if (how == WEFT_TASK_FAILED)
        weft_link_retract(k);
    if (how == WEFT_TASK_CANCELLED && k->state == WEFT_LINK_ASKED)
        weft_link_abort(k, WEFT_CAUSE_CANCELLED, NULL);
    else if (k->state == WEFT_LINK_ASKED)
        answer_500(ws);
    ws->asked = false;
    weft_link_release(k);
}

void
weft_ws_handler_done(lua_State *L, struct weft_ws *ws,
                     enum weft_task_status how)
{
    struct weft_link *k = &ws->link;

    ws->handler = NULL;
    if (ws->server != NULL)
        weft_server_note_late(ws->server, ws, false);
    if (k->state == WEFT_LINK_ASKED || k->state == WEFT_LINK_ANSWERING) {
        request_done(ws, how);
    } else if (how == WEFT_TASK_CANCELLED) {
        close_plainly(ws, 1001, WEFT_CAUSE_CANCELLED);
    } else if (how == WEFT_TASK_FAILED) {
        close_plainly(ws, 1011, WEFT_CAUSE_ERROR);
    } else if (!ws->has_events) {
        close_plainly(ws, 1000, WEFT_CAUSE_HANDLER);
    }
    weft_push_anchored(L, ws->instance, ws);
    if (lua_isuserdata(L, -1)) {
        if (k->state < WEFT_LINK_OPEN && k->state != WEFT_LINK_IDLE)
            weft_ws_hold(L, ws, lua_gettop(L), WEFT_HOLD_OPENING);
        weft_ws_update_holds(L, ws, lua_gettop(L));
    }
    weft_ws_unhold(L, ws, WEFT_HOLD_HANDLER);
    lua_pop(L, 1);
}

/* ---- delivering */

/* Messages for the task that receives: resumed at once, one resume a batch. */
static void
deliver(lua_State *L, struct weft_ws *ws)
{
    struct weft_instance *I = ws->instance;
    struct weft_wait *w;
    int n;

    while ((w = ws->receiver) != NULL && weft_link_has_next(&ws->link)) {
        if (weft_turn_is_over(I)) {
            weft_loop_again(&I->loop, &ws->link.work);
            return;
        }
        if (w->task == NULL) { /* the main thread takes it itself */
            if (weft_link_next(&ws->link) != WEFT_MORE)
                weft_wake(w, WEFT_DONE);
            return;
        }
        if (!weft_wait_stands(w)) {
            weft_wake(w, WEFT_CANCELLED);
            return;
        }
        lua_pushvalue(w->thread, 1); /* the call's self: keeps ws alive */
        lua_xmove(w->thread, L, 1);
        n = weft_ws_push_received(L, ws, w->kind);
        if (n == 0)
            return;
        weft_wait_end(w, WEFT_DONE);
        weft_task_resume(L, w->task, n);
    }
}

/* ---- events */

/* Pushes events[name] and ws; false when there is no such event. */
static bool
push_event(lua_State *L, int events, int ws, const char *name)
{
    if (lua_getfield(L, events, name) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushvalue(L, ws);
    return true;
}

static void
start_event(lua_State *L, struct weft_ws *ws, int n)
{
    struct weft_task *t;

    ws->event_running = true;
    weft_link_want(&ws->link, false);
    t = weft_task_take(L, ws->instance, n);
    t->serves = ws;
    ws->event_task = t;
    weft_task_start(L, t);
}

/* One that counts in this turn; messages do when they are taken. */
static void
run_event(lua_State *L, struct weft_ws *ws, int n)
{
    ws->instance->messages--;
    start_event(L, ws, n);
}

/* The messages that are there, all in one task; see core.next_message(). */
static bool
message_event(lua_State *L, struct weft_ws *ws, int events, int self)
{
    if (weft_link_next(&ws->link) != WEFT_EVENT)
        return false;
    if (ws->event_failed || !push_event(L, events, self, "messages")) {
        weft_link_taken(&ws->link); /* nobody wants it: it is read all the same */
        return true;
    }
    ws->event_begun = true;
    start_event(L, ws, 2);
    return true;
}

static void
close_event(lua_State *L, struct weft_ws *ws, int events, int self)
{
    const struct weft_link *k = &ws->link;

    ws->event_closed = true;
    if (push_event(L, events, self, "close")) {
        weft_push_closed(L, k);
        lua_remove(L, -4);
        lua_remove(L, -3);
        run_event(L, ws, 4);
    }
}

static void
failure_event(lua_State *L, struct weft_ws *ws, int events, int self)
{
    const struct weft_link *k = &ws->link;

    ws->event_opened = true; /* it never will; this goes first once */
    if (push_event(L, events, self, "error")) {
        lua_pushstring(L, k->close_message != NULL ? k->close_message
                                                   : "cancelled");
        lua_pushstring(L, k->error != NULL ? k->error : "cancelled");
        run_event(L, ws, 4);
    }
}

/* One event at most; false when there is none now. */
static bool
next_event(lua_State *L, struct weft_ws *ws, int events, int self)
{
    struct weft_link *k = &ws->link;

    if (k->state < WEFT_LINK_OPEN)
        return false;
    if (!ws->event_opened && k->state == WEFT_LINK_CLOSED
        && k->error != NULL) {
        failure_event(L, ws, events, self);
        return true;
    }
    if (!ws->event_opened) {
        ws->event_opened = true;
        if (push_event(L, events, self, "open"))
            run_event(L, ws, 2);
        return true;
    }
    if (weft_link_has_next(k) && message_event(L, ws, events, self))
        return true;
    if (k->state == WEFT_LINK_CLOSED && !ws->event_closed) {
        close_event(L, ws, events, self);
        return true;
    }
    return false;
}

static void
run_events(lua_State *L, struct weft_ws *ws)
{
    struct weft_instance *I = ws->instance;
    int self, events, top;

    if (!ws->has_events || ws->event_running)
        return;
    weft_push_anchored(L, I, ws);
    self = lua_gettop(L);
    if (!lua_isuserdata(L, self))
        return;
    lua_getiuservalue(L, self, 3);
    events = top = lua_gettop(L);
    ws->in_events = true;
    while (!ws->event_running) {
        if (weft_turn_is_over(I)) {
            weft_loop_again(&I->loop, &ws->link.work);
            break;
        }
        if (!next_event(L, ws, events, self))
            break;
        lua_settop(L, top);
    }
    ws->in_events = false;
    if (!ws->event_running) {
        weft_link_want(&ws->link, true);
        if (ws->event_closed && ws->server != NULL)
            weft_server_note_late(ws->server, ws, false);
        if (ws->event_closed)
            weft_ws_unhold(L, ws, WEFT_HOLD_EVENTS);
    }
}

void
weft_ws_event_done(lua_State *L, struct weft_ws *ws, bool failed)
{
    ws->event_running = false;
    ws->event_task = NULL;
    if (failed) {
        ws->event_failed = true;
        close_plainly(ws, 1011, WEFT_CAUSE_ERROR);
    }
    weft_ws_update_holds(L, ws, 0);
    if (!ws->in_events)
        weft_loop_again(&ws->instance->loop, &ws->link.work);
}

/* ---- waits */

static bool
waits_for_output(const struct weft_wait *w)
{
    return w->kind == WEFT_WAIT_FLUSH || w->kind == WEFT_WAIT_DRAIN;
}

/* Down to where the output has to come for such a wait. */
static size_t
low_mark(const struct weft_wait *w)
{
    return w->kind == WEFT_WAIT_DRAIN ? w->u.ws->link.config->send_buffer : 0;
}

static void
wake_waiters(struct weft_ws *ws)
{
    struct weft_link *k = &ws->link;
    bool closed = k->state == WEFT_LINK_CLOSED;
    bool deaf = closed || k->reading_over; /* no pong will come */
    struct weft_node *n = ws->waiters.next, *next;

    for (; n != &ws->waiters; n = next) {
        struct weft_wait *w = WEFT_CONTAINER(n, struct weft_wait, node);

        next = n->next;
        switch (w->kind) {
        case WEFT_WAIT_OPEN:
            if (k->state >= WEFT_LINK_OPEN)
                weft_wake(w, WEFT_DONE);
            break;
        case WEFT_WAIT_CLOSE:
        case WEFT_WAIT_CLOSED:
            if (closed)
                weft_wake(w, WEFT_DONE);
            break;
        case WEFT_WAIT_PING:
            if (w->ping->round_trip >= 0)
                weft_wake(w, WEFT_DONE);
            else if (deaf)
                weft_wake(w, WEFT_CLOSED);
            break;
        case WEFT_WAIT_FLUSH:
        case WEFT_WAIT_DRAIN:
            if (closed || k->write_dead)
                weft_wake(w, WEFT_CLOSED);
            else if (weft_link_backlog(k) <= low_mark(w))
                weft_wake(w, WEFT_DONE);
            break;
        case WEFT_WAIT_BODY:
            if (k->state != WEFT_LINK_ASKED)
                weft_wake(w, WEFT_CLOSED);
            else if (weft_link_want_body(k) != WEFT_MORE)
                weft_wake(w, WEFT_DONE);
            break;
        default:
            break;
        }
    }
}

static void
serve_senders(lua_State *L, struct weft_ws *ws)
{
    struct weft_node *n;
    bool drain = false;

    while (!weft_list_empty(&ws->senders)) {
        n = ws->senders.next;
        if (!weft_ws_send_waiting(L, WEFT_CONTAINER(n, struct weft_wait,
                                                    node))) {
            drain = true;
            break;
        }
    }
    for (n = ws->waiters.next; n != &ws->waiters; n = n->next)
        drain = drain || waits_for_output(WEFT_CONTAINER(n, struct weft_wait,
                                                         node));
    ws->link.drain = drain;
}

/* Whether code of the user's still runs, or will, for a closed connection. */
static bool
is_at_work(const struct weft_ws *ws)
{
    return ws->handler != NULL
           || (ws->has_events && (ws->event_running || !ws->event_closed));
}

static void
end(lua_State *L, struct weft_ws *ws)
{
    struct weft_instance *I = ws->instance;

    if (ws->ended)
        return;
    ws->ended = true;
    weft_node_unlink(&ws->link.flow->borrower);
    weft_unanchor(L, I, &ws->receiver);
    if (ws->server != NULL && is_at_work(ws))
        weft_server_note_late(ws->server, ws, true);
    else if (ws->server != NULL)
        weft_server_check_empty(ws->server);
}

void
weft_ws_service(lua_State *L, struct weft_ws *ws)
{
    struct weft_link *k = &ws->link;
    int top = lua_gettop(L);

    if (k->state == WEFT_LINK_CLOSED && ws->redirects
        && weft_ws_redirect(L, ws)) {
        lua_settop(L, top);
        return;
    }
    /* Lua code runs in the first three, which keep ws on the stack */
    if (k->state == WEFT_LINK_ASKED)
        start_handler(L, ws);
    if (ws->receiver != NULL)
        deliver(L, ws);
    run_events(L, ws);
    if (!weft_list_empty(&ws->senders) || k->drain)
        serve_senders(L, ws);
    if (!weft_list_empty(&ws->waiters))
        wake_waiters(ws);
    if (k->state == WEFT_LINK_CLOSED)
        end(L, ws);
    lua_settop(L, top);
    weft_ws_update_holds(L, ws, 0); /* the last: it may let go of ws */
}
