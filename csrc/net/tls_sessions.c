/*
 * A client's sessions, kept in its context to be resumed with the same host
 * and port.  A session is as good as the handshake that made it: the host was
 * verified then, by this context's rules.
 */
#include "net/tls_inner.h"

#include <string.h>

#include "base/mem.h"

enum {
    SESSIONS = 64,
    PER_PEER = 4, /* one peer must not push out all the others' */
};

struct session {
    struct weft_node node;
    SSL_SESSION *session;
    uint16_t port;
    char host[];
};

static void
drop(struct weft_tls_context *c, struct session *s)
{
    weft_node_unlink(&s->node);
    c->session_count--;
    SSL_SESSION_free(s->session);
    weft_free(s);
}

/* The one with this peer that was used last (0) or longest ago (1), if any;
   counts them. */
static struct session *
find(const struct weft_tls *t, bool oldest, size_t *count)
{
    const struct weft_node *list = &t->context->sessions;
    struct session *found = NULL;

    *count = 0;
    for (struct weft_node *n = list->next; n != list; n = n->next) {
        struct session *s = WEFT_CONTAINER(n, struct session, node);

        if (s->port != t->port || strcmp(s->host, t->host) != 0)
            continue;
        ++*count;
        if (found == NULL || !oldest)
            found = s;
    }
    return found;
}

/* Makes room for one more. */
static void
make_room(const struct weft_tls *t)
{
    struct weft_tls_context *c = t->context;
    size_t with_peer;
    struct session *oldest = find(t, true, &with_peer);

    if (with_peer >= PER_PEER)
        drop(c, oldest);
    else if (c->session_count >= SESSIONS)
        drop(c, WEFT_CONTAINER(c->sessions.next, struct session, node));
}

/* OpenSSL's callback: 1 when the session is ours now. */
int
weft_tls_session_new(SSL *ssl, SSL_SESSION *session)
{
    struct weft_tls *t = weft_tls_of(ssl);
    size_t size = strlen(t->host) + 1;
    struct session *s;

    if (!SSL_SESSION_is_resumable(session))
        return 0;
    s = weft_zalloc(sizeof(*s) + size);
    if (s == NULL)
        return 0; /* it will be a full handshake then */
    make_room(t);
    s->session = session;
    s->port = t->port;
    memcpy(s->host, t->host, size);
    weft_list_add(&t->context->sessions, &s->node);
    t->context->session_count++;
    return 1;
}

/* RFC 8446, C.4: a ticket of TLS 1.3 is used once. */
void
weft_tls_session_resume(struct weft_tls *t)
{
    size_t count;
    struct session *s = find(t, false, &count);
    const X509 *peer;

    if (s == NULL)
        return;
    peer = SSL_SESSION_get0_peer(s->session);
    if (t->context->verify && (peer == NULL ||
        X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0)) {
        drop(t->context, s); /* to be refused in a full handshake */
        return;
    }
    SSL_set_session(t->ssl, s->session);
    if (SSL_SESSION_get_protocol_version(s->session) >= TLS1_3_VERSION) {
        drop(t->context, s);
    } else {
        weft_node_unlink(&s->node);
        weft_list_add(&t->context->sessions, &s->node);
    }
}

/* Drops what is kept of this peer. */
void
weft_tls_sessions_forget(struct weft_tls *t)
{
    struct session *s;
    size_t count;

    if (t->host == NULL)
        return;
    while ((s = find(t, true, &count)) != NULL)
        drop(t->context, s);
}

void
weft_tls_sessions_free(struct weft_tls_context *c)
{
    while (!weft_list_empty(&c->sessions))
        drop(c, WEFT_CONTAINER(c->sessions.next, struct session, node));
}
