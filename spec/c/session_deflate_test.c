/* A session that agreed on compression (RFC 7692, 6 and 7), in both roles,
 * with and without windows that last, and under every cut. */
#include "deflate_kit.h"
#include "session_kit.h"

#ifdef WEFT_NO_ZLIB

int
main(void)
{
    struct weft_deflate_options o = { 0 };
    struct weft_deflate_agreed a = { 0 };
    struct kit k;

    start(&k, WEFT_SERVER);
    CHECK(weft_session_deflate(&k.s, &o, &a, NULL) == WEFT_OK);
    FRAME(&k, 0xC1, "");
    feed(&k, 1);
    CHECK(k.failure == WEFT_E_RESERVED_BITS);
    stop(&k);
    return check_report();
}

#else

enum { LEN = 300000 };

static uint8_t text[LEN];

/* The session under test and the one that talks to it. */
struct pair {
    struct kit k, peer;
    struct weft_deflate_pool pool, peers_pool;
    struct agreement g;
    size_t cut;
};

static void
start_pair(struct pair *p, enum weft_role role, const struct agreement *g,
           size_t cut)
{
    *p = (struct pair){ .g = *g, .cut = cut };
    start(&p->k, role);
    start(&p->peer, role == WEFT_SERVER ? WEFT_CLIENT : WEFT_SERVER);
    CHECK(weft_session_deflate(&p->k.s, &p->g.o, &p->g.a, &p->pool) ==
          WEFT_OK);
    CHECK(weft_session_deflate(&p->peer.s, &p->g.o, &p->g.a,
                               &p->peers_pool) == WEFT_OK);
    CHECK(p->k.s.deflate != NULL);
}

static void
stop_pair(struct pair *p)
{
    stop(&p->k);
    stop(&p->peer);
    weft_deflate_pool_deinit(&p->pool);
    weft_deflate_pool_deinit(&p->peers_pool);
}

/* What one has to send goes onto the other's wire. */
static size_t
carry(struct kit *from, struct kit *to)
{
    struct weft_span span;
    size_t all = 0;

    while (weft_outq_spans(&from->s.out, &span, 1) > 0) {
        raw(to, span.data, span.len);
        all += span.len;
        weft_outq_consume(&from->s.out, span.len);
    }
    return all;
}

static size_t
least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t
tell(struct pair *p, enum weft_opcode opcode, const void *data, size_t len)
{
    CHECK(weft_session_send(&p->peer.s, opcode, data, len) == WEFT_OK);
    return carry(&p->peer, &p->k);
}

static size_t
tell_piece(struct pair *p, const void *data, size_t len, bool last)
{
    CHECK(weft_session_write(&p->peer.s, WEFT_TEXT, data, len, last) ==
          WEFT_OK);
    return carry(&p->peer, &p->k);
}

static bool
noted_text(struct kit *k, const char *what, const uint8_t *data, size_t len)
{
    size_t n = strlen(what), size = n + 1 + len + 1;
    const char *at = (const char *)weft_buf_head(&k->log);
    bool same = weft_buf_len(&k->log) >= size && memcmp(at, what, n) == 0 &&
                memcmp(at + n + 1, data, len) == 0 && at[size - 1] == '\n';

    CHECK(same);
    weft_buf_consume(&k->log, same ? size : weft_buf_len(&k->log));
    return same;
}

/* Whether the session holds no stream that it borrowed. */
static bool
all_went_back(const struct pair *p)
{
    const struct weft_deflate *d = p->k.s.deflate;

    return (d->in == NULL || d->in_takeover) &&
           (d->out == NULL || d->out_takeover);
}

/* Reading ----------------------------------------------------------------- */

static void
messages_come_out_as_they_were_sent(struct pair *p)
{
    size_t wire;

    tell(p, WEFT_TEXT, "short", 5);
    wire = tell(p, WEFT_TEXT, text, 4000);
    CHECK(wire < 3000);
    tell(p, WEFT_BINARY, text + 1000, 50000);
    tell(p, WEFT_TEXT, "", 0);
    tell(p, WEFT_TEXT, text, 4000);
    feed(&p->k, p->cut);
    CHECK(noted_text(&p->k, "text", (const uint8_t *)"short", 5));
    CHECK(noted_text(&p->k, "text", text, 4000));
    CHECK(noted_text(&p->k, "binary", text + 1000, 50000));
    CHECK(weft_buf_len(&p->k.log) > 5 &&
          memcmp(weft_buf_head(&p->k.log), "text\n", 5) == 0);
    weft_buf_consume(&p->k.log, 5);
    CHECK(noted_text(&p->k, "text", text, 4000));
    CHECK(NOTED(&p->k, "") && all_went_back(p));
}

/* 5.4, and RFC 7692, 6.1: the bit is on the first frame alone. */
static void
control_frames_come_between_the_fragments(struct pair *p)
{
    tell_piece(p, text, 1000, false);
    FRAME(&p->k, 0x89, "?");
    tell_piece(p, text + 1000, 0, false);
    tell_piece(p, text + 1000, 9000, false);
    FRAME(&p->k, 0x8A, "!");
    tell_piece(p, text + 10000, 7, true);
    tell(p, WEFT_TEXT, "next", 4);
    feed(&p->k, p->cut);
    CHECK(memcmp(weft_buf_head(&p->k.log), "ping ?\npong !\n", 14) == 0);
    weft_buf_consume(&p->k.log, 14);
    CHECK(noted_text(&p->k, "text", text, 10007));
    CHECK(NOTED(&p->k, "text next\n") && all_went_back(p));
}

static void
an_empty_message_may_be_compressed(struct pair *p)
{
    tell_piece(p, "", 0, true);
    tell_piece(p, "", 0, false);
    tell_piece(p, "", 0, true);
    FRAME(&p->k, 0xC1, "");
    FRAME(&p->k, 0x41, "");
    FRAME(&p->k, 0x80, "");
    FRAME(&p->k, 0xC2, "\x03\x00");
    feed(&p->k, p->cut);
    CHECK(NOTED(&p->k, "text\ntext\ntext\ntext\nbinary\n"));
    CHECK(all_went_back(p));
}

/* RFC 7692, 7.2.3.1 */
static void
fragments_are_cut_anywhere(struct pair *p)
{
    FRAME(&p->k, 0x41, "\xF2\x48\xCD");
    FRAME(&p->k, 0x00, "");
    FRAME(&p->k, 0x80, "\xC9\xC9\x07\x00");
    FRAME(&p->k, 0xC1, "\xF3\x48\xCD\xC9\xC9\x07\x00");
    FRAME(&p->k, 0xC1, "\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF");
    feed(&p->k, p->cut);
    CHECK(NOTED(&p->k, "text Hello\ntext Hello\ntext Hello\n"));
}

static void
no_room_is_offered(struct pair *p)
{
    size_t room;

    frame(&p->k, 0xC2, text, 100000);
    p->k.wire.tail -= 100000;
    feed(&p->k, p->cut);
    CHECK(p->k.s.compressed && weft_session_room(&p->k.s, &room) == NULL);
}

/* In chunks --------------------------------------------------------------- */

/* What the chunks in the log add up to is that text. */
static void
chunks_are(struct pair *p, const uint8_t *data, size_t len)
{
    size_t n = 0, left = weft_buf_len(&p->k.log);
    const char *at = (const char *)weft_buf_head(&p->k.log);
    bool last = false;

    while (left > 0 && !last) {
        const char *line = memchr(at, '\n', left);
        size_t size = (size_t)(line - at) + 1, head;

        last = strncmp(at, "chunk last", 10) == 0;
        head = last ? 15 : 10;
        CHECK(strncmp(at, "chunk", 5) == 0);
        if (size > head + 1) {
            size -= head + 2;
            CHECK(size <= 65536 && n + size <= len &&
                  memcmp(at + head + 1, data + n, size) == 0);
            n += size;
            size += head + 2;
        }
        at += size;
        left -= size;
    }
    CHECK(last && n == len);
    weft_buf_consume(&p->k.log, weft_buf_len(&p->k.log) - left);
}

static void
a_message_comes_in_chunks(struct pair *p)
{
    weft_session_stream(&p->k.s, true);
    tell(p, WEFT_TEXT, text, 140000);
    tell_piece(p, text, 70000, false);
    tell_piece(p, text + 70000, 65536, false);
    tell_piece(p, text, 0, true);
    tell(p, WEFT_TEXT, text, 65536);
    tell(p, WEFT_TEXT, "plain", 5);
    feed(&p->k, p->cut);
    chunks_are(p, text, 140000);
    chunks_are(p, text, 135536);
    chunks_are(p, text, 65536);
    chunks_are(p, (const uint8_t *)"plain", 5);
    CHECK(NOTED(&p->k, "") && all_went_back(p));
    CHECK(!weft_session_pending(&p->k.s));
}

/* One read, many chunks: the session says that there is more. */
static void
chunks_that_wait_are_pending(struct pair *p)
{
    uint8_t *zeros = calloc(1, 1000000);
    struct weft_input in;
    struct weft_event ev;
    size_t all = 0;
    int chunks = 0;

    weft_session_stream(&p->k.s, true);
    tell(p, WEFT_BINARY, zeros, 1000000);
    in = (struct weft_input){ weft_buf_head(&p->k.wire),
                              weft_buf_len(&p->k.wire) };
    CHECK(in.len < 3000);
    do {
        CHECK(weft_session_read(&p->k.s, &in, &ev) == WEFT_EVENT);
        CHECK(ev.type == WEFT_EVENT_CHUNK && ev.len <= 65536);
        all += ev.len;
        chunks++;
        CHECK(ev.last || in.len > 0 || weft_session_pending(&p->k.s));
        CHECK(p->k.s.message.cap <= 131072);
    } while (!ev.last && chunks < 100);
    CHECK(all == 1000000 && chunks >= 16 && in.len == 0);
    CHECK(weft_session_read(&p->k.s, &in, &ev) == WEFT_MORE);
    CHECK(p->k.s.message.data == NULL && !weft_session_pending(&p->k.s));
    weft_buf_consume(&p->k.wire, weft_buf_len(&p->k.wire));
    free(zeros);
}

static void
streaming_may_begin_in_the_middle(struct pair *p)
{
    tell_piece(p, text, 5000, false);
    feed(&p->k, p->cut);
    CHECK(weft_session_held(&p->k.s) == 5000);
    weft_session_stream(&p->k.s, true);
    CHECK(weft_session_pending(&p->k.s));
    tell_piece(p, text + 5000, 100000, true);
    feed(&p->k, p->cut);
    chunks_are(p, text, 105000);
}

/* What is left is skipped: inflated and counted, and the window goes on. */
static void
leaving_a_message_skips_its_rest(struct pair *p)
{
    struct weft_input in;
    struct weft_event ev;

    weft_session_stream(&p->k.s, true);
    tell_piece(p, text, 200000, false);
    in = (struct weft_input){ weft_buf_head(&p->k.wire),
                              weft_buf_len(&p->k.wire) };
    CHECK(weft_session_read(&p->k.s, &in, &ev) == WEFT_EVENT && !ev.last);
    weft_session_stream(&p->k.s, false);
    CHECK(weft_session_read(&p->k.s, &in, &ev) == WEFT_MORE);
    CHECK(in.len == 0);
    weft_buf_consume(&p->k.wire, weft_buf_len(&p->k.wire));
    tell_piece(p, text, 70000, false);
    FRAME(&p->k, 0x89, "?");
    tell_piece(p, text, 10, true);
    tell(p, WEFT_TEXT, text, 3000);
    feed(&p->k, p->cut);
    CHECK(memcmp(weft_buf_head(&p->k.log), "ping ?\n", 7) == 0);
    weft_buf_consume(&p->k.log, 7);
    CHECK(noted_text(&p->k, "text", text, 3000) && NOTED(&p->k, ""));
}

static void
what_is_skipped_is_checked_and_counted(struct pair *p)
{
    weft_session_stream(&p->k.s, true);
    p->k.limits.max_message = 200000;
    tell_piece(p, text, 10, false);
    feed(&p->k, p->cut);
    weft_session_stream(&p->k.s, false);
    tell_piece(p, text, 199990, false);
    feed(&p->k, p->cut);
    CHECK(p->k.failure == 0);
    tell_piece(p, text, 1, true);
    feed(&p->k, p->cut);
    CHECK(p->k.failure == WEFT_E_MESSAGE_TOO_BIG && all_went_back(p));
}

/* Faults ------------------------------------------------------------------ */

/* RSV1 has a meaning on a message's first frame; nothing else has any. */
static void
reserved_bits_are_checked_on_every_frame(enum weft_role role, size_t cut)
{
    struct agreement g = agree(15, false, 6);

    for (unsigned first = 0; first < 256; first++) {
        unsigned opcode = first & 15, bits = first >> 4 & 7;
        bool data = opcode == WEFT_TEXT || opcode == WEFT_BINARY;
        struct pair p;

        if (bits == 0 || (opcode & 7) > 2 || (opcode > 2 && first < 128))
            continue;
        start_pair(&p, role, &g, cut);
        if (opcode == WEFT_CONTINUATION)
            FRAME(&p.k, 0x41, "\xF2\x48\xCD\xC9\xC9\x07\x00");
        FRAME(&p.k, first, "");
        feed(&p.k, cut);
        CHECK(p.k.failure ==
              (data && bits == 4 ? WEFT_OK : WEFT_E_RESERVED_BITS));
        CHECK(p.k.failure == 0 || all_went_back(&p));
        stop_pair(&p);
    }
}

struct fault {
    enum weft_status why;
    const char *bytes;
    size_t len;
};

#define FAULT(why, bytes) { why, bytes, sizeof(bytes) - 1 }

static const struct fault faults[] = {
    FAULT(WEFT_E_DEFLATE, "\x06"),
    FAULT(WEFT_E_DEFLATE, "\xF2\x48\xCD\xC9\xC9\x07"),
    FAULT(WEFT_E_DEFLATE, "\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFE"),
    FAULT(WEFT_E_DEFLATE, "\x00\x02\x00\xFD\xFFok\x06"),
    FAULT(WEFT_E_UTF8, "\x00\x01\x00\xFE\xFF\xFF\x06"), /* bad before worse */
    FAULT(WEFT_E_UTF8, "\x00\x02\x00\xFD\xFF\xC3\x28"),
    FAULT(WEFT_E_UTF8, "\x00\x01\x00\xFE\xFF\xC3\x00"),
    FAULT(WEFT_E_DEFLATE, "\x00\x01\x00\xFE\xFF\xC3\x06"),
};

/* The same, and as early, however it was cut, in frames or in reads. */
static void
bad_data_fails(enum weft_role role, size_t cut)
{
    struct agreement g = agree(15, true, 6);

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        for (size_t split = 0; split <= faults[i].len; split++) {
            struct pair p;

            start_pair(&p, role, &g, cut);
            weft_session_stream(&p.k.s, (split & 1) != 0);
            frame(&p.k, 0x41, faults[i].bytes, split);
            frame(&p.k, 0x80, faults[i].bytes + split, faults[i].len - split);
            FRAME(&p.k, 0x81, "never read");
            feed(&p.k, cut);
            CHECK(p.k.failure == faults[i].why);
            CHECK(weft_status_close_code(p.k.failure) == 1007);
            CHECK(p.k.s.message.data == NULL && p.k.s.deflate->in == NULL);
            stop_pair(&p);
        }
}

static void
bad_text_fails_before_its_frame_is_whole(struct pair *p)
{
    static const uint8_t bad[100] = "\x00\x04\x00\xFB\xFFok\xFF!";

    frame(&p->k, 0xC1, bad, 100);
    p->k.wire.tail -= 92; /* up to the bad byte */
    feed(&p->k, p->cut);
    CHECK(p->k.failure == WEFT_E_UTF8);
}

/* Limits ------------------------------------------------------------------ */

static void
a_message_may_be_as_long_as_its_limit(struct pair *p)
{
    p->k.limits.max_message = 100000;
    p->k.limits.max_frame = 200000;
    tell(p, WEFT_TEXT, text, 100000);
    feed(&p->k, p->cut);
    CHECK(noted_text(&p->k, "text", text, 100000) && p->k.failure == 0);
    tell(p, WEFT_TEXT, text, 100001);
    feed(&p->k, p->cut);
    CHECK(p->k.failure == WEFT_E_MESSAGE_TOO_BIG && all_went_back(p));
}

/* Two zeros over in the last piece, after a bad byte that is past the limit. */
static void
what_is_over_the_limit_is_not_looked_at(struct pair *p)
{
    p->k.limits.max_message = 2;
    FRAME(&p->k, 0xC1, "\x00\x03\x00\xFC\xFFok\xFF\x06");
    feed(&p->k, p->cut);
    CHECK(p->k.failure == WEFT_E_MESSAGE_TOO_BIG);
}

static void
bombs_stop_at_the_limit(struct pair *p)
{
    uint8_t *zeros = calloc(1, 1 << 22);
    size_t sent = 0;

    p->k.limits.max_message = p->k.limits.max_frame = 1 << 20;
    tell(p, WEFT_BINARY, zeros, 1 << 20); /* the window is full of them */
    feed(&p->k, p->cut);
    CHECK(p->k.failure == 0);
    weft_buf_consume(&p->k.log, weft_buf_len(&p->k.log));
    while (p->k.failure == 0 && sent < 100) {
        tell_piece(p, zeros, 1 << 18, false);
        sent++;
        while (weft_buf_len(&p->k.wire) > 0) {
            size_t n = least_of(p->cut, weft_buf_len(&p->k.wire));

            feed_piece(&p->k, weft_buf_head(&p->k.wire), n);
            weft_buf_consume(&p->k.wire, n);
            CHECK(weft_session_held(&p->k.s) <= 1 << 20);
            CHECK(p->k.s.message.cap <= 1 << 21);
        }
    }
    CHECK(sent == 5 && p->k.failure == WEFT_E_MESSAGE_TOO_BIG);
    CHECK(p->k.s.message.data == NULL && all_went_back(p));
    free(zeros);
}

/* What cannot be compressed is a little longer on the wire. */
static void
lengths_on_the_wire_have_some_slack(struct pair *p)
{
    p->k.limits.max_message = p->k.limits.max_frame = 16000;
    frame(&p->k, 0xC2, text, 18024);
    p->k.wire.tail -= 18024;
    feed(&p->k, p->cut);
    CHECK(p->k.failure == 0);
}

static void
the_slack_has_an_end(struct pair *p)
{
    p->k.limits.max_message = p->k.limits.max_frame = 16000;
    frame(&p->k, 0xC2, text, 18025);
    p->k.wire.tail -= 18025;
    feed(&p->k, p->cut);
    CHECK(p->k.failure == WEFT_E_MESSAGE_TOO_BIG);
}

static void
limits_without_end_stay_so(struct pair *p)
{
    p->k.limits.max_message = p->k.limits.max_frame = UINT64_MAX;
    tell(p, WEFT_TEXT, text, 1000);
    feed(&p->k, p->cut);
    CHECK(noted_text(&p->k, "text", text, 1000));
}

/* Ends -------------------------------------------------------------------- */

static void
a_close_gives_the_streams_back(struct pair *p)
{
    tell_piece(p, text, 1000, false);
    CHECK(weft_session_write(&p->k.s, WEFT_TEXT, text, 1000, false) ==
          WEFT_OK);
    FRAME(&p->k, 0x88, "\x03\xE8");
    feed(&p->k, p->cut);
    CHECK(p->k.s.deflate->in == NULL && p->k.s.deflate->out == NULL);
    CHECK(p->pool.inflater_count == 1);
    CHECK(p->pool.deflater_count == (p->g.a.server_no_context_takeover ? 1 : 0));
}

static void
failing_gives_the_streams_back(struct pair *p)
{
    tell_piece(p, text, 1000, false);
    CHECK(weft_session_write(&p->k.s, WEFT_TEXT, text, 1000, false) ==
          WEFT_OK);
    feed(&p->k, p->cut);
    CHECK(p->k.s.deflate->in != NULL && p->k.s.deflate->out != NULL);
    weft_session_fail(&p->k.s, WEFT_E_MEMORY);
    CHECK(p->k.s.deflate->in == NULL && p->k.s.deflate->out == NULL);
}

static void
a_session_may_go_in_the_middle(struct pair *p)
{
    tell_piece(p, text, 1000, false);
    CHECK(weft_session_write(&p->k.s, WEFT_TEXT, text, 1000, false) ==
          WEFT_OK);
    feed(&p->k, p->cut);
    weft_session_deinit(&p->k.s);
    CHECK(p->k.s.deflate == NULL && p->pool.inflater_count == 1);
}

/* Writing ----------------------------------------------------------------- */

static void
hears(struct pair *p, const char *what, const uint8_t *data, size_t len)
{
    carry(&p->k, &p->peer);
    feed(&p->peer, p->cut);
    CHECK(noted_text(&p->peer, what, data, len));
    CHECK(NOTED(&p->peer, ""));
}

/* The first byte of what is queued; it lies at the end of the copied bytes. */
static uint8_t
first_of(struct pair *p, size_t before)
{
    return weft_buf_head(&p->k.s.out.bytes)[before];
}

static void
what_is_worth_it_is_compressed(struct pair *p)
{
    struct weft_session *s = &p->k.s;

    s->deflate->threshold = 500;
    CHECK(weft_session_send(s, WEFT_TEXT, text, 499) == WEFT_OK);
    CHECK(first_of(p, 0) == 0x81);
    hears(p, "text", text, 499);
    CHECK(weft_session_send(s, WEFT_TEXT, text, 500) == WEFT_OK);
    CHECK(first_of(p, 0) == 0xC1);
    hears(p, "text", text, 500);
    CHECK(weft_session_send_plain(s, WEFT_BINARY, text, 5000) == WEFT_OK);
    CHECK(first_of(p, 0) == 0x82);
    hears(p, "binary", text, 5000);
    CHECK(weft_session_send(s, WEFT_BINARY, text, 200000) == WEFT_OK);
    CHECK(first_of(p, 0) == 0xC2 && p->pool.scratch.cap <= 65536);
    hears(p, "binary", text, 200000);
    CHECK(all_went_back(p));
}

static void
pieces_are_compressed_as_they_come(struct pair *p)
{
    struct weft_session *s = &p->k.s;

    for (int again = 0; again < 2; again++) {
        CHECK(weft_session_write(s, WEFT_TEXT, text, 10, false) == WEFT_OK);
        CHECK(first_of(p, 0) == 0x41);
        CHECK(weft_session_send(s, WEFT_TEXT, text, 900) == WEFT_E_BUSY);
        carry(&p->k, &p->peer);
        CHECK(weft_session_ping(s, text, 125) == WEFT_OK);
        CHECK(first_of(p, 0) == 0x89);
        carry(&p->k, &p->peer);
        CHECK(weft_session_write(s, WEFT_BINARY, text + 10, 70000, false) ==
              WEFT_OK);
        CHECK(first_of(p, 0) == 0x00);
        carry(&p->k, &p->peer);
        feed(&p->peer, p->cut);
        CHECK(weft_session_held(&p->peer.s) == 70010); /* all came at once */
        CHECK(noted_text(&p->peer, "ping", text, 125));
        CHECK(weft_session_write(s, WEFT_TEXT, "", 0, true) == WEFT_OK);
        CHECK(first_of(p, 0) == 0x80);
        hears(p, "text", text, 70010);
        take_sent(&p->peer);
        weft_buf_consume(&p->peer.log, weft_buf_len(&p->peer.log));
    }
    CHECK(weft_session_write_plain(s, WEFT_TEXT, text, 900, false) == WEFT_OK);
    CHECK(first_of(p, 0) == 0x01);
    CHECK(weft_session_write_plain(s, WEFT_TEXT, text + 900, 900, true) ==
          WEFT_OK);
    hears(p, "text", text, 1800);
}

/* A room: compressed once, for a window that nobody has yet. */
static void
a_chunk_is_shared(struct pair *p)
{
    struct weft_session *s = &p->k.s;
    struct weft_chunk *c = NULL;

    if (s->role == WEFT_CLIENT)
        return;
    for (size_t size = 500; size <= 50000; size *= 10) {
        CHECK(weft_session_send(s, WEFT_TEXT, text, 900) == WEFT_OK);
        hears(p, "text", text, 900);
        CHECK(weft_session_deflate_chunk(s, WEFT_TEXT, text + 100, size, &c) ==
              WEFT_OK);
        CHECK(c->bytes[0] == 0xC1 && c->len < size);
        CHECK(weft_session_send_chunk(s, c) == WEFT_OK);
        CHECK(weft_session_send_chunk(s, c) == WEFT_OK);
        weft_chunk_release(c);
        carry(&p->k, &p->peer);
        feed(&p->peer, p->cut);
        CHECK(noted_text(&p->peer, "text", text + 100, size));
        hears(p, "text", text + 100, size);
    }
    CHECK(weft_session_send(s, WEFT_TEXT, text, 900) == WEFT_OK);
    hears(p, "text", text, 900);
    CHECK(weft_session_deflate_chunk(s, WEFT_TEXT, "x", 1, &c) == WEFT_MORE);
}

static void (*const behaviours[])(struct pair *) = {
    messages_come_out_as_they_were_sent,
    control_frames_come_between_the_fragments,
    an_empty_message_may_be_compressed,
    fragments_are_cut_anywhere,
    no_room_is_offered,
    a_message_comes_in_chunks,
    chunks_that_wait_are_pending,
    streaming_may_begin_in_the_middle,
    leaving_a_message_skips_its_rest,
    what_is_skipped_is_checked_and_counted,
    bad_text_fails_before_its_frame_is_whole,
    a_message_may_be_as_long_as_its_limit,
    what_is_over_the_limit_is_not_looked_at,
    bombs_stop_at_the_limit,
    lengths_on_the_wire_have_some_slack,
    the_slack_has_an_end,
    limits_without_end_stay_so,
    a_close_gives_the_streams_back,
    failing_gives_the_streams_back,
    a_session_may_go_in_the_middle,
    what_is_worth_it_is_compressed,
    pieces_are_compressed_as_they_come,
    a_chunk_is_shared,
};

/* Half a message each, by turns, out of one pool. */
static void
two_half_received_messages_do_not_mix(enum weft_role role, bool takeover)
{
    struct agreement g = agree(15, takeover, 6);
    struct pair p[2];

    for (int i = 0; i < 2; i++) {
        start_pair(&p[i], role, &g, 100);
        weft_deflate_free(p[i].k.s.deflate);
        p[i].k.s.deflate = NULL;
        CHECK(weft_session_deflate(&p[i].k.s, &g.o, &g.a, &p[0].pool) ==
              WEFT_OK);
        tell(&p[i], WEFT_TEXT, text + i * 50000, 50000);
    }
    while (weft_buf_len(&p[0].k.wire) > 0 || weft_buf_len(&p[1].k.wire) > 0)
        for (int i = 0; i < 2; i++) {
            size_t n = least_of(100, weft_buf_len(&p[i].k.wire));

            if (n > 0)
                feed_piece(&p[i].k, weft_buf_head(&p[i].k.wire), n);
            weft_buf_consume(&p[i].k.wire, n);
        }
    for (int i = 0; i < 2; i++)
        CHECK(noted_text(&p[i].k, "text", text + i * 50000, 50000));
    stop_pair(&p[1]);
    stop_pair(&p[0]);
}

static void
nothing_agreed_on_changes_nothing(void)
{
    struct weft_deflate_options o = { .on = true };
    struct weft_deflate_agreed a = { 0 };
    struct weft_deflate_pool pool = { 0 };
    struct kit k;

    start(&k, WEFT_SERVER);
    CHECK(weft_session_deflate(&k.s, &o, &a, &pool) == WEFT_OK);
    CHECK(k.s.deflate == NULL);
    FRAME(&k, 0xC1, "");
    feed(&k, 1);
    CHECK(k.failure == WEFT_E_RESERVED_BITS);
    stop(&k);
}

static void
behaves(enum weft_role role, size_t cut)
{
    static const uint8_t bits[] = { 15, 9 };

    for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++)
        for (int kind = 0; kind < 4; kind++) {
            struct agreement g = agree(bits[kind >> 1], kind & 1, 6);
            struct pair p;

            g.o.threshold = 16;
            start_pair(&p, role, &g, cut);
            behaviours[i](&p);
            stop_pair(&p);
        }
    reserved_bits_are_checked_on_every_frame(role, cut);
    bad_data_fails(role, cut);
}

int
main(void)
{
    fill(text, LEN, 7);
    for (int cut = 0; cut < CUTS; cut++) {
        behaves(WEFT_SERVER, cuts[cut]);
        behaves(WEFT_CLIENT, cuts[cut]);
    }
    for (int takeover = 0; takeover < 2; takeover++) {
        two_half_received_messages_do_not_mix(WEFT_SERVER, takeover != 0);
        two_half_received_messages_do_not_mix(WEFT_CLIENT, takeover != 0);
    }
    nothing_agreed_on_changes_nothing();
    return check_report();
}

#endif
