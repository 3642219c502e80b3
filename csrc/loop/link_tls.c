/*
 * TLS on a link's way: its handshake, and ciphertext between the socket and
 * the filter.  It must not know what the plaintext means.
 *
 * Ciphertext passes through the loop's two buffers; a link owns some only
 * while the kernel does not take it, or while nobody reads.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/listener.h"
#include "net/clock.h"
#include "net/sock.h"

/* What handshakes, each a long computation, may take of a turn. */
#define SECURING_TIME (WEFT_SECOND / 500)

enum {
    SEALED = 128 * 1024,  /* ciphertext received at a time */
    SEALING = 128 * 1024, /* plaintext encrypted at a time */
    FIRST_STEP = 2048,    /* a client's first bytes: a ClientHello, mostly */
};

/* ---- buffers that busy links keep */

/* Bytes of a busy link passed in an earlier turn, not long ago. */
static void
warm_up(struct weft_link *k)
{
    struct weft_loop *loop = k->loop;

    if (k->warm != 0 || k->state != WEFT_LINK_OPEN || k->life >= loop->now
        || loop->now - k->life >= WEFT_WARM_TIME
        || loop->warm_count == WEFT_WARM)
        return;
    if (loop->warm_count == 0)
        loop->cooled = loop->now;
    loop->warm[loop->warm_count++] = k;
    k->warm = loop->warm_count;
    weft_tls_keep_warm(k->tls, true);
}

void
weft_sealed_cool(struct weft_link *k)
{
    struct weft_loop *loop = k->loop;
    struct weft_link *last;

    if (k->warm == 0)
        return;
    last = loop->warm[--loop->warm_count];
    loop->warm[k->warm - 1] = last;
    last->warm = k->warm;
    k->warm = 0;
    weft_tls_keep_warm(k->tls, false);
}

void
weft_loop_cool(struct weft_loop *loop)
{
    if (loop->warm_count == 0 || loop->now - loop->cooled < WEFT_WARM_TIME)
        return;
    loop->cooled = loop->now;
    for (uint32_t i = loop->warm_count; i > 0; i--)
        if (loop->now - loop->warm[i - 1]->life >= WEFT_WARM_TIME)
            weft_sealed_cool(loop->warm[i - 1]);
}

/* ---- ciphertext in and out */

/* Ciphertext from the socket into the loop's buffer, lent to the filter. */
static long
receive_sealed(struct weft_link *k, size_t len)
{
    struct weft_loop *loop = k->loop;
    long n;

    if (loop->sealed == NULL)
        loop->sealed = weft_realloc(NULL, SEALED);
    if (loop->sealed == NULL)
        return -ENOMEM;
    n = weft_sock_recv(k->watch.fd, loop->sealed, len < SEALED ? len : SEALED);
    if (n > 0) {
        k->life = loop->now;
        weft_tls_lend(k->tls, loop->sealed, (size_t)n);
    }
    return n;
}

/* The loop's buffer is the next one's; the filter may have something left to
 * give, or to send. */
static enum weft_status
settle(struct weft_link *k)
{
    enum weft_status rc = weft_tls_settle(k->tls);

    weft_link_count(k);
    weft_sealed_watch(k);
    if (weft_buf_len(weft_tls_pending(k->tls)) > 0
        || weft_tls_is_stuck(k->tls))
        weft_link_mark_dirty(k);
    return rc;
}

void
weft_sealed_watch(struct weft_link *k)
{
    if (weft_tls_has_more(k->tls) && weft_link_is_reading(k)) {
        weft_list_add(&k->loop->piped, &k->pipe->node);
        weft_loop_stir(k->loop);
    }
}

long
weft_sealed_receive(struct weft_link *k, void *to, size_t len)
{
    long n = -EAGAIN;

    warm_up(k);
    if (weft_tls_has_more(k->tls))
        n = weft_tls_read(k->tls, to, len);
    if (n == -EAGAIN) {
        n = receive_sealed(k, len);
        if (n == 0 && k->role == WEFT_EVENTS)
            return 0; /* nothing that it might have said is missed */
        if (n == 0) {
            weft_tls_cut_off(k->tls);
            return -EPROTO;
        }
        if (n < 0)
            return n;
        n = weft_tls_read(k->tls, to, len);
    }
    return settle(k) == WEFT_OK ? n : -ENOMEM;
}

/* Sends what stands in b, and consumes it. */
static long
send_buffer(struct weft_link *k, struct weft_buf *b)
{
    struct weft_span span = { (const char *)weft_buf_head(b),
                              weft_buf_len(b) };
    long n = weft_sock_sendv(k->watch.fd, &span, 1);

    if (n > 0) {
        weft_buf_consume(b, (size_t)n);
        k->life = k->loop->now;
        k->flow->stalled = 0;
    }
    return n;
}

long
weft_sealed_send(struct weft_link *k, const struct weft_span *spans,
                 int count)
{
    struct weft_buf *pending = weft_tls_pending(k->tls);
    struct weft_buf *sealing = &k->loop->sealing;
    long took, n = 0;

    if (weft_buf_len(pending) > 0) {
        n = send_buffer(k, pending);
        if (n < 0)
            return n;
        if (weft_buf_len(pending) > 0)
            return -EAGAIN;
        weft_buf_deinit(pending);
    }
    if (count == 0)
        return 0;
    warm_up(k);
    took = weft_tls_write(k->tls, spans, count, SEALING, sealing);
    if (took > 0)
        n = send_buffer(k, sealing);
    if (took > 0 && n < 0 && n != -EAGAIN)
        took = n;
    else if (took > 0 && weft_buf_len(sealing) > 0
             && weft_buf_add(pending, weft_buf_head(sealing),
                             weft_buf_len(sealing)) != WEFT_OK)
        took = -ENOMEM;
    sealing->head = sealing->tail = 0;
    return took;
}

void
weft_sealed_end(struct weft_link *k)
{
    weft_tls_end(k->tls);
    if (weft_buf_len(weft_tls_pending(k->tls)) > 0)
        send_buffer(k, weft_tls_pending(k->tls));
}

/* ---- the handshake */

void
weft_link_secure_later(struct weft_link *k)
{
    weft_list_add(&k->loop->unsecured, &k->flow->unsecured);
}

static void
securing_failed(struct weft_link *k, enum weft_cause cause, const char *why)
{
    char to[WEFT_TARGET_TEXT];

    if (weft_buf_len(weft_tls_pending(k->tls)) > 0) /* the alert */
        send_buffer(k, weft_tls_pending(k->tls));
    if (weft_link_has_begun(k))
        k->counters->refused[WEFT_REFUSED_TLS]++;
    weft_link_name_target(k, to);
    weft_link_fail_opening(k, "tls", cause, "%s %.256s: %s",
                           k->role == WEFT_CLIENT ? "connect to"
                                                  : "TLS handshake with",
                           to, why);
}

static void
securing_ended(struct weft_link *k, long n)
{
    if (n == 0)
        securing_failed(k, WEFT_CAUSE_EOF, "the peer closed the connection "
                                           "during the TLS handshake");
    else
        securing_failed(k, WEFT_CAUSE_RESET, weft_error_words((int)-n));
}

static void
secured(struct weft_link *k)
{
    struct weft_tls_said said = { weft_tls_version(k->tls),
                                  weft_tls_cipher(k->tls),
                                  weft_tls_resumed(k->tls) };

    if (weft_kept_add(&k->kept, WEFT_KEPT_TLS,
                      (struct weft_span){ (const char *)&said, sizeof(said) })
        != WEFT_OK) {
        weft_link_out_of_memory(k);
        return;
    }
    if (k->role == WEFT_CLIENT) {
        weft_link_ask(k);
        return;
    }
    k->state = WEFT_LINK_HANDSHAKE;
    weft_link_watch(k, WEFT_READABLE);
    weft_sealed_watch(k);
    if (k->state == WEFT_LINK_HANDSHAKE && weft_listener_turns_away(k))
        weft_link_turn_away(k);
}

/* What a server's client sends first, into the opening's buffer. */
static long
receive_first(struct weft_link *k)
{
    struct weft_buf *bytes = &k->flow->opening->bytes;
    uint8_t *to = weft_buf_reserve(bytes, FIRST_STEP);
    long n;

    if (to == NULL)
        return -ENOMEM;
    n = weft_sock_recv(k->watch.fd, to, FIRST_STEP);
    if (n > 0)
        weft_buf_commit(bytes, (size_t)n);
    return n;
}

/* Goes on with the handshake, with what was lent to the filter. */
static void
shake(struct weft_link *k)
{
    enum weft_status rc = weft_tls_handshake(k->tls);

    if (rc >= 0 && settle(k) != WEFT_OK)
        rc = WEFT_E_MEMORY;
    if (rc == WEFT_OK)
        secured(k);
    else if (rc == WEFT_MORE)
        weft_link_watch(k, WEFT_READABLE);
    else if (rc == WEFT_E_MEMORY)
        weft_link_out_of_memory(k);
    else
        securing_failed(k, WEFT_CAUSE_TLS, weft_tls_why(k->tls));
}

/*
 * A client's first bytes show whether it speaks TLS at all; until then they
 * wait, and so does the filter.
 */
static void
meet(struct weft_link *k)
{
    struct weft_buf *bytes = &k->flow->opening->bytes;

    switch (weft_tls_first(weft_buf_head(bytes), weft_buf_len(bytes))) {
    case WEFT_FIRST_MORE:
        weft_link_watch(k, WEFT_READABLE);
        return;
    case WEFT_FIRST_HTTP:
        weft_link_refuse_plain(k);
        return;
    case WEFT_FIRST_TLS:
    case WEFT_FIRST_OTHER: /* the filter has the words for that */
        break;
    }
    k->met = true;
    weft_tls_lend(k->tls, weft_buf_head(bytes), weft_buf_len(bytes));
    shake(k);
    if (k->flow->opening != NULL)
        weft_buf_deinit(bytes);
}

void
weft_link_secure(struct weft_link *k)
{
    const struct weft_opening *o = k->flow->opening;
    bool meets = k->role == WEFT_SERVER && !k->met;
    long n;

    if (!weft_tls_prepare(k->tls)) {
        weft_link_secure_later(k);
        return;
    }
    n = meets ? receive_first(k) : receive_sealed(k, SEALED);
    if (n == 0 || (n < 0 && n != -EAGAIN))
        securing_ended(k, n);
    else if (!meets)
        shake(k);
    else if (weft_buf_len(&o->bytes) > 0) /* some may have come before */
        meet(k);
    else
        weft_link_watch(k, WEFT_READABLE);
}

void
weft_loop_secure(struct weft_loop *loop)
{
    int64_t share = loop->now + SECURING_TIME;
    int64_t until = share < loop->until ? share : loop->until;
    struct weft_node *n;

    while ((n = weft_list_take(&loop->unsecured)) != NULL) {
        weft_link_secure(
            WEFT_CONTAINER(n, struct weft_flow, unsecured)->link);
        if (weft_now() >= until)
            break;
    }
    for (n = loop->unsecured.next; n != &loop->unsecured;) {
        struct weft_link *k =
            WEFT_CONTAINER(n, struct weft_flow, unsecured)->link;

        n = n->next; /* its turn comes without the kernel's word */
        weft_link_watch(k, k->watch.wanted & WEFT_WRITABLE);
    }
}
