/* Messages compressed and inflated (RFC 7692, 7.2), and the pool of streams. */
#include "deflate_kit.h"

#ifdef WEFT_NO_ZLIB

int
main(void)
{
    CHECK(!weft_deflate_available());
    return check_report();
}

#else

#include <zlib.h>

#include "base/crypto.h"

static const size_t cuts[] = { 1, 2, 3, 7, 1000, SIZE_MAX };
enum { CUTS = sizeof(cuts) / sizeof(cuts[0]), LEN = 100000 };

static uint8_t text[LEN], got[LEN + 1];

static struct weft_deflate *
end_of(bool server, const struct agreement *g, struct weft_deflate_pool *pool)
{
    return weft_deflate_new(server, &g->o, &g->a, pool);
}

/* Inflates `cut` bytes at a time into `room` bytes at a time; a whole message
 * when `end`.  *len says how many bytes `got` has. */
static enum weft_status
inflate_cut(struct weft_deflate *d, const void *data, size_t size, size_t cut,
            size_t room, bool end, size_t *len)
{
    const uint8_t *at = data;
    enum weft_status rc = WEFT_OK;
    size_t made;

    while (rc == WEFT_OK && size > 0) {
        size_t n = size < cut ? size : cut, left = n;

        do {
            size_t space = sizeof(got) - *len;

            rc = weft_deflate_inflate(d, &at, &left, got + *len,
                                      space < room ? space : room, &made);
            *len += made;
            CHECK(made <= room);
        } while (rc == WEFT_MORE && *len < sizeof(got));
        size -= n - left;
    }
    while (rc == WEFT_OK && end) {
        size_t space = sizeof(got) - *len;

        rc = weft_deflate_end(d, got + *len, space < room ? space : room,
                              &made);
        *len += made;
        if (rc != WEFT_MORE || *len == sizeof(got))
            return rc;
        rc = WEFT_OK;
    }
    return rc;
}

static enum weft_status
inflate_all(struct weft_deflate *d, const void *data, size_t size, size_t cut,
            size_t room, size_t *len)
{
    *len = 0;
    return inflate_cut(d, data, size, cut, room, true, len);
}

/* Windows --------------------------------------------------------------- */

/* By zlib itself, to whom one byte of room at a time shows no more than the
 * window has. */
static bool
zlib_reads(z_stream *z, struct weft_span out, const uint8_t *want, size_t len)
{
    static uint8_t tail[] = { 0, 0, 0xFF, 0xFF };
    size_t n = 0;

    for (int part = 0; part < 2; part++) {
        z->next_in = part == 0 ? (uint8_t *)(uintptr_t)out.data : tail;
        z->avail_in = part == 0 ? (uInt)out.len : sizeof(tail);
        do {
            uint8_t byte;
            int rc;

            z->next_out = &byte;
            z->avail_out = 1;
            rc = inflate(z, Z_SYNC_FLUSH);
            if (rc != Z_OK && rc != Z_BUF_ERROR)
                return false;
            if (z->avail_out == 0 && (n == len || byte != want[n++]))
                return false;
        } while (z->avail_out == 0);
    }
    return n == len && z->avail_in == 0;
}

static void
a_window_holds(uint8_t bits, int level, bool takeover)
{
    static const size_t ends[] = { 300, 301, 700, 45000, 45000, 60000 };
    struct agreement g = agree(bits, takeover, level);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s = end_of(true, &g, &pool);
    struct weft_deflate *c = end_of(false, &g, &pool);
    z_stream z = { 0 };

    CHECK(inflateInit2(&z, -(int)bits) == Z_OK);
    for (size_t i = 0, from = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        size_t len = ends[i] - from, n = 0;
        struct weft_span out;
        enum weft_status rc = weft_deflate_message(s, text + from, len, &out);

        if (!takeover)
            inflateReset(&z);
        if (rc == WEFT_OK) {
            CHECK(zlib_reads(&z, out, text + from, len));
            CHECK(takeover || out.len < len);
            CHECK(inflate_all(c, out.data, out.len, 1 + i * 50, 777, &n) ==
                  WEFT_OK);
            CHECK(n == len && memcmp(got, text + from, n) == 0);
        } else {
            CHECK(rc == WEFT_MORE && !takeover);
        }
        weft_deflate_done(s);
        from = ends[i];
    }
    inflateEnd(&z);
    weft_deflate_free(s);
    weft_deflate_free(c);
    weft_deflate_pool_deinit(&pool);
}

static void
every_window_holds_at_every_level(void)
{
    for (int level = -1; level <= 9; level++)
        for (uint8_t bits = 8; bits <= 15; bits++)
            for (int takeover = 0; takeover < 2; takeover++)
                a_window_holds(bits, level, takeover != 0);
}

/*
 * Breaking the agreed window is no fault that would show: but it shows under
 * no cut, or under all.
 */
static void
a_distance_too_far_is_judged_the_same_under_every_cut(void)
{
    struct agreement wide = agree(15, true, 9), narrow = agree(9, true, 9);
    struct weft_deflate_pool pool = { 0 };

    for (int cut = 0; cut < CUTS; cut++) {
        struct weft_deflate *s = end_of(true, &wide, &pool);
        struct weft_deflate *c = end_of(false, &narrow, &pool);
        struct weft_span out;
        size_t n;

        CHECK(weft_deflate_message(s, text, 30000, &out) == WEFT_OK);
        CHECK(inflate_all(c, out.data, out.len, cuts[cut], 100, &n) == WEFT_OK);
        CHECK(n == 30000 && memcmp(got, text, n) == 0);
        CHECK(c->window_len == 512);
        CHECK(weft_deflate_message(s, text, 30000, &out) == WEFT_OK);
        CHECK(inflate_all(c, out.data, out.len, cuts[cut], 100, &n) ==
              WEFT_E_DEFLATE);
        weft_deflate_stop(c);
        weft_deflate_free(s);
        weft_deflate_free(c);
    }
    weft_deflate_pool_deinit(&pool);
}

/* RFC 7692, 7.2.3, byte for byte ------------------------------------------ */

struct example {
    const char *bytes;
    size_t len;
    enum weft_status rc;
    const char *want;
};

#define READS(bytes, want) { bytes, sizeof(bytes) - 1, WEFT_OK, want }
#define FAILS(bytes) { bytes, sizeof(bytes) - 1, WEFT_E_DEFLATE, "" }

static const struct example examples[] = {
    READS("\xF2\x48\xCD\xC9\xC9\x07\x00", "Hello"),                 /* .1 */
    READS("\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00", "Hello"), /* .3 */
    READS("\xF3\x48\xCD\xC9\xC9\x07\x00\x00", "Hello"),             /* .4 */
    READS("\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00",
          "Hello"),                                                 /* .5 */
    READS("\x00", ""),                                              /* .6 */
    READS("", ""),
    /* a tail of its own; a final block and nothing behind; two of them */
    READS("\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF", "Hello"),
    READS("\xF3\x48\xCD\xC9\xC9\x07\x00", "Hello"),
    READS("\xF3\x48\xCD\xC9\xC9\x07\x00\xF3\x48\xCD\xC9\xC9\x07\x00",
          "HelloHello"),
    READS("\x03\x00\x03\x00\x03\x00\x00", ""),
    READS("\x01\x00\x00\xFF\xFF", ""), /* final and stored, whole */
    READS("\x01", ""),                 /* the same, its tail left out */
    READS("\xF3\x48\xCD\xC9\xC9\x07\x00\x01\x01\x00\xFE\xFF!", "Hello!"),
    /* broken off, bad kind of block, bad stored length, nothing to repeat */
    FAILS("\xF2\x48\xCD\xC9"),
    FAILS("\xF2\x48\xCD\xC9\xC9\x07"),
    FAILS("\x00\x06\x00\xF9\xFF\x48"),
    FAILS("\x00\x05"),
    FAILS("\x06"),
    FAILS("\xFF\xFF"),
    FAILS("\x00\x05\x00\xFB\xFF\x48"),
    FAILS("\x02\x22\x00"),
    FAILS("\x00\x00\x00\xFF\xFE"),
    FAILS("\xF3\x48\xCD\xC9\xC9\x07\x00\x07"),
};

static void
reads_example(const struct example *e, const struct agreement *g, size_t cut,
              size_t room)
{
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *c = end_of(false, g, &pool);
    size_t n;

    for (int again = 0; again < 2; again++) {
        enum weft_status rc = inflate_all(c, e->bytes, e->len, cut, room, &n);

        CHECK(rc == e->rc);
        if (rc != WEFT_OK) {
            weft_deflate_stop(c);
            continue;
        }
        CHECK(n == strlen(e->want) && memcmp(got, e->want, n) == 0);
        CHECK((c->in == NULL) == (!c->in_takeover || c->in_bits < 15 ||
                                  e->len == 0));
    }
    weft_deflate_free(c);
    weft_deflate_pool_deinit(&pool);
}

static void
the_examples_of_the_rfc_and_odd_ends_are_read(void)
{
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        for (int cut = 0; cut < CUTS; cut++)
            for (int kind = 0; kind < 4; kind++) {
                struct agreement g = agree(kind & 2 ? 10 : 15, kind & 1, -1);

                reads_example(&examples[i], &g, cuts[cut], SIZE_MAX);
                reads_example(&examples[i], &g, cuts[cut], 1);
            }
}

/* 7.2.3.2: the second "Hello" is all in the window, also behind a final block
 * of the first. */
static void
a_window_outlives_its_message(void)
{
    static const char *const firsts[] = { "\xF2\x48\xCD\xC9\xC9\x07\x00",
                                          "\xF3\x48\xCD\xC9\xC9\x07\x00" };

    for (int i = 0; i < 4; i++) {
        struct agreement g = agree(i < 2 ? 15 : 9, true, -1);
        struct weft_deflate_pool pool = { 0 };
        struct weft_deflate *c = end_of(false, &g, &pool);
        size_t n;

        CHECK(inflate_all(c, firsts[i & 1], 7, 3, 2, &n) == WEFT_OK);
        CHECK(inflate_all(c, "", 0, 1, 1, &n) == WEFT_OK && n == 0);
        for (int again = 0; again < 2; again++) {
            CHECK(inflate_all(c, "\xF2\x00\x11\x00\x00", 5, 2, 3, &n) ==
                  WEFT_OK);
            CHECK(n == 5 && memcmp(got, "Hello", 5) == 0);
        }
        weft_deflate_free(c);
        weft_deflate_pool_deinit(&pool);
    }
}

/* A window that a fresh one does not have. */
static void
without_takeover_nothing_is_remembered(void)
{
    struct agreement g = agree(15, false, -1);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *c = end_of(false, &g, &pool);
    size_t n;

    CHECK(inflate_all(c, "\xF2\x48\xCD\xC9\xC9\x07\x00", 7, 7, 9, &n) ==
          WEFT_OK);
    CHECK(inflate_all(c, "\xF2\x00\x11\x00\x00", 5, 5, 9, &n) ==
          WEFT_E_DEFLATE);
    weft_deflate_free(c);
    weft_deflate_pool_deinit(&pool);
}

/* Many final blocks are cheap, and refer to each other. */
static void
final_blocks_follow_one_another(void)
{
    struct agreement g = agree(15, true, -1);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *c = end_of(false, &g, &pool);
    struct weft_buf in = { 0 };
    size_t n;

    CHECK(weft_buf_add(&in, "\xF3\x48\xCD\xC9\xC9\x07\x00", 7) == WEFT_OK);
    for (int i = 0; i < 5000; i++)
        CHECK(weft_buf_add(&in, "\xF3\x00\x11\x00", 4) == WEFT_OK);
    CHECK(inflate_all(c, in.data, 7 + 5000 * 4, 1000, 3000, &n) == WEFT_OK);
    CHECK(n == 25005 && memcmp(got + 25000, "Hello", 5) == 0);
    weft_buf_deinit(&in);
    weft_deflate_free(c);
    weft_deflate_pool_deinit(&pool);
}

/* A long message cut off anywhere is no message; nor is it with a bit over. */
static void
what_breaks_off_is_refused_at_every_byte(void)
{
    struct agreement g = agree(15, false, 6);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s = end_of(true, &g, &pool);
    struct weft_deflate *c = end_of(false, &g, &pool);
    struct weft_span out;
    uint8_t *copy;
    size_t n;

    CHECK(weft_deflate_message(s, text, 3000, &out) == WEFT_OK);
    copy = malloc(out.len);
    memcpy(copy, out.data, out.len);
    for (size_t len = 1; len < out.len; len++) {
        enum weft_status whole = inflate_all(c, copy, len, SIZE_MAX, 5000, &n);
        size_t m = n;

        weft_deflate_stop(c);
        CHECK(whole == WEFT_E_DEFLATE);
        CHECK(inflate_all(c, copy, len, 1, 50, &n) == whole && n == m);
        weft_deflate_stop(c);
    }
    CHECK(pool.inflater_count == 1);
    free(copy);
    weft_deflate_free(s);
    weft_deflate_free(c);
    weft_deflate_pool_deinit(&pool);
}

/* What is made, and not ---------------------------------------------------- */

static void
what_does_not_become_smaller_goes_as_it_is(void)
{
    struct agreement g = agree(15, false, 6), t = agree(15, true, 6);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s = end_of(true, &g, &pool);
    struct weft_deflate *w = end_of(true, &t, &pool);
    uint8_t *noise = malloc(200000);
    struct weft_random random = { 0 };
    struct weft_span out;
    size_t n;

    for (size_t i = 0; i < 200000; i += 1000)
        CHECK(weft_random_bytes(&random, noise + i, 1000) == WEFT_OK);
    CHECK(weft_deflate_message(s, noise, 200000, &out) == WEFT_MORE);
    CHECK(pool.scratch.cap <= 64 * 1024); /* given back */
    CHECK(weft_deflate_message(s, "abc", 3, &out) == WEFT_MORE);
    CHECK(weft_deflate_message(s, "", 0, &out) == WEFT_MORE);
    CHECK(weft_deflate_shared(w, noise, 200000, &out) == WEFT_MORE);
    CHECK(weft_deflate_message(w, noise, 200000, &out) == WEFT_OK);
    CHECK(out.len > 200000 && out.len < 200000 + 200000 / 16 + 1024);
    CHECK(pool.scratch.cap > 64 * 1024);
    weft_deflate_done(w);
    CHECK(pool.scratch.cap == 0);
    CHECK(weft_deflate_message(w, "", 0, &out) == WEFT_OK); /* 7.2.3.6 */
    CHECK(out.len == 1 && out.data[0] == 0);
    free(noise);
    (void)n;
    weft_deflate_free(s);
    weft_deflate_free(w);
    weft_deflate_pool_deinit(&pool);
}

/* In pieces, and after a piece that was lost on the way to the peer. */
static void
pieces_make_one_message(bool takeover, int level)
{
    static const size_t sizes[] = { 0, 1000, 1, 0, 30000, 17, 0 };
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };
    struct agreement g = agree(12, takeover, level);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s = end_of(true, &g, &pool);
    struct weft_deflate *c = end_of(false, &g, &pool);

    for (int message = 0; message < 3; message++) {
        size_t at = 0, n = 0;

        for (int i = 0; i < N; i++) {
            struct weft_span out;

            CHECK(weft_deflate_piece(s, text + at, sizes[i], i == N - 1,
                                     &out) == WEFT_OK);
            if (message == 1 && i % 2 == 1) { /* it is lost, and goes again */
                weft_deflate_sent_other(s);
                CHECK(weft_deflate_piece(s, text + at, sizes[i], i == N - 1,
                                         &out) == WEFT_OK);
            }
            at += sizes[i];
            CHECK(inflate_cut(c, out.data, out.len, 100, 5000, i == N - 1,
                              &n) == WEFT_OK);
            CHECK(n == at && memcmp(got, text, n) == 0); /* all came out */
            weft_deflate_done(s);
        }
        CHECK((s->out == NULL) == !takeover);
    }
    weft_deflate_free(s);
    weft_deflate_free(c);
    CHECK(pool.deflater_count == (takeover ? 0 : 1));
    weft_deflate_pool_deinit(&pool);
}

static void
a_shared_message_suits_all_that_are_the_same(void)
{
    struct agreement g = agree(12, true, 6), other = agree(13, true, 6);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s[3], *c[3];
    struct weft_span out;
    uint8_t copy[900];
    size_t n, len;

    for (int i = 0; i < 3; i++) {
        s[i] = end_of(true, i < 2 ? &g : &other, &pool);
        c[i] = end_of(false, i < 2 ? &g : &other, &pool);
    }
    CHECK(weft_deflate_same(s[0], s[1]) && !weft_deflate_same(s[0], s[2]));
    for (int round = 0; round < 3; round++) {
        CHECK(weft_deflate_message(s[0], text, 900, &out) == WEFT_OK);
        CHECK(inflate_all(c[0], out.data, out.len, 9, 999, &n) == WEFT_OK);
        CHECK(weft_deflate_shared(s[0], text, 900, &out) == WEFT_OK);
        len = out.len;
        memcpy(copy, out.data, len);
        for (int i = 0; i < 2; i++) {
            CHECK(inflate_all(c[i], copy, len, 9, 999, &n) == WEFT_OK);
            CHECK(n == 900 && memcmp(got, text, n) == 0);
            weft_deflate_sent_other(s[i]);
        }
        for (int i = 0; i < 2; i++) {
            CHECK(weft_deflate_message(s[i], text + 500, 900, &out) == WEFT_OK);
            CHECK(inflate_all(c[i], out.data, out.len, 9, 999, &n) == WEFT_OK);
            CHECK(n == 900 && memcmp(got, text + 500, n) == 0);
        }
    }
    for (int i = 0; i < 3; i++) {
        weft_deflate_free(s[i]);
        weft_deflate_free(c[i]);
    }
    weft_deflate_pool_deinit(&pool);
}

/* The pool ---------------------------------------------------------------- */

static void
streams_are_borrowed_for_a_message(void)
{
    struct agreement g = agree(15, false, 6);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s[12], *c[12];
    struct weft_span out[1];
    uint8_t bytes[12][200];
    size_t len[12], n;

    for (int i = 0; i < 12; i++) {
        s[i] = end_of(true, &g, &pool);
        c[i] = end_of(false, &g, &pool);
        CHECK(weft_deflate_message(s[i], text + i, 800, out) == WEFT_OK);
        len[i] = out->len < 200 ? out->len : 200;
        memcpy(bytes[i], out->data, len[i]);
        CHECK(s[i]->out == NULL && c[i]->in == NULL);
    }
    CHECK(pool.deflater_count == 1 && pool.inflater_count == 0);
    for (int i = 0; i < 12; i++) { /* half-received all at once */
        n = 0;
        CHECK(inflate_cut(c[i], bytes[i], len[i], 3, 900, false, &n) ==
              WEFT_OK);
        CHECK(c[i]->in != NULL && memcmp(got, text + i, n) == 0);
    }
    CHECK(pool.inflater_count == 0);
    for (int i = 0; i < 12; i++)
        weft_deflate_stop(c[i]);
    CHECK(pool.inflater_count == 8); /* no more are kept */
    CHECK(weft_deflate_piece(s[0], text, 800, false, out) == WEFT_OK);
    CHECK(weft_deflate_piece(s[1], text, 800, false, out) == WEFT_OK);
    CHECK(s[0]->out != s[1]->out && pool.deflater_count == 0);
    for (int i = 0; i < 12; i++) {
        weft_deflate_free(s[i]);
        weft_deflate_free(c[i]);
    }
    CHECK(pool.deflater_count == 2);
    weft_deflate_pool_deinit(&pool);
    CHECK(pool.deflater_count == 0 && pool.inflater_count == 0);
    weft_deflate_pool_deinit(&pool);
}

/* What was idle for longest makes room for what is used. */
static void
a_pool_keeps_the_kinds_in_use(void)
{
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflater *last = NULL;

    for (int level = 0; level <= 9; level++)
        for (uint8_t bits = 9; bits <= 10; bits++) {
            struct agreement g = agree(bits, false, level);
            struct weft_deflate *s = end_of(true, &g, &pool);
            struct weft_span out;

            CHECK(weft_deflate_piece(s, text, 800, false, &out) == WEFT_OK);
            last = s->out;
            weft_deflate_free(s);
            CHECK(pool.deflaters == last && pool.deflater_count <= 8);
        }
    CHECK(pool.deflater_count == 8);
    weft_deflate_pool_deinit(&pool);
}

static void
two_half_received_messages_do_not_mix(bool takeover)
{
    struct agreement g = agree(15, takeover, 6);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s = end_of(true, &g, &pool);
    struct weft_deflate *c[2] = { end_of(false, &g, &pool),
                                  end_of(false, &g, &pool) };
    uint8_t *bytes[2], *made[2];
    size_t len[2], n[2] = { 0, 0 };

    for (int i = 0; i < 2; i++) {
        struct weft_span out;

        CHECK(weft_deflate_message(s, text + i * 40000, 40000, &out) ==
              WEFT_OK);
        weft_deflate_sent_other(s);
        len[i] = out.len;
        bytes[i] = malloc(len[i]);
        memcpy(bytes[i], out.data, len[i]);
        made[i] = malloc(40001);
    }
    for (size_t at = 0; at < len[0] || at < len[1]; at += 500)
        for (int i = 0; i < 2; i++) {
            size_t m = 0, left = at < len[i] ? len[i] - at : 0;

            CHECK(inflate_cut(c[i], bytes[i] + at, left < 500 ? left : 500,
                              SIZE_MAX, 7000, left > 0 && left <= 500,
                              &m) == WEFT_OK);
            CHECK(n[i] + m <= 40000);
            memcpy(made[i] + n[i], got, m);
            n[i] += m;
        }
    for (int i = 0; i < 2; i++) {
        CHECK(n[i] == 40000 && memcmp(made[i], text + i * 40000, n[i]) == 0);
        free(bytes[i]);
        free(made[i]);
        weft_deflate_free(c[i]);
    }
    weft_deflate_free(s);
    weft_deflate_pool_deinit(&pool);
}

/* 32 MiB of zeros: no more comes out at once than there is room for. */
static void
a_bomb_comes_out_in_the_steps_asked_for(void)
{
    enum { BOMB = 32 << 20 };
    struct agreement g = agree(15, false, 9);
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s = end_of(true, &g, &pool);
    struct weft_deflate *c = end_of(false, &g, &pool);
    uint8_t *zeros = calloc(1, BOMB);
    struct weft_span out;
    size_t all = 0, made, left;
    const uint8_t *at;
    enum weft_status rc;

    CHECK(weft_deflate_message(s, zeros, BOMB, &out) == WEFT_OK);
    CHECK(out.len < BOMB / 1000);
    at = (const uint8_t *)out.data;
    left = out.len;
    do {
        rc = weft_deflate_inflate(c, &at, &left, got, 10000, &made);
        CHECK(made <= 10000);
        all += made;
    } while (rc == WEFT_MORE);
    CHECK(rc == WEFT_OK && all == BOMB && left == 0);
    CHECK(weft_deflate_end(c, got, 1, &made) == WEFT_OK && made == 0);
    free(zeros);
    weft_deflate_free(s);
    weft_deflate_free(c);
    weft_deflate_pool_deinit(&pool);
}

/* Parameters -------------------------------------------------------------- */

static void
each_end_has_its_own_parameters(void)
{
    struct weft_deflate_options o = { .on = true, .window_bits = 12,
                                      .level = 3, .threshold = 100 };
    struct weft_deflate_agreed a = { .on = true,
                                     .client_no_context_takeover = true,
                                     .server_max_window_bits = 14,
                                     .client_max_window_bits = 10 };
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *s = weft_deflate_new(true, &o, &a, &pool);
    struct weft_deflate *c = weft_deflate_new(false, &o, &a, &pool);

    CHECK(s->out_takeover && s->out_bits == 12 && s->mem_level == 5);
    CHECK(!s->in_takeover && s->in_bits == 10 && s->level == 3);
    CHECK(!c->out_takeover && c->out_bits == 10 && c->mem_level == 8);
    CHECK(c->in_takeover && c->in_bits == 14);
    CHECK(weft_deflate_wants(s, 100) && !weft_deflate_wants(s, 99));
    CHECK(!weft_deflate_wants(NULL, 1000));
    weft_deflate_free(s);
    weft_deflate_free(c);
    weft_deflate_free(NULL);
    /* a client may do without its own window though nobody asked (7.1.1.2) */
    a.client_no_context_takeover = false;
    o.client_no_context_takeover = true;
    o.mem_level = 9;
    c = weft_deflate_new(false, &o, &a, &pool);
    CHECK(!c->out_takeover && c->mem_level == 9);
    weft_deflate_free(c);
}

int
main(void)
{
    fill(text, sizeof(text), 1);
    CHECK(weft_deflate_available());
    every_window_holds_at_every_level();
    a_distance_too_far_is_judged_the_same_under_every_cut();
    the_examples_of_the_rfc_and_odd_ends_are_read();
    a_window_outlives_its_message();
    without_takeover_nothing_is_remembered();
    final_blocks_follow_one_another();
    what_breaks_off_is_refused_at_every_byte();
    what_does_not_become_smaller_goes_as_it_is();
    for (int level = 0; level <= 9; level++) {
        pieces_make_one_message(true, level);
        pieces_make_one_message(false, level);
    }
    a_shared_message_suits_all_that_are_the_same();
    streams_are_borrowed_for_a_message();
    a_pool_keeps_the_kinds_in_use();
    two_half_received_messages_do_not_mix(true);
    two_half_received_messages_do_not_mix(false);
    a_bomb_comes_out_in_the_steps_asked_for();
    each_end_has_its_own_parameters();
    return check_report();
}

#endif
