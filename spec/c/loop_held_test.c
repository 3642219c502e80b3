/*
 * The limit on what links hold, with memory running out: what is counted always
 * comes back to nothing (see world_deinit()), and the limit is kept.
 */
#include "failing_mem.h"
#include "loop/room.h"
#include "loop_kit.h"
#include "loop_play.h"

enum { LIMIT = 20000 };

static uint8_t text[8000];

static void
pair_up(struct world *w, struct weft_link *client, struct weft_link *server)
{
    w->config->memory_limit = LIMIT;
    weft_link_init(client, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(server, &w->loop, w->config, WEFT_SERVER);
    weft_link_pair(client, server, &a_request, NULL, 0);
}

/* Nobody reads at one end, the other one goes on sending. */
static void
slow_scene(struct world *w)
{
    struct weft_link c, s;

    pair_up(w, &c, &s);
    for (int i = 0; i < 8; i++) {
        weft_link_send(&c, WEFT_TEXT, text, sizeof(text));
        turns(w, 1);
        CHECK(weft_loop_held(&w->loop) <= LIMIT);
    }
    turns(w, 4);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

/* Two members share what is said; one holds something of its own. */
static void
room_scene(struct world *w)
{
    struct weft_link c1, s1, c2, s2;
    struct weft_room r;
    size_t queued, dropped;

    pair_up(w, &c1, &s1);
    pair_up(w, &c2, &s2);
    weft_room_init(&r, WEFT_FULL_DROP);
    weft_room_join(&r, &s1);
    weft_room_join(&r, &s2);
    weft_link_send(&s2, WEFT_TEXT, text, 5000);
    for (int i = 0; i < 4; i++) {
        weft_room_send(&r, &(struct weft_letter){ .opcode = WEFT_TEXT,
                                                  .data = text,
                                                  .len = sizeof(text) },
                       &queued, &dropped);
        turns(w, 1);
        CHECK(weft_loop_held(&w->loop) <= LIMIT);
    }
    weft_room_deinit(&r);
    weft_link_deinit(&c1);
    weft_link_deinit(&s1);
    weft_link_deinit(&c2);
    weft_link_deinit(&s2);
}

/* As far as the other side is there. */
static void
try_write(struct raw *r, const void *bytes, size_t len)
{
    struct weft_span span = { bytes, len };

    weft_sock_sendv(r->fd, &span, 1);
}

/* A message that is held back, behind an answer that was not read. */
static void
raw_scene(struct world *w)
{
    struct weft_addr from = { .len = 0 };
    struct weft_link k;
    struct raw client;
    struct weft_buf b = { 0 };
    int fd = raw_open(&client, true);

    w->config->memory_limit = LIMIT;
    weft_link_init(&k, &w->loop, w->config, WEFT_SERVER);
    weft_link_serve(&k, fd, &from, NULL);
    try_write(&client, raw_request, sizeof(raw_request) - 1);
    turns(w, 3);
    if (k.state == WEFT_LINK_ASKED)
        weft_link_accept(&k, SPAN(""), SPAN(""));
    weft_link_want(&k, true);
    if (weft_buf_reserve(&b, WEFT_FRAME_HEAD_MAX + sizeof(text)) != NULL)
        add_frame(&b, true, 0x02, text, sizeof(text));
    for (int i = 0; b.data != NULL && i < 4 && k.state == WEFT_LINK_OPEN;
         i++) {
        try_write(&client, weft_buf_head(&b), weft_buf_len(&b));
        b.data[b.head] = 0; /* the others continue it */
        turns(w, 2);
        while (weft_link_next(&k) == WEFT_EVENT)
            weft_link_taken(&k);
        CHECK(weft_loop_held(&w->loop) <= LIMIT);
    }
    CHECK(k.state != WEFT_LINK_OPEN || b.data == NULL);
    weft_buf_deinit(&b);
    weft_link_deinit(&k);
    raw_close(&client);
}

/* The least of those in use counts. */
static void
limits_come_and_go(void)
{
    struct weft_config least = { .memory_limit = 10 },
                       more = { .memory_limit = 20 }, none = { 0 };
    struct world w;

    world_init(&w);
    CHECK(w.loop.memory_limit == SIZE_MAX);
    weft_memory_enter(&w.loop, &more);
    weft_memory_enter(&w.loop, &least);
    weft_memory_enter(&w.loop, &least);
    weft_memory_enter(&w.loop, &none);
    CHECK(w.loop.memory_limit == 10);
    weft_memory_leave(&w.loop, &least);
    CHECK(w.loop.memory_limit == 10);
    weft_memory_leave(&w.loop, &least);
    CHECK(w.loop.memory_limit == 20);
    weft_memory_leave(&w.loop, &none);
    weft_memory_leave(&w.loop, &more);
    CHECK(w.loop.memory_limit == SIZE_MAX);
    world_deinit(&w);
}

int
main(void)
{
    memset(text, 'x', sizeof(text));
    limits_come_and_go();
    play(slow_scene);
    play(room_scene);
    play(raw_scene);
    return check_report();
}
