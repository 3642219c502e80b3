/*
 * The smallest test harness that names what failed.  A test program calls
 * CHECK() as often as it likes and ends with `return check_report();`.
 */
#ifndef WEFT_SPEC_CHECK_H
#define WEFT_SPEC_CHECK_H

#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

#define CHECK(condition) \
    check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

static inline void
check_that(int held, const char *what, const char *file, int line)
{
    if (held) {
        check_passed++;
        return;
    }
    check_failed++;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
}

static inline int
check_report(void)
{
    printf("%d passed, %d failed\n", check_passed, check_failed);
    return check_failed > 0;
}

#endif
