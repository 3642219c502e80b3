/*
 * proto/extension.h: elements of Sec-WebSocket-Extensions as text in, their
 * parts as text out.
 */
#include "proto/extension.h"

#include "check.h"
#include "proto/http.h"

#define MALFORMED "malformed"

/* The parts of an element as "name[=value],...". */
static const char *
walk(const char *element)
{
    static char text[256];
    struct weft_span s = weft_http_text(element);
    struct weft_extension_part part;
    char *to = text;
    enum weft_status rc;
    size_t at = 0;

    while ((rc = weft_extension_next(s, &at, &part)) == WEFT_EVENT) {
        to += sprintf(to, "%.*s", (int)part.name.len, part.name.data);
        if (part.valued)
            to += sprintf(to, "=%.*s", (int)part.value.len, part.value.data);
        *to++ = ',';
    }
    *to = '\0';
    CHECK(weft_extension_is_valid(s) == (rc == WEFT_OK));
    return rc == WEFT_OK ? text : MALFORMED;
}

static void
parts(const char *element, const char *want)
{
    bool same = strcmp(walk(element), want) == 0;

    CHECK(same);
    if (!same)
        fprintf(stderr, "\"%s\" gives \"%s\"\n", element, walk(element));
}

static void
what_follows_the_grammar(void)
{
    parts("a", "a,");
    parts("a ; b=1;c = \"2\" ;d", "a,b=1,c=2,d,");
    parts("a; b=\"\\c\\d\"", "a,b=\\c\\d,");
    parts("a\t;\tb\t=\tc\t", "a,b=c,");
    parts("a;b;b=1;b", "a,b,b=1,b,");
}

static void
what_does_not(void)
{
    parts("", MALFORMED);
    parts(" a", MALFORMED);
    parts("a=1", MALFORMED);
    parts("a b", MALFORMED);
    parts("a;", MALFORMED);
    parts("a;;b", MALFORMED);
    parts("a;b c", MALFORMED);
    parts("a;=b", MALFORMED);
    parts("a;b=", MALFORMED);
    parts("a;b=;c", MALFORMED);
    parts("a;b==c", MALFORMED);
    parts("a;b=\"\"", MALFORMED);
    parts("a;b=\"c", MALFORMED);
    parts("a;b=\"c\\", MALFORMED);
    parts("a;b=\"c\\\"", MALFORMED);
    parts("a;b=\"c\"d", MALFORMED);
    parts("a;b=\"c d\"", MALFORMED);
    parts("\"a\"", MALFORMED);
}

int
main(void)
{
    what_follows_the_grammar();
    what_does_not();
    return check_report();
}
