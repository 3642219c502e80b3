/*
 * The clocks of Windows.
 */
#include "net/clock.h"

#include <windows.h>

/* 1970, in what file_time() gives. */
static const int64_t EPOCH = INT64_C(116444736000000000);

int64_t
weft_now(void)
{
    LARGE_INTEGER count, frequency;
    int64_t f, c;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    f = frequency.QuadPart;
    c = count.QuadPart;
    return c / f * WEFT_SECOND + c % f * WEFT_SECOND / f;
}

/* Since 1601, in units of 100 ns. */
static int64_t
file_time(void)
{
    FILETIME t;

    GetSystemTimePreciseAsFileTime(&t);
    return (int64_t)((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime);
}

int64_t
weft_wall_clock(void)
{
    return (file_time() - EPOCH) / 10000000;
}

double
weft_wall_time(void)
{
    return (double)(file_time() - EPOCH) / 1e7;
}
