/* The frame head (RFC 6455, 5.2): written, read, and refused. */
#include "proto/frame.h"

#include "check.h"

/* What the head comes to when its bytes arrive one by one, and after how
 * many of them that shows. */
static enum weft_status
read_slowly(struct weft_frame *f, const uint8_t *bytes, size_t len,
            size_t *after, size_t *size)
{
    enum weft_status rc = WEFT_MORE;

    for (*after = 0; rc == WEFT_MORE && *after < len;)
        rc = weft_frame_read(f, bytes, ++*after, size);
    return rc;
}

static void
a_written_head_reads_back(uint64_t len, bool masked, uint8_t opcode)
{
    struct weft_frame f = { .fin = true, .masked = masked, .reserved = 5,
                            .opcode = opcode, .key = { 1, 2, 3, 4 },
                            .len = len };
    struct weft_frame back = { .len = 1 };
    uint8_t bytes[WEFT_FRAME_HEAD_MAX];
    size_t written = weft_frame_write(&f, bytes), after, size = 0;
    size_t want = (len < 126 ? 2u : len < 65536 ? 4u : 10u) +
                  (masked ? 4u : 0u);

    CHECK(written == want);
    CHECK(read_slowly(&back, bytes, written, &after, &size) == WEFT_OK);
    CHECK(after == written && size == written);
    CHECK(back.fin && back.masked == masked && back.reserved == 5 &&
          back.opcode == opcode && back.len == len);
    CHECK(!masked || memcmp(back.key, f.key, 4) == 0);
}

/* The fault shows when byte number `shows` is there, not before, and the same
 * when all is there at once. */
static void
is_refused(const char *bytes, size_t len, enum weft_status why, size_t shows)
{
    const uint8_t *head = (const uint8_t *)bytes;
    struct weft_frame f;
    size_t after, size;

    CHECK(read_slowly(&f, head, len, &after, &size) == why);
    CHECK(after == shows);
    CHECK(weft_frame_read(&f, head, len, &size) == why);
}

#define REFUSED(bytes, why, shows) \
    is_refused(bytes, sizeof(bytes) - 1, why, shows)

static void
faulty_heads_are_refused_at_the_first_byte_that_shows_it(void)
{
    REFUSED("\x83\x80", WEFT_E_OPCODE, 1);
    REFUSED("\x87\x80", WEFT_E_OPCODE, 1);
    REFUSED("\x8B\x80", WEFT_E_OPCODE, 1);
    REFUSED("\x8F\x80", WEFT_E_OPCODE, 1);
    REFUSED("\x08\x80", WEFT_E_CONTROL_FRAGMENTED, 1);
    REFUSED("\x09\x80", WEFT_E_CONTROL_FRAGMENTED, 1);
    REFUSED("\x89\xFE", WEFT_E_CONTROL_TOO_LONG, 2);
    REFUSED("\x8A\x7F", WEFT_E_CONTROL_TOO_LONG, 2);
    REFUSED("\x82\x7E\0\x7D", WEFT_E_LENGTH_NOT_MINIMAL, 4);
    REFUSED("\x82\x7F\0\0\0\0\0\0\xFF\xFF", WEFT_E_LENGTH_NOT_MINIMAL, 8);
    REFUSED("\x82\x7F\x80\0\0\0\0\0\0\0", WEFT_E_LENGTH_OVERFLOW, 3);
    REFUSED("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", WEFT_E_LENGTH_OVERFLOW,
            3);
}

static void
close_codes_are_those_of_the_registry(void)
{
    int wrong = 0;

    for (unsigned code = 0; code <= 65535; code++) {
        bool want = (code >= 1000 && code <= 1003) ||
                    (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);

        wrong += weft_close_code_valid(code) != want;
    }
    CHECK(wrong == 0);
}

int
main(void)
{
    static const uint64_t lengths[] = { 0, 1, 125, 126, 127, 65535, 65536,
                                        UINT64_C(1) << 32, INT64_MAX };

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        a_written_head_reads_back(lengths[i], false, WEFT_TEXT);
        a_written_head_reads_back(lengths[i], true, WEFT_CONTINUATION);
        if (lengths[i] <= WEFT_CONTROL_MAX)
            a_written_head_reads_back(lengths[i], true, WEFT_PONG);
    }
    faulty_heads_are_refused_at_the_first_byte_that_shows_it();
    close_codes_are_those_of_the_registry();
    return check_report();
}
