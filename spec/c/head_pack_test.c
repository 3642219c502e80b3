/* Heads packed and unpacked: what comes back is what went in, whatever it is,
 * and what everybody says takes little room. */
#include "proto/head_pack.h"

#include <stdlib.h>

#include "check.h"

#define SPAN(text) ((struct weft_span){ text, sizeof(text) - 1 })

/* The packed size of what comes back as it was, or -1. */
static long
packs_to(struct weft_span head)
{
    struct weft_buf packed = { 0 }, back = { 0 };
    long size = -1;

    CHECK(weft_head_pack(&packed, head) == WEFT_OK);
    CHECK(weft_head_unpack(&back, (struct weft_span){
                               (const char *)weft_buf_head(&packed),
                               weft_buf_len(&packed) }) == WEFT_OK);
    if (weft_buf_len(&back) == head.len
        && (head.len == 0
            || memcmp(weft_buf_head(&back), head.data, head.len) == 0))
        size = (long)weft_buf_len(&packed);
    weft_buf_deinit(&packed);
    weft_buf_deinit(&back);
    return size;
}

static void
a_request_takes_what_is_its_own(void)
{
    long size = packs_to(SPAN(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        "\r\nSec-WebSocket-Version: 13\r\n\r\n"));

    CHECK(size > 0 && size <= 4 + 6 + 1 + 22 + 3);
}

static void
a_browser_s_request_takes_a_third(void)
{
    struct weft_span head = SPAN(
        "GET /chat HTTP/1.1\r\nHost: example.com\r\n"
        "Connection: Upgrade\r\nPragma: no-cache\r\n"
        "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
        "x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
        "Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://example.com"
        "\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, "
        "zstd\r\nAccept-Language: en-US,en;q=0.9\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: "
        "permessage-deflate; client_max_window_bits\r\n\r\n");
    long size = packs_to(head);

    CHECK(size > 0 && size < (long)head.len / 3);
}

static void
any_bytes_come_back(void)
{
    char bytes[512];

    CHECK(packs_to(SPAN("")) == 0);
    CHECK(packs_to(SPAN("\x01\x80\xFF\x01")) > 0);
    for (int i = 0; i < 512; i++)
        bytes[i] = (char)(i * 7 / 3);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        CHECK(packs_to((struct weft_span){ bytes, len }) >= 0);
    srand(1);
    for (int n = 0; n < 1000; n++) {
        size_t len = (size_t)rand() % sizeof(bytes);

        for (size_t i = 0; i < len; i++)
            bytes[i] = "GET / HTTP1.\r\nHost: =\x01\x9A"[rand() % 23];
        CHECK(packs_to((struct weft_span){ bytes, len }) >= 0);
    }
}

/* Nobody packs such, but unpacking ends all the same. */
static void
what_was_never_packed_is_read_to_its_end(void)
{
    struct weft_buf back = { 0 };

    CHECK(weft_head_unpack(&back, SPAN("a\xFF\x01")) == WEFT_OK);
    CHECK(weft_buf_len(&back) == 3);
    weft_buf_deinit(&back);
}

int
main(void)
{
    a_request_takes_what_is_its_own();
    a_browser_s_request_takes_a_third();
    any_bytes_come_back();
    what_was_never_packed_is_read_to_its_end();
    return check_report();
}
