/* The output queue against a flat model of the bytes it stands for. */
#include "proto/outq.h"

#include <stdlib.h>

#include "check.h"

enum { MODEL = 1 << 20, MOST_BORROWED = 4096 };

static uint8_t model[MODEL];
static size_t model_head, model_tail;
static size_t borrowed_end[MOST_BORROWED]; /* where each ends in the model */
static uint32_t borrowed;
static uint32_t seed;

static size_t
below(size_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void
fill(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = model[model_tail++] = (uint8_t)below(256);
}

static void
add_something(struct weft_outq *q, uint8_t *arena)
{
    size_t len = 1 + below(below(4) == 0 ? 5000 : 40);

    if (below(3) == 0) {
        uint8_t *to = weft_outq_reserve(q, len + 10);

        CHECK(to != NULL);
        fill(to, len);
        weft_outq_commit(q, len);
    } else if (below(2) == 0) {
        struct weft_chunk *c = weft_chunk_new(len);

        fill(c->bytes, len);
        CHECK(weft_outq_add_chunk(q, c) == WEFT_OK);
        weft_chunk_release(c); /* the queue keeps its own reference */
    } else {
        uint8_t *from = arena + model_tail;

        fill(from, len);
        CHECK(weft_outq_prepare_ref(q) == WEFT_OK);
        CHECK(weft_outq_add_borrowed(q, from, len) == WEFT_OK);
        borrowed_end[borrowed++] = model_tail;
        CHECK(q->borrowed == borrowed);
    }
}

static void
lends_what_the_model_holds(const struct weft_outq *q, int max)
{
    struct weft_span spans[64];
    int n = weft_outq_spans(q, spans, max), good = 1;
    size_t at = model_head;

    CHECK(weft_outq_len(q) == model_tail - model_head);
    CHECK(n <= max && (n > 0) == (model_tail > model_head));
    for (int i = 0; i < n; i++) {
        good &= spans[i].len > 0 && spans[i].len <= model_tail - at &&
                memcmp(spans[i].data, model + at, spans[i].len) == 0;
        at += spans[i].len;
    }
    CHECK(good);
    CHECK(n == max || at == model_tail);
}

static void
consume_something(struct weft_outq *q)
{
    size_t len = below(weft_outq_len(q) + 1);
    uint32_t returned = 0;

    weft_outq_consume(q, len);
    model_head += len;
    while (returned < borrowed && borrowed_end[returned] <= model_head)
        returned++;
    CHECK(q->returned == returned);
}

static void
any_order_of_adding_and_consuming_keeps_the_bytes(uint32_t from)
{
    struct weft_outq q = { 0 };
    uint8_t *arena = malloc(MODEL);

    seed = from;
    model_head = model_tail = borrowed = 0;
    for (int round = 0; round < 200; round++) {
        for (size_t n = below(6); n > 0; n--)
            add_something(&q, arena);
        lends_what_the_model_holds(&q, 1 + (int)below(64));
        if (below(3) > 0)
            consume_something(&q);
        if (below(20) == 0) {
            weft_outq_consume(&q, weft_outq_len(&q));
            model_head = model_tail;
            CHECK(q.returned == q.borrowed && q.count == 0);
            CHECK(q.bytes.cap <= 4096 && q.cap <= 16);
        }
    }
    weft_outq_deinit(&q);
    CHECK(q.returned == borrowed && q.borrowed == borrowed);
    CHECK(weft_outq_len(&q) == 0);
    weft_outq_deinit(&q);
    free(arena);
}

static void
nothing_adds_nothing(void)
{
    struct weft_outq q = { 0 };
    struct weft_chunk *empty = weft_chunk_new(0);
    struct weft_span span;

    CHECK(weft_outq_add_borrowed(&q, "", 0) == WEFT_OK);
    CHECK(weft_outq_add_chunk(&q, empty) == WEFT_OK);
    CHECK(empty->references == 1);
    CHECK(q.borrowed == 0 && weft_outq_spans(&q, &span, 1) == 0);
    weft_outq_consume(&q, 0);
    weft_chunk_release(empty);
    weft_outq_deinit(&q);
}

static void
a_chunk_is_held_until_its_last_byte_is_sent(void)
{
    struct weft_outq q = { 0 };
    struct weft_chunk *c = weft_chunk_new(10);

    memset(c->bytes, 'x', 10);
    CHECK(weft_outq_add_chunk(&q, c) == WEFT_OK && c->references == 2);
    CHECK(weft_outq_add_chunk(&q, c) == WEFT_OK && c->references == 3);
    weft_outq_consume(&q, 9);
    CHECK(c->references == 3);
    weft_outq_consume(&q, 1);
    CHECK(c->references == 2);
    weft_outq_deinit(&q);
    CHECK(c->references == 1);
    weft_chunk_release(c);
}

int
main(void)
{
    for (uint32_t i = 1; i <= 60; i++)
        any_order_of_adding_and_consuming_keeps_the_bytes(i);
    nothing_adds_nothing();
    a_chunk_is_held_until_its_last_byte_is_sent();
    return check_report();
}
