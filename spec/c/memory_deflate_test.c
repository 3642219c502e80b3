/*
 * Compression when memory runs out, at each allocation in turn, zlib's too:
 * a send says so and nothing was queued, a read fails with it; what goes out
 * after is still what the peer can read, and nothing is lost.
 */
#include "deflate_kit.h"
#include "failing_mem.h"
#include "session_kit.h"

#ifdef WEFT_NO_ZLIB

int
main(void)
{
    CHECK(!weft_deflate_available());
    return check_report();
}

#else

enum { LEN = 80000 };

static uint8_t text[LEN];
static struct weft_buf sent;  /* text of the messages that were queued */
static struct weft_buf heard;

static const struct weft_limits limits = { 1 << 20, 1 << 20, 1000 };
static struct weft_random randomness;

/* For the test itself there always is memory. */
static void
keep(struct weft_buf *b, const void *data, size_t len)
{
    long left = allowed;

    allowed = -1;
    CHECK(weft_buf_add(b, data, len) == WEFT_OK);
    allowed = left;
}

/* Sending ----------------------------------------------------------------- */

static enum weft_status
send_chunk(struct weft_session *s, const uint8_t *data, size_t len)
{
    struct weft_chunk *c = NULL;
    enum weft_status rc;

    rc = weft_session_deflate_chunk(s, WEFT_BINARY, data, len, &c);
    if (rc == WEFT_OK)
        rc = weft_session_send_chunk(s, c);
    weft_chunk_release(c);
    return rc;
}

static enum weft_status
send_some(struct weft_session *s, int way, const uint8_t *data, size_t len)
{
    switch (way % 5) {
    case 0:
        return weft_session_write(s, WEFT_TEXT, data, len, false);
    case 1:
        return weft_session_write(s, WEFT_TEXT, data, len, true);
    case 2:
        return s->role == WEFT_SERVER
                   ? send_chunk(s, data, len)
                   : weft_session_send_plain(s, WEFT_TEXT, data, len);
    default:
        return weft_session_send(s, WEFT_TEXT, data, len);
    }
}

/* Memory is out for one allocation or more: what failed is sent again. */
static void
sends(struct weft_session *s)
{
    static const size_t sizes[] = { 500, 3000, 30000, 40, 20000 };

    for (int i = 0; i < 15; i++) {
        const uint8_t *data = text + 1000 * i;
        size_t before = weft_outq_len(&s->out), len = sizes[i / 2 % 5];
        enum weft_status rc = send_some(s, i, data, len);

        if (rc == WEFT_E_MEMORY) {
            CHECK(refused && weft_outq_len(&s->out) == before);
            allowed = -1;
            rc = send_some(s, i, data, len);
        }
        CHECK(rc == WEFT_OK && weft_outq_len(&s->out) > before);
        if (rc == WEFT_OK)
            keep(&sent, data, len);
    }
}

/* Receiving --------------------------------------------------------------- */

static enum weft_status
hear(struct weft_session *s, uint8_t *bytes, size_t len)
{
    enum weft_status rc = WEFT_MORE;
    struct weft_event ev;

    for (size_t at = 0; at < len && rc >= 0; at += 700) {
        struct weft_input in = { bytes + at, len - at < 700 ? len - at : 700 };

        while ((rc = weft_session_read(s, &in, &ev)) == WEFT_EVENT)
            keep(&heard, ev.data, ev.len);
    }
    return rc;
}

static bool
same(const struct weft_buf *a, const struct weft_buf *b)
{
    size_t len = weft_buf_len(a);

    return len == weft_buf_len(b) &&
           (len == 0 || memcmp(weft_buf_head(a), weft_buf_head(b), len) == 0);
}

static struct weft_buf
output(struct weft_session *s)
{
    struct weft_buf all = { 0 };
    struct weft_span span;

    while (weft_outq_spans(&s->out, &span, 1) > 0) {
        CHECK(weft_buf_add(&all, span.data, span.len) == WEFT_OK);
        weft_outq_consume(&s->out, span.len);
    }
    return all;
}

/* One side speaks, the other listens; for one of them memory runs out.
 * Returns whether it did. */
static bool
survives(enum weft_role role, const struct agreement *g, bool speaking,
         bool streaming, long after)
{
    struct weft_deflate_pool pools[2] = { { 0 } };
    struct weft_session s, c;
    enum weft_status rc;
    struct weft_buf wire;

    refused = false;
    weft_session_init(&s, role, &limits, &randomness);
    weft_session_init(&c, role == WEFT_SERVER ? WEFT_CLIENT : WEFT_SERVER,
                      &limits, &randomness);
    allowed = speaking ? after : -1;
    rc = weft_session_deflate(&s, &g->o, &g->a, &pools[0]);
    if (rc == WEFT_E_MEMORY) {
        CHECK(refused && s.deflate == NULL);
        allowed = -1;
        rc = weft_session_deflate(&s, &g->o, &g->a, &pools[0]);
    }
    CHECK(rc == WEFT_OK);
    sends(&s);
    allowed = -1;
    CHECK(weft_session_deflate(&c, &g->o, &g->a, &pools[1]) == WEFT_OK);
    wire = output(&s);
    weft_session_stream(&c, streaming);
    allowed = speaking ? -1 : after;
    rc = hear(&c, weft_buf_head(&wire), weft_buf_len(&wire));
    allowed = -1;
    if (rc < 0) {
        CHECK(rc == WEFT_E_MEMORY && refused && !speaking);
        CHECK(c.message.data == NULL && c.deflate->in == NULL);
        weft_session_fail(&c, rc);
    } else {
        CHECK(rc == WEFT_MORE && same(&sent, &heard));
    }
    weft_session_deinit(&s);
    weft_session_deinit(&c);
    weft_deflate_pool_deinit(&pools[0]);
    weft_deflate_pool_deinit(&pools[1]);
    weft_buf_deinit(&wire);
    weft_buf_deinit(&sent);
    weft_buf_deinit(&heard);
    CHECK(unfreed == 0);
    return refused;
}

static void
survives_all(enum weft_role role, uint8_t bits, bool takeover)
{
    struct agreement g = agree(bits, takeover, 6);

    for (int way = 0; way < 3; way++) {
        long n = 0;

        while (survives(role, &g, way == 0, way == 2, n) && n < 1000)
            n++;
        CHECK(n > 5 && n < 1000);
    }
}

int
main(void)
{
    fill(text, LEN, 3);
    for (int takeover = 0; takeover < 2; takeover++) {
        survives_all(WEFT_SERVER, 15, takeover != 0);
        survives_all(WEFT_CLIENT, 15, takeover != 0);
        survives_all(WEFT_SERVER, 10, takeover != 0);
    }
    return check_report();
}

#endif
