/*
 * Lines for a descriptor that is somebody else's, mostly stderr: it may block,
 * and others write to it.
 */
#ifndef WEFT_NET_LINE_H
#define WEFT_NET_LINE_H

#include "base/bytes.h"

/*
 * Writes the bytes by one call of the system, and neither waits nor raises
 * SIGPIPE.  How many were written, or -errno (-EAGAIN: there is no room).  Into
 * a pipe at most PIPE_BUF go at once, all or none, and no other's line comes
 * in between.
 */
long weft_line_write(int fd, struct weft_span bytes);

#endif
