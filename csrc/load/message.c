/*
 * The message of a load.  It must not know of sockets or of measuring.
 */
#include "load/message.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
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
static enum weft_status
compress(struct weft_load_message *m, struct weft_deflate *d)
{
    struct weft_span out;
    enum weft_status rc = weft_deflate_message(d, m->payload, m->size, &out);

    if (rc != WEFT_OK) /* it did not become smaller */
        return rc == WEFT_MORE ? WEFT_OK : rc;
    m->carried = weft_realloc(NULL, out.len + 1);
    if (m->carried == NULL)
        return WEFT_E_MEMORY;
    memcpy(m->carried, out.data, out.len);
    m->len = out.len;
    m->compressed = true;
    return WEFT_OK;
}

static enum weft_status
carry(struct weft_load_message *m, const struct weft_deflate_agreed *agreed)
{
    struct weft_deflate_options o = { .on = true, .level = -1, .mem_level = 8 };
    struct weft_deflate_agreed alone = *agreed;
    struct weft_deflate_pool pool = { 0 };
    struct weft_deflate *d;
    enum weft_status rc = WEFT_E_MEMORY;

    alone.client_no_context_takeover = true;
    d = weft_deflate_new(false, &o, &alone, &pool);
    if (d != NULL)
        rc = compress(m, d);
    weft_deflate_free(d);
    weft_deflate_pool_deinit(&pool);
    return rc;
}

enum weft_status
weft_load_message_init(struct weft_load_message *m, enum weft_load_kind kind,
                       size_t size, const struct weft_deflate_agreed *agreed)
{
    *m = (struct weft_load_message){ .kind = kind, .size = size, .len = size };
    m->payload = m->carried = weft_realloc(NULL, size + 1);
    if (m->payload == NULL)
        return WEFT_E_MEMORY;
    if (kind == WEFT_LOAD_RECORDS)
        fill_with_records(m->payload, size);
    else
        fill(m->payload, size, kind == WEFT_LOAD_BINARY);
    return agreed->on ? carry(m, agreed) : WEFT_OK;
}

void
weft_load_message_deinit(struct weft_load_message *m)
{
    if (m->carried != m->payload)
        weft_free(m->carried);
    weft_free(m->payload);
    *m = (struct weft_load_message){ 0 };
}

const char *
weft_load_kind_text(enum weft_load_kind kind)
{
    switch (kind) {
    case WEFT_LOAD_TEXT: return "text";
    case WEFT_LOAD_BINARY: return "binary";
    case WEFT_LOAD_RECORDS: return "records";
    }
    return "";
}

uint8_t
weft_load_message_opcode(const struct weft_load_message *m)
{
    return m->kind == WEFT_LOAD_BINARY ? WEFT_BINARY : WEFT_TEXT;
}

static struct weft_frame
frame_of(const struct weft_load_message *m)
{
    return (struct weft_frame){ .fin = true, .masked = true, .len = m->len,
                                .reserved = m->compressed ? 4 : 0,
                                .opcode = weft_load_message_opcode(m) };
}

size_t
weft_load_message_frame_len(const struct weft_load_message *m)
{
    struct weft_frame f = frame_of(m);
    uint8_t head[WEFT_FRAME_HEAD_MAX];

    return weft_frame_write(&f, head) + m->len;
}

enum weft_status
weft_load_message_frame(const struct weft_load_message *m,
                        struct weft_random *random, uint8_t *to)
{
    struct weft_frame f = frame_of(m);

    if (weft_random_bytes(random, f.key, sizeof(f.key)) != WEFT_OK)
        return WEFT_E_MEMORY;
    to += weft_frame_write(&f, to);
    weft_mask_copy(to, m->carried, m->len, f.key, 0);
    return WEFT_OK;
}

/* What came out, where rc is what the inflating said. */
static const char *
compare(const struct weft_load_message *m, enum weft_status rc,
        const uint8_t *bytes, size_t n, size_t *at)
{
    if (rc < 0)
        return weft_status_text(rc);
    if (n > m->size - *at || memcmp(bytes, m->payload + *at, n) != 0)
        return "an echo differs from what was sent";
    *at += n;
    return NULL;
}

const char *
weft_load_message_compare(const struct weft_load_message *m,
                          struct weft_deflate *d, const uint8_t *bytes,
                          size_t n, size_t *at)
{
    uint8_t room[16384];
    enum weft_status rc;
    const char *fault;
    size_t made;

    do {
        rc = weft_deflate_inflate(d, &bytes, &n, room, sizeof(room), &made);
        fault = compare(m, rc, room, made, at);
    } while (fault == NULL && rc == WEFT_MORE);
    return fault;
}

const char *
weft_load_message_compare_end(const struct weft_load_message *m,
                              struct weft_deflate *d, size_t at)
{
    uint8_t room[16384];
    enum weft_status rc;
    const char *fault;
    size_t made;

    do {
        rc = weft_deflate_end(d, room, sizeof(room), &made);
        fault = compare(m, rc, room, made, &at);
    } while (fault == NULL && rc == WEFT_MORE);
    if (fault == NULL && at != m->size)
        fault = "an echo is shorter than what was sent";
    return fault;
}
