/*
 * Packing of heads.  It must not know how long anything is kept, so phrases
 * may be added, and moved.
 *
 * A byte from 0x80 stands for a phrase; a byte that would be taken for one, or
 * for this, goes behind ESCAPE.
 */
#include "proto/head_pack.h"

#include <stdbool.h>
#include <string.h>

enum { ESCAPE = 1, FIRST = 0x80 };

#define PHRASE(text) { text, sizeof(text) - 1 }

/* What browsers, libraries, proxies and we ourselves say; by their first bytes,
 * as find() needs it. */
static const struct weft_span phrases[] = {
    PHRASE("\r\n"),
    PHRASE(" HTTP/1.1\r\n"),
    PHRASE(" HTTP/1.1\r\nHost: "),
    PHRASE(" Safari/605.1.15"),
    PHRASE(" Mobile/15E148 Safari/604.1"),
    PHRASE(") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"),
    PHRASE(") AppleWebKit/605.1.15 (KHTML, like Gecko) Version/"),
    PHRASE(") Gecko/20100101 Firefox/"),
    PHRASE(".0.0.0 Safari/537.36"),
    PHRASE(".0.0.0 Mobile Safari/537.36"),
    PHRASE("127.0.0.1:"),
    PHRASE("; client_max_window_bits"),
    PHRASE("; server_max_window_bits="),
    PHRASE("; client_no_context_takeover"),
    PHRASE("; server_no_context_takeover"),
    PHRASE("; rv:"),
    PHRASE("==\r\n"),
    PHRASE("Accept: */*\r\n"),
    PHRASE("Accept-Encoding: gzip, deflate\r\n"),
    PHRASE("Accept-Encoding: gzip, deflate, br\r\n"),
    PHRASE("Accept-Encoding: gzip, deflate, br, zstd\r\n"),
    PHRASE("Accept-Language: "),
    PHRASE("Authorization: "),
    PHRASE("Basic "),
    PHRASE("Bearer "),
    PHRASE("Connection: Upgrade\r\n"),
    PHRASE("Connection: keep-alive, Upgrade\r\n"),
    PHRASE("Cache-Control: no-cache\r\n"),
    PHRASE("Cookie: "),
    PHRASE("GET "),
    PHRASE("GET / HTTP/1.1\r\nHost: "),
    PHRASE("HTTP/1.1 101 Switching Protocols\r\n"),
    PHRASE("Host: "),
    PHRASE("Linux; Android 10; K"),
    PHRASE("Macintosh; Intel Mac OS X 10_15_7"),
    PHRASE("Macintosh; Intel Mac OS X 10.15"),
    PHRASE("Origin: "),
    PHRASE("Pragma: no-cache\r\n"),
    PHRASE("Sec-WebSocket-Key: "),
    PHRASE("Sec-WebSocket-Version: 13\r\n"),
    PHRASE("Sec-WebSocket-Accept: "),
    PHRASE("Sec-WebSocket-Protocol: "),
    PHRASE("Sec-WebSocket-Extensions: "),
    PHRASE("Sec-Fetch-Dest: "),
    PHRASE("Sec-Fetch-Mode: "),
    PHRASE("Sec-Fetch-Site: "),
    PHRASE("Upgrade: websocket\r\n"),
    PHRASE("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "),
    PHRASE("User-Agent: "),
    PHRASE("User-Agent: Mozilla/5.0 ("),
    PHRASE("Windows NT 10.0; Win64; x64"),
    PHRASE("X-Forwarded-For: "),
    PHRASE("X-Forwarded-Host: "),
    PHRASE("X-Forwarded-Proto: "),
    PHRASE("X-Real-IP: "),
    PHRASE("X11; Linux x86_64"),
    PHRASE("connection: Upgrade\r\n"),
    PHRASE("cross-site\r\n"),
    PHRASE("en-US,en;q=0.9"),
    PHRASE("en-US,en;q=0.5"),
    PHRASE("host: "),
    PHRASE("http://"),
    PHRASE("https://"),
    PHRASE("iPhone; CPU iPhone OS "),
    PHRASE("localhost:"),
    PHRASE("permessage-deflate"),
    PHRASE("sec-websocket-key: "),
    PHRASE("sec-websocket-version: 13\r\n"),
    PHRASE("sec-websocket-protocol: "),
    PHRASE("sec-websocket-extensions: "),
    PHRASE("same-origin\r\n"),
    PHRASE("same-site\r\n"),
    PHRASE("upgrade: websocket\r\n"),
    PHRASE("websocket\r\n"),
};

enum { COUNT = sizeof(phrases) / sizeof(phrases[0]) };

/* The first phrase that does not begin with less than c. */
static int
first_from(char c)
{
    int low = 0, high = COUNT;

    while (low < high) {
        int middle = (low + high) / 2;

        if (phrases[middle].data[0] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest phrase that the bytes begin with, or -1. */
static int
find(struct weft_span bytes)
{
    char c = bytes.data[0];
    size_t longest = 0;
    int found = -1;

    for (int i = first_from(c); i < COUNT && phrases[i].data[0] == c; i++) {
        size_t len = phrases[i].len;

        if (len > longest && len <= bytes.len
            && memcmp(phrases[i].data, bytes.data, len) == 0) {
            longest = len;
            found = i;
        }
    }
    return found;
}

static bool
is_in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9');
}

/* Phrases are looked for at the ends of words alone: that is quick, and enough
 * for these. */
static bool
may_begin(struct weft_span head, size_t at, bool after_phrase)
{
    return at == 0 || after_phrase || !is_in_word(head.data[at])
           || !is_in_word(head.data[at - 1]);
}

enum weft_status
weft_head_pack(struct weft_buf *out, struct weft_span head)
{
    uint8_t *to = weft_buf_reserve(out, 2 * head.len); /* all escaped */
    size_t at = 0, len = 0;
    bool after_phrase = false;

    if (to == NULL)
        return WEFT_E_MEMORY;
    while (at < head.len) {
        struct weft_span left = { head.data + at, head.len - at };
        uint8_t c = (uint8_t)head.data[at];
        int i = may_begin(head, at, after_phrase) ? find(left) : -1;

        after_phrase = i >= 0;
        if (i < 0 && (c == ESCAPE || c >= FIRST))
            to[len++] = ESCAPE;
        to[len++] = i >= 0 ? (uint8_t)(FIRST + i) : c;
        at += i >= 0 ? phrases[i].len : 1;
    }
    weft_buf_commit(out, len);
    return WEFT_OK;
}

enum weft_status
weft_head_unpack(struct weft_buf *out, struct weft_span packed)
{
    for (size_t i = 0; i < packed.len; i++) {
        uint8_t c = (uint8_t)packed.data[i];
        struct weft_span say = { packed.data + i, 1 };

        if (c >= FIRST && c - FIRST < COUNT)
            say = phrases[c - FIRST];
        else if (c == ESCAPE && i + 1 < packed.len)
            say.data = packed.data + ++i;
        if (weft_buf_add(out, say.data, say.len) != WEFT_OK)
            return WEFT_E_MEMORY;
    }
    return WEFT_OK;
}
