/*
 * An echo server on libwebsockets, as its documentation wants one: a message
 * waits until its connection can be written to, and one is written at a time.
 * No compression.
 *
 *     libwebsockets PORT        on 127.0.0.1, until a signal comes
 *
 * With CERT and KEY in the environment, names of PEM files: over TLS.
 */
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 << 20, AT_ONCE = 65536 };

/* What has come and waits to go; the payload has LWS_PRE bytes before it. */
struct message {
    struct message *next;
    size_t len, cap;
    int binary;
    unsigned char bytes[];
};

struct session {
    struct message *first, **last; /* whole ones */
    struct message *partial;       /* or NULL */
};

/* Makes room for len more in m, or in a new one; NULL without memory. */
static struct message *
reserve(struct message *m, size_t len)
{
    size_t had = m != NULL ? m->len : 0;
    size_t need = had + len;
    struct message *grown;

    if (m != NULL && need <= m->cap)
        return m;
    if (m != NULL && need < 2 * m->cap)
        need = 2 * m->cap;
    grown = realloc(m, sizeof(*m) + LWS_PRE + need);
    if (grown == NULL)
        return NULL;
    grown->next = NULL;
    grown->len = had;
    grown->cap = need;
    return grown;
}

static int
receive(struct lws *wsi, struct session *s, const void *in, size_t len)
{
    struct message *m = reserve(s->partial, len);

    if (m == NULL || m->len + len > MOST)
        return -1;
    memcpy(m->bytes + LWS_PRE + m->len, in, len);
    m->len += len;
    m->binary = lws_frame_is_binary(wsi);
    s->partial = m;
    if (lws_remaining_packet_payload(wsi) > 0 || !lws_is_final_fragment(wsi))
        return 0;
    *s->last = m;
    s->last = &m->next;
    s->partial = NULL;
    lws_callback_on_writable(wsi);
    return 0;
}

static int
send_first(struct lws *wsi, struct session *s)
{
    struct message *m = s->first;
    int sent;

    if (m == NULL)
        return 0;
    sent = lws_write(wsi, m->bytes + LWS_PRE, m->len,
                     m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    s->first = m->next;
    if (s->first == NULL)
        s->last = &s->first;
    else
        lws_callback_on_writable(wsi);
    free(m);
    return sent < 0 ? -1 : 0;
}

static void
forget(struct session *s)
{
    struct message *m;

    while ((m = s->first) != NULL) {
        s->first = m->next;
        free(m);
    }
    free(s->partial);
}

static int
echo(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
     size_t len)
{
    struct session *s = user;

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        *s = (struct session){ .last = &s->first };
        return 0;
    case LWS_CALLBACK_RECEIVE: return receive(wsi, s, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE: return send_first(wsi, s);
    case LWS_CALLBACK_CLOSED: forget(s); return 0;
    default: return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

int
main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        { "echo", echo, sizeof(struct session), AT_ONCE, 0, NULL, 0 },
        { NULL, NULL, 0, 0, 0, NULL, 0 },
    };
    struct lws_context_creation_info info = {
        .port = atoi(argv[argc - 1]),
        .iface = "127.0.0.1",
        .protocols = protocols,
        .pt_serv_buf_size = AT_ONCE,
        .options = LWS_SERVER_OPTION_DISABLE_IPV6,
    };
    struct lws_context *context;

    if (getenv("CERT") != NULL) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = getenv("CERT");
        info.ssl_private_key_filepath = getenv("KEY");
    }
    lws_set_log_level(LLL_ERR, NULL);
    context = lws_create_context(&info);
    if (context == NULL)
        return 1;
    while (lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
