/*
 * A session that agreed on compression, of either role, under arbitrary
 * frames; see session_run.h.  What it echoes is read by a session of the other
 * role, to whom it must say the same.
 *
 * The first byte of the input chooses the role, whether messages come in
 * chunks, the limits, whether windows last and how large they are, and whether
 * the rest is the wire itself or what frames are made of: their first byte,
 * their length (one byte, or two after 255), their payload.  The second byte
 * says how the pieces are cut.
 */
#include "session_run.h"

enum {
    CLIENT = 1,
    STREAMING = 2,
    SMALL_LIMITS = 4,
    TAKEOVER = 8,
    SMALL_WINDOW = 16,
    FRAMES = 32,
    THRESHOLD = 64,
};

static struct weft_random randomness;
static const struct weft_limits wide = { 1 << 18, 1 << 18, 1000 };
static const struct weft_limits narrow = { 100, 60, 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
agree(struct weft_session *s, unsigned choice, struct weft_deflate_pool *pool)
{
    uint8_t bits = choice & SMALL_WINDOW ? 9 : 15;
    bool fresh = (choice & TAKEOVER) == 0;
    struct weft_deflate_options o = {
        .on = true, .window_bits = bits, .level = 1, .mem_level = 1,
        .threshold = choice & THRESHOLD ? 40 : 0
    };
    struct weft_deflate_agreed a = {
        .on = true, .server_no_context_takeover = fresh,
        .client_no_context_takeover = fresh,
        .server_max_window_bits = bits, .client_max_window_bits = bits
    };

    must(weft_session_deflate(s, &o, &a, pool) == WEFT_OK, "memory is there");
}

/* Frames as the peer would send them, but for what they say. */
static void
make_frames(struct weft_buf *wire, bool masked, const uint8_t *data,
            size_t len)
{
    size_t at = 0;

    while (len - at >= 2) {
        struct weft_frame f = { .fin = data[at] >> 7,
                                .reserved = data[at] >> 4 & 7,
                                .opcode = data[at] & 15, .masked = masked,
                                .key = { 0, 7, 0, 0 } };
        uint8_t head[WEFT_FRAME_HEAD_MAX];
        size_t size = data[at + 1];

        at += 2;
        if (size == 255 && len - at >= 2) {
            size = weft_load16(data + at);
            at += 2;
        }
        f.len = size = size < len - at ? size : len - at;
        add(wire, head, weft_frame_write(&f, head));
        add(wire, data + at, size);
        if (masked && size > 0)
            weft_mask(wire->data + wire->tail - size, size, f.key, 0);
        at += size;
    }
}

static void
run(struct run *r, unsigned choice, unsigned seed, const struct weft_buf *wire,
    enum way way)
{
    enum weft_role role = choice & CLIENT ? WEFT_CLIENT : WEFT_SERVER;
    struct weft_deflate_pool pool = { 0 };

    *r = (struct run){ .seed = seed * 2654435761u, .most = 1 << 20 };
    weft_session_init(&r->s, role, choice & SMALL_LIMITS ? &narrow : &wide,
                      &randomness);
    agree(&r->s, choice, &pool);
    weft_session_stream(&r->s, (choice & STREAMING) != 0);
    if (weft_buf_len(wire) > 0)
        feed_all(r, weft_buf_head(wire), weft_buf_len(wire), way);
    finish(r);
    weft_session_deinit(&r->s);
    must(pool.inflater_count <= 1 && pool.deflater_count <= 1,
         "one stream is enough for one connection");
    weft_deflate_pool_deinit(&pool);
}

/* The peer hears what was said. */
static void
is_heard(const struct run *r, unsigned choice)
{
    static const struct weft_limits none = { UINT64_MAX, UINT64_MAX,
                                             UINT32_MAX };
    enum weft_role role = choice & CLIENT ? WEFT_SERVER : WEFT_CLIENT;
    struct weft_deflate_pool pool = { 0 };
    struct weft_buf heard = { 0 };
    struct weft_input in = { r->out.data, r->out.tail };
    struct weft_session peer;
    struct weft_event ev;
    enum weft_status rc;

    weft_session_init(&peer, role, &none, &randomness);
    agree(&peer, choice, &pool);
    while ((rc = weft_session_read(&peer, &in, &ev)) == WEFT_EVENT)
        if (ev.type == WEFT_EVENT_MESSAGE)
            add(&heard, ev.data, ev.len);
    must(rc == WEFT_MORE && same(&heard, &r->said), "what is said is heard");
    weft_session_deinit(&peer);
    weft_deflate_pool_deinit(&pool);
    weft_buf_deinit(&heard);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct weft_buf wire = { 0 };
    struct run first, other;

    if (len < 2 || !weft_deflate_available())
        return 0;
    if (data[0] & FRAMES)
        make_frames(&wire, (data[0] & CLIENT) == 0, data + 2, len - 2);
    else
        add(&wire, data + 2, len - 2);
    run(&first, data[0], data[1], &wire, WHOLE);
    is_heard(&first, data[0]);
    for (int way = PIECES; way < ROOM; way++) {
        run(&other, data[0], data[1], &wire, (enum way)way);
        must(same(&first.log, &other.log) && same(&first.out, &other.out),
             ways[way]);
        end(&other);
    }
    end(&first);
    weft_buf_deinit(&wire);
    return 0;
}
