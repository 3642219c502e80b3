/* What a session reads (RFC 6455, sections 5 to 8), in both roles and under
 * every cut of the stream. */
#include "session_kit.h"

static void
messages_come_out_as_they_were_sent(struct kit *k, size_t cut)
{
    FRAME(k, 0x81, "Hello");
    FRAME(k, 0x82, "\0\xFF\1");
    FRAME(k, 0x81, "");
    FRAME(k, 0x81, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x8E\x89");
    feed(k, cut);
    CHECK(NOTED(k, "text Hello\nbinary \0\xFF\1\ntext\n"
                   "text gr\xC3\xBC\xC3\x9F \xF0\x9F\x8E\x89\n"));
}

static void
fragments_make_one_message(struct kit *k, size_t cut)
{
    FRAME(k, 0x01, "Hel");
    FRAME(k, 0x00, "");
    FRAME(k, 0x80, "lo");
    FRAME(k, 0x02, "");
    FRAME(k, 0x80, "x");
    FRAME(k, 0x01, "y");
    FRAME(k, 0x80, "");
    FRAME(k, 0x01, "");
    FRAME(k, 0x80, "");
    feed(k, cut);
    CHECK(NOTED(k, "text Hello\nbinary x\ntext y\ntext\n"));
    CHECK(weft_session_held(&k->s) == 0 && k->s.message.data == NULL);
}

static void
control_frames_come_between_fragments(struct kit *k, size_t cut)
{
    FRAME(k, 0x01, "Hel");
    FRAME(k, 0x89, "?");
    FRAME(k, 0x8A, "");
    FRAME(k, 0x00, "lo ");
    FRAME(k, 0x89, "");
    FRAME(k, 0x80, "you");
    feed(k, cut);
    take_sent(k);
    CHECK(NOTED(k, "ping ?\npong\nping\ntext Hello you\n"
                   "sent pong ?\nsent pong\n"));
}

static void
characters_may_be_cut_by_fragments(struct kit *k, size_t cut)
{
    FRAME(k, 0x01, "a\xF0");
    FRAME(k, 0x00, "\x9F\x8E");
    FRAME(k, 0x89, "\xFF"); /* a ping holds any bytes */
    FRAME(k, 0x80, "\x89");
    feed(k, cut);
    CHECK(NOTED(k, "ping \xFF\ntext a\xF0\x9F\x8E\x89\n"));
}

static void
every_ping_is_answered_in_order(struct kit *k, size_t cut)
{
    for (char c = '0'; c <= '9'; c++)
        frame(k, 0x89, &c, 1);
    feed(k, cut);
    take_sent(k);
    CHECK(NOTED(k, "ping 0\nping 1\nping 2\nping 3\nping 4\n"
                   "ping 5\nping 6\nping 7\nping 8\nping 9\n"
                   "sent pong 0\nsent pong 1\nsent pong 2\nsent pong 3\n"
                   "sent pong 4\nsent pong 5\nsent pong 6\nsent pong 7\n"
                   "sent pong 8\nsent pong 9\n"));
}

static void
pongs_behind_a_full_socket_are_merged(struct kit *k, size_t cut)
{
    FRAME(k, 0x89, "first");
    feed(k, cut);
    weft_session_set_blocked(&k->s, true);
    FRAME(k, 0x89, "second");
    FRAME(k, 0x89, "");
    FRAME(k, 0x89, "last");
    feed(k, cut);
    take_sent(k);
    weft_session_set_blocked(&k->s, false);
    weft_session_set_blocked(&k->s, false);
    FRAME(k, 0x89, "next");
    feed(k, cut);
    take_sent(k);
    CHECK(NOTED(k, "ping first\nping second\nping\nping last\n"
                   "sent pong first\nping next\n"
                   "sent pong last\nsent pong next\n"));
}

static void
a_held_pong_comes_before_the_close(struct kit *k, size_t cut)
{
    weft_session_set_blocked(&k->s, true);
    FRAME(k, 0x89, "?");
    FRAME(k, 0x88, "\x03\xE8");
    feed(k, cut);
    weft_session_set_blocked(&k->s, false);
    take_sent(k);
    CHECK(NOTED(k, "ping ?\nclose 1000\nsent pong ?\nsent close 1000\n"));
}

/* 5.5.1, 1.4 */
static void
a_close_is_echoed_and_ends_reading(struct kit *k, size_t cut)
{
    CHECK(weft_session_send(&k->s, WEFT_TEXT, "before", 6) == WEFT_OK);
    FRAME(k, 0x01, "never fini");
    FRAME(k, 0x88, "\x03\xE9" "going \xC3\xA4way");
    FRAME(k, 0x89, "unseen");
    RAW(k, "\xFF\xFF\xFF\xFF");
    feed(k, cut);
    CHECK(weft_session_closed(&k->s));
    CHECK(k->s.close_code == 1001 && k->s.sent_code == 1001);
    CHECK(k->s.message.data == NULL);
    CHECK(weft_session_send(&k->s, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    take_sent(k);
    CHECK(NOTED(k, "close 1001 going \xC3\xA4way\n"
                   "sent text before\nsent close 1001\n"));
}

static void
a_close_without_a_code_is_answered_without_one(struct kit *k, size_t cut)
{
    FRAME(k, 0x88, "");
    feed(k, cut);
    CHECK(k->s.close_code == 1005 && k->s.sent_code == 1005);
    take_sent(k);
    CHECK(NOTED(k, "close 1005\nsent close\n"));
}

static void
the_answer_to_our_close_is_not_answered(struct kit *k, size_t cut)
{
    CHECK(weft_session_close(&k->s, 1000, "bye", 3) == WEFT_OK);
    FRAME(k, 0x81, "crossing");
    FRAME(k, 0x89, "?");
    FRAME(k, 0x88, "\x03\xE8");
    feed(k, cut);
    CHECK(weft_session_closed(&k->s));
    take_sent(k);
    CHECK(NOTED(k, "text crossing\nping ?\nclose 1000\n"
                   "sent close 1000 bye\n"));
}

/* Long messages: the lengths where the head changes its form. */
static void
every_form_of_length_is_read(struct kit *k, size_t cut)
{
    static const size_t lengths[] = { 0, 1, 124, 125, 126, 127, 200, 65535,
                                      65536, 70000 };
    struct weft_buf want = { 0 };
    uint8_t *data = malloc(70000);

    for (size_t i = 0; i < 70000; i++)
        data[i] = (uint8_t)('a' + i % 23);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i];

        frame(k, 0x81, data, len);
        weft_buf_add(&want, "text ", len > 0 ? 5 : 4);
        weft_buf_add(&want, data, len);
        weft_buf_add(&want, "\n", 1);
    }
    feed(k, cut);
    CHECK(noted(k, (char *)want.data, want.tail));
    weft_buf_deinit(&want);
    free(data);
}

static void
a_whole_message_is_lent_from_the_input(void)
{
    struct kit k;
    struct weft_event ev;
    struct weft_input in;

    start(&k, WEFT_SERVER);
    FRAME(&k, 0x81, "Hello");
    in = (struct weft_input){ k.wire.data, k.wire.tail };
    CHECK(weft_session_read(&k.s, &in, &ev) == WEFT_EVENT);
    CHECK(ev.data == k.wire.data + 6 && k.s.message.data == NULL);
    CHECK(weft_session_read(&k.s, &in, &ev) == WEFT_MORE);
    stop(&k);
}

/* A connection that waits owns no buffer. */
static void
no_memory_is_taken_for_a_length_announced(void)
{
    struct kit k;

    start(&k, WEFT_SERVER);
    k.limits.max_message = k.limits.max_frame = UINT64_MAX;
    RAW(&k, "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1\2\3\4");
    feed(&k, 1);
    CHECK(k.s.message.cap == 0);
    RAW(&k, "twenty bytes come in");
    feed(&k, 3);
    CHECK(weft_session_held(&k.s) == 20 && k.s.message.cap <= 256);
    CHECK(NOTED(&k, ""));
    stop(&k);
}

static void (*const behaviours[])(struct kit *, size_t) = {
    messages_come_out_as_they_were_sent,
    fragments_make_one_message,
    control_frames_come_between_fragments,
    characters_may_be_cut_by_fragments,
    every_ping_is_answered_in_order,
    pongs_behind_a_full_socket_are_merged,
    a_held_pong_comes_before_the_close,
    a_close_is_echoed_and_ends_reading,
    a_close_without_a_code_is_answered_without_one,
    the_answer_to_our_close_is_not_answered,
    every_form_of_length_is_read,
};

int
main(void)
{
    for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
        for (int cut = 0; cut < CUTS; cut++) {
            struct kit k;

            start(&k, WEFT_SERVER);
            behaviours[i](&k, cuts[cut]);
            stop(&k);
            start(&k, WEFT_CLIENT);
            behaviours[i](&k, cuts[cut]);
            stop(&k);
        }
    }
    a_whole_message_is_lent_from_the_input();
    no_memory_is_taken_for_a_length_announced();
    return check_report();
}
