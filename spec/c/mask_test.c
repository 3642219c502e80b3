/* Masking (RFC 6455, 5.3) against one octet at a time. */
#include "proto/mask.h"

#include "check.h"

enum { ROOM = 1600 };

static const uint8_t key[4] = { 0x37, 0xFA, 0x21, 0x3D };

static void
fill(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
}

/* Each length, alignment and offset; what lies around stays as it was. */
static void
each_octet_is_masked_by_its_place(size_t len, size_t from, uint64_t offset)
{
    uint8_t was[ROOM], in_place[ROOM], copy[ROOM];
    int good = 1;

    fill(was, ROOM);
    fill(in_place, ROOM);
    fill(copy, ROOM);
    weft_mask(in_place + from, len, key, offset);
    weft_mask_copy(copy + 3, was + from, len, key, offset);
    for (size_t i = 0; i < len; i++) {
        uint8_t want = was[from + i] ^ key[(offset + i) % 4];

        good &= in_place[from + i] == want && copy[3 + i] == want;
    }
    for (size_t i = 0; i < ROOM; i++) {
        if (i < from || i >= from + len)
            good &= in_place[i] == was[i];
        if (i < 3 || i >= 3 + len)
            good &= copy[i] == was[i];
    }
    CHECK(good);
}

static void
the_example_of_the_rfc_is_unmasked(void)
{
    uint8_t hello[] = { 0x7F, 0x9F, 0x4D, 0x51, 0x58 }; /* 5.7 */

    weft_mask(hello, 5, key, 0);
    CHECK(memcmp(hello, "Hello", 5) == 0);
}

static void
pieces_are_masked_like_the_whole(void)
{
    uint8_t whole[100], pieces[100];

    for (size_t size = 1; size <= 100; size++) {
        fill(whole, 100);
        fill(pieces, 100);
        weft_mask(whole, 100, key, 0);
        for (size_t at = 0; at < 100; at += size)
            weft_mask(pieces + at, size < 100 - at ? size : 100 - at, key, at);
        CHECK(memcmp(whole, pieces, 100) == 0);
    }
}

int
main(void)
{
    for (size_t len = 0; len <= 130; len++) {
        for (size_t from = 0; from < 9; from++) {
            each_octet_is_masked_by_its_place(len, from, len % 5);
            each_octet_is_masked_by_its_place(len, from,
                                              UINT64_C(1) << 40 | from);
        }
    }
    for (size_t len = 1000; len <= 1560; len++)
        each_octet_is_masked_by_its_place(len, len % 9, len % 7);
    the_example_of_the_rfc_is_unmasked();
    pieces_are_masked_like_the_whole();
    return check_report();
}
