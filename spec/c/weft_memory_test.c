/*
 * weft.h when memory runs out, at each allocation in turn: every call says so
 * and may be made again, or the connection fails in an orderly way; and nothing
 * leaks.  That this program's own memory is used at all shows the hook.
 */
#include "capi/weft.h"

#include "check.h"
#include "failing_mem.h"

enum { LARGE = 20000 };

static const char *const spoken[] = { "chat", NULL };
static char words[LARGE];
static struct weft_protocol *client, *server;
static int heard, errors;

static void
look(struct weft_protocol *p)
{
    struct weft_protocol_event ev;
    enum weft_protocol_status status;

    while ((status = weft_protocol_next(p, &ev)) != WEFT_PROTOCOL_OK) {
        CHECK(status == WEFT_PROTOCOL_EVENT ||
              (refused && status == WEFT_PROTOCOL_E_MEMORY));
        if (status != WEFT_PROTOCOL_EVENT)
            continue;
        errors += ev.type == WEFT_PROTOCOL_ERROR;
        if (ev.type == WEFT_PROTOCOL_TEXT)
            heard += ev.len == LARGE && memcmp(ev.data, words, LARGE) == 0;
    }
}

static bool
carry(struct weft_protocol *from, struct weft_protocol *to)
{
    size_t len, n;
    const char *out = weft_protocol_output(from, &len);

    if (len == 0)
        return false;
    n = len < 1000 ? len : 1000;
    if (weft_protocol_feed(to, out, n) != WEFT_PROTOCOL_E_MEMORY)
        weft_protocol_sent(from, n);
    look(to);
    return true;
}

static void
talk(void)
{
    while ((int)carry(client, server) | (int)carry(server, client))
        continue;
}

/* Whether it was taken, now or, after a failure, the second time. */
static void
say(struct weft_protocol *from)
{
    enum weft_protocol_status status;

    while ((status = weft_protocol_send(from, WEFT_PROTOCOL_TEXT, words,
                                        LARGE)) == WEFT_PROTOCOL_E_MEMORY)
        CHECK(refused);
    CHECK(status == WEFT_PROTOCOL_OK || errors > 0);
    talk();
}

static void
begin(enum weft_protocol_compression how)
{
    struct weft_protocol_options o = {
        .host = "h", .subprotocols = spoken, .compression = how,
        .headers = "X-A: b\r\n",
    };

    while (weft_protocol_client(&client, &o) == WEFT_PROTOCOL_E_MEMORY)
        CHECK(refused && client == NULL);
    while (weft_protocol_server(&server, &o) == WEFT_PROTOCOL_E_MEMORY)
        CHECK(refused && server == NULL);
}

/* Returns whether that allocation was reached. */
static bool
survives(enum weft_protocol_compression how, long n)
{
    allocations = 0;
    failing = n;
    refused = false;
    heard = errors = 0;
    begin(how);
    talk();
    for (int i = 0; i < 2; i++) {
        say(client);
        say(server);
    }
    while (weft_protocol_close(client, 1000, "bye", 3) ==
           WEFT_PROTOCOL_E_MEMORY)
        CHECK(refused);
    talk();
    CHECK(heard == 4 || (refused && errors > 0));
    CHECK(weft_protocol_state(client) == WEFT_PROTOCOL_IS_CLOSED ||
          errors > 0);
    weft_protocol_free(client);
    weft_protocol_free(server);
    CHECK(unfreed == 0);
    return refused;
}

/* How many blocks two ends hold that have talked and are idle. */
static long
held(enum weft_protocol_compression how)
{
    long count;

    begin(how);
    talk();
    say(client);
    say(server);
    count = unfreed;
    weft_protocol_free(client);
    weft_protocol_free(server);
    return count;
}

int
main(void)
{
    for (size_t i = 0; i < LARGE; i++)
        words[i] = "abracadabra, "[(i + i / 100) % 13];
    for (int how = 0; how <= WEFT_PROTOCOL_SLIDING; how++) {
        long n = 0;

        while (survives((enum weft_protocol_compression)how, n) && n < 1000)
            n++;
        CHECK(n > 10 && n < 1000);
        printf("%ld allocations failed in turn\n", n);
    }
    failing = -1;
    /* what was agreed on and small buffers, and no streams of many blocks */
    CHECK(held(WEFT_PROTOCOL_EACH) <= held(WEFT_PROTOCOL_PLAIN) + 4);
    return check_report();
}
