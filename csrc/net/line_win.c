/*
 * One line into a descriptor of the C library's.  It must not know what it
 * says.
 *
 * Nothing tells whether a console or a pipe has room: whoever does not read
 * keeps us waiting here.
 */
#include "net/line.h"

#include <errno.h>
#include <limits.h>

#include <io.h>
#include <windows.h>

long
weft_line_write(int fd, struct weft_span bytes)
{
    HANDLE to = (HANDLE)_get_osfhandle(fd);
    DWORD len = bytes.len < INT_MAX ? (DWORD)bytes.len : INT_MAX, n;

    if (to == INVALID_HANDLE_VALUE)
        return -EBADF;
    if (!WriteFile(to, bytes.data, len, &n, NULL))
        return GetLastError() == ERROR_NO_DATA
                       || GetLastError() == ERROR_BROKEN_PIPE
                   ? -EPIPE
                   : -EIO;
    return (long)n;
}
