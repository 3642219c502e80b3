/* What a session sends (RFC 6455, sections 5 and 7), in both roles. */
#include "session_kit.h"

static enum weft_status
say(struct kit *k, const char *text)
{
    return weft_session_send(&k->s, WEFT_TEXT, text, strlen(text));
}

static void
messages_leave_as_single_frames(struct kit *k)
{
    CHECK(say(k, "Hello") == WEFT_OK);
    CHECK(weft_session_send(&k->s, WEFT_BINARY, "\0\1", 2) == WEFT_OK);
    CHECK(weft_session_send(&k->s, WEFT_TEXT, NULL, 0) == WEFT_OK);
    take_sent(k);
    CHECK(NOTED(k, "sent text Hello\nsent binary \0\1\nsent text\n"));
}

/* What one session sends another of the other role reads, at each length
 * where the head changes its form, and queued in each of the ways. */
static void
the_other_role_reads_what_was_sent(struct kit *k)
{
    static const size_t lengths[] = { 0, 1, 125, 126, 127, 65535, 65536 };
    enum weft_role other = k->s.role == WEFT_SERVER ? WEFT_CLIENT
                                                    : WEFT_SERVER;
    uint8_t *data = malloc(65536);
    struct weft_span span;
    struct kit peer;

    start(&peer, other);
    for (size_t i = 0; i < 65536; i++)
        data[i] = (uint8_t)('a' + i % 23);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i], want = len > 0 ? len + 6 : 5;

        CHECK(weft_session_send(&k->s, WEFT_TEXT, data, len) == WEFT_OK);
        CHECK(weft_session_send_borrowed(&k->s, WEFT_TEXT, data, len) ==
              WEFT_OK);
        CHECK(weft_session_write(&k->s, WEFT_TEXT, data, len / 3, false) ==
              WEFT_OK);
        CHECK(weft_session_write(&k->s, WEFT_TEXT, data + len / 3,
                                 len - len / 3, true) == WEFT_OK);
        while (weft_outq_spans(&k->s.out, &span, 1) > 0) {
            raw(&peer, span.data, span.len);
            weft_outq_consume(&k->s.out, span.len);
        }
        feed(&peer, SIZE_MAX);
        CHECK(weft_buf_len(&peer.log) == 3 * want);
        for (int n = 0; n < 3 && len > 0; n++) {
            CHECK(memcmp(weft_buf_head(&peer.log) + 5, data, len) == 0);
            weft_buf_consume(&peer.log, want);
        }
        weft_buf_consume(&peer.log, weft_buf_len(&peer.log));
    }
    CHECK(k->s.out.borrowed == (k->s.role == WEFT_SERVER ? 6 : 0));
    CHECK(k->s.out.returned == k->s.out.borrowed);
    stop(&peer);
    free(data);
}

static void
a_message_in_pieces_keeps_others_out_but_not_control_frames(struct kit *k)
{
    CHECK(weft_session_write(&k->s, WEFT_TEXT, "Hel", 3, false) == WEFT_OK);
    CHECK(say(k, "x") == WEFT_E_BUSY);
    CHECK(weft_session_send_borrowed(&k->s, WEFT_TEXT, "x", 1) ==
          WEFT_E_BUSY);
    CHECK(weft_session_ping(&k->s, "?", 1) == WEFT_OK);
    CHECK(weft_session_pong(&k->s, "", 0) == WEFT_OK);
    CHECK(weft_session_write(&k->s, WEFT_BINARY, "", 0, false) == WEFT_OK);
    CHECK(weft_session_write(&k->s, WEFT_TEXT, "lo", 2, true) == WEFT_OK);
    CHECK(say(k, "x") == WEFT_OK);
    CHECK(weft_session_write(&k->s, WEFT_BINARY, "y", 1, true) == WEFT_OK);
    CHECK(weft_session_write(&k->s, WEFT_BINARY, "z", 1, false) == WEFT_OK);
    CHECK(weft_session_close(&k->s, 1000, NULL, 0) == WEFT_OK);
    take_sent(k);
    CHECK(NOTED(k, "sent part text Hel\nsent ping ?\nsent pong\n"
                   "sent part rest\nsent rest lo\nsent text x\n"
                   "sent binary y\nsent part binary z\nsent close 1000\n"));
}

static void
nothing_is_sent_after_a_close(struct kit *k)
{
    CHECK(weft_session_close(&k->s, 4321, "why", 3) == WEFT_OK);
    CHECK(weft_session_close(&k->s, 1000, NULL, 0) == WEFT_OK);
    CHECK(say(k, "x") == WEFT_E_CLOSED);
    CHECK(weft_session_send_borrowed(&k->s, WEFT_TEXT, "x", 1) ==
          WEFT_E_CLOSED);
    CHECK(weft_session_write(&k->s, WEFT_TEXT, "x", 1, true) ==
          WEFT_E_CLOSED);
    CHECK(weft_session_ping(&k->s, "", 0) == WEFT_E_CLOSED);
    CHECK(weft_session_pong(&k->s, "", 0) == WEFT_E_CLOSED);
    weft_session_fail(&k->s, WEFT_E_UTF8);
    CHECK(k->s.close_sent && k->s.sent_code == 4321);
    CHECK(!weft_session_closed(&k->s));
    take_sent(k);
    CHECK(NOTED(k, "sent close 4321 why\n"));
}

static void
a_close_may_go_without_a_code(struct kit *k)
{
    CHECK(weft_session_close(&k->s, 1005, NULL, 0) == WEFT_OK);
    CHECK(k->s.sent_code == 1005);
    take_sent(k);
    CHECK(NOTED(k, "sent close\n"));
}

/* 5.5 */
static void
control_frames_hold_125_bytes_and_no_more(struct kit *k)
{
    char data[126];

    memset(data, 'x', sizeof(data));
    CHECK(weft_session_ping(&k->s, data, 125) == WEFT_OK);
    CHECK(weft_session_ping(&k->s, data, 126) == WEFT_E_CONTROL_TOO_LONG);
    CHECK(weft_session_pong(&k->s, data, 126) == WEFT_E_CONTROL_TOO_LONG);
    weft_outq_consume(&k->s.out, weft_outq_len(&k->s.out));
    CHECK(weft_session_close(&k->s, 1000, data, 124) ==
          WEFT_E_CONTROL_TOO_LONG);
    CHECK(weft_outq_len(&k->s.out) == 0 && !k->s.close_sent);
    CHECK(weft_session_close(&k->s, 1000, data, 123) == WEFT_OK);
    CHECK(weft_outq_len(&k->s.out) == 127 +
          (k->s.role == WEFT_CLIENT ? 4u : 0u));
}

static void
failing_sends_the_code_and_ends_both_ways(struct kit *k)
{
    FRAME(k, 0x01, "half a message, ");
    feed(k, 5);
    CHECK(say(k, "last words") == WEFT_OK);
    weft_session_fail(&k->s, WEFT_E_MEMORY);
    CHECK(k->s.failure == WEFT_E_MEMORY);
    FRAME(k, 0x80, "unheard");
    feed(k, 5);
    CHECK(say(k, "x") == WEFT_E_CLOSED);
    take_sent(k);
    CHECK(NOTED(k, "sent text last words\nsent close 1011\n"));
}

static void (*const behaviours[])(struct kit *) = {
    messages_leave_as_single_frames,
    the_other_role_reads_what_was_sent,
    a_message_in_pieces_keeps_others_out_but_not_control_frames,
    nothing_is_sent_after_a_close,
    a_close_may_go_without_a_code,
    control_frames_hold_125_bytes_and_no_more,
    failing_sends_the_code_and_ends_both_ways,
};

/* 5.3: a mask that could be guessed would be none. */
static void
a_client_draws_a_new_mask_for_each_frame(void)
{
    struct weft_outq *q;
    const uint8_t *at;
    struct kit k;

    start(&k, WEFT_CLIENT);
    q = &k.s.out;
    for (int i = 0; i < 300; i++)
        CHECK(say(&k, "same") == WEFT_OK);
    at = weft_buf_head(&q->bytes);
    for (size_t i = 10; i < weft_buf_len(&q->bytes); i += 10)
        CHECK(memcmp(at + i + 2, at + i - 8, 4) != 0);
    stop(&k);
}

/* A room: one chunk for all, whole frames in it. */
static void
chunks_are_shared_when_that_saves_a_copy(void)
{
    char text[3000];
    struct weft_chunk *little, *large;
    struct kit k;

    start(&k, WEFT_SERVER);
    memset(text, 'x', sizeof(text));
    little = weft_session_frame_chunk(WEFT_TEXT, "for all", 7);
    large = weft_session_frame_chunk(WEFT_BINARY, text, sizeof(text));
    CHECK(little->len == 9 && large->len == sizeof(text) + 4);
    CHECK(weft_session_send_chunk(&k.s, little) == WEFT_OK);
    CHECK(weft_session_send_chunk(&k.s, large) == WEFT_OK);
    CHECK(weft_session_send_chunk(&k.s, little) == WEFT_OK);
    CHECK(little->references == 1 && large->references == 2);
    CHECK(weft_session_write(&k.s, WEFT_TEXT, "part", 4, false) == WEFT_OK);
    CHECK(weft_session_send_chunk(&k.s, little) == WEFT_E_BUSY);
    CHECK(weft_session_close(&k.s, 1001, "", 0) == WEFT_OK);
    CHECK(weft_session_send_chunk(&k.s, large) == WEFT_E_CLOSED);
    take_sent(&k);
    CHECK(weft_buf_len(&k.log) == 18 + 3013 + 18 + 20 + 16);
    CHECK(large->references == 1);
    weft_chunk_release(little);
    weft_chunk_release(large);
    stop(&k);
}

static void
a_session_that_is_gone_does_nothing(void)
{
    struct kit k;

    start(&k, WEFT_SERVER);
    CHECK(say(&k, "x") == WEFT_OK);
    weft_session_deinit(&k.s);
    CHECK(say(&k, "x") == WEFT_E_CLOSED);
    CHECK(weft_session_close(&k.s, 1000, "", 0) == WEFT_E_CLOSED);
    FRAME(&k, 0x89, "?");
    feed(&k, 1);
    weft_session_set_blocked(&k.s, false);
    CHECK(!weft_session_pending(&k.s) && weft_outq_len(&k.s.out) == 0);
    CHECK(NOTED(&k, ""));
    stop(&k);
}

int
main(void)
{
    for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
        struct kit k;

        start(&k, WEFT_SERVER);
        behaviours[i](&k);
        stop(&k);
        start(&k, WEFT_CLIENT);
        behaviours[i](&k);
        stop(&k);
    }
    a_client_draws_a_new_mask_for_each_frame();
    chunks_are_shared_when_that_saves_a_copy();
    a_session_that_is_gone_does_nothing();
    return check_report();
}
