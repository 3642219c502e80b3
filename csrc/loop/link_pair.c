/*
 * Two links joined without a socket: what one sends goes into the other's
 * inbox, which is bounded, so that one who does not receive pushes back.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/memory.h"

enum { INBOX_MAX = 256 * 1024 };

bool
weft_link_make_pipe(struct weft_link *k)
{
    k->pipe = weft_zalloc(sizeof(*k->pipe));
    if (k->pipe != NULL)
        k->pipe->link = k;
    return k->pipe != NULL;
}

void
weft_link_free_pipe(struct weft_link *k)
{
    if (k->pipe == NULL)
        return;
    weft_node_unlink(&k->pipe->node);
    weft_buf_deinit(&k->pipe->inbox);
    weft_free(k->pipe);
    k->pipe = NULL;
}

/* The other end, while it is there; it has a pipe then. */
static struct weft_link *
other_end(const struct weft_link *k)
{
    return k->pipe != NULL ? k->pipe->other : NULL;
}

void
weft_pair_watch(struct weft_link *k)
{
    struct weft_link *other = other_end(k);
    bool readable, writable;

    if (k->state == WEFT_LINK_CLOSED || k->state == WEFT_LINK_IDLE
        || k->pipe == NULL)
        return;
    readable = weft_buf_len(&k->pipe->inbox) > 0 || k->inbox_ended;
    writable = other == NULL || weft_buf_len(&other->pipe->inbox) < INBOX_MAX;
    if (((k->watch.wanted & WEFT_READABLE) && readable)
        || ((k->watch.wanted & WEFT_WRITABLE) && writable)) {
        weft_list_add(&k->loop->piped, &k->pipe->node);
        weft_loop_stir(k->loop);
    }
}

long
weft_pair_receive(struct weft_link *k, void *to, size_t len)
{
    struct weft_buf *inbox = &k->pipe->inbox;
    struct weft_link *other = other_end(k);
    size_t n = weft_buf_len(inbox);

    if (n == 0)
        return k->inbox_ended ? 0 : -EAGAIN;
    if (n > len)
        n = len;
    memcpy(to, weft_buf_head(inbox), n);
    weft_buf_consume(inbox, n);
    if (weft_buf_len(inbox) == 0)
        weft_buf_deinit(inbox);
    weft_link_count(k);
    weft_pair_watch(k);
    if (other != NULL)
        weft_pair_watch(other);
    return (long)n;
}

long
weft_pair_send(struct weft_link *k, const struct weft_span *spans, int count)
{
    struct weft_link *other = other_end(k);
    size_t room, sent = 0;

    if (other == NULL)
        return -EPIPE;
    room = INBOX_MAX - weft_buf_len(&other->pipe->inbox);
    for (int i = 0; i < count && room > 0; i++) {
        size_t n = spans[i].len < room ? spans[i].len : room;

        if (weft_buf_add(&other->pipe->inbox, spans[i].data, n) != WEFT_OK)
            return sent > 0 ? (long)sent : -ENOMEM;
        sent += n;
        room -= n;
    }
    if (weft_link_wake(other)) /* else it is counted when it is read */
        weft_link_count(other);
    weft_pair_watch(other);
    return sent > 0 ? (long)sent : -EAGAIN;
}

void
weft_pair_end(struct weft_link *k)
{
    struct weft_link *other = other_end(k);

    if (other == NULL)
        return;
    other->inbox_ended = true;
    weft_pair_watch(other);
}

void
weft_pair_leave(struct weft_link *k)
{
    struct weft_link *other = other_end(k);

    if (other != NULL) {
        other->pipe->other = NULL;
        other->inbox_ended = true;
        weft_pair_watch(other);
    }
    weft_link_free_pipe(k);
}

void
weft_pair_drop(struct weft_link *k)
{
    if (k->pipe == NULL)
        return;
    weft_buf_deinit(&k->pipe->inbox);
    if (k->pipe->other != NULL)
        weft_pair_watch(k->pipe->other); /* there is room again */
}

/* Both heads, as if they had crossed a wire. */
static enum weft_status
shake_hands(struct weft_opening *c, struct weft_opening *s, int chosen,
            const struct weft_deflate_options *wanted)
{
    struct weft_span none = { "", 0 };
    struct weft_buf answer = { 0 };
    struct weft_span head;
    enum weft_status rc;

    head = weft_opening_head(s);
    weft_deflate_choose(&s->head, head.data, wanted, &s->agreed);
    rc = weft_handshake_accept(&answer, &s->head, head.data,
                               chosen < 0 ? none
                                          : c->request.protocols[chosen],
                               &s->agreed, none, NULL);
    if (rc == WEFT_OK)
        rc = weft_opening_add(c, weft_buf_head(&answer),
                              weft_buf_len(&answer));
    if (rc == WEFT_OK)
        rc = weft_opening_read(c);
    weft_buf_deinit(&answer);
    return rc;
}

/* The client's index of the first of ours that it offers, or -1. */
static int
choose(const struct weft_opening *c, const struct weft_opening *s,
       const struct weft_span *spoken, size_t count)
{
    int ours = weft_handshake_choose(&s->head, weft_opening_head(s).data,
                                     spoken, count);

    if (ours < 0)
        return -1;
    for (size_t i = 0; i < c->request.protocol_count; i++)
        if (c->request.protocols[i].len == spoken[ours].len
            && memcmp(c->request.protocols[i].data, spoken[ours].data,
                      spoken[ours].len) == 0)
            return (int)i;
    return -1;
}

static void
join(struct weft_link *a, struct weft_link *b)
{
    a->pipe->other = b;
    a->state = WEFT_LINK_HANDSHAKE;
    weft_memory_enter(a->loop, a->config);
    a->watch.wanted = WEFT_READABLE;
    weft_list_add(&a->loop->links, &a->node);
}

enum weft_status
weft_link_pair(struct weft_link *client, struct weft_link *server,
               const struct weft_client_request *r,
               const struct weft_span *spoken, size_t count)
{
    struct weft_client_request request = *r;
    struct weft_deflate_agreed agreed;
    struct weft_opening *c, *s;
    enum weft_status rc = WEFT_E_MEMORY;

    if (!weft_link_wake(client) || !weft_link_wake(server))
        return WEFT_E_MEMORY;
    request.deflate = client->config->deflate;
    c = weft_opening_client(&request, &client->loop->random,
                            client->config->max_header,
                            client->config->max_headers);
    s = weft_opening_server(server->config->max_header,
                            server->config->max_headers);
    if (c != NULL && s != NULL && weft_link_make_pipe(client)
        && weft_link_make_pipe(server))
        rc = weft_opening_add(s, weft_buf_head(&c->sent),
                              weft_buf_len(&c->sent));
    if (rc == WEFT_OK)
        rc = weft_opening_read(s);
    if (rc == WEFT_OK)
        rc = shake_hands(c, s, choose(c, s, spoken, count),
                         &server->config->deflate);
    if (rc != WEFT_OK) {
        weft_opening_free(c);
        weft_opening_free(s);
        weft_link_free_pipe(client);
        weft_link_free_pipe(server);
        return rc;
    }
    client->flow->opening = c;
    server->flow->opening = s;
    join(client, server);
    join(server, client);
    agreed = s->agreed; /* s will be gone */
    rc = weft_link_begin(server, c->protocol < 0
                                     ? (struct weft_span){ "", 0 }
                                     : c->request.protocols[c->protocol],
                         &agreed);
    return rc == WEFT_OK ? weft_link_begin_client(client) : rc;
}
