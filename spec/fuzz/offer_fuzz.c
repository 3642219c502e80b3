/*
 * The negotiation of permessage-deflate under hostile bytes.  The first two
 * bytes choose what is wanted, the rest is the value of the header, of several
 * when there are line ends: offers for a server and an answer for a client.
 *
 * The oracle: what a server chooses lies within its own bounds, 8 to 15 bits;
 * it is for an offer that a client of ours could have made, and that client
 * takes the answer for the same; what a client takes for an answer lies within
 * what it asked for; neither judges what is malformed.
 */
#include <stdlib.h>

#include "demand.h"
#include "proto/deflate.h"
#include "proto/deflate_offer.h"
#include "proto/extension.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct head {
    struct weft_http_head h;
    char bytes[8192];
};

static char *
add(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return to + len;
}

/* A head whose header has that value, where bytes that cannot stand in one
 * become a blank, and line ends begin another header. */
static void
make_head(struct head *p, enum weft_http_kind kind, const char *value,
          size_t len)
{
    static const char name[] = "\r\nSec-WebSocket-Extensions: ";
    char *to = add(p->bytes, kind == WEFT_HTTP_REQUEST ? "GET / HTTP/1.1"
                                                       : "HTTP/1.1 101 x");

    to = add(to, name);
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '\n')
            to = add(to, name);
        else
            *to++ = weft_http_is_vchar(value[i]) ? value[i] : ' ';
    }
    to = add(to, "\r\n\r\n");
    weft_http_init(&p->h, kind, sizeof(p->bytes), 200);
    DEMAND(weft_http_read(&p->h, p->bytes, (size_t)(to - p->bytes)) ==
           WEFT_OK);
}

static struct weft_deflate_options
options(uint8_t bits, uint8_t flags)
{
    return (struct weft_deflate_options){
        .on = true,
        .server_no_context_takeover = flags & 1,
        .client_no_context_takeover = flags & 2,
        .server_max_window_bits = (uint8_t)(8 + bits % 8),
        .client_max_window_bits = (uint8_t)(8 + bits / 8 % 8),
    };
}

static int
same(const struct weft_deflate_agreed *a, const struct weft_deflate_agreed *b)
{
    return a->on == b->on &&
           a->server_no_context_takeover == b->server_no_context_takeover &&
           a->client_no_context_takeover == b->client_no_context_takeover &&
           a->says_server_bits == b->says_server_bits &&
           a->says_client_bits == b->says_client_bits &&
           a->server_max_window_bits == b->server_max_window_bits &&
           a->client_max_window_bits == b->client_max_window_bits;
}

static int
is_nothing(const struct weft_deflate_agreed *a)
{
    static const struct weft_deflate_agreed nothing = { .on = false };

    return same(a, &nothing);
}

/* What holds of whatever was agreed on, whoever says so. */
static void
check_bounds(const struct weft_deflate_agreed *a)
{
    DEMAND(a->on);
    DEMAND(a->server_max_window_bits >= 8 && a->server_max_window_bits <= 15);
    DEMAND(a->client_max_window_bits >= 8 && a->client_max_window_bits <= 15);
}

/* Whether all elements of the header follow the grammar, and one is there. */
static int
well_formed(const struct head *p)
{
    uint32_t field = 0, at = 0;
    struct weft_span element;
    int count = 0;

    while (weft_http_next_element(&p->h, p->bytes, "sec-websocket-extensions",
                                  &field, &at, &element)) {
        if (!weft_extension_is_valid(element))
            return 0;
        count++;
    }
    return count > 0;
}

/* The client that made this offer takes that answer for what it says. */
static void
check_taken(const struct weft_deflate_options *client,
            const struct weft_deflate_agreed *chosen)
{
    char text[WEFT_DEFLATE_TEXT];
    struct weft_deflate_agreed taken;
    static struct head p;

    DEMAND(weft_deflate_answer(chosen, text) == strlen(text));
    make_head(&p, WEFT_HTTP_RESPONSE, text, strlen(text));
    DEMAND(weft_deflate_verify(&p.h, p.bytes, client, &taken) == NULL);
    DEMAND(same(&taken, chosen));
    weft_http_deinit(&p.h);
}

/* Our client offers, our server answers, whatever the two want. */
static void
check_ours(const struct weft_deflate_options *client,
           const struct weft_deflate_options *server)
{
    char text[WEFT_DEFLATE_TEXT];
    struct weft_deflate_agreed chosen;
    static struct head p;

    DEMAND(weft_deflate_offer(client, text) == strlen(text));
    make_head(&p, WEFT_HTTP_REQUEST, text, strlen(text));
    DEMAND(weft_deflate_choose(&p.h, p.bytes, server, &chosen));
    check_bounds(&chosen);
    DEMAND(chosen.server_max_window_bits <= client->server_max_window_bits);
    DEMAND(chosen.client_max_window_bits <= client->client_max_window_bits);
    check_taken(client, &chosen);
    weft_http_deinit(&p.h);
}

static void
check_choice(const struct head *p, const struct weft_deflate_options *server)
{
    struct weft_deflate_options client = {
        .on = true, .server_max_window_bits = 15, .client_max_window_bits = 15,
    };
    struct weft_deflate_agreed a;

    if (!weft_deflate_choose(&p->h, p->bytes, server, &a)) {
        DEMAND(is_nothing(&a));
        return;
    }
    check_bounds(&a);
    DEMAND(a.server_max_window_bits <= server->server_max_window_bits);
    DEMAND(!a.says_client_bits ||
           a.client_max_window_bits <= server->client_max_window_bits);
    DEMAND(a.says_client_bits == (a.client_max_window_bits < 15));
    DEMAND(a.says_server_bits || a.server_max_window_bits == 15);
    DEMAND(a.server_no_context_takeover ||
           !server->server_no_context_takeover);
    DEMAND(a.client_no_context_takeover ||
           !server->client_no_context_takeover);
    check_taken(&client, &a); /* whatever it is, it may be said */
}

static void
check_verdict(const struct head *p, const struct weft_deflate_options *client)
{
    struct weft_deflate_agreed a;
    const char *fault = weft_deflate_verify(&p->h, p->bytes, client, &a);

    if (fault != NULL) {
        DEMAND(is_nothing(&a) && strlen(fault) > 0);
        return;
    }
    DEMAND(well_formed(p));
    check_bounds(&a);
    DEMAND(a.server_max_window_bits <= client->server_max_window_bits);
    DEMAND(a.client_max_window_bits <= client->client_max_window_bits);
    DEMAND(a.server_no_context_takeover ||
           !client->server_no_context_takeover);
    DEMAND(a.client_no_context_takeover ||
           !client->client_no_context_takeover);
    check_taken(client, &a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_deflate_options server, client, off = { .on = false };
    struct weft_deflate_agreed a;
    const char *value;
    static struct head request, response;

    if (size < 2 || size > 200 || !weft_deflate_available())
        return 0;
    value = (const char *)data + 2;
    server = options(data[0], data[1]);
    client = options(data[0] >> 2, data[1] >> 2);
    make_head(&request, WEFT_HTTP_REQUEST, value, size - 2);
    make_head(&response, WEFT_HTTP_RESPONSE, value, size - 2);
    check_ours(&client, &server);
    check_choice(&request, &server);
    check_verdict(&response, &client);
    DEMAND(!weft_deflate_choose(&request.h, request.bytes, &off, &a));
    DEMAND(weft_deflate_verify(&response.h, response.bytes, &off, &a) != NULL);
    weft_http_deinit(&request.h);
    weft_http_deinit(&response.h);
    return 0;
}
