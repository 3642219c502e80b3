/*
 * Descriptors of others, which are sockets here: nothing else on Windows is
 * waited for alike.
 */
#include "net/foreign.h"

#include <errno.h>

#include "base/inet.h"

int
weft_foreign_copy(int fd)
{
    WSAPROTOCOL_INFOW info;
    SOCKET copy;

    if (WSADuplicateSocketW((SOCKET)fd, GetCurrentProcessId(), &info) != 0)
        return WSAGetLastError() == WSAENOTSOCK ? -ENOTSOCK : -EMFILE;
    copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                      FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    return copy != INVALID_SOCKET ? (int)copy : -EMFILE;
}

/* What is read without waiting by its number is a terminal or a pipe. */
long
weft_foreign_read(int fd, void *to, size_t len)
{
    (void)fd, (void)to, (void)len;
    return -ENOTSUP;
}
