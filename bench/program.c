/*
 * How the programs of this folder speak with who starts them.
 */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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
program_use_tls(struct client_target *to)
{
    const char *why;

    to->tls = client_tls(&why);
    if (to->tls == NULL)
        program_fail("%s", why);
}

void
program_use_deflate(struct client_target *to)
{
    if (!weft_deflate_available())
        program_fail("built without zlib");
    to->deflate = (struct weft_deflate_options){
        .on = true,
        .server_max_window_bits = 15,
        .client_max_window_bits = 15,
        .window_bits = 15,
        .level = -1,
        .mem_level = 8,
    };
}
