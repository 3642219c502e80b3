/*
 * Memory runs out at each allocation in turn: every call then says so and
 * leaves things as they were, and nothing is lost or freed twice.
 */
#include "check.h"
#include "failing_mem.h"
#include "proto/mask.h"
#include "proto/session.h"

static const struct weft_limits limits = { 1 << 20, 1 << 20, 100 };
static struct weft_random randomness;
static uint8_t wire[100000], payload[20000];
static size_t wire_len;

static void
write_frame(enum weft_role to, unsigned first, size_t len)
{
    struct weft_frame f = { .fin = first >> 7, .opcode = first & 15,
                            .masked = to == WEFT_SERVER,
                            .key = { 1, 2, 3, 4 }, .len = len };
    uint8_t *at = wire + wire_len;
    size_t head = weft_frame_write(&f, at);

    memset(at + head, 'x', len);
    if (f.masked)
        weft_mask(at + head, len, f.key, 0);
    wire_len += head + len;
}

static void
write_wire(enum weft_role to)
{
    wire_len = 0;
    write_frame(to, 0x89, 100);
    write_frame(to, 0x01, 10);
    write_frame(to, 0x89, 125);
    write_frame(to, 0x80, 3000);
    write_frame(to, 0x82, 40000);
    write_frame(to, 0x88, 0);
}

/* In pieces, the first ping's small ones, through the room where there is one;
 * counts the messages. */
static enum weft_status
read_all(struct weft_session *s, int *messages)
{
    enum weft_status rc = WEFT_MORE;
    struct weft_event ev;
    size_t at = 0;

    while (at < wire_len && rc >= 0) {
        size_t n = at < 90 ? 30 : 1000, room;
        uint8_t *to = weft_session_room(s, &room);
        struct weft_input in = { wire + at, 0 };

        n = n < wire_len - at ? n : wire_len - at;
        in.len = to == NULL ? n : 0;
        if (to != NULL) {
            n = n < room ? n : room;
            memcpy(to, wire + at, n);
            weft_session_received(s, n);
        }
        at += n;
        while ((rc = weft_session_read(s, &in, &ev)) == WEFT_EVENT)
            *messages += ev.type == WEFT_EVENT_MESSAGE;
    }
    return rc;
}

/* Queues it whole, or says that memory is out and queues nothing. */
static void
is_queued_or_not(struct weft_session *s, enum weft_status rc, size_t before,
                 uint32_t borrowed, int *failures)
{
    CHECK(rc == WEFT_OK || (rc == WEFT_E_MEMORY && refused));
    if (rc == WEFT_OK) {
        CHECK(weft_outq_len(&s->out) > before);
    } else {
        CHECK(weft_outq_len(&s->out) == before);
        CHECK(s->out.borrowed == borrowed);
        ++*failures;
    }
}

static enum weft_status
send_some(struct weft_session *s, unsigned way)
{
    enum weft_status rc;
    struct weft_chunk *c;

    switch (way % 5) {
    case 0:
        return weft_session_send(s, WEFT_TEXT, payload, 100);
    case 1:
        return weft_session_send_borrowed(s, WEFT_BINARY, payload, 9000);
    case 2:
        return weft_session_write(s, WEFT_TEXT, payload, 500, true);
    case 3:
        return weft_session_ping(s, payload, 5);
    default:
        if (s->role == WEFT_CLIENT)
            return weft_session_send(s, WEFT_BINARY, payload, 20000);
        c = weft_session_frame_chunk(WEFT_BINARY, payload, 5000);
        if (c == NULL)
            return WEFT_E_MEMORY;
        rc = weft_session_send_chunk(s, c);
        weft_chunk_release(c);
        return rc;
    }
}

static int
sends(struct weft_session *s)
{
    int failures = 0;

    for (unsigned i = 0; i < 60; i++) {
        size_t before = weft_outq_len(&s->out);
        uint32_t borrowed = s->out.borrowed;

        is_queued_or_not(s, send_some(s, i), before, borrowed, &failures);
    }
    return failures;
}

/* Returns whether memory did run out. */
static bool
survives(enum weft_role role, long after)
{
    struct weft_session s;
    enum weft_status rc;
    int messages = 0, failures;

    write_wire(role);
    weft_session_init(&s, role, &limits, &randomness);
    allowed = after;
    refused = false;
    failures = sends(&s);
    weft_session_set_blocked(&s, true); /* pongs are held */
    rc = read_all(&s, &messages);
    weft_session_set_blocked(&s, false);
    if (rc < 0) {
        CHECK(rc == WEFT_E_MEMORY && s.failure == rc && refused);
        weft_session_fail(&s, rc);
        CHECK(s.message.data == NULL);
    } else {
        CHECK(rc == WEFT_MORE && messages == 2 && weft_session_closed(&s));
    }
    CHECK((failures > 0 || rc < 0) == refused || s.close_received);
    CHECK(weft_session_send(&s, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    allowed = -1;
    weft_session_deinit(&s);
    CHECK(s.out.returned == s.out.borrowed);
    CHECK(unfreed == 0);
    return refused;
}

int
main(void)
{
    long n;

    for (n = 0; survives(WEFT_SERVER, n); n++)
        CHECK(n < 1000);
    CHECK(n > 10);
    for (n = 0; survives(WEFT_CLIENT, n); n++)
        CHECK(n < 1000);
    CHECK(n > 5);
    return check_report();
}
