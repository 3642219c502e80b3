/*
 * Memory runs out at each allocation in turn of two endpoints that agree on
 * compression and talk: a call says so, is made again once there is memory,
 * and the conversation goes on as if nothing had been.
 */
#include "check.h"
#include "failing_mem.h"
#include "proto/endpoint.h"

enum { LARGE = 20000 };

static char words[LARGE];
static struct weft_endpoint client, server;
static int opened, heard;
static bool failed; /* the session's reading cannot be taken up again */

static struct weft_endpoint_options
options(bool takeover)
{
    return (struct weft_endpoint_options){
        .limits = { .max_message = LARGE, .max_frame = LARGE,
                    .max_fragments = 10 },
        .max_header = 1000, .max_headers = 20,
        .request = { .host = { "h", 1 }, .target = { "/", 1 } },
        .deflate = { .on = true, .level = 6, .threshold = 100,
                     .server_no_context_takeover = !takeover,
                     .client_no_context_takeover = !takeover,
                     .server_max_window_bits = 15,
                     .client_max_window_bits = 15, .window_bits = 12 },
    };
}

static void
look(struct weft_endpoint *e)
{
    enum weft_status rc;

    while ((rc = weft_endpoint_look(e)) != WEFT_MORE) {
        if (rc == WEFT_E_MEMORY)
            continue;
        CHECK(rc == WEFT_EVENT);
        if (e->found == WEFT_FOUND_OPEN)
            opened++;
        if (e->found == WEFT_FOUND_ERROR)
            failed = e->code == 1011;
        if (e->found == WEFT_FOUND_EVENT &&
            e->event.type == WEFT_EVENT_MESSAGE) {
            CHECK(e->event.len == LARGE);
            CHECK(memcmp(e->event.data, words, LARGE) == 0);
            heard++;
        }
        weft_endpoint_take(e);
    }
}

static void
carry(struct weft_endpoint *from, struct weft_endpoint *to)
{
    while (weft_endpoint_output(from).len > 0) {
        struct weft_span out = weft_endpoint_output(from);
        size_t n = out.len < 100 ? out.len : 100;
        enum weft_status rc = WEFT_E_MEMORY;

        while (rc == WEFT_E_MEMORY)
            rc = weft_endpoint_feed(to, out.data, n);
        weft_endpoint_sent(from, n);
        look(to);
    }
}

static void
say(struct weft_endpoint *from, struct weft_endpoint *to)
{
    enum weft_status rc = WEFT_E_MEMORY;

    while (rc == WEFT_E_MEMORY) {
        size_t before = weft_endpoint_output(from).len;

        rc = weft_endpoint_send(from, WEFT_TEXT, words, LARGE);
        CHECK(rc == WEFT_OK || rc == WEFT_E_MEMORY ||
              (failed && rc == WEFT_E_CLOSED));
        CHECK(rc == WEFT_OK || weft_endpoint_output(from).len == before);
    }
    carry(from, to);
}

static void
begin(bool takeover)
{
    struct weft_endpoint_options o = options(takeover);

    while (weft_endpoint_client(&client, &o) == WEFT_E_MEMORY)
        CHECK(refused && weft_endpoint_state(&client) == WEFT_CLOSED);
    while (weft_endpoint_server(&server, &o) == WEFT_E_MEMORY)
        CHECK(refused && weft_endpoint_state(&server) == WEFT_CLOSED);
}

/* Returns whether the allocation was reached. */
static bool
survives(bool takeover, long n)
{
    allocations = 0;
    failing = n;
    refused = failed = false;
    opened = heard = 0;
    begin(takeover);
    carry(&client, &server);
    carry(&server, &client);
    CHECK(opened == 2);
    CHECK(client.agreed.on == weft_deflate_available());
    CHECK(server.agreed.on == weft_deflate_available());
    for (int i = 0; i < 2; i++) {
        say(&client, &server);
        say(&server, &client);
    }
    CHECK(heard == 4 || (failed && refused));
    failing = -1;
    weft_endpoint_deinit(&client);
    weft_endpoint_deinit(&server);
    CHECK(unfreed == 0);
    return refused;
}

int
main(void)
{
    for (size_t i = 0; i < LARGE; i++)
        words[i] = "abracadabra, "[(i + i / 100) % 13];
    for (int takeover = 0; takeover < 2; takeover++) {
        long n = 0;

        while (survives(takeover, n))
            n++;
        CHECK(n > 10 && n < 1000);
    }
    return check_report();
}
