/*
 * What the programs of this folder have in common.
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <stdbool.h>

#include "load/client.h"

/* Prints the program's name and the sentence to standard error, and exits with
 * 1: a figure of a run with faults is none. */
void program_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* What an option's value says, or program_fail(). */
double program_number(const char *name, const char *text, double least,
                      double most);

/* A target at a numeric address and the port in an argument, or
 * program_fail(). */
void program_aim(struct weft_load_target *to, const char *host,
                 const char *port);

/* Makes the target one with TLS, whatever the certificate, or
 * program_fail(). */
void program_use_tls(struct weft_load_target *to);

/* Makes the target one that has to compress, or program_fail(). */
void program_use_deflate(struct weft_load_target *to);

/* Waits until the wire is WEFT_READABLE or WEFT_WRITABLE, or program_fail()
 * when that takes too long. */
void program_await(const struct weft_wire *w, uint8_t wanted);

/* Opens the n-th connection, counted from 1, and waits for it, or
 * program_fail(). */
void program_open(struct weft_load_client *c, const struct weft_load_target *to,
                  struct weft_load_shared *shared, unsigned n);

#endif
