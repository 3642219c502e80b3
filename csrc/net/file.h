/*
 * Files beneath a directory, opened so that no path leads out of it.
 *
 * A path is walked name by name, each opened in the directory before it, which
 * is held open: what anybody renames meanwhile changes nothing.  Symbolic links
 * are not followed, the one that names the root excepted.
 *
 * Descriptors are close-on-exec.  Calls return them, or a negated errno.
 */
#ifndef WEFT_NET_FILE_H
#define WEFT_NET_FILE_H

#include <stddef.h>
#include <stdint.h>

/* What is known of a file that is open. */
struct weft_file_facts {
    uint64_t size, inode;
    int64_t seconds;      /* of its last change, since 1970 */
    uint32_t nanoseconds; /* and what comes on top */
};

/* Opens the directory to serve from, for weft_file_open(). */
int weft_file_root(const char *path);

/*
 * Opens the regular file that a relative path of plain names ("a/b.txt") leads
 * to, for reading.  -EISDIR is a directory; -ENOENT whatever else is no such
 * file: nothing, a link, a device, a path with an empty name, "." or "..".
 * Never waits, not even for a FIFO.
 */
int weft_file_open(int root, const char *path, struct weft_file_facts *facts);

/* Reads at most len bytes from offset on: how many (0: the file's end), or
 * -errno. */
long weft_file_read(int fd, void *to, size_t len, uint64_t offset);

/* Closes *fd, a root or a file, once if it is not -1, and sets it to -1. */
void weft_file_close(int *fd);

#endif
