/*
 * Links and rooms when memory runs out: each scene is played with the first
 * allocation failing, then the second, and so on until none fails.  Nothing
 * may crash, leak, or stay behind in the loop.
 */
#include "failing_mem.h"
#include "loop/room.h"
#include "loop_kit.h"
#include "loop_play.h"

static const char long_text[40000] = { 'x' };

/* Takes what there is; what was made of it has failed or is right. */
static void
take_all(struct weft_link *k)
{
    struct weft_event ev;

    while (next_event(k, &ev) == WEFT_EVENT) {
        CHECK(ev.len == 5 || ev.len == sizeof(long_text));
        CHECK(ev.len != 5 || memcmp(ev.data, "hello", 5) == 0);
        weft_link_taken(k);
    }
}

static void
pair_scene(struct world *w)
{
    struct weft_link c, s;
    struct weft_room r;
    size_t queued, dropped;

    weft_room_init(&r, WEFT_FULL_CLOSE);
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    weft_link_pair(&c, &s, &a_request, NULL, 0);
    weft_room_join(&r, &s);
    weft_room_join(&r, &c);
    say(&c, "hello");
    weft_link_send(&c, WEFT_BINARY, long_text, sizeof(long_text));
    weft_link_send_borrowed(&s, WEFT_BINARY, long_text, sizeof(long_text));
    turns(w, 2);
    take_all(&c);
    weft_room_send(&r, &(struct weft_letter){
                             .opcode = WEFT_BINARY, .data = long_text,
                             .len = sizeof(long_text), .except = &c },
                         &queued, &dropped);
    CHECK(queued + dropped <= 1);
    weft_room_send(&r, &(struct weft_letter){
                             .opcode = WEFT_TEXT, .data = "hello",
                             .len = 5 },
                         &queued, &dropped);
    turns(w, 4);
    take_all(&s);
    take_all(&c);
    goodbye(&s, 1000, "hello");
    turns(w, 8);
    take_all(&s);
    take_all(&c);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    CHECK(r.count == 0);
    weft_room_deinit(&r);
}

static void
tell(struct weft_room *r, const char *data, size_t len,
     const struct weft_link *except)
{
    size_t queued, dropped, all = r->count;

    if (weft_room_send(r, &(struct weft_letter){
                           .opcode = WEFT_TEXT, .data = data, .len = len,
                           .except = except },
                       &queued, &dropped)
        == WEFT_OK)
        CHECK(queued + dropped <= all);
}

/* Two rooms speak in turn; who is in both may end in between. */
static void
rooms_scene(struct world *w)
{
    struct weft_room *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
    struct weft_link c1, s1, c2, s2;

    weft_room_init(a, WEFT_FULL_CLOSE);
    weft_room_init(b, WEFT_FULL_DROP);
    weft_link_init(&c1, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&s1, &w->loop, w->config, WEFT_SERVER);
    weft_link_init(&c2, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&s2, &w->loop, w->config, WEFT_SERVER);
    weft_link_pair(&c1, &s1, &a_request, NULL, 0);
    weft_link_pair(&c2, &s2, &a_request, NULL, 0);
    weft_room_join(a, &s1);
    weft_room_join(a, &s2);
    weft_room_join(b, &s1);
    for (int i = 0; i < 300; i++) /* past what a link copies */
        tell(a, "hello", 5, NULL);
    tell(b, "hello", 5, NULL);
    tell(a, "hello", 5, &s2);
    tell(a, long_text, sizeof(long_text), NULL);
    turns(w, 2);
    take_all(&c1);
    for (int i = 0; i < 300; i++)
        tell(a, "hello", 5, NULL);
    say(&s1, "hello");
    weft_room_leave(a, &s2);
    weft_room_join(a, &s2);
    tell(b, "hello", 5, NULL);
    CHECK(weft_link_backlog(&s1) < 1 << 20); /* asks for it, and may end it */
    weft_room_deinit(b);
    free(b);
    turns(w, 4);
    take_all(&c1);
    take_all(&c2);
    tell(a, "hello", 5, NULL);
    goodbye(&s1, 1000, "hello");
    weft_room_deinit(a);
    free(a);
    turns(w, 4);
    weft_link_deinit(&c1);
    weft_link_deinit(&c2);
    weft_link_deinit(&s1);
    weft_link_deinit(&s2);
}

/* The only member of a room may end because another room has spoken before. */
static void
emptied_scene(struct world *w)
{
    struct weft_room a, *b = calloc(1, sizeof(*b));
    struct weft_link c, s;

    weft_room_init(&a, WEFT_FULL_CLOSE);
    weft_room_init(b, WEFT_FULL_CLOSE);
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    weft_link_pair(&c, &s, &a_request, NULL, 0);
    weft_room_join(&a, &s);
    weft_room_join(b, &s);
    tell(&a, "hello", 5, NULL);
    tell(b, "hello", 5, NULL);
    weft_room_deinit(b);
    free(b);
    turns(w, 4);
    take_all(&c);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    weft_room_deinit(&a);
}

/* A letter that could not be framed for one is gathered for nobody, and nobody
 * seems to have been sent something. */
static void
nothing_is_gathered(struct world *w)
{
    struct weft_link c, s, c2, s2;
    struct weft_room r;
    size_t queued, dropped;

    pair(w, &c, &s);
    pair(w, &c2, &s2);
    weft_room_init(&r, WEFT_FULL_CLOSE);
    CHECK(weft_room_join(&r, &s) == WEFT_OK);
    CHECK(weft_room_join(&r, &s2) == WEFT_OK);
    tell(&r, "hello", 5, NULL); /* there is a chunk from here on */
    turns(w, 2);
    s.last_message = s.life = 0;
    allowed = 0;
    CHECK(weft_room_send(&r, &(struct weft_letter){
                             .opcode = WEFT_TEXT, .data = "hello", .len = 5,
                             .except = &s2 },
                         &queued, &dropped)
          == WEFT_E_MEMORY);
    weft_loop_flush(&w->loop);
    allowed = -1;
    CHECK(s.last_message == 0 && s.life == 0 && weft_link_is_open(&s));
    CHECK(weft_link_is_open(&s2));
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    weft_link_deinit(&c2);
    weft_link_deinit(&s2);
    weft_room_deinit(&r);
}

/* A member on a socket: what a room says in a turn is sent right away, and
 * only what the kernel leaves is queued. */
static void
member_scene(struct world *w)
{
    struct weft_addr from = { .len = 0 };
    struct weft_room r;
    struct weft_link s;
    struct raw c;
    int small = 1, fd = raw_open(&c, true);
    long kept;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    weft_room_init(&r, WEFT_FULL_CLOSE);
    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    if (weft_link_serve(&s, fd, &from, NULL) == WEFT_OK) {
        raw_write(&c, raw_request, sizeof(raw_request) - 1);
        turns(w, 2);
        weft_link_accept(&s, SPAN(""), SPAN(""));
        turns(w, 2);
        weft_room_join(&r, &s);
        for (int i = 0; i < 12; i++)
            tell(&r, long_text, 1000, NULL);
        turns(w, 2);
    }
    weft_sock_close(&c.fd);
    for (int i = 0; i < 12; i++)
        tell(&r, long_text, 1000, NULL);
    weft_loop_flush(&w->loop); /* it learns from sending that nobody is there */
    turns(w, 3);
    weft_link_deinit(&s);
    CHECK(r.count == 0);
    weft_room_deinit(&r);
    kept = failing;
    failing = -1;
    raw_close(&c);
    failing = kept;
}

/* The peer's bytes are made before memory runs out. */
static void
raw_scene(struct world *w)
{
    struct weft_addr from = { .len = 0 };
    struct weft_buf frames = { 0 };
    struct weft_link s;
    struct raw c;
    int fd = raw_open(&c, true);
    long kept = failing;

    failing = -1;
    add_frame(&frames, true, 0x81, "hello", 5);
    add_frame(&frames, true, 0x89, "?", 1);
    add_frame(&frames, true, 0x02, long_text, sizeof(long_text));
    add_frame(&frames, true, 0x80, "", 0);
    add_frame(&frames, true, 0x83, "bad", 3);
    failing = kept;
    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    if (weft_link_serve(&s, fd, &from, NULL) == WEFT_OK) {
        raw_write(&c, raw_request, sizeof(raw_request) - 1);
        turns(w, 2);
        weft_link_accept(&s, SPAN("proto"), SPAN(""));
        if (s.state != WEFT_LINK_CLOSED)
            raw_write(&c, weft_buf_head(&frames), weft_buf_len(&frames));
        turns(w, 3);
        take_all(&s);
        weft_link_want(&s, true);
        turns(w, 3);
        take_all(&s);
        turns(w, 2);
    }
    weft_sock_close(&c.fd);
    turns(w, 3);
    weft_link_deinit(&s);
    kept = failing;
    failing = -1;
    raw_close(&c);
    weft_buf_deinit(&frames);
    failing = kept;
}

/* A stream and a WebSocket in a room; a comment is due in every turn. */
static void
stream_scene(struct world *w)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct weft_addr from = { .len = 0 };
    struct weft_link s, c, k;
    struct weft_room r;
    struct raw reader;
    int fd = raw_open(&reader, true);

    weft_room_init(&r, WEFT_FULL_CLOSE);
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&k, &w->loop, w->config, WEFT_SERVER);
    weft_link_pair(&c, &k, &a_request, NULL, 0);
    weft_room_join(&r, &k);
    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    if (weft_link_serve(&s, fd, &from, NULL) == WEFT_OK) {
        raw_write(&reader, get, sizeof(get) - 1);
        turns(w, 2);
        weft_link_begin_events(&s, SPAN("A: b\r\n"), 1000);
        weft_room_join(&r, &s);
        turns(w, 2);
        say(&s, "hello");
        tell(&r, "hello", 5, NULL);
        tell(&r, long_text, sizeof(long_text), NULL);
        tell(&r, "hello", 5, NULL);
        turns(w, 3);
        take_all(&c);
        goodbye(&s, 1000, "");
        turns(w, 3);
    }
    weft_sock_close(&reader.fd);
    turns(w, 3);
    CHECK(s.state == WEFT_LINK_CLOSED || s.state == WEFT_LINK_IDLE);
    weft_link_deinit(&s);
    weft_link_deinit(&c);
    weft_link_deinit(&k);
    CHECK(r.count == 0);
    weft_room_deinit(&r);
}

static void
dialled_scene(struct world *w)
{
    struct weft_link c, s;
    struct weft_listener h;
    struct weft_addr a;

    weft_addr_parse(&a, "127.0.0.1", 0);
    if (weft_listener_init(&h, &w->loop, w->config, &a, 10, false, false)
        != WEFT_OK)
        return;
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    go_to(&c, "127.0.0.1", weft_addr_port(&h.address),
                      WEFT_SECOND, &a_request);
    turns(w, 2);
    if (weft_listener_accept(&h, &s) == WEFT_E_MEMORY
        && s.state == WEFT_LINK_IDLE) /* it is as it was */
        CHECK(h.total == 0 && s.listener == NULL && s.flow->opening == NULL);
    turns(w, 2);
    weft_link_respond(&s, 403, SPAN(""), SPAN("hello"));
    turns(w, 4);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    weft_listener_deinit(&h);
}

static void
refused_scene(struct world *w)
{
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    struct weft_addr from = { .len = 0 };
    struct weft_link s;
    struct raw c;
    int fd = raw_open(&c, true);

    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    if (weft_link_serve(&s, fd, &from, NULL) == WEFT_OK) {
        raw_write(&c, request, sizeof(request) - 1);
        turns(w, 3);
    }
    weft_sock_close(&c.fd);
    turns(w, 2);
    weft_link_deinit(&s);
}

/* The same with all allocations failing from the first on, and so forth; what
 * one of them alone would not show is tried again at once. */
static void
play_to_the_end(void (*scene)(struct world *))
{
    struct world w;
    long n = 0;

    do {
        world_init(&w);
        refused = false;
        allowed = n++;
        scene(&w);
        allowed = -1;
        world_deinit(&w);
    } while (refused && n < 1000);
    CHECK(n > 5 && n < 1000);
}

static void (*pinged)(struct world *);

static void
pinged_scene(struct world *w)
{
    w->config->ping_interval = 0; /* one is due in every turn */
    pinged(w);
}

static void
play_pinged(void (*scene)(struct world *))
{
    pinged = scene;
    play(pinged_scene);
    run(scene);
}

int
main(void)
{
    play_pinged(pair_scene);
    play_pinged(rooms_scene);
    play_pinged(emptied_scene);
    play_to_the_end(rooms_scene);
    play_to_the_end(emptied_scene);
    play_to_the_end(member_scene);
    run(nothing_is_gathered);
    play_pinged(member_scene);
    play_pinged(raw_scene);
    play_pinged(stream_scene);
    play_to_the_end(stream_scene);
    play_pinged(dialled_scene);
    play_pinged(refused_scene);
    return check_report();
}
