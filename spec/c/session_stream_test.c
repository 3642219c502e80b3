/* Messages in chunks, and large ones received straight into their memory. */
#include "session_kit.h"

/* The chunks of one message, put together again: "text Hello|". */
static size_t
join_chunks(struct kit *k, char *to, size_t room)
{
    char *at = (char *)weft_buf_head(&k->log);
    char *end = at + weft_buf_len(&k->log);
    size_t n = 0;

    while (at < end) {
        char *line = memchr(at, '\n', (size_t)(end - at));
        bool last = strncmp(at, "chunk last", 10) == 0;
        char *text = at + (last ? 15 : 10);

        CHECK(strncmp(at, "chunk", 5) == 0 && n + 100 < room);
        if (text < line) { /* behind the blank */
            memcpy(to + n, text + 1, (size_t)(line - text - 1));
            n += (size_t)(line - text - 1);
        }
        if (last)
            to[n++] = '|';
        at = line + 1;
    }
    weft_buf_consume(&k->log, weft_buf_len(&k->log));
    return n;
}

static void
chunks_add_up_to_the_messages(struct kit *k, size_t cut)
{
    static const char want[] = "Hello|||gr\xC3\xBC\xC3\x9F|ends empty|";
    char got[1000];
    size_t n;

    weft_session_stream(&k->s, true);
    FRAME(k, 0x01, "Hel");
    FRAME(k, 0x00, "");
    FRAME(k, 0x80, "lo");
    FRAME(k, 0x81, "");
    FRAME(k, 0x01, "");
    FRAME(k, 0x80, "");
    FRAME(k, 0x81, "gr\xC3\xBC\xC3\x9F");
    FRAME(k, 0x01, "ends empty");
    FRAME(k, 0x80, "");
    feed(k, cut);
    CHECK(k->s.message.data == NULL);
    n = join_chunks(k, got, sizeof(got));
    CHECK(n == sizeof(want) - 1 && memcmp(got, want, n) == 0);
}

static void
an_empty_last_frame_gives_a_last_chunk(struct kit *k, size_t cut)
{
    weft_session_stream(&k->s, true);
    FRAME(k, 0x01, "");
    FRAME(k, 0x00, "");
    FRAME(k, 0x89, "?");
    FRAME(k, 0x80, "");
    feed(k, cut);
    CHECK(NOTED(k, "ping ?\nchunk last text\n"));
}

static void
bad_text_fails_in_chunks_too(struct kit *k, size_t cut)
{
    weft_session_stream(&k->s, true);
    FRAME(k, 0x01, "\xE2");
    FRAME(k, 0x80, "\x82");
    feed(k, cut);
    CHECK(k->failure == WEFT_E_UTF8);
    CHECK(NOTED(k, "chunk text \xE2\nfault 1007\n"));
}

static void
what_was_collected_is_the_first_chunk(struct kit *k, size_t cut)
{
    FRAME(k, 0x01, "collected");
    FRAME(k, 0x00, "");
    feed(k, cut);
    CHECK(NOTED(k, "") && weft_session_held(&k->s) == 9);
    CHECK(!weft_session_pending(&k->s));
    weft_session_stream(&k->s, true);
    CHECK(weft_session_pending(&k->s));
    feed_piece(k, NULL, 0);
    CHECK(NOTED(k, "chunk text collected\n"));
    CHECK(!weft_session_pending(&k->s) && k->s.message.data == NULL);
    FRAME(k, 0x80, "!");
    feed(k, cut);
    CHECK(NOTED(k, "chunk last text !\n"));
}

static void
leaving_a_message_skips_its_rest(struct kit *k, size_t cut)
{
    weft_session_stream(&k->s, true);
    FRAME(k, 0x02, "a");
    feed(k, cut);
    weft_session_stream(&k->s, false);
    FRAME(k, 0x00, "skipped");
    FRAME(k, 0x89, "?");
    FRAME(k, 0x80, "skipped too");
    FRAME(k, 0x82, "next");
    feed(k, cut);
    CHECK(NOTED(k, "chunk binary a\nping ?\nbinary next\n"));
    CHECK(k->s.message.data == NULL);
}

static void
what_is_skipped_is_checked_and_counted(struct kit *k, size_t cut)
{
    k->limits.max_message = 20;
    weft_session_stream(&k->s, true);
    FRAME(k, 0x01, "a");
    feed(k, cut);
    weft_session_stream(&k->s, false);
    FRAME(k, 0x00, "0123456789");
    FRAME(k, 0x00, "0123456789");
    feed(k, cut);
    CHECK(k->failure == WEFT_E_MESSAGE_TOO_BIG);
    CHECK(NOTED(k, "chunk text a\nfault 1009\n"));
}

static void
bad_text_that_is_skipped_fails(struct kit *k, size_t cut)
{
    weft_session_stream(&k->s, true);
    FRAME(k, 0x01, "a");
    feed(k, cut);
    weft_session_stream(&k->s, false);
    FRAME(k, 0x80, "\xFF");
    feed(k, cut);
    CHECK(NOTED(k, "chunk text a\nfault 1007\n"));
}

/* Nothing of it was handed out, so nothing of it is lost. */
static void
a_message_not_begun_is_not_skipped(struct kit *k, size_t cut)
{
    weft_session_stream(&k->s, true);
    FRAME(k, 0x81, "one");
    FRAME(k, 0x01, "");
    feed(k, SIZE_MAX);
    weft_session_stream(&k->s, false);
    FRAME(k, 0x80, "two");
    FRAME(k, 0x01, "thr");
    feed(k, cut);
    weft_session_stream(&k->s, true);
    weft_session_stream(&k->s, false);
    FRAME(k, 0x80, "ee");
    feed(k, cut);
    CHECK(NOTED(k, "chunk last text one\ntext two\ntext three\n"));
}

/* Straight into the message ---------------------------------------------- */

/* Feeds like a link: through the room where there is one, `size` bytes at
 * most at a time. */
static void
feed_through_room(struct kit *k, size_t size, size_t *most)
{
    while (weft_buf_len(&k->wire) > 0 || weft_session_pending(&k->s)) {
        size_t left = weft_buf_len(&k->wire), room = 0;
        uint8_t *to = weft_session_room(&k->s, &room);
        size_t n = left < size ? left : size;

        CHECK(k->s.message.cap <= 4 * weft_session_held(&k->s) + (1 << 17));
        if (to == NULL || left == 0) {
            feed_piece(k, weft_buf_head(&k->wire), n);
        } else {
            n = n < room ? n : room;
            memcpy(to, weft_buf_head(&k->wire), n);
            weft_session_received(&k->s, n);
            *most = n > *most ? n : *most;
        }
        weft_buf_consume(&k->wire, n);
    }
}

static void
large_message(struct kit *k, uint8_t *data, size_t len)
{
    frame(k, 0x01, data, 300);
    frame(k, 0x00, data + 300, 20000);
    FRAME(k, 0x89, "?");
    frame(k, 0x80, data + 20300, len - 20300);
    FRAME(k, 0x81, "next");
}

static void
the_room_gives_the_same_messages(struct kit *k, size_t cut)
{
    size_t len = 400000, most = 0;
    uint8_t *data = malloc(len);
    struct kit other;

    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i % 3 == 0 ? 0xE4 : i % 3 == 1 ? 0xB8 : 0xAD);
    len -= len % 3;
    start(&other, k->s.role);
    large_message(k, data, len);
    large_message(&other, data, len);
    feed_through_room(k, cut, &most);
    feed(&other, SIZE_MAX);
    CHECK((most > 0) == (cut < SIZE_MAX)); /* or all came at once */
    CHECK(noted(k, (char *)weft_buf_head(&other.log),
                weft_buf_len(&other.log)));
    stop(&other);
    free(data);
}

static void
bad_text_in_the_room_fails_at_once(struct kit *k, size_t cut)
{
    size_t most = 0;
    uint8_t *data = malloc(100000);

    memset(data, 'x', 100000);
    data[5000] = 0xFF;
    frame(k, 0x81, data, 100000);
    k->wire.tail -= 50000; /* half of it is still to come */
    feed_through_room(k, cut, &most);
    CHECK((most > 0) == (cut < SIZE_MAX));
    CHECK(k->failure == WEFT_E_UTF8);
    CHECK(NOTED(k, "fault 1007\n"));
    CHECK(k->s.message.data == NULL && !weft_session_pending(&k->s));
    free(data);
}

static bool
offers_room(struct kit *k)
{
    size_t len;

    return weft_session_room(&k->s, &len) != NULL;
}

static void
room_is_offered_for_large_payloads_only(struct kit *k, size_t cut)
{
    uint8_t *data = calloc(1, 40000);

    CHECK(!offers_room(k));
    frame(k, 0x82, data, 40000);
    k->wire.tail -= 39000;
    feed(k, cut);
    CHECK(offers_room(k));
    weft_session_stream(&k->s, true);
    CHECK(!offers_room(k));
    k->wire.head = k->wire.tail = 0;
    raw(k, data, 39000 - 16384);
    feed(k, cut);
    weft_session_stream(&k->s, false); /* skipped from here */
    CHECK(!offers_room(k));
    raw(k, data, 16384);
    frame(k, 0x82, data, 16383 + 10);
    k->wire.tail -= 16383;
    feed(k, cut);
    CHECK(!offers_room(k)); /* too little is outstanding */
    free(data);
}

static void (*const behaviours[])(struct kit *, size_t) = {
    chunks_add_up_to_the_messages,
    an_empty_last_frame_gives_a_last_chunk,
    bad_text_fails_in_chunks_too,
    what_was_collected_is_the_first_chunk,
    leaving_a_message_skips_its_rest,
    what_is_skipped_is_checked_and_counted,
    bad_text_that_is_skipped_fails,
    a_message_not_begun_is_not_skipped,
    the_room_gives_the_same_messages,
    bad_text_in_the_room_fails_at_once,
    room_is_offered_for_large_payloads_only,
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
    return check_report();
}
