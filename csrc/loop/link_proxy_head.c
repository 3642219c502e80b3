/*
 * The head of the PROXY protocol in front of all else that a server's
 * connection brings.  What has come behind it stays in the opening's buffer,
 * for whoever is next.
 */
#include <stddef.h>

#include "base/inet.h"
#include "loop/link_inner.h"
#include "loop/listener.h"
#include "net/sock.h"
#include "proto/proxy_head.h"

enum { STEP = 512 }; /* bytes read at a time: one comes to that, mostly */

/* The client that the proxy tells of takes the proxy's place. */
static enum weft_status
keep_client(struct weft_link *k, const struct weft_proxy_head *h)
{
    struct weft_addr client = { 0 };

    switch (h->from) {
    case WEFT_PROXY_UNTOLD:
        return WEFT_OK;
    case WEFT_PROXY_IPV4:
        weft_addr_from_bytes(&client, h->address, 4, h->port);
        break;
    case WEFT_PROXY_IPV6:
        weft_addr_from_bytes(&client, h->address, 16, h->port);
        break;
    case WEFT_PROXY_UNIX: /* mostly without a path */
        if (!weft_addr_unix(&client, h->path)) {
            client.storage.ss_family = AF_UNIX;
            client.len = offsetof(struct sockaddr_un, sun_path);
        }
        break;
    }
    k->was_secure = h->secure;
    weft_kept_drop(k->kept, WEFT_KEPT_PEER);
    return weft_link_keep_peer(k, &client);
}

static void
go_on(struct weft_link *k)
{
    if (k->tls != NULL) {
        k->state = WEFT_LINK_SECURING;
        weft_link_secure_later(k);
        return;
    }
    k->state = WEFT_LINK_HANDSHAKE;
    if (weft_listener_turns_away(k))
        weft_link_turn_away(k);
    else if (weft_buf_len(&k->flow->opening->bytes) > 0)
        weft_link_head_grew(k);
}

static void
refuse(struct weft_link *k, const char *why)
{
    k->counters->refused[WEFT_REFUSED_PROXY]++;
    weft_link_fail_opening(k, "handshake", WEFT_CAUSE_PROTOCOL, "%s", why);
}

/* Without a word, and without one in the log: there may be very many. */
static void
drop(struct weft_link *k)
{
    weft_buf_deinit(&k->flow->opening->bytes);
    weft_link_watch(k, 0);
    weft_sock_reset(&k->watch.fd);
    weft_link_abort(k, WEFT_CAUSE_ERROR, NULL);
}

/* It is the client's, if the head has told of one, that has so many. */
static void
count_client(struct weft_link *k)
{
    enum weft_admission admission = WEFT_ADMITTED;
    enum weft_status rc = WEFT_OK;
    struct weft_addr from;

    weft_link_peer(k, &from);
    if (k->listener != NULL)
        rc = weft_listener_count(k->listener, k, &from, &admission);
    if (rc != WEFT_OK)
        weft_link_out_of_memory(k);
    else if (admission == WEFT_DROPPED)
        drop(k);
    else
        go_on(k);
}

static void
look_at_proxy_head(struct weft_link *k)
{
    struct weft_buf *bytes = &k->flow->opening->bytes;
    struct weft_proxy_head h;
    enum weft_status rc;

    rc = weft_proxy_head_read(&h, weft_buf_head(bytes), weft_buf_len(bytes));
    if (rc == WEFT_MORE)
        return;
    if (rc != WEFT_OK) {
        refuse(k, h.why);
        return;
    }
    weft_buf_consume(bytes, h.length);
    if (keep_client(k, &h) == WEFT_OK)
        count_client(k);
    else
        weft_link_out_of_memory(k);
}

void
weft_link_read_proxy_head(struct weft_link *k)
{
    if (weft_link_receive_opening(k, STEP))
        look_at_proxy_head(k);
}
