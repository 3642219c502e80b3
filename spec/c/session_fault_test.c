/* What a session refuses, with which close code and how early (RFC 6455,
 * 7.4.1 and the MUSTs of 5 and 8), in both roles and under every cut. */
#include "session_kit.h"

struct fault {
    enum weft_status why;
    unsigned code;
    const char *before; /* what is noted before the fault */
    void (*write)(struct kit *);
};

#define WIRE(name, ...) \
    static void name(struct kit *k) \
    { \
        __VA_ARGS__; \
    }

WIRE(bit_1, FRAME(k, 0xC1, "x"))
WIRE(bit_2, FRAME(k, 0xA2, "x"))
WIRE(bit_3, FRAME(k, 0x99, "x"))
WIRE(bit_of_a_continuation, FRAME(k, 1, "a"); FRAME(k, 0xC0, "b"))
WIRE(opcode_3, FRAME(k, 0x83, ""))
WIRE(opcode_7, FRAME(k, 0x07, "x"))
WIRE(opcode_11, FRAME(k, 0x8B, ""))
WIRE(opcode_15, FRAME(k, 0x8F, "x"))
WIRE(long_ping, uint8_t data[126] = { 0 }; frame(k, 0x89, data, 126))
WIRE(long_close, uint8_t data[126] = { 3, 232 }; frame(k, 0x88, data, 126))
WIRE(ping_in_fragments, FRAME(k, 0x09, "x"))
WIRE(continuation_of_nothing, FRAME(k, 0x80, "x"))
WIRE(continuation_after_the_end, FRAME(k, 0x81, "a"); FRAME(k, 0x00, "x"))
WIRE(text_in_text, FRAME(k, 0x01, "a"); FRAME(k, 0x81, "b"))
WIRE(binary_in_text, FRAME(k, 0x01, "a"); FRAME(k, 0x02, "b"))
WIRE(close_of_one, FRAME(k, 0x88, "\x03"))
WIRE(close_999, FRAME(k, 0x88, "\x03\xE7"))
WIRE(close_1004, FRAME(k, 0x88, "\x03\xEC"))
WIRE(close_1005, FRAME(k, 0x88, "\x03\xED"))
WIRE(close_1006, FRAME(k, 0x88, "\x03\xEE" "why"))
WIRE(close_1015, FRAME(k, 0x88, "\x03\xF7"))
WIRE(close_2999, FRAME(k, 0x88, "\x0B\xB7"))
WIRE(close_5000, FRAME(k, 0x88, "\x13\x88"))
WIRE(close_bad_reason, FRAME(k, 0x88, "\x03\xE8" "ab\xFF"))
WIRE(close_cut_reason, FRAME(k, 0x88, "\x03\xE8" "ab\xE2\x82"))
WIRE(bad_text, FRAME(k, 0x81, "before"); FRAME(k, 0x81, "ab\xC0\xAF"))
WIRE(cut_text, FRAME(k, 0x81, "ab\xE2\x82"))
WIRE(cut_text_in_fragments, FRAME(k, 0x01, "\xE2"); FRAME(k, 0x80, "\x82"))
WIRE(cut_text_with_empty_end, FRAME(k, 0x01, "\xE2"); FRAME(k, 0x80, ""))
WIRE(surrogate, FRAME(k, 0x01, "\xED"); FRAME(k, 0x00, "\xA0"))
WIRE(bad_then_worse, FRAME(k, 0x89, "?"); FRAME(k, 0x81, "\xFF");
     FRAME(k, 0xFF, "unseen"))

static const struct fault faults[] = {
    { WEFT_E_RESERVED_BITS, 1002, "", bit_1 },
    { WEFT_E_RESERVED_BITS, 1002, "", bit_2 },
    { WEFT_E_RESERVED_BITS, 1002, "", bit_3 },
    { WEFT_E_RESERVED_BITS, 1002, "", bit_of_a_continuation },
    { WEFT_E_OPCODE, 1002, "", opcode_3 },
    { WEFT_E_OPCODE, 1002, "", opcode_7 },
    { WEFT_E_OPCODE, 1002, "", opcode_11 },
    { WEFT_E_OPCODE, 1002, "", opcode_15 },
    { WEFT_E_CONTROL_TOO_LONG, 1002, "", long_ping },
    { WEFT_E_CONTROL_TOO_LONG, 1002, "", long_close },
    { WEFT_E_CONTROL_FRAGMENTED, 1002, "", ping_in_fragments },
    { WEFT_E_CONTINUATION, 1002, "", continuation_of_nothing },
    { WEFT_E_CONTINUATION, 1002, "text a\n", continuation_after_the_end },
    { WEFT_E_INTERLEAVED, 1002, "", text_in_text },
    { WEFT_E_INTERLEAVED, 1002, "", binary_in_text },
    { WEFT_E_CLOSE_LENGTH, 1002, "", close_of_one },
    { WEFT_E_CLOSE_CODE, 1002, "", close_999 },
    { WEFT_E_CLOSE_CODE, 1002, "", close_1004 },
    { WEFT_E_CLOSE_CODE, 1002, "", close_1005 },
    { WEFT_E_CLOSE_CODE, 1002, "", close_1006 },
    { WEFT_E_CLOSE_CODE, 1002, "", close_1015 },
    { WEFT_E_CLOSE_CODE, 1002, "", close_2999 },
    { WEFT_E_CLOSE_CODE, 1002, "", close_5000 },
    { WEFT_E_CLOSE_UTF8, 1007, "", close_bad_reason },
    { WEFT_E_CLOSE_UTF8, 1007, "", close_cut_reason },
    { WEFT_E_UTF8, 1007, "text before\n", bad_text },
    { WEFT_E_UTF8, 1007, "", cut_text },
    { WEFT_E_UTF8, 1007, "", cut_text_in_fragments },
    { WEFT_E_UTF8, 1007, "", cut_text_with_empty_end },
    { WEFT_E_UTF8, 1007, "", surrogate },
    { WEFT_E_UTF8, 1007, "ping ?\n", bad_then_worse },
};

/* What came before is handed out, what the application then says leaves
 * before the close, and nothing after the fault is looked at. */
static void
is_refused(const struct fault *f, enum weft_role role, size_t cut)
{
    char want[200];
    struct kit k;
    int n;

    start(&k, role);
    f->write(&k);
    FRAME(&k, 0x81, "never read");
    CHECK(weft_session_send(&k.s, WEFT_TEXT, "ours", 4) == WEFT_OK);
    feed(&k, cut);
    CHECK(k.failure == f->why && k.s.failure == f->why);
    CHECK(weft_session_send(&k.s, WEFT_TEXT, "x", 1) == WEFT_E_CLOSED);
    take_sent(&k);
    n = snprintf(want, sizeof(want), "%sfault %u\nsent text ours\n%s"
                 "sent close %u\n", f->before, f->code,
                 strncmp(f->before, "ping", 4) == 0 ? "sent pong ?\n" : "",
                 f->code);
    CHECK(noted(&k, want, (size_t)n));
    CHECK(k.s.message.data == NULL);
    stop(&k);
}

/* 5.1: shown by the second byte, though a head may be 14 long. */
static void
masking_must_fit_the_role(size_t cut)
{
    struct kit k;

    start(&k, WEFT_SERVER);
    RAW(&k, "\x81\x05");
    feed(&k, cut);
    take_sent(&k);
    CHECK(k.failure == WEFT_E_UNMASKED);
    CHECK(NOTED(&k, "fault 1002\nsent close 1002\n"));
    stop(&k);
    start(&k, WEFT_CLIENT);
    RAW(&k, "\x81\xFF");
    feed(&k, cut);
    take_sent(&k);
    CHECK(k.failure == WEFT_E_MASKED);
    CHECK(NOTED(&k, "fault 1002\nsent close 1002\n"));
    stop(&k);
}

static void
fails_after(enum weft_role role, enum weft_status why, const void *bytes,
            size_t len, size_t cut)
{
    struct kit k;

    start(&k, role);
    k.limits.max_message = k.limits.max_frame = UINT64_MAX;
    raw(&k, bytes, len - 1);
    feed(&k, cut);
    CHECK(k.failure == 0);
    raw(&k, (const char *)bytes + len - 1, 1);
    feed(&k, cut);
    CHECK(k.failure == why);
    stop(&k);
}

#define FAILS_AFTER(role, why, bytes) \
    fails_after(role, why, bytes, sizeof(bytes) - 1, cut)

static void
a_fault_shows_with_the_byte_that_shows_it(size_t cut)
{
    FAILS_AFTER(WEFT_SERVER, WEFT_E_RESERVED_BITS, "\xC1");
    FAILS_AFTER(WEFT_CLIENT, WEFT_E_OPCODE, "\x83");
    FAILS_AFTER(WEFT_CLIENT, WEFT_E_CONTINUATION, "\x80");
    FAILS_AFTER(WEFT_CLIENT, WEFT_E_INTERLEAVED, "\x01\x01x\x81");
    FAILS_AFTER(WEFT_SERVER, WEFT_E_LENGTH_NOT_MINIMAL, "\x81\xFE\0\x7D");
    FAILS_AFTER(WEFT_CLIENT, WEFT_E_LENGTH_NOT_MINIMAL,
                "\x81\x7F\0\0\0\0\0\0");
    FAILS_AFTER(WEFT_SERVER, WEFT_E_LENGTH_OVERFLOW, "\x82\xFF\x80");
    /* in the middle of a frame of 2^62 bytes */
    FAILS_AFTER(WEFT_CLIENT, WEFT_E_UTF8,
                "\x81\x7F\x40\0\0\0\0\0\0\0" "good so far \xE2\x82\x28");
}

/* Limits: exactly at them passes, one over fails, and by what is announced. */

static enum weft_status
under_limits(enum weft_role role, uint64_t message, uint64_t one, uint32_t most,
             const size_t *lengths, size_t n, size_t cut)
{
    static const uint8_t zeros[125];
    enum weft_status failure;
    struct kit k;

    start(&k, role);
    k.limits = (struct weft_limits){ .max_message = message, .max_frame = one,
                                     .max_fragments = most };
    weft_session_init(&k.s, role, &k.limits, &k.random);
    for (size_t i = 0; i < n; i++) {
        frame(&k, (i + 1 == n ? 0x80u : 0) | (i == 0 ? 2 : 0), zeros,
              lengths[i]);
        frame(&k, 0x8A, zeros, 125); /* a control frame does not count */
    }
    FRAME(&k, 0x82, "");
    feed(&k, cut);
    failure = k.failure;
    CHECK(failure == 0 || weft_status_close_code(failure) == 1009);
    stop(&k);
    return failure;
}

#define UNDER(message, one, most, ...) \
    under_limits(role, message, one, most, (const size_t[]){ __VA_ARGS__ }, \
                 sizeof((const size_t[]){ __VA_ARGS__ }) / sizeof(size_t), \
                 cut)

static void
limits_are_met_exactly(enum weft_role role, size_t cut)
{
    CHECK(UNDER(100, 100, 1, 100) == WEFT_OK);
    CHECK(UNDER(100, 200, 1, 101) == WEFT_E_MESSAGE_TOO_BIG);
    CHECK(UNDER(200, 100, 1, 101) == WEFT_E_FRAME_TOO_BIG);
    CHECK(UNDER(200, 200, 1, 100, 1) == WEFT_E_TOO_MANY_FRAGMENTS);
    CHECK(UNDER(200, 200, 1, 100, 0) == WEFT_OK); /* it only ends it */
    CHECK(UNDER(100, 100, 3, 60, 0, 40) == WEFT_OK);
    CHECK(UNDER(100, 100, 3, 60, 0, 41) == WEFT_E_MESSAGE_TOO_BIG);
    CHECK(UNDER(300, 100, 3, 60, 101, 4) == WEFT_E_FRAME_TOO_BIG);
    CHECK(UNDER(100, 100, 4, 0, 0, 0, 0) == WEFT_OK);
    CHECK(UNDER(100, 100, 4, 0, 0, 0, 0, 1) == WEFT_E_TOO_MANY_FRAGMENTS);
    CHECK(UNDER(100, 100, 4, 0, 0, 0, 0, 0, 0) == WEFT_E_TOO_MANY_FRAGMENTS);
    CHECK(UNDER(100, 100, 0, 5) == WEFT_E_TOO_MANY_FRAGMENTS);
    CHECK(UNDER(0, 0, 1, 0) == WEFT_OK);
    CHECK(UNDER(0, 0, 1, 1) == WEFT_E_MESSAGE_TOO_BIG);
}

static void
a_length_is_refused_before_its_payload(void)
{
    struct kit k;

    start(&k, WEFT_CLIENT);
    k.limits.max_message = 1000;
    RAW(&k, "\x02\x7E\x03\xE8"); /* 1000 */
    feed(&k, 1);
    CHECK(k.failure == 0);
    stop(&k);
    start(&k, WEFT_CLIENT);
    k.limits.max_message = 1000;
    RAW(&k, "\x02\x7E\x03\xE9");
    feed(&k, 1);
    CHECK(k.failure == WEFT_E_MESSAGE_TOO_BIG);
    stop(&k);
}

static void
each_failure_has_a_sentence_and_a_code(void)
{
    for (int rc = WEFT_EVENT; rc >= -40; rc--) {
        const char *text = weft_status_text((enum weft_status)rc);
        int code = weft_status_close_code((enum weft_status)rc);

        CHECK(text != NULL && strlen(text) > 3);
        CHECK(code == 1002 || (code >= 1007 && code <= 1009) || code == 1011
              || code == 1013);
        if (rc <= WEFT_E_RESERVED_BITS && rc >= WEFT_E_TOO_MANY_FRAGMENTS)
            CHECK(strstr(text, "RFC 6455") != NULL);
    }
}

int
main(void)
{
    for (int cut = 0; cut < CUTS; cut++) {
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            is_refused(&faults[i], WEFT_SERVER, cuts[cut]);
            is_refused(&faults[i], WEFT_CLIENT, cuts[cut]);
        }
        masking_must_fit_the_role(cuts[cut]);
        a_fault_shows_with_the_byte_that_shows_it(cuts[cut]);
        limits_are_met_exactly(WEFT_SERVER, cuts[cut]);
        limits_are_met_exactly(WEFT_CLIENT, cuts[cut]);
    }
    a_length_is_refused_before_its_payload();
    each_failure_has_a_sentence_and_a_code();
    return check_report();
}
