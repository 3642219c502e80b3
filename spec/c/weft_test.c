/*
 * weft.h as a C program uses it, and nothing else: openings, messages, closes
 * and mistakes, between two ends that talk through memory, in pieces of every
 * size.
 */
#include "capi/weft.h"

#include <stdlib.h>

#include "check.h"

#define LITERAL(text) text, sizeof(text) - 1

static const size_t cuts[] = { 1, 2, 3, 7, 100, SIZE_MAX };
enum { CUTS = sizeof(cuts) / sizeof(cuts[0]) };

static const char *const spoken[] = { "chat.v2", "chat.v1", NULL };
static const char *const offered[] = { "other", "chat.v1", NULL };

static struct weft_protocol_options
client_options(void)
{
    return (struct weft_protocol_options){ .host = "h:80",
                                           .target = "/room?x=1",
                                           .subprotocols = offered,
                                           .headers = "Cookie: a=b\r\n" };
}

static struct weft_protocol_options
server_options(void)
{
    return (struct weft_protocol_options){ .subprotocols = spoken,
                                           .headers = "X-By: loom\r\n" };
}

/* What happens, as lines of text ------------------------------------------ */

static char journal[8192];

static void
note(const char *who, const struct weft_protocol_event *ev)
{
    static const char *const names[] = { "open", "text", "binary", "ping",
                                         "pong", "close", "error" };
    size_t at = strlen(journal);

    CHECK(ev->data != NULL);
    snprintf(journal + at, sizeof(journal) - at, "%s %s %u %.*s\n", who,
             names[ev->type], ev->code, (int)(ev->len < 100 ? ev->len : 0),
             ev->data);
}

static int
happened(const char *want)
{
    int is = strcmp(journal, want) == 0;

    if (!is)
        fprintf(stderr, "--- wanted\n%s--- noted\n%s---\n", want, journal);
    journal[0] = '\0';
    return is;
}

static void
look(const char *who, struct weft_protocol *p)
{
    struct weft_protocol_event ev;
    enum weft_protocol_status status;

    while ((status = weft_protocol_next(p, &ev)) == WEFT_PROTOCOL_EVENT)
        note(who, &ev);
    CHECK(status == WEFT_PROTOCOL_OK);
}

/* Feeds bytes `size` at a time, each piece from memory of its own. */
static void
feed(const char *who, struct weft_protocol *p, const char *bytes, size_t len,
     size_t size)
{
    for (size_t at = 0, n; at < len; at += n) {
        char *piece;

        n = len - at < size ? len - at : size;
        piece = malloc(n);
        memcpy(piece, bytes + at, n);
        weft_protocol_feed(p, piece, n);
        free(piece);
        look(who, p);
    }
}

/* Carries what `from` has to send; whether there was anything. */
static int
carry(struct weft_protocol *from, const char *who, struct weft_protocol *to,
      size_t size)
{
    size_t len;
    const char *out = weft_protocol_output(from, &len);

    CHECK(out != NULL);
    feed(who, to, out, len, size);
    weft_protocol_sent(from, len);
    return len > 0;
}

static struct weft_protocol *client, *server;

static void
talk(size_t size)
{
    while (carry(client, "server", server, size) |
           carry(server, "client", client, size))
        continue;
}

static void
begin(const struct weft_protocol_options *c,
      const struct weft_protocol_options *s)
{
    CHECK(weft_protocol_client(&client, c) == WEFT_PROTOCOL_OK);
    CHECK(weft_protocol_server(&server, s) == WEFT_PROTOCOL_OK);
}

/* As the helpers above would have it, open and nothing noted. */
static void
begin_open(void)
{
    struct weft_protocol_options c = client_options(), s = server_options();

    begin(&c, &s);
    talk(SIZE_MAX);
    journal[0] = '\0';
}

static void
end(void)
{
    weft_protocol_free(client);
    weft_protocol_free(server);
}

/* Scenes ------------------------------------------------------------------- */

static void
opens_and_talks(size_t size)
{
    struct weft_protocol_options c = client_options(), s = server_options();

    begin(&c, &s);
    CHECK(weft_protocol_state(client) == WEFT_PROTOCOL_IS_CONNECTING);
    CHECK(weft_protocol_send(server, WEFT_PROTOCOL_TEXT, "x", 1) ==
          WEFT_PROTOCOL_E_CONNECTING);
    CHECK(weft_protocol_close(client, 1000, NULL, 0) ==
          WEFT_PROTOCOL_E_CONNECTING);
    talk(size);
    CHECK(happened("server open 0 chat.v1\nclient open 0 chat.v1\n"));
    CHECK(strcmp(weft_protocol_subprotocol(server), "chat.v1") == 0);
    CHECK(strcmp(weft_protocol_subprotocol(client), "chat.v1") == 0);
    CHECK(weft_protocol_state(client) == WEFT_PROTOCOL_IS_OPEN);
    CHECK(!weft_protocol_compresses(client));

    weft_protocol_send(client, WEFT_PROTOCOL_TEXT, LITERAL("h\303\251llo"));
    weft_protocol_ping(client, LITERAL("?"));
    weft_protocol_send(client, WEFT_PROTOCOL_BINARY, NULL, 0);
    weft_protocol_send_plain(server, WEFT_PROTOCOL_BINARY, LITERAL("\377"));
    weft_protocol_pong(server, NULL, 0);
    talk(size);
    CHECK(happened("server text 0 h\303\251llo\nserver ping 0 ?\n"
                   "server binary 0 \nclient binary 0 \377\n"
                   "client pong 0 \nclient pong 0 ?\n"));

    CHECK(weft_protocol_close(server, 4001, LITERAL("bye")) ==
          WEFT_PROTOCOL_OK);
    CHECK(weft_protocol_state(server) == WEFT_PROTOCOL_IS_CLOSING);
    CHECK(weft_protocol_send(server, WEFT_PROTOCOL_TEXT, "x", 1) ==
          WEFT_PROTOCOL_E_CLOSED);
    talk(size);
    CHECK(happened("client close 4001 bye\nserver close 4001 \n"));
    CHECK(weft_protocol_state(client) == WEFT_PROTOCOL_IS_CLOSED);
    CHECK(weft_protocol_close_code(client) == 4001);
    CHECK(weft_protocol_feed(client, "x", 1) == WEFT_PROTOCOL_E_CLOSED);
    CHECK(weft_protocol_feed(client, NULL, 0) == WEFT_PROTOCOL_E_CLOSED);
    CHECK(weft_protocol_close(client, 1000, NULL, 0) == WEFT_PROTOCOL_OK);
    end();
}

static int
is(const char *got, const size_t *len, const char *want)
{
    return got != NULL && *len == strlen(want) && memcmp(got, want, *len) == 0;
}

/* Host and cookies of the head that is to be seen, as they came. */
static const char *
fields(const struct weft_protocol *p)
{
    static char text[200];
    struct weft_protocol_field f;
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; weft_protocol_field_at(p, i, &f); i++)
        if (memcmp(f.name, "Host", 4) == 0 || memcmp(f.name, "Cook", 4) == 0)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s: %.*s\n",
                                   (int)f.name_len, f.name, (int)f.value_len,
                                   f.value);
    return text;
}

static void
shows_the_head_while_it_opens(void)
{
    struct weft_protocol_options c = client_options(), s = server_options();
    struct weft_protocol_event ev;
    const char *out;
    size_t len;

    c.headers = "Cookie: a=b\r\nCookie: c\r\n";
    begin(&c, &s);
    CHECK(weft_protocol_target(server, &len) == NULL);
    CHECK(strcmp(fields(server), "") == 0);
    out = weft_protocol_output(client, &len);
    weft_protocol_feed(server, out, len);
    weft_protocol_sent(client, len);
    CHECK(weft_protocol_next(server, &ev) == WEFT_PROTOCOL_EVENT);
    CHECK(is(weft_protocol_target(server, &len), &len, "/room?x=1"));
    CHECK(is(weft_protocol_header(server, "COOKIE", &len), &len, "a=b"));
    CHECK(weft_protocol_header(server, "Origin", &len) == NULL && len == 0);
    CHECK(strcmp(fields(server), "Host: h:80\nCookie: a=b\nCookie: c\n") == 0);
    CHECK(weft_protocol_next(server, &ev) == WEFT_PROTOCOL_OK);
    CHECK(weft_protocol_header(server, "Cookie", &len) == NULL);
    CHECK(strcmp(fields(server), "") == 0);

    out = weft_protocol_output(server, &len);
    weft_protocol_feed(client, out, len);
    CHECK(weft_protocol_next(client, &ev) == WEFT_PROTOCOL_EVENT);
    CHECK(is(weft_protocol_header(client, "x-by", &len), &len, "loom"));
    CHECK(weft_protocol_target(client, &len) == NULL);
    end();
}

static void
refuses_what_is_not_welcome(size_t size)
{
    static const char *const origins[] = { "https://*.example.com", NULL };
    struct weft_protocol_options c = client_options(), s = server_options();

    c.origin = "https://evil.example";
    s.origins = origins;
    begin(&c, &s);
    talk(size);
    CHECK(happened("server error 403 pages of this origin may not connect "
                   "(see the option \"origins\")\n"
                   "client error 403 handshake refused: 403 Forbidden\n"));
    CHECK(weft_protocol_state(server) == WEFT_PROTOCOL_IS_CLOSED);
    CHECK(weft_protocol_close_code(server) == 1006);
    end();

    c.origin = "https://www.example.com";
    begin(&c, &s);
    talk(size);
    CHECK(happened("server open 0 chat.v1\nclient open 0 chat.v1\n"));
    end();
}

static void
fails_by_the_rules(size_t size)
{
    begin_open();
    feed("client", client, LITERAL("\x81\x02h\xff"), size);
    CHECK(happened("client error 1007 the peer sent text that is not UTF-8 "
                   "(RFC 6455, 8.1)\n"));
    CHECK(weft_protocol_close(client, 1000, NULL, 0) == WEFT_PROTOCOL_OK);
    talk(size);
    CHECK(happened("server close 1007 \n"));
    end();
}

/* As a program may that takes what write() returned for granted. */
static void
drops_no_more_than_there_is(void)
{
    size_t len;

    begin_open();
    weft_protocol_sent(client, 7);
    weft_protocol_output(client, &len);
    CHECK(len == 0);
    weft_protocol_ping(client, LITERAL("?"));
    weft_protocol_sent(client, SIZE_MAX);
    weft_protocol_output(client, &len);
    CHECK(len == 0);
    weft_protocol_send(client, WEFT_PROTOCOL_TEXT, LITERAL("x"));
    talk(SIZE_MAX);
    CHECK(happened("server text 0 x\n"));
    end();
}

static void
keeps_to_its_limits(size_t size)
{
    struct weft_protocol_options c = client_options(), s = { 0 };

    s.max_message = 10;
    begin(&c, &s);
    talk(size);
    CHECK(happened("server open 0 \nclient open 0 \n"));
    weft_protocol_send(client, WEFT_PROTOCOL_TEXT, LITERAL("0123456789"));
    weft_protocol_send(client, WEFT_PROTOCOL_TEXT, LITERAL("0123456789a"));
    talk(size);
    CHECK(happened("server text 0 0123456789\n"
                   "server error 1009 the peer sent a message over the limit "
                   "of max_message (RFC 6455, 10.4)\nclient close 1009 \n"));
    end();
}

static void
compresses(enum weft_protocol_compression how)
{
    struct weft_protocol_options c = client_options(), s = server_options();
    char words[2000];
    size_t plain, each;

    memset(words, 'w', sizeof(words));
    c.compression = s.compression = how;
    c.compression_level = 9;
    begin(&c, &s);
    talk(7);
    CHECK(weft_protocol_compresses(client) ==
          weft_protocol_compresses(server));
    journal[0] = '\0';
    weft_protocol_send(client, WEFT_PROTOCOL_TEXT, words, sizeof(words));
    weft_protocol_output(client, &each);
    talk(7);
    weft_protocol_send_plain(client, WEFT_PROTOCOL_TEXT, words, sizeof(words));
    weft_protocol_output(client, &plain);
    CHECK(plain > sizeof(words));
    CHECK(weft_protocol_compresses(client) ? each < 100 : each == plain);
    talk(100);
    CHECK(happened("server text 0 \nserver text 0 \n"));
    end();
}

static void
takes_no_mistakes(void)
{
    static const struct {
        unsigned code;
        size_t len;
        enum weft_protocol_status status;
    } closes[] = {
        { 999, 0, WEFT_PROTOCOL_E_CODE },
        { 1004, 0, WEFT_PROTOCOL_E_CODE },
        { 1006, 0, WEFT_PROTOCOL_E_CODE },
        { 5000, 0, WEFT_PROTOCOL_E_CODE },
        { 1005, 1, WEFT_PROTOCOL_E_LENGTH },
        { 1000, 124, WEFT_PROTOCOL_E_LENGTH },
        { 1000, 123, WEFT_PROTOCOL_OK },
    };
    char reason[200];
    size_t len;

    memset(reason, 'r', sizeof(reason));
    begin_open();
    CHECK(weft_protocol_send(client, WEFT_PROTOCOL_TEXT, LITERAL("\xff")) ==
          WEFT_PROTOCOL_E_UTF8);
    CHECK(weft_protocol_send(client, WEFT_PROTOCOL_PING, LITERAL("x")) ==
          WEFT_PROTOCOL_E_KIND);
    CHECK(weft_protocol_ping(client, reason, 126) == WEFT_PROTOCOL_E_LENGTH);
    CHECK(weft_protocol_pong(client, reason, 126) == WEFT_PROTOCOL_E_LENGTH);
    CHECK(weft_protocol_close(client, 1000, LITERAL("\xff")) ==
          WEFT_PROTOCOL_E_UTF8);
    weft_protocol_output(client, &len);
    CHECK(len == 0);
    for (size_t i = 0; i < sizeof(closes) / sizeof(closes[0]); i++)
        CHECK(weft_protocol_close(client, closes[i].code, reason,
                                  closes[i].len) == closes[i].status);
    end();
}

/* A client or a server made with one option changed. */
static enum weft_protocol_status
made(int is_client, const struct weft_protocol_options *o)
{
    struct weft_protocol *p;
    enum weft_protocol_status status =
        is_client ? weft_protocol_client(&p, o) : weft_protocol_server(&p, o);

    CHECK((p != NULL) == (status == WEFT_PROTOCOL_OK));
    CHECK(strlen(weft_protocol_text(status)) > 3);
    weft_protocol_free(p);
    return status;
}

#define WITH(name, value, status) \
    do { \
        struct weft_protocol_options o_ = { .host = "h" }; \
        o_.name = (value); \
        CHECK(made(1, &o_) == (status)); \
    } while (0)

static void
checks_its_options(void)
{
    static const char *const twice[] = { "a", "b", "a", NULL };
    static const char *const blank[] = { "a b", NULL };
    static const char *const empty[] = { NULL };
    static const char *const bad_origins[] = { "https://a\r\n", NULL };
    struct weft_protocol_options o = { 0 };
    char version[40];

    CHECK(made(0, NULL) == WEFT_PROTOCOL_OK);
    CHECK(made(1, NULL) == WEFT_PROTOCOL_E_HOST);
    WITH(host, "a b", WEFT_PROTOCOL_E_HOST);
    WITH(host, "u@h", WEFT_PROTOCOL_E_HOST);
    WITH(host, "[::1]:80", WEFT_PROTOCOL_OK);
    WITH(target, "x", WEFT_PROTOCOL_E_TARGET);
    WITH(target, "/a b", WEFT_PROTOCOL_E_TARGET);
    WITH(target, "/a#b", WEFT_PROTOCOL_E_TARGET);
    WITH(origin, "a\r\nb", WEFT_PROTOCOL_E_ORIGIN);
    WITH(user_agent, "a\nb", WEFT_PROTOCOL_E_USER_AGENT);
    WITH(subprotocols, twice, WEFT_PROTOCOL_E_SUBPROTOCOLS);
    WITH(subprotocols, blank, WEFT_PROTOCOL_E_SUBPROTOCOLS);
    WITH(subprotocols, empty, WEFT_PROTOCOL_OK);
    WITH(headers, "A: b", WEFT_PROTOCOL_E_HEADERS);
    WITH(headers, "A b\r\n", WEFT_PROTOCOL_E_HEADERS);
    WITH(headers, "A: b\nC: d\r\n", WEFT_PROTOCOL_E_HEADERS);
    WITH(headers, "A: b\r\nhost: x\r\n", WEFT_PROTOCOL_E_HEADERS);
    WITH(headers, "Sec-WebSocket-Key: x\r\n", WEFT_PROTOCOL_E_HEADERS);
    WITH(headers, "A: b\r\nC: d\r\n", WEFT_PROTOCOL_OK);
    WITH(compression, (enum weft_protocol_compression)7,
         WEFT_PROTOCOL_E_COMPRESSION);
    WITH(compression_level, 10, WEFT_PROTOCOL_E_LEVEL);
    o.origins = bad_origins;
    CHECK(made(0, &o) == WEFT_PROTOCOL_E_ORIGINS);
    CHECK(strcmp(weft_protocol_version(), WEFT_VERSION) == 0);
    snprintf(version, sizeof(version), "%d.%d.%d", WEFT_VERSION_NUMBER / 10000,
             WEFT_VERSION_NUMBER / 100 % 100, WEFT_VERSION_NUMBER % 100);
    CHECK(strcmp(version, WEFT_VERSION) == 0);
}

int
main(void)
{
    for (int i = 0; i < CUTS; i++) {
        opens_and_talks(cuts[i]);
        refuses_what_is_not_welcome(cuts[i]);
        fails_by_the_rules(cuts[i]);
        keeps_to_its_limits(cuts[i]);
    }
    shows_the_head_while_it_opens();
    drops_no_more_than_there_is();
    compresses(WEFT_PROTOCOL_PLAIN);
    compresses(WEFT_PROTOCOL_EACH);
    compresses(WEFT_PROTOCOL_SLIDING);
    takes_no_mistakes();
    checks_its_options();
    return check_report();
}
