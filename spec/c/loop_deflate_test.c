/*
 * Links that compress (RFC 7692): what they agree on, how far they read ahead,
 * and a room in which several parameters are in use.
 */
#include "loop/room.h"
#include "loop_kit.h"

static const struct weft_deflate_options all_of_it = {
    .on = true, .server_max_window_bits = 15, .client_max_window_bits = 15,
    .window_bits = 15, .level = -1, .threshold = 16,
};

static const struct weft_deflate_options no_windows = {
    .on = true, .server_no_context_takeover = true,
    .client_no_context_takeover = true, .server_max_window_bits = 15,
    .client_max_window_bits = 15, .window_bits = 15, .level = -1,
    .threshold = 16,
};

static void
pair_with(struct world *w, struct weft_link *client, struct weft_link *server,
          const struct weft_deflate_options *wanted)
{
    struct weft_config *c = weft_zalloc(sizeof(*c));

    *c = *w->config;
    c->references = 1;
    c->deflate = all_of_it;
    weft_link_init(client, &w->loop, c, WEFT_CLIENT);
    weft_config_release(c);
    c = weft_zalloc(sizeof(*c));
    *c = *w->config;
    c->references = 1;
    c->deflate = *wanted;
    weft_link_init(server, &w->loop, c, WEFT_SERVER);
    weft_config_release(c);
    CHECK(weft_link_pair(client, server, &a_request, NULL, 0) == WEFT_OK);
}

static void
they_agree(struct world *w)
{
    struct weft_link c, s;
    char text[WEFT_DEFLATE_TEXT], other[WEFT_DEFLATE_TEXT];

    pair_with(w, &c, &s, &no_windows);
    CHECK(s.agreed.on && c.agreed.on);
    CHECK(weft_deflate_answer(&s.agreed, text) > 0);
    CHECK(weft_deflate_answer(&c.agreed, other) > 0);
    CHECK(strcmp(text, "permessage-deflate; server_no_context_takeover; "
                       "client_no_context_takeover") == 0);
    CHECK(strcmp(text, other) == 0);
    CHECK(say(&c, "a text of more than sixteen bytes, of more than sixteen")
          == WEFT_OK);
    CHECK(weft_link_backlog(&c) < 54);
    quiet(w);
    CHECK(hears(&s, "a text of more than sixteen bytes, of more than "
                    "sixteen"));
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    pair_with(w, &c, &s, &(struct weft_deflate_options){ 0 });
    CHECK(!s.agreed.on && !c.agreed.on && c.flow->session.deflate == NULL);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

enum { HUGE_ONES = 40, HUGE_SIZE = 1 << 20 };

/*
 * So many messages that are small on the wire and huge beyond it: what is read
 * ahead of whoever receives stays bounded, and nothing is lost or passed by.
 */
static void
what_inflates_is_bounded(struct world *w, bool sliding)
{
    uint8_t *zeros = calloc(1, HUGE_SIZE);
    struct weft_ping ping = { .len = 1, .payload = { '?' } };
    struct weft_link c, s;

    pair_with(w, &c, &s, sliding ? &all_of_it : &no_windows);
    for (int i = 0; i < HUGE_ONES; i++) {
        zeros[0] = (uint8_t)i;
        CHECK(weft_link_send(&c, WEFT_BINARY, zeros, HUGE_SIZE) == WEFT_OK);
    }
    CHECK(weft_link_ping(&c, &ping) == WEFT_OK);
    quiet(w);
    CHECK(c.flow->session.out.bytes.data == NULL);
    CHECK(weft_buf_len(&s.flow->ahead) >= HUGE_SIZE);
    CHECK(weft_buf_len(&s.flow->ahead) < 2 * HUGE_SIZE);
    CHECK(ping.round_trip < 0); /* it stands behind all that */
    for (int i = 0; i < HUGE_ONES; i++) {
        zeros[0] = (uint8_t)i;
        if (i % 3 == 0)
            quiet(w);
        CHECK(waits(w, &s) && hears_bytes(&s, zeros, HUGE_SIZE));
        CHECK(weft_buf_len(&s.flow->ahead) < 2 * HUGE_SIZE);
    }
    quiet(w);
    CHECK(ping.round_trip >= 0);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    free(zeros);
}

/* A close does not wait for messages that nobody will receive. */
static void
a_close_passes_them(struct world *w, bool server)
{
    uint8_t *zeros = calloc(1, HUGE_SIZE);
    struct weft_link c, s;

    pair_with(w, &c, &s, &no_windows);
    for (int i = 0; i < HUGE_ONES; i++)
        CHECK(weft_link_send(&c, WEFT_BINARY, zeros, HUGE_SIZE) == WEFT_OK);
    quiet(w);
    if (!server)
        goodbye(&c, 1000, "");
    quiet(w);
    goodbye(&s, 1000, "");
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(s.close_code == 1000 && c.close_code == 1000);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    free(zeros);
}

/* A fault behind them shows once they were received. */
static void
a_fault_waits_behind_them(struct world *w)
{
    uint8_t *zeros = calloc(1, HUGE_SIZE);
    struct weft_link c, s;

    pair_with(w, &c, &s, &no_windows);
    for (int i = 0; i < 3; i++)
        CHECK(weft_link_send(&c, WEFT_BINARY, zeros, HUGE_SIZE) == WEFT_OK);
    CHECK(weft_link_send_plain(&c, WEFT_TEXT, "\xFF", 1) == WEFT_OK);
    quiet(w);
    for (int i = 0; i < 3; i++)
        CHECK(waits(w, &s) && hears_bytes(&s, zeros, HUGE_SIZE));
    CHECK(next(&s) == WEFT_E_CLOSED && s.cause == WEFT_CAUSE_PROTOCOL);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    free(zeros);
}

/* Rooms -------------------------------------------------------------------- */

static const char news[] = "what everybody is told, what everybody is told";

static size_t
sent_to(struct weft_link *k)
{
    return weft_link_backlog(k);
}

static void
a_room_compresses_once(struct world *w)
{
    struct weft_deflate_options narrow = no_windows;
    struct weft_link c[4], s[4];
    struct weft_room r;
    size_t queued, dropped, plain = 2 + sizeof(news) - 1;

    narrow.server_max_window_bits = 9;
    weft_room_init(&r, WEFT_FULL_CLOSE);
    pair_with(w, &c[0], &s[0], &no_windows);
    pair_with(w, &c[1], &s[1], &all_of_it);
    pair_with(w, &c[2], &s[2], &narrow);
    pair(w, &c[3], &s[3]);
    for (int i = 0; i < 4; i++)
        CHECK(weft_room_join(&r, &s[i]) == WEFT_OK);
    for (int round = 0; round < 3; round++) {
        struct weft_letter letter = { .opcode = WEFT_TEXT, .data = news,
                                      .len = sizeof(news) - 1,
                                      .plain = round == 2 };

        CHECK(weft_room_send(&r, &letter, &queued, &dropped) == WEFT_OK);
        CHECK(queued == 4 && dropped == 0);
        for (int i = 0; i < 4; i++)
            CHECK((sent_to(&s[i]) < plain) == (i < 3 && round < 2));
        quiet(w);
        for (int i = 0; i < 4; i++) /* in a window of its own again */
            CHECK(say(&s[i], news) == WEFT_OK && say(&s[i], news) == WEFT_OK);
        quiet(w);
        for (int i = 0; i < 4; i++)
            CHECK(hears(&c[i], news) && hears(&c[i], news) &&
                  hears(&c[i], news));
    }
    for (int i = 0; i < 4; i++) {
        weft_link_deinit(&c[i]);
        weft_link_deinit(&s[i]);
    }
    CHECK(r.count == 0);
    weft_room_deinit(&r);
}

/* More sets of parameters than are remembered at once. */
static void
many_parameters_in_a_room(struct world *w)
{
    struct weft_link c[12], s[12];
    struct weft_room r;
    size_t queued, dropped;
    struct weft_letter letter = { .opcode = WEFT_TEXT, .data = news,
                                  .len = sizeof(news) - 1 };

    weft_room_init(&r, WEFT_FULL_CLOSE);
    for (int i = 0; i < 12; i++) {
        struct weft_deflate_options o = no_windows;

        o.level = (int8_t)(1 + i % 9);
        o.server_max_window_bits = (uint8_t)(9 + i % 7);
        pair_with(w, &c[i], &s[i], &o);
        CHECK(weft_room_join(&r, &s[i]) == WEFT_OK);
    }
    CHECK(weft_room_send(&r, &letter, &queued, &dropped) == WEFT_OK);
    CHECK(queued == 12 && dropped == 0);
    quiet(w);
    for (int i = 0; i < 12; i++) {
        CHECK(hears(&c[i], news));
        weft_link_deinit(&c[i]);
        weft_link_deinit(&s[i]);
    }
    weft_room_deinit(&r);
}

int
main(void)
{
    struct world w;

    world_init(&w);
    if (!weft_deflate_available()) {
        struct weft_link c, s;

        pair_with(&w, &c, &s, &all_of_it); /* built without zlib */
        CHECK(!c.agreed.on && !s.agreed.on);
        weft_link_deinit(&c);
        weft_link_deinit(&s);
        world_deinit(&w);
        return check_report();
    }
    they_agree(&w);
    what_inflates_is_bounded(&w, false);
    what_inflates_is_bounded(&w, true);
    a_close_passes_them(&w, true);
    a_close_passes_them(&w, false);
    a_fault_waits_behind_them(&w);
    a_room_compresses_once(&w);
    many_parameters_in_a_room(&w);
    world_deinit(&w);
    return check_report();
}
