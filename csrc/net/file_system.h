/*
 * What file.c asks the system for, one name at a time: POSIX's way is
 * file_system.c, that of Windows file_system_win.c.
 */
#ifndef WEFT_NET_FILE_SYSTEM_H
#define WEFT_NET_FILE_SYSTEM_H

#include <stdbool.h>

#include "net/file.h"

/*
 * Opens what a directory has by that name, which is a plain one: a file to be
 * read, or a directory to pass through.  Follows no link and never waits.
 * -ENOENT stands for whatever is not to be had by that name, but not for what
 * is there and cannot be opened.
 */
int weft_file_open_in(int dir, const char *name, bool pass);

/* -EISDIR for a directory, -ENOENT for what else is no regular file. */
int weft_file_look(int fd, struct weft_file_facts *facts);

#endif
