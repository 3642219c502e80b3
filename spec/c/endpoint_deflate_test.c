/*
 * Endpoints of both roles that agree on compression, or not, and then talk, in
 * pieces of every size, under every pair of options.
 */
#include "endpoint_kit.h"

static const size_t cuts[] = { 1, 2, 3, 7, 100, 4096, SIZE_MAX };
enum { CUTS = sizeof(cuts) / sizeof(cuts[0]) };

enum { LARGE = 30000, SMALL = 500 };

static char words[LARGE];      /* becomes much smaller */
static uint8_t noise[LARGE];   /* does not */

static void
fill(void)
{
    static const char some[] = "the same few words, again and again: ";
    uint32_t seed = 1;
    size_t at = 0;

    for (size_t i = 0; i < LARGE; i++) {
        seed = seed * 1664525 + 1013904223;
        noise[i] = (uint8_t)(seed >> 24);
        at += seed >> 28 == 0 ? 2 : 1;
        words[i] = some[at % (sizeof(some) - 1)];
    }
}

static struct weft_endpoint_options
options(void)
{
    return (struct weft_endpoint_options){
        .limits = { .max_message = 100000, .max_frame = 100000,
                    .max_fragments = 100 },
        .max_header = 2000, .max_headers = 20,
        .request = { .host = SPAN("h"), .target = SPAN("/") },
        .deflate = { .on = true, .level = 6, .threshold = SMALL,
                     .server_max_window_bits = 15,
                     .client_max_window_bits = 15, .window_bits = 12 },
    };
}

static struct weft_endpoint_options
without(void)
{
    struct weft_endpoint_options o = options();

    o.deflate.on = false;
    return o;
}

/* What was heard ---------------------------------------------------------- */

struct heard {
    unsigned events, errors;
    uint32_t sum; /* of all messages, in order */
    unsigned code;
};

static void
count(struct heard *h, unsigned opcode, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    h->events++;
    h->sum = (h->sum ^ opcode) * 16777619u;
    for (size_t i = 0; i < len; i++)
        h->sum = (h->sum ^ bytes[i]) * 16777619u;
}

static void
listen(struct heard *h, struct weft_endpoint *e)
{
    while (weft_endpoint_look(e) == WEFT_EVENT) {
        if (e->found == WEFT_FOUND_EVENT)
            count(h, e->event.type == WEFT_EVENT_MESSAGE ? e->event.opcode : 0,
                  e->event.data, e->event.len);
        if (e->found == WEFT_FOUND_ERROR) {
            h->errors++;
            h->code = e->code;
        }
        weft_endpoint_take(e);
    }
}

/* Feeds bytes `size` at a time. */
static void
feed(struct heard *h, struct weft_endpoint *e, struct weft_span bytes,
     size_t size)
{
    while (feed_piece(e, &bytes, size))
        listen(h, e);
}

/* Carries all that `from` has to send; returns how many bytes that was. */
static size_t
carry(struct heard *h, struct weft_endpoint *from, struct weft_endpoint *to,
      size_t size)
{
    struct weft_span out = weft_endpoint_output(from);

    feed(h, to, out, size);
    weft_endpoint_sent(from, out.len);
    return out.len;
}

/* Two ends ---------------------------------------------------------------- */

static void
open_both(struct weft_endpoint *c, struct weft_endpoint *s,
          const struct weft_endpoint_options *client,
          const struct weft_endpoint_options *server, size_t size)
{
    struct heard h = { .events = 0 };

    CHECK(weft_endpoint_client(c, client) == WEFT_OK);
    CHECK(weft_endpoint_server(s, server) == WEFT_OK);
    carry(&h, c, s, size);
    carry(&h, s, c, size);
    CHECK(h.events == 0 && h.errors == 0);
    CHECK(weft_endpoint_state(c) == WEFT_OPEN);
    CHECK(weft_endpoint_state(s) == WEFT_OPEN);
    CHECK(memcmp(&c->agreed, &s->agreed, sizeof(c->agreed)) == 0);
}

static void
close_both(struct weft_endpoint *c, struct weft_endpoint *s)
{
    weft_endpoint_deinit(c);
    weft_endpoint_deinit(s);
    weft_endpoint_deinit(c);
}

/* Sends a message, which has to arrive, in about so many bytes. */
static void
say(struct weft_endpoint *from, struct weft_endpoint *to, size_t size,
    enum weft_opcode opcode, const void *data, size_t len, size_t most)
{
    struct heard h = { .events = 0 }, want = { .events = 0 };
    size_t sent;

    count(&want, opcode, data, len);
    CHECK(weft_endpoint_send(from, opcode, data, len) == WEFT_OK);
    sent = carry(&h, from, to, size);
    CHECK(sent > 0 && sent <= most);
    CHECK(h.errors == 0 && h.events == 1 && h.sum == want.sum);
}

static void
say_all(struct weft_endpoint *from, struct weft_endpoint *to, size_t size,
        bool compressed)
{
    size_t small = compressed ? LARGE / 4 : LARGE + 14;

    say(from, to, size, WEFT_TEXT, words, LARGE, small);
    say(from, to, size, WEFT_TEXT, words, 10, 10 + 14);
    say(from, to, size, WEFT_BINARY, noise, LARGE, LARGE + 1000);
    say(from, to, size, WEFT_TEXT, "", 0, 14);
    say(from, to, size, WEFT_BINARY, words + 1, LARGE - 1, small);
    say(from, to, size, WEFT_BINARY, noise + 1, SMALL, SMALL + 50);
}

static void
talk(const struct weft_endpoint_options *client,
     const struct weft_endpoint_options *server, bool compressed, size_t size)
{
    struct weft_endpoint c, s;

    open_both(&c, &s, client, server, size);
    CHECK(s.agreed.on == compressed);
    for (int i = 0; i < 2; i++) {
        say_all(&c, &s, size, compressed);
        say_all(&s, &c, size, compressed);
    }
    close_both(&c, &s);
}

static void
test_agreements(size_t size)
{
    struct weft_endpoint_options client = options(), server = options();
    struct weft_endpoint_options no = without();

    talk(&client, &server, true, size);
    talk(&client, &no, false, size);
    talk(&no, &server, false, size);
    server.deflate.server_no_context_takeover = true;
    server.deflate.client_no_context_takeover = true;
    talk(&client, &server, true, size);
    client.deflate.server_no_context_takeover = true;
    client.deflate.client_no_context_takeover = true;
    client.deflate.server_max_window_bits = 9;
    client.deflate.client_max_window_bits = 8;
    server.deflate = options().deflate;
    talk(&client, &server, true, size);
    server.deflate.server_max_window_bits = 8;
    server.deflate.client_max_window_bits = 10;
    client.deflate = options().deflate;
    talk(&client, &server, true, size);
}

/* The second time, a window that was kept says it in fewer bytes. */
static void
test_takeover(void)
{
    struct weft_endpoint_options client = options(), server = options();
    struct weft_endpoint c, s;

    open_both(&c, &s, &client, &server, SIZE_MAX);
    say(&c, &s, SIZE_MAX, WEFT_BINARY, noise, 1000, 1050);
    say(&c, &s, SIZE_MAX, WEFT_BINARY, noise, 1000, 100);
    say(&s, &c, SIZE_MAX, WEFT_BINARY, noise, 1000, 1050);
    say(&s, &c, SIZE_MAX, WEFT_BINARY, noise, 1000, 100);
    close_both(&c, &s);
}

static void
test_plain(void)
{
    struct weft_endpoint_options client = options(), server = options();
    struct heard h = { .events = 0 }, want = { .events = 0 };
    struct weft_endpoint c, s;
    struct weft_span out;

    CHECK(weft_endpoint_client(&c, &client) == WEFT_OK);
    CHECK(weft_endpoint_send_plain(&c, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    weft_endpoint_deinit(&c);
    open_both(&c, &s, &client, &server, SIZE_MAX);
    CHECK(weft_endpoint_send_plain(&s, WEFT_TEXT, words, 1000) == WEFT_OK);
    out = weft_endpoint_output(&s);
    CHECK(out.len == 1004 && memcmp(out.data, "\x81\x7E\x03\xE8", 4) == 0);
    CHECK(memcmp(out.data + 4, words, 1000) == 0);
    CHECK(weft_endpoint_send(&s, WEFT_TEXT, words, 1000) == WEFT_OK);
    CHECK((uint8_t)weft_endpoint_output(&s).data[1004] == 0xC1);
    count(&want, WEFT_TEXT, words, 1000);
    count(&want, WEFT_TEXT, words, 1000);
    carry(&h, &s, &c, SIZE_MAX);
    CHECK(h.events == 2 && h.errors == 0 && h.sum == want.sum);
    close_both(&c, &s);
}

/* An event that nobody takes lends its bytes on, whatever is sent, and so
 * compressed, and fed meanwhile. */
static void
test_patience(bool takeover)
{
    struct weft_endpoint_options client = options(), server = options();
    struct heard h = { .events = 0 };
    struct weft_endpoint c, s;

    server.deflate.server_no_context_takeover = !takeover;
    server.deflate.client_no_context_takeover = !takeover;
    open_both(&c, &s, &client, &server, SIZE_MAX);
    CHECK(weft_endpoint_send(&c, WEFT_TEXT, words, LARGE) == WEFT_OK);
    CHECK(weft_endpoint_feed(&s, weft_endpoint_output(&c).data,
                             weft_endpoint_output(&c).len) == WEFT_OK);
    weft_endpoint_sent(&c, weft_endpoint_output(&c).len);
    CHECK(weft_endpoint_send(&c, WEFT_BINARY, words, LARGE) == WEFT_OK);
    for (int i = 0; i < 20; i++) {
        struct weft_span next = weft_endpoint_output(&c);

        CHECK(weft_endpoint_look(&s) == WEFT_EVENT);
        CHECK(s.event.opcode == WEFT_TEXT && s.event.len == LARGE);
        CHECK(memcmp(s.event.data, words, LARGE) == 0);
        CHECK(weft_endpoint_send(&s, WEFT_BINARY, noise, LARGE) == WEFT_OK);
        CHECK(weft_endpoint_send(&s, WEFT_TEXT, words + i, SMALL * 2) ==
              WEFT_OK);
        CHECK(weft_endpoint_send(&s, s.event.opcode, s.event.data,
                                 s.event.len) == WEFT_OK);
        if (next.len > 0)
            CHECK(weft_endpoint_feed(&s, next.data, 1) == WEFT_OK);
        weft_endpoint_sent(&c, next.len > 0 ? 1 : 0);
    }
    weft_endpoint_take(&s);
    carry(&h, &c, &s, SIZE_MAX);
    CHECK(h.events == 1 && h.errors == 0);
    carry(&h, &s, &c, 1000);
    CHECK(h.events == 1 + 60 && h.errors == 0);
    close_both(&c, &s);
}

/* Faults ------------------------------------------------------------------ */

static void
fails(struct weft_span bytes, unsigned code, size_t size)
{
    struct weft_endpoint_options client = options(), server = options();
    struct heard h = { .events = 0 };
    struct weft_endpoint c, s;
    struct weft_span out;

    client.limits.max_message = 1000;
    open_both(&c, &s, &client, &server, SIZE_MAX);
    feed(&h, &c, bytes, size);
    CHECK(h.events == 0 && h.errors == 1 && h.code == code);
    out = weft_endpoint_output(&c);
    CHECK(out.len == 8 && (uint8_t)out.data[0] == 0x88);
    CHECK(weft_endpoint_state(&c) == WEFT_CLOSED);
    close_both(&c, &s);
}

/* 7.2.3.1: "Hello", compressed by hand. */
#define HELLO "\xF2\x48\xCD\xC9\xC9\x07\x00"

static void
test_faults(size_t size)
{
    fails(SPAN("\xC1\x02\xFF\xFF"), 1007, size);
    fails(SPAN("\xC1\x05\xF2\x48\xCD\xC9\xC9"), 1007, size); /* breaks off */
    fails(SPAN("\xA1\x07" HELLO), 1002, size);
    fails(SPAN("\x41\x02\xF2\x48\xC0\x05\xCD\xC9\xC9\x07\x00"), 1002, size);
    fails(SPAN("\xC9\x00"), 1002, size);
}

/* A few bytes that stand for many end at the limit. */
static void
test_bomb(size_t size)
{
    struct weft_endpoint_options small = options(), large = options();
    struct heard h = { .events = 0 };
    struct weft_endpoint c, s;

    small.limits.max_message = LARGE - 1;
    open_both(&c, &s, &small, &large, SIZE_MAX);
    CHECK(weft_endpoint_send(&s, WEFT_TEXT, words, LARGE - 1) == WEFT_OK);
    CHECK(weft_endpoint_send(&s, WEFT_TEXT, words, LARGE) == WEFT_OK);
    carry(&h, &s, &c, size);
    CHECK(h.events == 1 && h.errors == 1 && h.code == 1009);
    close_both(&c, &s);
}

static void
test_not_agreed(void)
{
    struct weft_endpoint_options client = options(), server = without();
    struct heard h = { .events = 0 };
    struct weft_endpoint c, s;

    open_both(&c, &s, &client, &server, SIZE_MAX);
    feed(&h, &c, SPAN("\xC1\x07" HELLO), SIZE_MAX);
    CHECK(h.errors == 1 && h.code == 1002);
    close_both(&c, &s);
}

/* The example of 7.2.3.1 and 7.2.3.2, whole, in fragments, and again with the
 * window of the first. */
static void
test_example(size_t size)
{
    struct weft_endpoint_options client = options(), server = options();
    struct heard h = { .events = 0 }, want = { .events = 0 };
    struct weft_endpoint c, s;

    open_both(&c, &s, &client, &server, SIZE_MAX);
    feed(&h, &c, SPAN("\xC1\x07" HELLO), size);
    feed(&h, &c, SPAN("\x41\x03\xF2\x48\xCD\x80\x04\xC9\xC9\x07\x00"), size);
    feed(&h, &c, SPAN("\xC1\x05\xF2\x00\x11\x00\x00"), size);
    for (int i = 0; i < 3; i++)
        count(&want, WEFT_TEXT, "Hello", 5);
    CHECK(h.errors == 0 && h.events == 3 && h.sum == want.sum);
    close_both(&c, &s);
}

/* Ended in the middle of a message, which holds a stream. */
static void
test_ended_early(void)
{
    struct weft_endpoint_options client = options(), server = options();
    struct heard h = { .events = 0 };
    struct weft_endpoint c, s;
    struct weft_span out;

    server.deflate.server_no_context_takeover = true;
    open_both(&c, &s, &client, &server, SIZE_MAX);
    CHECK(weft_endpoint_send(&s, WEFT_TEXT, words, LARGE) == WEFT_OK);
    out = weft_endpoint_output(&s);
    feed(&h, &c, (struct weft_span){ out.data, out.len / 2 }, 10);
    CHECK(h.events == 0 && h.errors == 0);
    close_both(&c, &s);
}

/* Built without zlib, all of it stays as it is. */
static void
test_without_zlib(void)
{
    struct weft_endpoint_options o = options();

    talk(&o, &o, false, SIZE_MAX);
    test_not_agreed();
}

int
main(void)
{
    fill();
    if (!weft_deflate_available()) {
        test_without_zlib();
        return check_report();
    }
    for (int i = 0; i < CUTS; i++) {
        test_agreements(cuts[i]);
        test_example(cuts[i]);
        test_faults(cuts[i]);
        test_bomb(cuts[i]);
    }
    test_takeover();
    test_plain();
    test_patience(true);
    test_patience(false);
    test_not_agreed();
    test_ended_early();
    return check_report();
}
