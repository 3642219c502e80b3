/*
 * The listening socket.  It must not know what connections are for.
 */
#include "loop/listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/link_inner.h"
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

enum weft_status
weft_listener_init(struct weft_listener *s, struct weft_loop *loop,
                   struct weft_config *config,
                   const struct weft_addr *address, int backlog,
                   bool reuse_port, bool dual)
{
    enum weft_status rc;
    int fd = weft_sock_listen(address, backlog, reuse_port, dual);

    *s = (struct weft_listener){ 0 };
    s->watch.fd = -1;
    if (fd < 0) {
        errno = -fd;
        return WEFT_E_SYSTEM;
    }
    s->loop = loop;
    s->config = weft_config_retain(config);
    s->watch.fd = fd;
    s->watch.kind = WEFT_KIND_LISTENER;
    s->timer.kind = WEFT_KIND_LISTENER;
    s->work.kind = WEFT_KIND_LISTENER;
    weft_list_init(&s->links);
    if (weft_sock_local(fd, &s->address) < 0)
        s->address = *address;
    rc = remember_path(s);
    if (rc == WEFT_OK)
        rc = weft_poller_set(loop->poller, &s->watch, WEFT_READABLE);
    if (rc != WEFT_OK)
        weft_listener_deinit(s);
    return rc;
}

void
weft_listener_secure(struct weft_listener *s, struct weft_tls_context *tls)
{
    struct weft_tls_context *before = s->tls;

    s->tls = tls != NULL ? weft_tls_context_retain(tls) : NULL;
    weft_tls_context_release(before);
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
        unlink(s->path);
    weft_sock_close(&s->watch.fd);
}

void
weft_listener_deinit(struct weft_listener *s)
{
    struct weft_node *n;

    if (s->loop == NULL)
        return;
    weft_listener_stop(s);
    for (n = s->links.next; n != &s->links; n = n->next)
        WEFT_CONTAINER(n, struct weft_link, node)->listener = NULL;
    weft_list_move(&s->loop->links, &s->links);
    weft_config_release(s->config);
    weft_tls_context_release(s->tls);
    weft_free(s->path);
    *s = (struct weft_listener){ .watch = { .fd = -1 } };
}

/* Out of descriptors or memory: level triggering would spin here. */
static void
pause_accepting(struct weft_listener *s)
{
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
    weft_poller_set(s->loop->poller, &s->watch, WEFT_READABLE);
}

void
weft_listener_rest(struct weft_listener *s)
{
    if (s->watch.fd >= 0)
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

enum weft_status
weft_listener_accept(struct weft_listener *s, struct weft_link *k)
{
    struct weft_addr from;
    enum weft_status rc;
    int fd;

    if (s->watch.fd < 0)
        return WEFT_MORE;
    fd = weft_sock_accept(s->watch.fd, &from);
    if (fd == -EAGAIN)
        return WEFT_MORE;
    if (fd == -ECONNABORTED || fd == -EPROTO)
        return WEFT_E_SYSTEM; /* that one is gone; the next may be fine */
    if (fd < 0) {
        pause_accepting(s);
        return WEFT_MORE;
    }
    s->accepted++;
    s->total++;
    k->listener = s;
    weft_list_add(&s->links, &k->node);
    rc = weft_link_serve(k, fd, &from, s->tls);
    if (k->state == WEFT_LINK_IDLE)
        weft_listener_forget(s, k); /* it may be accepted into again */
    return rc;
}

void
weft_listener_forget(struct weft_listener *s, struct weft_link *k)
{
    weft_node_unlink(&k->node);
    k->listener = NULL;
    s->total--;
    if (weft_timer_is_set(&s->timer))
        weft_listener_resume(s); /* a descriptor has come free */
}
