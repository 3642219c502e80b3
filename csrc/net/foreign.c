/*
 * The system calls on descriptors of others.  It must not know what they are.
 */
#include "net/foreign.h"

#include <errno.h>
#include <unistd.h>

int
weft_foreign_copy(int fd)
{
    int copy = dup(fd);

    return copy < 0 ? -errno : copy;
}

long
weft_foreign_read(int fd, void *to, size_t len)
{
    long n = read(fd, to, len);

    return n < 0 ? -errno : n;
}
