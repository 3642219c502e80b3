/*
 * What a peer is allowed, counted down by a session: messages, pings, pongs and
 * payload, the same for every cut.
 */
#include <math.h>

#include "session_kit.h"

static void
start_with(struct kit *k, struct weft_allowance *a)
{
    start(k, WEFT_SERVER);
    weft_session_ration(&k->s, a);
}

static void
messages_count_once(size_t cut)
{
    struct weft_allowance a = { 3, INFINITY };
    struct kit k;

    start_with(&k, &a);
    FRAME(&k, 0x81, "a");
    FRAME(&k, 0x01, "b");
    FRAME(&k, 0x00, "c");
    FRAME(&k, 0x89, "?");
    FRAME(&k, 0x80, "d");
    FRAME(&k, 0x81, "e");
    feed(&k, cut);
    take_sent(&k);
    CHECK(NOTED(&k, "text a\nping ?\ntext bcd\nfault 1008\n"
                    "sent pong ?\nsent close 1008\n"));
    CHECK(k.failure == WEFT_E_TOO_MANY_MESSAGES);
    stop(&k);
}

static void
more_can_be_added(size_t cut)
{
    struct weft_allowance a = { 1, 10 };
    struct kit k;

    start_with(&k, &a);
    FRAME(&k, 0x82, "0123456789");
    feed(&k, cut);
    CHECK(a.messages == 0 && a.bytes == 0);
    a.messages += 2;
    a.bytes += 1;
    FRAME(&k, 0x8A, "");
    FRAME(&k, 0x82, "0");
    feed(&k, cut);
    FRAME(&k, 0x88, "\x03\xE8");
    feed(&k, cut);
    take_sent(&k);
    CHECK(NOTED(&k, "binary 0123456789\npong\nbinary 0\nclose 1000\n"
                    "sent close 1000\n"));
    stop(&k);
}

static void
bytes_count_as_they_arrive(size_t cut)
{
    struct weft_allowance a = { INFINITY, 6 };
    struct kit k;

    start_with(&k, &a);
    FRAME(&k, 0x01, "123");
    FRAME(&k, 0x8A, "45");
    feed(&k, cut);
    CHECK(k.failure == 0 && a.bytes == 1);
    FRAME(&k, 0x80, "67");
    feed(&k, cut);
    take_sent(&k);
    CHECK(NOTED(&k, "pong 45\nfault 1008\nsent close 1008\n"));
    CHECK(k.failure == WEFT_E_TOO_MANY_BYTES);
    stop(&k);
}

/* The way past the input has its own count. */
static void
bytes_count_in_the_room(void)
{
    struct weft_allowance a = { INFINITY, 20000 };
    struct weft_input none = { NULL, 0 };
    struct weft_event ev;
    struct kit k;
    size_t len;

    start_with(&k, &a);
    RAW(&k, "\x82\xFF\0\0\0\0\0\1\0\0\0\0\0\0"); /* 65536 to come */
    feed(&k, SIZE_MAX);
    CHECK(weft_session_room(&k.s, &len) != NULL && len > 20001);
    memset(weft_session_room(&k.s, &len), 0, 20001);
    weft_session_received(&k.s, 20000);
    CHECK(weft_session_read(&k.s, &none, &ev) == WEFT_MORE);
    weft_session_received(&k.s, 1);
    CHECK(weft_session_read(&k.s, &none, &ev) == WEFT_E_TOO_MANY_BYTES);
    stop(&k);
}

static void
nothing_counts_after_our_close(void)
{
    struct weft_allowance a = { 0, 0 };
    struct kit k;

    start_with(&k, &a);
    CHECK(weft_session_close(&k.s, 1000, NULL, 0) == WEFT_OK);
    FRAME(&k, 0x81, "late");
    FRAME(&k, 0x88, "\x03\xE8");
    feed(&k, SIZE_MAX);
    take_sent(&k);
    CHECK(NOTED(&k, "text late\nclose 1000\nsent close 1000\n"));
    CHECK(a.messages == 0 && a.bytes == 0);
    stop(&k);
}

static void
what_we_ask_may_be_answered(void)
{
    struct weft_allowance a = { 0, 0 };
    struct kit k;

    start_with(&k, &a);
    CHECK(weft_session_ping(&k.s, "you?", 4) == WEFT_OK);
    CHECK(a.messages == 1 && a.bytes == 4);
    FRAME(&k, 0x8A, "you?");
    feed(&k, SIZE_MAX);
    CHECK(k.failure == 0 && a.messages == 0 && a.bytes == 0);
    FRAME(&k, 0x8A, "");
    feed(&k, SIZE_MAX);
    CHECK(k.failure == WEFT_E_TOO_MANY_MESSAGES);
    stop(&k);
}

/* Not even the short way forgets to count, and it is open again without. */
static void
it_can_be_lifted(void)
{
    struct weft_allowance a = { 1, INFINITY };
    struct kit k;

    start_with(&k, &a);
    CHECK(k.s.short_end == 0);
    FRAME(&k, 0x81, "a");
    feed(&k, SIZE_MAX);
    weft_session_ration(&k.s, NULL);
    CHECK(k.s.short_end == 126);
    for (int i = 0; i < 3; i++)
        FRAME(&k, 0x81, "b");
    feed(&k, SIZE_MAX);
    take_sent(&k);
    CHECK(NOTED(&k, "text a\ntext b\ntext b\ntext b\n"));
    CHECK(a.messages == 0);
    stop(&k);
}

int
main(void)
{
    for (int cut = 0; cut < CUTS; cut++) {
        messages_count_once(cuts[cut]);
        more_can_be_added(cuts[cut]);
        bytes_count_as_they_arrive(cuts[cut]);
    }
    bytes_count_in_the_room();
    nothing_counts_after_our_close();
    what_we_ask_may_be_answered();
    it_can_be_lifted();
    return check_report();
}
