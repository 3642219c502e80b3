/*
 * The listening socket.  It must not know what connections are for.
 */
#include "loop/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/memory.h"
#include "net/clock.h"
#include "net/sock.h"

/* How long accepting pauses when descriptors or memory have run out. */
#define PAUSE (WEFT_SECOND / 10)

static enum weft_status
remember_path(struct weft_listener *s)
{
    char path[WEFT_ADDR_TEXT];
    size_t size;

    if (s->address.storage.ss_family != AF_UNIX)
        return WEFT_OK;
    weft_addr_host(&s->address, path);
    size = strlen(path) + 1;
    s->path = weft_realloc(NULL, size);
    if (s->path == NULL)
        return WEFT_E_MEMORY;
    memcpy(s->path, path, size);
    return WEFT_OK;
}

/* With the socket, which is the listener's now. */
static void
begin(struct weft_listener *s, struct weft_loop *loop,
      struct weft_config *config, int fd)
{
    s->loop = loop;
    s->config = weft_config_retain(config);
    s->watch.fd = fd;
    s->watch.kind = WEFT_KIND_LISTENER;
    s->timer.kind = WEFT_KIND_LISTENER;
    s->work.kind = WEFT_KIND_LISTENER;
    weft_list_init(&s->links);
    weft_memory_enter(loop, config);
}

static enum weft_status
watch(struct weft_listener *s, enum weft_status rc)
{
    int error;

    if (rc == WEFT_OK)
        rc = weft_poller_set(s->loop->poller, &s->watch, WEFT_READABLE);
    error = errno;
    if (rc != WEFT_OK)
        weft_listener_deinit(s);
    errno = error;
    return rc;
}

enum weft_status
weft_listener_init(struct weft_listener *s, struct weft_loop *loop,
                   struct weft_config *config,
                   const struct weft_addr *address, int backlog,
                   bool reuse_port, bool dual)
{
    int fd = weft_sock_listen(address, backlog, reuse_port, dual);
    enum weft_status rc;
    int error;

    *s = (struct weft_listener){ 0 };
    s->watch.fd = -1;
    if (fd < 0) {
        errno = -fd;
        return WEFT_E_SYSTEM;
    }
    begin(s, loop, config, fd);
    s->address = *address;
    rc = remember_path(s); /* first: to go with the listener */
    error = -weft_sock_local(fd, &s->address);
    if (rc == WEFT_OK && error != 0) {
        errno = error;
        rc = WEFT_E_SYSTEM;
    }
    return watch(s, rc);
}

enum weft_status
weft_listener_adopt(struct weft_listener *s, struct weft_loop *loop,
                    struct weft_config *config, int fd)
{
    struct weft_addr address;
    int rc = weft_sock_adopt(fd, &address);

    *s = (struct weft_listener){ 0 };
    s->watch.fd = -1;
    if (rc < 0) {
        errno = -rc;
        return WEFT_E_SYSTEM;
    }
    begin(s, loop, config, fd);
    s->address = address;
    return watch(s, WEFT_OK);
}

void
weft_listener_limit(struct weft_listener *s, uint32_t most,
                    uint32_t most_per_address)
{
    s->most = most;
    s->callers.most = most_per_address;
}

void
weft_listener_secure(struct weft_listener *s, struct weft_tls_context *tls)
{
    struct weft_tls_context *before = s->tls;

    s->tls = tls != NULL ? weft_tls_context_retain(tls) : NULL;
    weft_tls_context_release(before);
}

void
weft_listener_want_proxy_heads(struct weft_listener *s,
                               const struct weft_range *trusted, size_t count)
{
    s->proxy_heads = true;
    s->trusted = trusted;
    s->trusted_count = count;
}

/* One that has not become a link. */
static void
tell_unwelcome(struct weft_listener *s, const struct weft_addr *from)
{
    struct weft_told t = { .what = WEFT_TOLD_FAILED,
                           .option = "trusted_proxies", .cause = "protocol" };
    char address[WEFT_ADDR_TEXT];

    if (s->journal == NULL)
        return;
    weft_addr_host(from, address);
    t.texts[WEFT_TOLD_ADDRESS] = weft_http_text(address);
    t.texts[WEFT_TOLD_MESSAGE] = weft_http_text("it is no trusted proxy");
    weft_journal_add(s->journal, &t);
}

/* Whoever may not say whose connection it is has none of its own either. */
static bool
is_welcome(const struct weft_listener *s, const struct weft_addr *from)
{
    return !s->proxy_heads || s->trusted == NULL
           || weft_ranges_hold(s->trusted, s->trusted_count, from);
}

void
weft_listener_stop(struct weft_listener *s)
{
    if (s->watch.fd < 0)
        return;
    weft_poller_set(s->loop->poller, &s->watch, 0);
    weft_timer_clear(&s->loop->timers, &s->timer);
    weft_node_unlink(&s->work.node);
    if (s->path != NULL)
        remove(s->path);
    weft_sock_close(&s->watch.fd);
    weft_memory_leave(s->loop, s->config);
}

/* Its counters may be gone before the link is. */
static void
let_go(struct weft_listener *s, struct weft_link *k)
{
    k->listener = NULL;
    k->counters = &s->loop->unlisted;
}

void
weft_listener_deinit(struct weft_listener *s)
{
    struct weft_node *n;

    if (s->loop == NULL)
        return;
    weft_listener_stop(s);
    for (n = s->links.next; n != &s->links; n = n->next)
        let_go(s, WEFT_CONTAINER(n, struct weft_link, node));
    weft_list_move(&s->loop->links, &s->links);
    weft_callers_deinit(&s->callers);
    weft_config_release(s->config);
    weft_tls_context_release(s->tls);
    weft_free(s->path);
    *s = (struct weft_listener){ .watch = { .fd = -1 } };
}

/* That a limit of all connections together is met. */
static void
tell_limit(struct weft_listener *s, enum weft_told_limit which,
           const char *message)
{
    static const char *const options[] = {
        [WEFT_LIMIT_CONNECTIONS] = "max_connections",
        [WEFT_LIMIT_ADDRESS] = "max_connections_per_address",
        [WEFT_LIMIT_SYSTEM] = NULL,
    };
    struct weft_told t = { .what = WEFT_TOLD_LIMIT,
                           .option = options[which] };

    if (s->journal == NULL)
        return;
    t.texts[WEFT_TOLD_MESSAGE] = weft_http_text(message);
    weft_journal_add_limit(s->journal, which, &t);
}

/* Out of descriptors or memory: level triggering would spin here. */
static void
pause_accepting(struct weft_listener *s, int error)
{
    if (s->journal != NULL)
        tell_limit(s, WEFT_LIMIT_SYSTEM, weft_error_words(error));
    weft_poller_set(s->loop->poller, &s->watch, 0);
    if (weft_timer_set(&s->loop->timers, &s->timer, s->loop->now + PAUSE)
        != WEFT_OK)
        weft_listener_resume(s);
}

void
weft_listener_resume(struct weft_listener *s)
{
    if (s->watch.fd < 0)
        return;
    weft_timer_clear(&s->loop->timers, &s->timer);
    s->full = weft_poller_set(s->loop->poller, &s->watch, WEFT_READABLE)
              != WEFT_OK;
    if (s->full) /* again then, or when one more has gone */
        weft_timer_set(&s->loop->timers, &s->timer, s->loop->now + PAUSE);
}

void
weft_listener_rest(struct weft_listener *s)
{
    s->full = false;
    if (s->watch.fd < 0)
        return;
    weft_timer_clear(&s->loop->timers, &s->timer); /* which ends a pause */
    weft_poller_set(s->loop->poller, &s->watch, 0);
}

enum weft_status
weft_listener_wake(struct weft_listener *s)
{
    if (s->watch.fd < 0)
        return WEFT_OK;
    return weft_poller_set(s->loop->poller, &s->watch, WEFT_READABLE);
}

bool
weft_listener_share(struct weft_listener *s)
{
    return s->watch.fd >= 0 && weft_sock_share_port(s->watch.fd) == 0;
}

void
weft_listener_disown(struct weft_listener *s)
{
    weft_free(s->path);
    s->path = NULL;
}

/* Until one of its connections has gone.  There is one: it is at its limit. */
static void
stay_full(struct weft_listener *s)
{
    s->full = true;
    tell_limit(s, WEFT_LIMIT_CONNECTIONS,
               "no more are accepted until one has gone");
    weft_poller_set(s->loop->poller, &s->watch, 0);
}

/* Counts a connection by where it comes from; dropped ones are not. */
static enum weft_status
count_call(struct weft_listener *s, struct weft_link *k,
           const struct weft_addr *from, struct weft_call *call)
{
    enum weft_status rc;

    if (s->callers.most == 0 || !weft_callers_address(from, &call->address))
        return WEFT_OK;
    rc = weft_callers_enter(&s->callers, &s->loop->random, call);
    if (rc != WEFT_OK || call->admission == WEFT_DROPPED)
        return rc;
    rc = weft_kept_add(&k->kept, WEFT_KEPT_CALL,
                       (struct weft_span){ (const char *)call,
                                           sizeof(*call) });
    if (rc != WEFT_OK)
        weft_callers_leave(&s->callers, call);
    return rc;
}

enum weft_status
weft_listener_count(struct weft_listener *s, struct weft_link *k,
                    const struct weft_addr *from,
                    enum weft_admission *admission)
{
    struct weft_call call = { .admission = WEFT_ADMITTED };
    enum weft_status rc = count_call(s, k, from, &call);

    *admission = call.admission;
    s->counters.turned_away += call.admission != WEFT_ADMITTED;
    if (call.admission == WEFT_DROPPED)
        tell_limit(s, WEFT_LIMIT_ADDRESS,
                   "connections are dropped: too many are being told already");
    return rc;
}

/* Whether it is counted, and as what. */
static bool
find_call(const struct weft_link *k, struct weft_call *call)
{
    struct weft_span kept = weft_link_kept(k, WEFT_KEPT_CALL);

    if (kept.len != sizeof(*call))
        return false;
    memcpy(call, kept.data, sizeof(*call));
    return true;
}

bool
weft_listener_turns_away(const struct weft_link *k)
{
    struct weft_call call;

    return find_call(k, &call) && call.admission == WEFT_TURNED_AWAY;
}

/* The link takes the connection over, if it may come in. */
static enum weft_status
admit(struct weft_listener *s, struct weft_link *k, int fd,
      const struct weft_addr *from)
{
    enum weft_admission admission = WEFT_ADMITTED;
    enum weft_status rc = WEFT_OK;

    if (!s->proxy_heads) /* else its head says where it comes from */
        rc = weft_listener_count(s, k, from, &admission);
    if (rc != WEFT_OK || admission == WEFT_DROPPED) {
        weft_sock_reset(&fd);
        return rc != WEFT_OK ? rc : WEFT_E_SYSTEM;
    }
    k->listener = s;
    k->counters = &s->counters;
    weft_list_add(&s->links, &k->node);
    s->total++;
    weft_link_number(k);
    rc = weft_link_serve(k, fd, from, s->tls);
    if (k->state == WEFT_LINK_IDLE) { /* it may be accepted into again */
        weft_listener_forget(s, k);
        weft_free(k->kept);
        k->kept = NULL;
    } else if (k->state == WEFT_LINK_HANDSHAKE
               && admission == WEFT_TURNED_AWAY) {
        weft_link_turn_away(k);
    }
    return rc;
}

enum weft_status
weft_listener_accept(struct weft_listener *s, struct weft_link *k)
{
    struct weft_addr from;
    int fd;

    if (s->watch.fd < 0)
        return WEFT_MORE;
    if (s->most > 0 && s->total >= s->most) {
        stay_full(s);
        return WEFT_MORE;
    }
    fd = weft_sock_accept(s->watch.fd, &from);
    if (fd == -EAGAIN)
        return WEFT_MORE;
    if (fd == -ECONNABORTED || fd == -EPROTO)
        return WEFT_E_SYSTEM; /* that one is gone; the next may be fine */
    if (fd < 0) {
        pause_accepting(s, -fd);
        return WEFT_MORE;
    }
    s->counters.accepted++;
    if (!is_welcome(s, &from)) {
        s->counters.refused[WEFT_REFUSED_PROXY]++;
        tell_unwelcome(s, &from);
        weft_sock_close(&fd);
        return WEFT_E_SYSTEM;
    }
    return admit(s, k, fd, &from);
}

void
weft_listener_forget(struct weft_listener *s, struct weft_link *k)
{
    struct weft_call call;

    weft_node_unlink(&k->node);
    let_go(s, k);
    s->total--;
    if (find_call(k, &call))
        weft_callers_leave(&s->callers, &call);
    if (s->full || weft_timer_is_set(&s->timer))
        weft_listener_resume(s); /* a descriptor, or a place, has come free */
}
