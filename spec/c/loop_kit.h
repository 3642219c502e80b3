/*
 * Links under test: a loop to turn, settings to share, links in pairs, over
 * the loopback, or against a raw peer that writes what bytes it likes.
 *
 * What a raw peer receives is written down as lines of text, as in
 * session_kit.h; the head it gets first is left out:
 *
 *     text Hello
 *     close 1002
 *     end                  the stream is over
 */
#ifndef WEFT_SPEC_LOOP_KIT_H
#define WEFT_SPEC_LOOP_KIT_H

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "loop/link.h"
#include "loop/listener.h"
#include "loop/memory.h"
#include "net/clock.h"
#include "net/sock.h"
#include "proto/mask.h"

#define MS (WEFT_SECOND / 1000)
#define SPAN(text) ((struct weft_span){ text, sizeof(text) - 1 })

/* The loop ---------------------------------------------------------------- */

struct world {
    struct weft_loop loop;
    struct weft_config *config; /* for links made from now on */
};

static inline void
world_init(struct world *w)
{
    CHECK(weft_loop_init(&w->loop, false) == WEFT_OK);
    w->loop.most_awake = 0; /* all that may rest do */
    w->config = weft_zalloc(sizeof(*w->config));
    *w->config = (struct weft_config){
        .references = 1,
        .limits = { .max_message = 8 << 20, .max_frame = 8 << 20,
                    .max_fragments = 1024 },
        .max_header = 16 * 1024, .max_headers = 100,
        .handshake_timeout = 5 * WEFT_SECOND,
        .idle_timeout = WEFT_FOREVER,
        .close_timeout = 5 * WEFT_SECOND,
        .write_timeout = 30 * WEFT_SECOND,
        .ping_interval = WEFT_FOREVER,
        .ping_timeout = 20 * WEFT_SECOND,
        .send_buffer = 64 * 1024, .receive_buffer = 64 * 1024,
        .nodelay = true,
    };
}

/* Nothing of the links may be left behind. */
static inline void
world_deinit(struct world *w)
{
    CHECK(weft_list_empty(&w->loop.links));
    CHECK(weft_list_empty(&w->loop.work));
    CHECK(weft_list_empty(&w->loop.dirty));
    CHECK(w->loop.post.room == NULL);
    CHECK(weft_list_empty(&w->loop.fed));
    CHECK(weft_list_empty(&w->loop.piped));
    CHECK(weft_list_empty(&w->loop.holders));
    CHECK(weft_list_empty(&w->loop.limits));
    CHECK(weft_loop_held(&w->loop) == 0);
    CHECK(weft_timers_first(&w->loop.timers) == NULL);
    CHECK(w->config->references == 1);
    weft_config_release(w->config);
    weft_loop_deinit(&w->loop);
    weft_loop_deinit(&w->loop);
}

/* One turn of at most that many milliseconds, in which nobody does anything;
 * true when there was something to do. */
static inline bool
turn(struct world *w, int ms)
{
    bool any = false;

    weft_loop_wait(&w->loop, ms * MS);
    CHECK(weft_loop_take_timer(&w->loop) == NULL);
    while (weft_loop_next(&w->loop) != NULL)
        any = true;
    weft_loop_flush(&w->loop);
    weft_loop_end_turn(&w->loop);
    return any || weft_loop_timeout(&w->loop) == 0;
}

/* Turns until nothing happens for a few turns; a loop that is never quiet
 * would eat a processor. */
static inline void
quiet_here(struct world *w, const char *file, int line)
{
    int turns = 0;

    for (int calm = 0; calm < 5 && turns < 2000; turns++)
        calm = turn(w, 1) ? 0 : calm + 1;
    check_that(turns < 2000, "quiet(w)", file, line);
}

#define quiet(w) quiet_here(w, __FILE__, __LINE__)

/* Turns until the link is in the state, two seconds at most. */
static inline bool
reaches(struct world *w, const struct weft_link *k, enum weft_link_state state)
{
    int64_t end = weft_now() + 20 * WEFT_SECOND;

    while (k->state != state && weft_now() < end)
        turn(w, 10);
    return k->state == state;
}

/* Links ------------------------------------------------------------------- */

static const struct weft_client_request a_request = {
    .host = { "example.com", 11 },
    .target = { "/chat", 5 },
};

static inline void
pair(struct world *w, struct weft_link *client, struct weft_link *server)
{
    weft_link_init(client, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(server, &w->loop, w->config, WEFT_SERVER);
    CHECK(weft_link_pair(client, server, &a_request, NULL, 0) == WEFT_OK);
}

static inline enum weft_status
say(struct weft_link *k, const char *text)
{
    return weft_link_send(k, WEFT_TEXT, text, strlen(text));
}

/* The next event, copied; what it points to is lent. */
static inline enum weft_status
next_event(struct weft_link *k, struct weft_event *ev)
{
    enum weft_status rc = weft_link_next(k);

    *ev = k->flow->event;
    return rc;
}

/* Whether the next message that is there now is this one. */
static inline bool
hears_bytes(struct weft_link *k, const void *data, size_t len)
{
    const struct weft_event *ev = &k->flow->event;
    bool same;

    if (weft_link_next(k) != WEFT_EVENT)
        return false;
    same = ev->type == WEFT_EVENT_MESSAGE && ev->len == len &&
           memcmp(ev->data, data, len) == 0;
    if (!same)
        fprintf(stderr, "--- heard %zu bytes: %.*s\n", ev->len,
                (int)(ev->len < 60 ? ev->len : 60), (const char *)ev->data);
    weft_link_taken(k);
    return same;
}

static inline bool
hears(struct weft_link *k, const char *text)
{
    return hears_bytes(k, text, strlen(text));
}

/* Turns with somebody waiting, until there is something or two seconds. */
static inline bool
waits(struct world *w, struct weft_link *k)
{
    int64_t end = weft_now() + 2 * WEFT_SECOND;

    weft_link_want(k, true);
    while (!weft_link_has_next(k) && weft_now() < end)
        turn(w, 10);
    weft_link_want(k, false);
    return weft_link_has_next(k);
}

static inline enum weft_status
next(struct weft_link *k)
{
    return weft_link_next(k);
}

static inline void
goodbye(struct weft_link *k, unsigned code, const char *reason)
{
    weft_link_close(k, code, (struct weft_span){ reason, strlen(reason) },
                    WEFT_CAUSE_LOCAL);
}

static inline bool
ended(const struct weft_link *k, enum weft_cause cause, unsigned code)
{
    if (k->state == WEFT_LINK_CLOSED && k->cause == cause &&
        k->close_code == code)
        return true;
    fprintf(stderr, "--- state %d, cause \"%s\", code %u, %s\n", k->state,
            weft_cause_name(k->cause), k->close_code,
            k->close_message != NULL ? k->close_message : "no message");
    return false;
}

/* A raw peer -------------------------------------------------------------- */

struct raw {
    int fd;
    bool masks;           /* it plays the client */
    struct weft_buf in;   /* received, not yet noted */
    struct weft_buf log;
};

static inline void
raw_write(struct raw *r, const void *bytes, size_t len)
{
    struct weft_span span = { bytes, len };

    CHECK(weft_sock_sendv(r->fd, &span, 1) == (long)len);
}

/* The bytes of one frame, at the end of b. */
static inline void
add_frame(struct weft_buf *b, bool masks, unsigned first, const void *data,
          size_t len)
{
    struct weft_frame f = { .fin = first >> 7, .reserved = first >> 4 & 7,
                            .opcode = first & 15, .masked = masks,
                            .key = { 0xA1, 0x05, 0xFF, 0x77 }, .len = len };
    uint8_t *to = weft_buf_reserve(b, len + WEFT_FRAME_HEAD_MAX);
    size_t head = weft_frame_write(&f, to);

    if (len > 0)
        memcpy(to + head, data, len);
    if (masks)
        weft_mask(to + head, len, f.key, 0);
    weft_buf_commit(b, head + len);
}

static inline void
raw_frame(struct raw *r, unsigned first, const char *text)
{
    struct weft_buf b = { 0 };

    add_frame(&b, r->masks, first, text, strlen(text));
    raw_write(r, weft_buf_head(&b), weft_buf_len(&b));
    weft_buf_deinit(&b);
}

/* Receives what there is; false at the end of the stream. */
static inline bool
raw_receive(struct raw *r)
{
    long n;

    do {
        uint8_t *to = weft_buf_reserve(&r->in, 65536);

        n = weft_sock_recv(r->fd, to, 65536);
        if (n > 0)
            weft_buf_commit(&r->in, (size_t)n);
    } while (n > 0);
    return n == -EAGAIN;
}

/* The length of the head at the front of what was received, or 0. */
static inline size_t
raw_head(const struct raw *r)
{
    const char *at = (const char *)weft_buf_head(&r->in);
    size_t len = weft_buf_len(&r->in);

    for (size_t i = 4; i <= len; i++)
        if (memcmp(at + i - 4, "\r\n\r\n", 4) == 0)
            return i;
    return 0;
}

/* Turns until the head of the other side is there, and drops it. */
static inline bool
raw_greeted(struct world *w, struct raw *r)
{
    for (int i = 0; i < 200 && raw_head(r) == 0; i++) {
        turn(w, 1);
        raw_receive(r);
    }
    if (raw_head(r) == 0)
        return false;
    weft_buf_consume(&r->in, raw_head(r));
    return true;
}

static inline size_t
raw_note(struct raw *r)
{
    static const char *const names[16] = { "rest", "text", "binary", "?",
                                           "?", "?", "?", "?", "close",
                                           "ping", "pong" };
    struct weft_frame f;
    size_t head, len = weft_buf_len(&r->in), size;
    uint8_t *data = weft_buf_head(&r->in);
    char line[64];
    int n;

    if (weft_frame_read(&f, data, len, &head) != WEFT_OK || len - head < f.len)
        return 0;
    data += head;
    size = (size_t)f.len;
    CHECK(f.masked != r->masks);
    if (f.masked)
        weft_mask(data, size, f.key, 0);
    n = snprintf(line, sizeof(line), "%s%s", f.fin ? "" : "part ",
                 names[f.opcode]);
    if (f.opcode == WEFT_CLOSE && size >= 2) {
        n = snprintf(line, sizeof(line), "close %u", data[0] << 8 | data[1]);
        data += 2;
        size -= 2;
    }
    weft_buf_add(&r->log, line, (size_t)n);
    if (size > 0)
        weft_buf_add(&r->log, " ", 1);
    weft_buf_add(&r->log, data, size);
    weft_buf_add(&r->log, "\n", 1);
    return head + (size_t)f.len;
}

/* Receives what there is and notes it. */
static inline void
raw_listen(struct raw *r)
{
    bool open = raw_receive(r);
    size_t n;

    while (weft_buf_len(&r->in) > 0 && (n = raw_note(r)) > 0)
        weft_buf_consume(&r->in, n);
    if (!open)
        weft_buf_add(&r->log, "end\n", 4);
}

/* Whether that is all it has heard since it was asked last. */
static inline bool
raw_heard(struct raw *r, const char *want)
{
    size_t len = strlen(want);
    bool same;

    raw_listen(r);
    same = weft_buf_len(&r->log) == len &&
           (len == 0 || memcmp(weft_buf_head(&r->log), want, len) == 0);
    if (!same)
        fprintf(stderr, "--- wanted\n%s--- heard\n%.*s---\n", want,
                (int)weft_buf_len(&r->log), (char *)weft_buf_head(&r->log));
    weft_buf_consume(&r->log, weft_buf_len(&r->log));
    return same;
}

static inline void
raw_close(struct raw *r)
{
    weft_sock_close(&r->fd);
    weft_buf_deinit(&r->in);
    weft_buf_deinit(&r->log);
}

/* One end of a socket pair; the other is returned. */
static inline int
raw_open(struct raw *r, bool masks)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                     fds) == 0);
    *r = (struct raw){ .fd = fds[1], .masks = masks };
    return fds[0];
}

static const char raw_request[] = "GET /chat HTTP/1.1\r\n"
                                  "Host: example.com\r\n"
                                  "Upgrade: websocket\r\n"
                                  "Connection: Upgrade\r\n"
                                  "Sec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: "
                                  "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* Starts to connect straight to host and port. */
static inline enum weft_status
go_to(struct weft_link *k, const char *host, uint16_t port, int64_t limit,
      const struct weft_client_request *r)
{
    struct weft_route to = { .host = host, .port = port };

    return weft_link_connect(k, &to, limit, r);
}

static inline void
serve(struct world *w, struct weft_link *k, struct raw *client)
{
    struct weft_addr from = { .len = 0 };
    int fd = raw_open(client, true);

    weft_link_init(k, &w->loop, w->config, WEFT_SERVER);
    CHECK(weft_link_serve(k, fd, &from, NULL) == WEFT_OK);
}

/* An open server link and the raw client it talks to. */
static inline void
serve_open(struct world *w, struct weft_link *k, struct raw *client)
{
    serve(w, k, client);
    raw_write(client, raw_request, sizeof(raw_request) - 1);
    CHECK(reaches(w, k, WEFT_LINK_ASKED));
    CHECK(weft_link_accept(k, SPAN(""), SPAN("")) == WEFT_OK);
    CHECK(raw_greeted(w, client));
    CHECK(weft_link_is_open(k));
    quiet(w);
}

#endif
