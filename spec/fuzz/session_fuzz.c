/*
 * A session of either role under arbitrary bytes; see session_run.h.
 *
 * The first byte of the input chooses the role, whether messages come in
 * chunks, and the limits; the second how the pieces are cut.
 */
#include "session_run.h"

enum { CLIENT = 1, STREAMING = 2, SMALL_LIMITS = 4 };

static struct weft_random randomness;
static const struct weft_limits wide = { 1 << 20, 1 << 20, 1000 };
static const struct weft_limits narrow = { 100, 60, 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
run(struct run *r, const uint8_t *data, size_t len, enum way way)
{
    enum weft_role role = data[0] & CLIENT ? WEFT_CLIENT : WEFT_SERVER;

    *r = (struct run){ .seed = data[1] * 2654435761u,
                       .most = 4 * len + (1 << 17) };
    weft_session_init(&r->s, role, data[0] & SMALL_LIMITS ? &narrow : &wide,
                      &randomness);
    weft_session_stream(&r->s, (data[0] & STREAMING) != 0);
    feed_all(r, data + 2, len - 2, way);
    finish(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct run first, other;

    if (len < 2)
        return 0;
    run(&first, data, len, WHOLE);
    for (int way = PIECES; way < WAYS; way++) {
        run(&other, data, len, (enum way)way);
        must(same(&first.log, &other.log) && same(&first.out, &other.out),
             ways[way]);
        end(&other);
    }
    end(&first);
    return 0;
}
