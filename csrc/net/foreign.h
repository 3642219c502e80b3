/*
 * Descriptors that are somebody else's, to be waited for or read from; see
 * line.h for what writes to one.
 */
#ifndef WEFT_NET_FOREIGN_H
#define WEFT_NET_FOREIGN_H

#include <stddef.h>

/* A copy of ours, which stays open when the other is closed; weft_sock_close()
 * closes it.  Or -errno. */
int weft_foreign_copy(int fd);

/* Reads at most len bytes: how many, 0 at the end, or -errno. */
long weft_foreign_read(int fd, void *to, size_t len);

#endif
