/*
 * A listener's journal: what is told comes out in order and whole, texts stay
 * while more is added, and memory that runs out loses single records.
 */
#include "failing_mem.h"
#include "loop/journal.h"
#include "loop_kit.h"
#include "loop_play.h"

static struct weft_told
path(const char *text)
{
    struct weft_told t = { .what = WEFT_TOLD_REQUEST, .status = 200 };

    t.texts[WEFT_TOLD_PATH] = (struct weft_span){ text, strlen(text) };
    return t;
}

static bool
is_path(const struct weft_told *t, const char *text)
{
    struct weft_span found = t->texts[WEFT_TOLD_PATH];

    return found.len == strlen(text) && memcmp(found.data, text, found.len) == 0;
}

static void
add(struct weft_journal *j, const char *text)
{
    struct weft_told t = path(text);

    CHECK(weft_journal_add(j, &t));
}

static void
records_come_out_in_order(struct world *w)
{
    struct weft_journal j;
    struct weft_told t;

    weft_journal_init(&j, &w->loop);
    CHECK(!weft_journal_next(&j, &t));
    CHECK(weft_list_empty(&w->loop.journals));
    add(&j, "/a");
    add(&j, "");
    CHECK(w->loop.journals.next == &j.node);
    CHECK(weft_loop_timeout(&w->loop) == 0);
    CHECK(weft_journal_next(&j, &t) && is_path(&t, "/a"));
    CHECK(t.what == WEFT_TOLD_REQUEST && t.status == 200 && t.time > 1.7e9);
    for (int i = 0; i < 100; i++)
        add(&j, "/one that comes meanwhile");
    CHECK(is_path(&t, "/a")); /* it stays */
    CHECK(weft_journal_next(&j, &t) && is_path(&t, ""));
    for (int i = 0; i < 100; i++)
        CHECK(weft_journal_next(&j, &t)
              && is_path(&t, "/one that comes meanwhile"));
    CHECK(!weft_journal_next(&j, &t));
    CHECK(weft_list_empty(&w->loop.journals));
    add(&j, "/left");
    weft_journal_deinit(&j);
    CHECK(weft_list_empty(&w->loop.journals));
}

static void
long_texts_are_cut(struct world *w)
{
    static char text[WEFT_TOLD_LONGEST + 100];
    struct weft_journal j;
    struct weft_told t;

    memset(text, 'x', sizeof(text) - 1);
    weft_journal_init(&j, &w->loop);
    add(&j, text);
    add(&j, "/next");
    CHECK(weft_journal_next(&j, &t));
    CHECK(t.texts[WEFT_TOLD_PATH].len == WEFT_TOLD_LONGEST);
    CHECK(weft_journal_next(&j, &t) && is_path(&t, "/next"));
    weft_journal_deinit(&j);
}

static void
limits_are_told_once_a_second(struct world *w)
{
    struct weft_told t = { .what = WEFT_TOLD_LIMIT }, found;
    struct weft_journal j;
    int count = 0;

    weft_journal_init(&j, &w->loop);
    for (int i = 0; i < 5; i++) {
        weft_journal_add_limit(&j, WEFT_LIMIT_SYSTEM, &t);
        w->loop.now += WEFT_SECOND / 2;
    }
    weft_journal_add_limit(&j, WEFT_LIMIT_ADDRESS, &t);
    while (weft_journal_next(&j, &found))
        count++;
    CHECK(count == 4); /* at 0, 1 and 2; and one of another kind */
    weft_journal_deinit(&j);
}

static void
memory_that_runs_out_loses_records(struct world *w)
{
    struct weft_told t = path("/lost"), found;
    struct weft_journal j;

    weft_journal_init(&j, &w->loop);
    allowed = 0;
    CHECK(!weft_journal_add(&j, &t));
    CHECK(!weft_journal_add(&j, &t));
    allowed = -1;
    CHECK(j.lost == 2 && weft_list_empty(&w->loop.journals));
    add(&j, "/kept");
    CHECK(weft_journal_next(&j, &found) && is_path(&found, "/kept"));
    CHECK(!weft_journal_next(&j, &found));
    weft_journal_deinit(&j);
}

/* Somebody connects, is let in or refused, and goes. */
static void
connection_scene(struct world *w, const char *request)
{
    struct weft_journal j;
    struct weft_listener h;
    struct weft_link k;
    struct weft_addr a;
    struct weft_told t;
    int fd = -1;

    weft_journal_init(&j, &w->loop);
    weft_addr_parse(&a, "127.0.0.1", 0);
    if (weft_listener_init(&h, &w->loop, w->config, &a, 10, false, false)
        == WEFT_OK) {
        h.journal = &j;
        fd = weft_sock_connect(&h.address);
        weft_link_init(&k, &w->loop, w->config, WEFT_SERVER);
        turn(w, 20);
        if (weft_listener_accept(&h, &k) == WEFT_OK) {
            CHECK(j.connections == 1);
            CHECK(send(fd, request, strlen(request), 0) > 0);
            turn(w, 20);
            weft_link_accept(&k, SPAN("chat"), SPAN(""));
            turn(w, 0);
        }
        weft_sock_close(&fd);
        turn(w, 20);
        weft_link_deinit(&k);
        weft_listener_deinit(&h);
    }
    if (failing < 0) { /* else some of it is told */
        CHECK(weft_journal_next(&j, &t));
        CHECK(t.connection == 1 && t.texts[WEFT_TOLD_ADDRESS].len == 9);
    }
    while (weft_journal_next(&j, &t))
        CHECK(t.time > 0);
    weft_journal_deinit(&j);
}

static void
accepted_scene(struct world *w)
{
    connection_scene(w, "GET /a?b HTTP/1.1\r\nHost: x\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n");
}

static void
refused_scene(struct world *w)
{
    connection_scene(w, "NO\r\n\r\n");
}

int
main(void)
{
    run(records_come_out_in_order);
    run(long_texts_are_cut);
    run(limits_are_told_once_a_second);
    run(memory_that_runs_out_loses_records);
    run(accepted_scene);
    run(refused_scene);
    play(accepted_scene);
    play(refused_scene);
    return check_report();
}
