/*
 * proto/deflate_offer.h: offers and answers as text in, what becomes of them
 * as text out.
 */
#include "proto/deflate_offer.h"

#include "check.h"
#include "proto/deflate.h"

#define REFUSED "refused" /* what a client makes of an answer */

static const struct weft_deflate_options plain = {
    .on = true, .server_max_window_bits = 15, .client_max_window_bits = 15,
};

/* What is between the header's colons and line ends: `fields` holds the value
 * of one Sec-WebSocket-Extensions, or of several, a "|" between. */
static void
make_head(struct weft_http_head *h, enum weft_http_kind kind, char *bytes,
          const char *fields)
{
    static const char name[] = "\r\nSec-WebSocket-Extensions: ";
    char *to = bytes;

    to += sprintf(to, "%s%s", kind == WEFT_HTTP_REQUEST ? "GET / HTTP/1.1"
                                                        : "HTTP/1.1 101 x",
                  name);
    for (; *fields != '\0'; fields++)
        if (*fields == '|')
            to += sprintf(to, "%s", name);
        else
            *to++ = *fields;
    memcpy(to, "\r\n\r\n", 5);
    weft_http_init(h, kind, 1 << 20, 1000);
    CHECK(weft_http_read(h, bytes, strlen(bytes)) == WEFT_OK);
}

static char bytes[1 << 16];
static char words[WEFT_DEFLATE_TEXT];

/* A server's answer to the offers, good until the next one. */
static const char *
answer(const char *offers, const struct weft_deflate_options *o)
{
    struct weft_deflate_agreed a;
    struct weft_http_head h;
    bool chosen;

    make_head(&h, WEFT_HTTP_REQUEST, bytes, offers);
    chosen = weft_deflate_choose(&h, bytes, o, &a);
    weft_http_deinit(&h);
    CHECK(chosen == a.on);
    CHECK(weft_deflate_answer(&a, words) == strlen(words));
    return words;
}

/* What a client takes the answer for, or that it refuses it. */
static struct weft_deflate_agreed agreed;

static const char *
verdict(const char *fields, const struct weft_deflate_options *o)
{
    struct weft_http_head h;
    const char *fault;

    make_head(&h, WEFT_HTTP_RESPONSE, bytes, fields);
    fault = weft_deflate_verify(&h, bytes, o, &agreed);
    weft_http_deinit(&h);
    CHECK(fault == NULL || !agreed.on);
    weft_deflate_answer(&agreed, words);
    return fault == NULL ? words : REFUSED;
}

static bool
same(const char *got, const char *want, const char *what)
{
    if (strcmp(got, want) == 0)
        return true;
    fprintf(stderr, "--- %s\n  wanted \"%s\"\n     got \"%s\"\n", what, want,
            got);
    return false;
}

struct row {
    const char *said, *want;
};

#define P "permessage-deflate"
#define SN "; server_no_context_takeover"
#define CN "; client_no_context_takeover"
#define SB "; server_max_window_bits"
#define CB "; client_max_window_bits"

/* Whatever is wrong with the parameters of an offer and of an answer alike. */
static const char *const wrong[] = {
    P "; unknown", P "; unknown=1", P "; server_max_window_bit=9", P SN "s",
    P "; permessage-deflate", P SN SN, P CN CN, P SB "=9" SB "=9",
    P SB "=9" SB "=10", P CB "=9" CB "=9", P SN CN SN,
    P SN "=1", P SN "=true", P CN "=15", P CN "=\"x\"", P SB,
    P SB "=0", P SB "=1", P SB "=7", P SB "=16", P SB "=08", P SB "=09",
    P SB "=015", P SB "=150", P SB "=99999999999999999999", P SB "=+9",
    P SB "=-9", P SB "=0x9", P SB "=9.0", P SB "=1e1", P SB "=a", P SB "=9a",
    P SB "=4294967305", P SB "=264", P SB "=\"08\"", P SB "=\"+9\"",
    P SB "=\"\\08\"", P SB "=\"16\"",
    P CB "=0", P CB "=7", P CB "=16", P CB "=08", P CB "=+9", P CB "=-8",
    P CB "=10000000000000000000000000000000009", P CB "=\"016\"", P CB "=x",
    P SB "=\" 9\"", P SB "=9 9", P SB "=", P SB "=\"\"", /* malformed */
};

/* The same in an offer, and what is good there. */
static const struct row offers[] = {
    { "", "" }, /* refused before: see handshake_test.c */
    { P, P },
    { P CB, P }, /* what browsers say */
    { P SN, P SN },
    { P CN, P CN },
    { P CN SN, P SN CN },
    { P SB "=8", P SB "=8" },
    { P SB "=9", P SB "=9" },
    { P SB "=15", P SB "=15" }, /* 7.1.2.1: it is repeated */
    { P SB "=\"10\"", P SB "=10" },
    { P SB "=\"1\\0\"", P SB "=10" },
    { P SB " = 10 ", P SB "=10" },
    { P CB "=8", P CB "=8" },
    { P CB "=\"8\"", P CB "=8" },
    { P CB "=15", P },
    { P SB "=11" CB "=12" SN CN, P SN CN SB "=11" CB "=12" },
    { "permessage-deflate;server_no_context_takeover", P SN },
    { "permessage-deflate \t;\t client_max_window_bits=9", P CB "=9" },
    { "PerMessage-Deflate; SERVER_NO_CONTEXT_TAKEOVER", P SN },
    { "permessage-deflate; Server_Max_Window_Bits=9", P SB "=9" },
    { "permessage_deflate", "" },
    { "permessage-deflat", "" },
    { "permessage-deflate2", "" },
    { "deflate-frame", "" },
    { "x-webkit-deflate-frame, permessage-bzip2; client_max_block=9", "" },
    { "permessage-foo; permessage-deflate", "" },
    { "foo; a=\"permessage-deflate\"", "" },
    { "foo, " P CN ", " P, P CN }, /* the first that can be met */
    { P "; unknown, " P CN, P CN },
    { P SB "=7, " P SB "=8, " P, P SB "=8" },
    { P SB ", " P SN "=1, " P SN SN, "" },
    { P SN ", " P "; unknown", P SN },
    { "foo; a=1|bar|" P CN, P CN },
    { P SB "=16|" P CB "=9," P CB "=10|" P, P CB "=9" },
    { ",, " P " ,", P },
    { "foo; a=\"b,c\", " P, P },
};

static void
offers_and_answers(void)
{
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
        CHECK(same(answer(offers[i].said, &plain), offers[i].want,
                   offers[i].said));
}

static void
offers_that_are_declined(void)
{
    char said[1024];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(same(answer(wrong[i], &plain), "", wrong[i]));
        snprintf(said, sizeof(said), "%s, %s", wrong[i], P SN);
        CHECK(same(answer(said, &plain), P SN, said));
    }
}

static void
a_server_that_wants_none(void)
{
    struct weft_deflate_options o = plain;

    o.on = false;
    CHECK(same(answer(P, &o), "", "off"));
    CHECK(same(answer(P CB ", " P, &o), "", "off"));
}

static void
windows_that_a_server_limits(void)
{
    struct weft_deflate_options o = plain;

    o.server_max_window_bits = 10;
    o.client_max_window_bits = 11;
    CHECK(same(answer(P, &o), P SB "=10", "no parameter"));
    CHECK(same(answer(P CB, &o), P SB "=10" CB "=11", "client without"));
    CHECK(same(answer(P CB "=15", &o), P SB "=10" CB "=11", "client 15"));
    CHECK(same(answer(P CB "=11", &o), P SB "=10" CB "=11", "client 11"));
    CHECK(same(answer(P CB "=9", &o), P SB "=10" CB "=9", "client 9"));
    CHECK(same(answer(P SB "=9", &o), P SB "=9", "server 9"));
    CHECK(same(answer(P SB "=15", &o), P SB "=10", "server 15"));
    o.server_max_window_bits = o.client_max_window_bits = 8;
    CHECK(same(answer(P CB, &o), P SB "=8" CB "=8", "8"));
    o.server_max_window_bits = o.client_max_window_bits = 0;
    CHECK(same(answer(P CB, &o), P, "left out"));
    CHECK(same(answer(P CB "=9" SB "=9", &o), P SB "=9" CB "=9", "left out"));
}

static void
windows_that_a_server_forgets(void)
{
    struct weft_deflate_options o = plain;

    o.server_no_context_takeover = true;
    CHECK(same(answer(P CB, &o), P SN, "its own"));
    CHECK(same(answer(P CN, &o), P SN CN, "both"));
    o.client_no_context_takeover = true;
    CHECK(same(answer(P CB, &o), P SN CN, "what browsers get"));
    CHECK(same(answer(P SN CN, &o), P SN CN, "asked for too"));
    o.server_no_context_takeover = false;
    CHECK(same(answer(P, &o), P CN, "the client's"));
}

/* However many there are, the good one is found. */
static void
many_offers(void)
{
    static char said[1 << 14];

    for (int fields = 0; fields < 2; fields++) {
        const char *between = fields ? "|" : ", ";
        char *to = said;

        for (int i = 0; i < 100; i++)
            to += sprintf(to, P SB "=%d%s", i % 8, between);
        memcpy(to, P CN, sizeof(P CN));
        CHECK(same(answer(said, &plain), P CN, "100 and one"));
        memcpy(to, P CN CN, sizeof(P CN CN));
        CHECK(same(answer(said, &plain), "", "100 and a bad one"));
    }
}

static void
many_parameters(void)
{
    static char said[1 << 14];
    char *to = said + sprintf(said, "foo");

    for (int i = 0; i < 500; i++)
        to += sprintf(to, "; p%d=\"%d\"", i, i);
    sprintf(to, ", " P SN);
    CHECK(same(answer(said, &plain), P SN, "another's"));
    memcpy(said, P, sizeof(P) - 1);
    CHECK(same(answer(said, &plain), "", "its own"));
}

/* The client's side ------------------------------------------------------- */

static const char *
offer(const struct weft_deflate_options *o)
{
    CHECK(weft_deflate_offer(o, words) == strlen(words));
    return words;
}

static void
what_a_client_offers(void)
{
    struct weft_deflate_options o = plain;

    CHECK(same(offer(&o), P CB, "unless told otherwise"));
    o.server_max_window_bits = o.client_max_window_bits = 0;
    CHECK(same(offer(&o), P CB, "left out"));
    o.server_no_context_takeover = true;
    o.client_max_window_bits = 8;
    CHECK(same(offer(&o), P SN CB "=8", "one of each"));
    o.client_no_context_takeover = true;
    o.server_max_window_bits = 10;
    o.client_max_window_bits = 12;
    CHECK(same(offer(&o), P SN CN SB "=10" CB "=12", "all"));
    o.on = false;
    CHECK(same(offer(&o), "", "nothing"));
}

/* To the offer that is made unless told otherwise. */
static const struct row answers[] = {
    { P, P },
    { P SN CN, P SN CN },
    { P CN SN, P SN CN },
    { P SB "=8", P SB "=8" }, /* 7.1.2.1: also unasked */
    { P SB "=15" CB "=15", P SB "=15" CB "=15" },
    { P CB "=8", P CB "=8" },
    { P CB "=\"9\"", P CB "=9" },
    { P CB, REFUSED }, /* 7.1.2.2: in an answer it has a value */
    { "PERMESSAGE-DEFLATE; client_MAX_window_BITS=9", P CB "=9" },
    { "", REFUSED },
    { ",", REFUSED },
    { "foo", REFUSED },
    { "permessage-deflate2", REFUSED },
    { P ", " P, REFUSED },
    { P "|" P, REFUSED },
    { P ", foo", REFUSED },
    { "foo, " P, REFUSED },
    { P ";", REFUSED },
    { P " x", REFUSED },
    { P CB "=", REFUSED },
    { P SB "=\"9", REFUSED },
    { "=" P, REFUSED },
};

static void
what_a_client_takes(void)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        CHECK(same(verdict(answers[i].said, &plain), answers[i].want,
                   answers[i].said));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(same(verdict(wrong[i], &plain), REFUSED, wrong[i]));
}

static void
a_client_that_asked_for_none(void)
{
    struct weft_deflate_options o = plain;

    o.on = false;
    CHECK(same(verdict(P, &o), REFUSED, "unasked"));
    CHECK(same(verdict("", &o), REFUSED, "unasked"));
}

static void
what_a_client_insists_on(void)
{
    struct weft_deflate_options o = plain;

    o.server_no_context_takeover = true;
    CHECK(same(verdict(P, &o), REFUSED, "takeover"));
    CHECK(same(verdict(P CN, &o), REFUSED, "takeover"));
    CHECK(same(verdict(P SN, &o), P SN, "no takeover"));
    o = plain;
    o.server_max_window_bits = 10;
    CHECK(same(verdict(P, &o), REFUSED, "no window"));
    CHECK(same(verdict(P SB "=11", &o), REFUSED, "too wide a window"));
    CHECK(same(verdict(P SB "=10", &o), P SB "=10", "the window"));
    CHECK(same(verdict(P SB "=9", &o), P SB "=9", "a narrower window"));
}

/* What it promises of itself holds, whether or not the server repeats it. */
static void
what_a_client_promises(void)
{
    struct weft_deflate_options o = plain;

    o.client_no_context_takeover = true;
    o.client_max_window_bits = 10;
    CHECK(same(verdict(P, &o), P CN, "nothing repeated"));
    CHECK(agreed.client_no_context_takeover);
    CHECK(agreed.client_max_window_bits == 10);
    CHECK(agreed.server_max_window_bits == 15);
    CHECK(same(verdict(P CN CB "=10", &o), P CN CB "=10", "all repeated"));
    CHECK(same(verdict(P CN CB "=9", &o), P CN CB "=9", "less"));
    CHECK(agreed.client_max_window_bits == 9);
    CHECK(same(verdict(P CN CB "=11", &o), REFUSED, "more"));
}

static void
no_answer(void)
{
    static const char head[] = "HTTP/1.1 101 x\r\nA: b\r\n\r\n";
    struct weft_deflate_options o = plain;
    struct weft_http_head h;

    o.server_no_context_takeover = true;
    memset(&agreed, 'x', sizeof(agreed));
    weft_http_init(&h, WEFT_HTTP_RESPONSE, 1000, 10);
    CHECK(weft_http_read(&h, head, strlen(head)) == WEFT_OK);
    CHECK(weft_deflate_verify(&h, head, &o, &agreed) == NULL);
    CHECK(!agreed.on && agreed.server_max_window_bits == 0);
    weft_http_deinit(&h);
}

/* Whatever a client of ours may ask for, a server of ours can meet, and the
 * client takes the answer. */
static void
both_of_ours(void)
{
    struct weft_deflate_options c = plain, s = plain;
    char said[WEFT_DEFLATE_TEXT], answered[WEFT_DEFLATE_TEXT];

    for (unsigned i = 0; i < 1u << 12; i++) {
        c.server_no_context_takeover = i & 1;
        c.client_no_context_takeover = i & 2;
        s.server_no_context_takeover = i & 4;
        s.client_no_context_takeover = i & 8;
        c.server_max_window_bits = (uint8_t)(8 + 7 * (i >> 4 & 3) / 3);
        c.client_max_window_bits = (uint8_t)(8 + 7 * (i >> 6 & 3) / 3);
        s.server_max_window_bits = (uint8_t)(8 + 7 * (i >> 8 & 3) / 3);
        s.client_max_window_bits = (uint8_t)(8 + 7 * (i >> 10 & 3) / 3);
        strcpy(said, offer(&c));
        strcpy(answered, answer(said, &s));
        CHECK(answered[0] != '\0');
        CHECK(same(verdict(answered, &c), answered, said));
    }
}

/* A build without zlib offers nothing and takes nothing. */
static void
without_zlib(void)
{
    CHECK(same(answer(P, &plain), "", "no zlib"));
    CHECK(same(offer(&plain), "", "no zlib"));
    CHECK(same(verdict(P, &plain), REFUSED, "no zlib"));
}

int
main(void)
{
    a_client_that_asked_for_none();
    a_server_that_wants_none();
    no_answer();
    if (!weft_deflate_available()) {
        without_zlib();
        return check_report();
    }
    offers_and_answers();
    offers_that_are_declined();
    windows_that_a_server_limits();
    windows_that_a_server_forgets();
    many_offers();
    many_parameters();
    what_a_client_offers();
    what_a_client_takes();
    what_a_client_insists_on();
    what_a_client_promises();
    both_of_ours();
    return check_report();
}
