/*
 * The PROXY protocol as HAProxy's proxy-protocol.txt has it.  It must not know
 * who may speak it, nor what it is good for.
 */
#include "proto/proxy_head.h"

#include <string.h>

#include "base/bytes.h"
#include "base/inet.h"

enum {
    START = 16,      /* of version 2: signature, command, family, length */
    SIGNATURE = 12,
    LOCAL = 0x20,
    PROXY = 0x21,
    ENTRY = 3,       /* of an extension: its type and length */
    TYPE_SSL = 0x20,
    CLIENT_SSL = 1,
};

static const uint8_t signature[SIGNATURE] = {
    '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n',
};

static enum weft_status
fail(struct weft_proxy_head *h, const char *why)
{
    *h = (struct weft_proxy_head){ .why = why };
    return WEFT_E_HEAD;
}

/* ---- version 1, a line (2.1) */

/* The next word of a line and the one blank before it; false: there is none. */
static bool
next_word(struct weft_span *line, struct weft_span *word)
{
    if (line->len == 0 || *line->data != ' ')
        return false;
    word->data = ++line->data;
    line->len--;
    while (line->len > 0 && *line->data != ' ') {
        line->data++;
        line->len--;
    }
    word->len = (size_t)(line->data - word->data);
    return word->len > 0;
}

static bool
read_address(struct weft_span word, int family, uint8_t address[16])
{
    char text[INET6_ADDRSTRLEN];

    if (word.len >= sizeof(text) || memchr(word.data, '\0', word.len) != NULL)
        return false;
    memcpy(text, word.data, word.len);
    text[word.len] = '\0';
    return inet_pton(family, text, address) == 1;
}

/* "In decimal, without leading zeros, 0 to 65535" */
static bool
read_port(struct weft_span word, uint16_t *port)
{
    uint32_t n = 0;

    if (word.len == 0 || word.len > 5 || (word.len > 1 && *word.data == '0'))
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        n = n * 10 + (uint32_t)(word.data[i] - '0');
    }
    *port = (uint16_t)n;
    return n <= UINT16_MAX;
}

static bool
is(struct weft_span word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

/* What stands behind "PROXY", without the CRLF. */
static bool
read_line(struct weft_proxy_head *h, struct weft_span line)
{
    struct weft_span kind, from, to, from_port, to_port;
    uint8_t address[16];
    uint16_t port;
    bool v6;

    if (!next_word(&line, &kind))
        return false;
    if (is(kind, "UNKNOWN")) /* "must ignore anything before the CRLF" */
        return true;
    v6 = is(kind, "TCP6");
    if ((!v6 && !is(kind, "TCP4")) || !next_word(&line, &from)
        || !next_word(&line, &to) || !next_word(&line, &from_port)
        || !next_word(&line, &to_port) || line.len > 0)
        return false;
    h->from = v6 ? WEFT_PROXY_IPV6 : WEFT_PROXY_IPV4;
    return read_address(from, v6 ? AF_INET6 : AF_INET, h->address)
           && read_address(to, v6 ? AF_INET6 : AF_INET, address)
           && read_port(from_port, &h->port) && read_port(to_port, &port);
}

static enum weft_status
read_text(struct weft_proxy_head *h, const uint8_t *bytes, size_t len)
{
    static const char word[] = "PROXY ";
    size_t known = sizeof(word) - 1 < len ? sizeof(word) - 1 : len;
    size_t most = len < WEFT_PROXY_LINE_MAX ? len : WEFT_PROXY_LINE_MAX;
    const uint8_t *end;

    if (memcmp(bytes, word, known) != 0)
        return fail(h, "no PROXY protocol head came first");
    end = memchr(bytes, '\n', most);
    if (end == NULL && len < WEFT_PROXY_LINE_MAX)
        return WEFT_MORE;
    if (end == NULL)
        return fail(h, "the PROXY protocol's line is too long");
    h->length = (size_t)(end - bytes) + 1;
    if (end[-1] != '\r'
        || !read_line(h, (struct weft_span){
                             (const char *)bytes + sizeof(word) - 2,
                             h->length - (sizeof(word) - 2) - 2 }))
        return fail(h, "the PROXY protocol's line is malformed");
    return WEFT_OK;
}

/* ---- version 2, binary (2.2) */

/* The addresses' room: the client's, the proxy's, and the ports of both. */
static size_t
room_of(enum weft_proxy_from from)
{
    switch (from) {
    case WEFT_PROXY_IPV4:
        return 12;
    case WEFT_PROXY_IPV6:
        return 36;
    case WEFT_PROXY_UNIX:
        return 2 * WEFT_PROXY_PATH_MAX;
    case WEFT_PROXY_UNTOLD:
        break;
    }
    return 0;
}

/* Address family and transport; false: "must be rejected as invalid". */
static bool
read_family(uint8_t byte, enum weft_proxy_from *from)
{
    static const enum weft_proxy_from families[] = {
        WEFT_PROXY_UNTOLD, WEFT_PROXY_IPV4, WEFT_PROXY_IPV6, WEFT_PROXY_UNIX,
    };
    uint8_t family = byte >> 4, transport = byte & 15;

    *from = WEFT_PROXY_UNTOLD;
    if (family > 3 || transport > 2)
        return false;
    if (transport == 1)
        *from = families[family];
    return true;
}

static void
take_address(struct weft_proxy_head *h, const uint8_t *block)
{
    size_t size = h->from == WEFT_PROXY_IPV4 ? 4 : 16;

    if (h->from == WEFT_PROXY_UNIX) {
        memcpy(h->path, block, WEFT_PROXY_PATH_MAX);
    } else if (h->from != WEFT_PROXY_UNTOLD) {
        memcpy(h->address, block, size);
        h->port = weft_load16(block + 2 * size);
    }
}

/*
 * Of the extensions one counts: whether the client speaks TLS (2.2.6).  "The
 * receiver must ignore" those that it does not know; behind one that has no
 * room for itself there is nothing to be known.
 */
static void
read_extensions(struct weft_proxy_head *h, const uint8_t *at, size_t len)
{
    while (len >= ENTRY) {
        size_t size = weft_load16(at + 1);

        if (size > len - ENTRY)
            return;
        if (at[0] == TYPE_SSL && size > 0)
            h->secure = (at[ENTRY] & CLIENT_SSL) != 0;
        at += ENTRY + size;
        len -= ENTRY + size;
    }
}

static enum weft_status
read_binary(struct weft_proxy_head *h, const uint8_t *bytes, size_t len)
{
    enum weft_proxy_from from = WEFT_PROXY_UNTOLD;
    size_t block;

    if (memcmp(bytes, signature, len < SIGNATURE ? len : SIGNATURE) != 0)
        return fail(h, "no PROXY protocol head came first");
    if (len > 12 && bytes[12] != LOCAL && bytes[12] != PROXY)
        return fail(h, "the PROXY protocol's version or command is unknown");
    if (len > 13 && bytes[12] == PROXY && !read_family(bytes[13], &from))
        return fail(h, "the PROXY protocol's address family is unknown");
    if (len < START)
        return WEFT_MORE;
    block = weft_load16(bytes + 14);
    if (START + block > WEFT_PROXY_HEAD_MAX)
        return fail(h, "the PROXY protocol's head is too long");
    if (block < room_of(from))
        return fail(h, "the PROXY protocol's head has no room for its addresses");
    if (len < START + block)
        return WEFT_MORE;
    h->from = from;
    h->length = START + block;
    take_address(h, bytes + START);
    if (from != WEFT_PROXY_UNTOLD)
        read_extensions(h, bytes + START + room_of(from),
                        block - room_of(from));
    return WEFT_OK;
}

enum weft_status
weft_proxy_head_read(struct weft_proxy_head *h, const uint8_t *bytes,
                     size_t len)
{
    *h = (struct weft_proxy_head){ 0 };
    if (len == 0)
        return WEFT_MORE;
    if (bytes[0] == signature[0])
        return read_binary(h, bytes, len);
    return read_text(h, bytes, len);
}
