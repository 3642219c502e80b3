/*
 * Giving up what is queued: wherever the sending stands, what the peer gets is
 * whole frames and then the close.
 */
#include "failing_mem.h"
#include "proto/session_inner.h"
#include "session_kit.h"

enum { LONG = 1100 };

static uint8_t text[LONG];

/* Frames of all kinds: copied, borrowed, a chunk, in pieces, and a ping. */
static void
queue_all(struct kit *k)
{
    struct weft_chunk *c = weft_session_frame_chunk(WEFT_TEXT, text, LONG);
    struct weft_session *s = &k->s;

    CHECK(weft_session_send(s, WEFT_TEXT, "one", 3) == WEFT_OK);
    if (s->role == WEFT_SERVER) {
        CHECK(weft_session_send_borrowed(s, WEFT_TEXT, text, LONG) == WEFT_OK);
        CHECK(weft_session_send_chunk(s, c) == WEFT_OK);
        CHECK(s->out.shared == c->len);
    }
    CHECK(weft_session_ping(s, "?", 1) == WEFT_OK);
    CHECK(weft_session_send(s, WEFT_TEXT, text, 300) == WEFT_OK);
    CHECK(weft_session_write(s, WEFT_TEXT, "piece", 5, false) == WEFT_OK);
    CHECK(weft_session_write(s, WEFT_TEXT, "last", 4, true) == WEFT_OK);
    weft_chunk_release(c);
}

/* Sends n bytes, at most `step` at a time, and keeps them as the wire. */
static void
send_bytes(struct kit *k, size_t n, size_t step)
{
    while (n > 0) {
        struct weft_span spans[64];
        int count = weft_outq_spans(&k->s.out, spans, 64);
        size_t now = n < step ? n : step, left = now;

        for (int i = 0; i < count && left > 0; i++) {
            size_t part = spans[i].len < left ? spans[i].len : left;

            weft_buf_add(&k->wire, spans[i].data, part);
            left -= part;
        }
        weft_session_sent(&k->s, spans, now);
        n -= now;
    }
}

/* Reads what was sent as whole frames; how many, the last of them the close. */
static int
count_frames(struct kit *k)
{
    int frames = 0;

    while (weft_buf_len(&k->wire) > 0) {
        size_t n;

        weft_buf_consume(&k->log, weft_buf_len(&k->log));
        n = note_sent(k, weft_buf_head(&k->wire), weft_buf_len(&k->wire));
        CHECK(n > 0);
        if (n == 0)
            break;
        weft_buf_consume(&k->wire, n);
        frames++;
    }
    CHECK(NOTED(k, "sent close 1013\n"));
    return frames;
}

static void
the_peer_gets_whole_frames(enum weft_role role, size_t step)
{
    size_t len = SIZE_MAX;
    int before = 0;

    for (size_t n = 0; n <= len; n++) {
        struct kit k;
        int frames;

        start(&k, role);
        queue_all(&k);
        len = weft_outq_len(&k.s.out);
        send_bytes(&k, n, step);
        CHECK(weft_session_shed(&k.s));
        CHECK(weft_outq_len(&k.s.out) == k.s.front && k.s.out.shared == 0);
        CHECK(k.s.out.returned == k.s.out.borrowed);
        weft_session_fail(&k.s, WEFT_E_OVER_MEMORY);
        send_bytes(&k, weft_outq_len(&k.s.out), step);
        frames = count_frames(&k);
        CHECK(frames == before || frames == before + 1);
        before = frames;
        stop(&k);
    }
    CHECK(before == (role == WEFT_SERVER ? 8 : 6));
}

/* A close that waits behind it all goes too, and another takes its place; one
 * that has begun to leave stays the only one. */
static void
there_is_one_close(void)
{
    for (size_t n = 0; n <= 9; n++) {
        struct kit k;

        start(&k, WEFT_SERVER);
        CHECK(weft_session_send(&k.s, WEFT_TEXT, "one", 3) == WEFT_OK);
        CHECK(weft_session_close(&k.s, 1000, NULL, 0) == WEFT_OK);
        send_bytes(&k, n, SIZE_MAX);
        CHECK(weft_session_shed(&k.s));
        weft_session_fail(&k.s, WEFT_E_OVER_MEMORY);
        send_bytes(&k, weft_outq_len(&k.s.out), SIZE_MAX);
        while (weft_buf_len(&k.wire) > 0)
            weft_buf_consume(&k.wire, note_sent(&k, weft_buf_head(&k.wire),
                                                weft_buf_len(&k.wire)));
        if (n == 0)
            CHECK(NOTED(&k, "sent close 1013\n"));
        else if (n <= 5)
            CHECK(NOTED(&k, "sent text one\nsent close 1013\n"));
        else
            CHECK(NOTED(&k, "sent text one\nsent close 1000\n"));
        stop(&k);
    }
}

static void
an_unfinished_message_goes(void)
{
    struct kit k;

    start(&k, WEFT_SERVER);
    FRAME(&k, 0x01, "Hel");
    feed(&k, 1);
    CHECK(weft_session_held(&k.s) == 3);
    CHECK(weft_session_shed(&k.s));
    CHECK(weft_session_held(&k.s) == 0 && k.s.message.data == NULL);
    stop(&k);
}

static void
without_memory_nothing_changes(void)
{
    struct kit k;

    start(&k, WEFT_SERVER);
    queue_all(&k);
    send_bytes(&k, 10, SIZE_MAX);
    allowed = 0;
    CHECK(!weft_session_shed(&k.s));
    allowed = -1;
    CHECK(k.s.front > 0 && k.s.out.shared > 0);
    CHECK(weft_session_shed(&k.s));
    stop(&k);
}

/* What many queues share counts once, as long as one of them has it. */
static void
a_chunk_counts_once(void)
{
    struct weft_chunk *c = weft_chunk_new(100);
    struct weft_outq a = { 0 }, b = { 0 };
    size_t sum = 5;

    weft_chunk_count(NULL, &sum);
    weft_chunk_count(c, &sum);
    CHECK(sum == 105);
    CHECK(weft_outq_add_chunk(&a, c) == WEFT_OK);
    CHECK(weft_outq_add_chunk(&b, c) == WEFT_OK);
    weft_chunk_release(c);
    weft_outq_consume(&a, 60);
    CHECK(a.shared == 40 && b.shared == 100 && sum == 105);
    weft_outq_deinit(&b);
    CHECK(sum == 105);
    weft_outq_consume(&a, 40);
    CHECK(a.shared == 0 && sum == 5);
    weft_outq_deinit(&a);
}

int
main(void)
{
    static const size_t steps[] = { 1, 7, 1000, SIZE_MAX };

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        the_peer_gets_whole_frames(WEFT_SERVER, steps[i]);
        the_peer_gets_whole_frames(WEFT_CLIENT, steps[i]);
    }
    there_is_one_close();
    an_unfinished_message_goes();
    without_memory_nothing_changes();
    a_chunk_counts_once();
    CHECK(unfreed == 0);
    return check_report();
}
