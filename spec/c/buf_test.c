/* The byte buffer: what goes in comes out, in order, in linear time. */
#include "base/buf.h"

#include "check.h"

static uint8_t
byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

static void
bytes_come_out_as_they_went_in(size_t in, size_t out)
{
    struct weft_buf b = { 0 };
    size_t written = 0, read = 0;
    int good = 1;

    while (read < 20000) {
        uint8_t *to = weft_buf_reserve(&b, in);

        CHECK(to != NULL);
        if (to == NULL)
            break;
        for (size_t i = 0; i < in; i++)
            to[i] = byte_at(written++);
        weft_buf_commit(&b, in);
        for (size_t i = 0; i < out && weft_buf_len(&b) > 0; i++) {
            good &= *weft_buf_head(&b) == byte_at(read++);
            weft_buf_consume(&b, 1);
        }
    }
    CHECK(good);
    CHECK(weft_buf_len(&b) == written - read);
    CHECK(b.cap <= 4 * (written - read) + 8 * in + 1024);
    weft_buf_deinit(&b);
}

static void
what_is_not_committed_does_not_count(void)
{
    struct weft_buf b = { 0 };

    CHECK(weft_buf_reserve(&b, 100) != NULL);
    CHECK(weft_buf_len(&b) == 0);
    CHECK(weft_buf_add(&b, "abc", 3) == WEFT_OK);
    CHECK(weft_buf_len(&b) == 3 && memcmp(weft_buf_head(&b), "abc", 3) == 0);
    weft_buf_deinit(&b);
}

static void
an_absurd_size_is_refused_and_changes_nothing(void)
{
    struct weft_buf b = { 0 };

    CHECK(weft_buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK(weft_buf_add(&b, "abc", 3) == WEFT_OK);
    CHECK(weft_buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK(weft_buf_reserve(&b, SIZE_MAX / 2) == NULL);
    CHECK(weft_buf_len(&b) == 3 && memcmp(weft_buf_head(&b), "abc", 3) == 0);
    weft_buf_deinit(&b);
}

static void
spans_that_are_kept_stay_where_they_are(void)
{
    struct weft_buf b = { 0 };
    struct weft_span one, none, two;

    CHECK(weft_buf_reserve(&b, 1000) != NULL);
    one = weft_buf_keep(&b, (struct weft_span){ "one", 3 });
    none = weft_buf_keep(&b, (struct weft_span){ NULL, 0 });
    for (int i = 0; i < 331; i++)
        weft_buf_keep(&b, (struct weft_span){ "and", 3 });
    two = weft_buf_keep(&b, (struct weft_span){ "two!", 4 });
    CHECK(one.len == 3 && memcmp(one.data, "one", 3) == 0);
    CHECK(none.data != NULL && none.len == 0);
    CHECK(two.data == one.data + 3 + 331 * 3);
    CHECK(two.len == 4 && memcmp(two.data, "two!", 4) == 0);
    weft_buf_deinit(&b);
}

static void
a_buffer_may_be_deinited_again_and_used_again(void)
{
    struct weft_buf b = { 0 };

    weft_buf_deinit(&b);
    CHECK(weft_buf_add(&b, "x", 1) == WEFT_OK);
    weft_buf_deinit(&b);
    weft_buf_deinit(&b);
    CHECK(weft_buf_len(&b) == 0 && b.data == NULL);
}

int
main(void)
{
    bytes_come_out_as_they_went_in(1, 1);
    bytes_come_out_as_they_went_in(1000, 999);
    bytes_come_out_as_they_went_in(7, 3);
    bytes_come_out_as_they_went_in(3000, 10);
    what_is_not_committed_does_not_count();
    an_absurd_size_is_refused_and_changes_nothing();
    spans_that_are_kept_stay_where_they_are();
    a_buffer_may_be_deinited_again_and_used_again();
    return check_report();
}
