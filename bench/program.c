/*
 * How the programs of this folder speak with who starts them.
 */
#include "program.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/poller.h"
#include "proto/deflate.h"

enum { PATIENCE = 10 }; /* seconds for each step */

void
program_fail(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

double
program_number(const char *name, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least && value <= most))
        program_fail("%s is not between %g and %g: %s", name, least, most,
                     text);
    return value;
}

void
program_aim(struct weft_load_target *to, const char *host, const char *port)
{
    static char field[WEFT_ADDR_TEXT + 8];
    uint16_t number = (uint16_t)program_number("PORT", port, 1, 65535);

    if (!weft_addr_parse(&to->to, host, number))
        program_fail("%s is not a numeric address", host);
    snprintf(field, sizeof(field), strchr(host, ':') != NULL ? "[%s]:%u"
                                                             : "%s:%u",
             host, (unsigned)number);
    to->host = field;
    to->name = host;
    to->path = "/";
}

void
program_use_tls(struct weft_load_target *to)
{
    char why[WEFT_LOAD_WHY];

    to->tls = weft_load_tls(false, NULL, why);
    if (to->tls == NULL)
        program_fail("%s", why);
}

void
program_use_deflate(struct weft_load_target *to)
{
    if (!weft_deflate_available())
        program_fail("built without zlib");
    to->deflate = weft_load_deflate();
}

void
program_await(const struct weft_wire *w, uint8_t wanted)
{
    struct pollfd p = { w->fd, wanted == WEFT_READABLE ? POLLIN : POLLOUT, 0 };

    if (poll(&p, 1, PATIENCE * 1000) == 0)
        program_fail("nothing came for %d seconds", PATIENCE);
}

void
program_open(struct weft_load_client *c, const struct weft_load_target *to,
             struct weft_load_shared *shared, unsigned n)
{
    enum weft_status rc = WEFT_E_CLOSED;
    char why[WEFT_LOAD_WHY];

    if (weft_load_client_begin(c, to, 0, shared, why))
        while ((rc = weft_load_client_step(c, why)) == WEFT_MORE)
            program_await(&c->wire, weft_load_client_wants(c));
    if (rc != WEFT_OK)
        program_fail("connection %u: %s", n, why);
}
