/*
 * Connections counted by address: what counts as one, how many come in, and
 * that nothing is left behind, with memory running out as well.
 */
#include <string.h>

#include "check.h"
#include "failing_mem.h"
#include "loop/callers.h"

static struct weft_random dice;

static uint64_t
address(const char *host)
{
    struct weft_addr a = { .len = 0 };
    uint64_t found = 0;

    CHECK(weft_addr_parse(&a, host, 1234));
    CHECK(weft_callers_address(&a, &found));
    return found;
}

static bool
same(const char *a, const char *b)
{
    return address(a) == address(b);
}

static void
an_address_is_a_host_or_its_network(void)
{
    struct weft_addr a = { .len = 0 };
    uint64_t found;

    CHECK(same("10.0.0.1", "10.0.0.1"));
    CHECK(!same("10.0.0.1", "10.0.0.2"));
    CHECK(!same("10.0.0.1", "11.0.0.1"));
    CHECK(same("10.0.0.1", "::ffff:10.0.0.1"));
    CHECK(!same("::ffff:10.0.0.2", "::ffff:10.0.0.1"));
    CHECK(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    CHECK(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    CHECK(!same("2001:db8:1:2::1", "2001:db9:1:2::1"));
    CHECK(!same("::1", "127.0.0.1"));
    CHECK(!weft_callers_address(&a, &found));
    CHECK(weft_addr_unix(&a, "/tmp/a"));
    CHECK(!weft_callers_address(&a, &found));
}

static enum weft_admission
enter(struct weft_callers *c, uint64_t from)
{
    struct weft_call call = { .address = from };

    CHECK(weft_callers_enter(c, &dice, &call) == WEFT_OK);
    return call.admission;
}

static void
leave(struct weft_callers *c, uint64_t from, enum weft_admission admission)
{
    weft_callers_leave(c, &(struct weft_call){ from, admission });
}

static void
so_many_come_in_and_so_many_are_told(void)
{
    struct weft_callers c = { .most = 2 };

    for (int i = 0; i < 2; i++)
        CHECK(enter(&c, 7) == WEFT_ADMITTED);
    for (int i = 0; i < 8; i++)
        CHECK(enter(&c, 7) == WEFT_TURNED_AWAY);
    CHECK(enter(&c, 7) == WEFT_DROPPED);
    CHECK(enter(&c, 8) == WEFT_ADMITTED);
    leave(&c, 7, WEFT_TURNED_AWAY); /* which makes no place for others */
    CHECK(enter(&c, 7) == WEFT_TURNED_AWAY);
    CHECK(enter(&c, 7) == WEFT_DROPPED);
    leave(&c, 7, WEFT_ADMITTED);
    CHECK(enter(&c, 7) == WEFT_ADMITTED);
    CHECK(enter(&c, 7) == WEFT_DROPPED);
    CHECK(c.count == 2);
    leave(&c, 8, WEFT_ADMITTED);
    for (int i = 0; i < 2; i++)
        leave(&c, 7, WEFT_ADMITTED);
    CHECK(c.count == 1); /* some are still being told */
    for (int i = 0; i < 8; i++)
        leave(&c, 7, WEFT_TURNED_AWAY);
    CHECK(c.count == 0);
    weft_callers_deinit(&c);
    weft_callers_deinit(&c);
    CHECK(c.most == 2);
    c.most = 20; /* more than a few: as many are told */
    for (int i = 0; i < 20; i++)
        CHECK(enter(&c, 7) == WEFT_ADMITTED);
    for (int i = 0; i < 20; i++)
        CHECK(enter(&c, 7) == WEFT_TURNED_AWAY);
    CHECK(enter(&c, 7) == WEFT_DROPPED);
    weft_callers_deinit(&c); /* with somebody in it */
    CHECK(unfreed == 0);
}

static void
many_are_found_again(uint64_t step)
{
    enum { MANY = 20000 };
    struct weft_callers c = { .most = 3 };

    for (uint64_t i = 0; i < MANY; i++)
        CHECK(enter(&c, i * step) == WEFT_ADMITTED);
    CHECK(c.count == MANY);
    CHECK((size_t)1 << c.bits >= MANY);
    for (uint64_t i = 0; i < MANY; i += 3)
        CHECK(enter(&c, i * step) == WEFT_ADMITTED);
    CHECK(c.count == MANY);
    for (uint64_t i = 0; i < MANY; i++)
        leave(&c, i * step, WEFT_ADMITTED);
    CHECK(c.count == (MANY + 2) / 3);
    for (uint64_t i = 0; i < MANY; i += 3)
        leave(&c, i * step, WEFT_ADMITTED);
    CHECK(c.count == 0);
    weft_callers_deinit(&c);
    CHECK(unfreed == 0);
}

/* Who is not counted for want of memory leaves no trace; a table that cannot
 * grow still finds everybody. */
static void
memory_runs_out(void)
{
    enum { SOME = 200 };

    for (long n = 0; n < 2 * SOME; n++) {
        struct weft_callers c = { .most = 1 };
        bool in[SOME];
        uint32_t count = 0;

        allocations = 0;
        failing = n;
        for (uint64_t i = 0; i < SOME; i++) {
            struct weft_call call = { .address = i };

            in[i] = weft_callers_enter(&c, &dice, &call) == WEFT_OK;
            count += in[i];
        }
        CHECK(count >= SOME - 1 && c.count == count);
        failing = -1;
        for (uint64_t i = 0; i < SOME; i++)
            CHECK(enter(&c, i) == (in[i] ? WEFT_TURNED_AWAY : WEFT_ADMITTED));
        weft_callers_deinit(&c);
        CHECK(unfreed == 0);
    }
}

int
main(void)
{
    an_address_is_a_host_or_its_network();
    so_many_come_in_and_so_many_are_told();
    many_are_found_again(1);
    many_are_found_again(1 << 24);
    many_are_found_again(UINT64_C(1) << 48);
    memory_runs_out();
    return check_report();
}
