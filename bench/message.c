/*
 * The message of a load.  It must not know of sockets or of measuring.
 */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "proto/frame.h"
#include "proto/mask.h"

/* The next of a row of numbers that is the same each time. */
static uint32_t
next(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

static void
fill(uint8_t *bytes, size_t len, bool binary)
{
    uint32_t x = 1;

    for (size_t i = 0; i < len; i++) {
        uint32_t byte = next(&x) >> 16;

        bytes[i] = (uint8_t)(binary ? byte : 'a' + byte % 26);
    }
}

/* The last record is cut off where the message ends. */
static void
fill_with_records(uint8_t *bytes, size_t len)
{
    static const char *const cities[] = { "Oslo", "Lima", "Kyoto", "Porto",
                                          "Dakar", "Quito", "Turin", "Perth" };
    uint32_t x = 1;

    for (size_t at = 0; at < len;) {
        char record[160];
        uint32_t id = next(&x), price = next(&x), city = next(&x);
        int n = snprintf(record, sizeof(record),
                         "{\"id\":%u,\"price\":%u.%02u,\"city\":\"%s\","
                         "\"open\":%s,\"volume\":%u,\"time\":17%08u}\n",
                         id % 1000000, price % 500, price / 500 % 100,
                         cities[city % 8], city & 64 ? "true" : "false",
                         next(&x) % 10000, next(&x));
        size_t take = (size_t)n < len - at ? (size_t)n : len - at;

        memcpy(bytes + at, record, take);
        at += take;
    }
}

/* Without takeover: every frame of it can be the first. */
static void
compress(struct message *m, const struct weft_deflate_agreed *agreed)
{
    struct weft_deflate_options o = { .on = true, .level = -1, .mem_level = 8 };
    struct weft_deflate_agreed alone = *agreed;
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *d;
    enum weft_status rc = WEFT_E_MEMORY;
    struct weft_span out;

    alone.client_no_context_takeover = true;
    d = weft_deflate_new(false, &o, &alone, &pool);
    if (d != NULL)
        rc = weft_deflate_message(d, m->payload, m->size, &out);
    if (rc < 0)
        program_fail("%s", weft_status_text(rc));
    if (rc == WEFT_OK) {
        m->carried = malloc(out.len + 1);
        if (m->carried == NULL)
            program_fail("out of memory");
        memcpy(m->carried, out.data, out.len);
        m->len = out.len;
        m->compressed = true;
    }
    weft_deflate_free(d);
    weft_deflate_pool_deinit(&pool);
}

void
message_init(struct message *m, enum message_kind kind, size_t size,
             const struct weft_deflate_agreed *agreed)
{
    *m = (struct message){ .kind = kind, .size = size, .len = size };
    m->payload = m->carried = malloc(size + 1);
    if (m->payload == NULL)
        program_fail("out of memory");
    if (kind == MESSAGE_RECORDS)
        fill_with_records(m->payload, size);
    else
        fill(m->payload, size, kind == MESSAGE_BINARY);
    if (agreed->on)
        compress(m, agreed);
}

const char *
message_kind_text(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_TEXT: return "text";
    case MESSAGE_BINARY: return "binary";
    case MESSAGE_RECORDS: return "records";
    }
    return "";
}

uint8_t
message_opcode(const struct message *m)
{
    return m->kind == MESSAGE_BINARY ? WEFT_BINARY : WEFT_TEXT;
}

static struct weft_frame
frame_of(const struct message *m)
{
    return (struct weft_frame){ .fin = true, .masked = true, .len = m->len,
                                .reserved = m->compressed ? 4 : 0,
                                .opcode = message_opcode(m) };
}

size_t
message_frame_len(const struct message *m)
{
    struct weft_frame f = frame_of(m);
    uint8_t head[WEFT_FRAME_HEAD_MAX];

    return weft_frame_write(&f, head) + m->len;
}

void
message_frame(const struct message *m, struct weft_random *random, uint8_t *to)
{
    struct weft_frame f = frame_of(m);

    if (weft_random_bytes(random, f.key, sizeof(f.key)) != WEFT_OK)
        program_fail("no random bytes");
    to += weft_frame_write(&f, to);
    weft_mask_copy(to, m->carried, m->len, f.key, 0);
}

/* What came out, and whether more will: rc is what the inflating said. */
static bool
compare(const struct message *m, enum weft_status rc, const uint8_t *bytes,
        size_t n, size_t *at)
{
    if (rc < 0)
        program_fail("%s", weft_status_text(rc));
    if (n > m->size - *at || memcmp(bytes, m->payload + *at, n) != 0)
        program_fail("an echo that differs from what was sent");
    *at += n;
    return rc == WEFT_MORE;
}

void
message_compare(const struct message *m, struct weft_deflate *d,
                const uint8_t *bytes, size_t n, size_t *at)
{
    uint8_t room[16384];
    enum weft_status rc;
    size_t made;

    do
        rc = weft_deflate_inflate(d, &bytes, &n, room, sizeof(room), &made);
    while (compare(m, rc, room, made, at));
}

void
message_compare_end(const struct message *m, struct weft_deflate *d, size_t at)
{
    uint8_t room[16384];
    enum weft_status rc;
    size_t made;

    do
        rc = weft_deflate_end(d, room, sizeof(room), &made);
    while (compare(m, rc, room, made, &at));
    if (at != m->size)
        program_fail("an echo of %zu bytes", at);
}
