/*
 * How the programs of this folder speak with who starts them.
 */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/deflate.h"

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
