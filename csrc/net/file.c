/*
 * The way from a root to a file beneath it.  It keeps no state and must not
 * know who asks for a file nor how its path was written.
 */
#include "net/file.h"

#include <errno.h>
#include <string.h>

#include "net/file_system.h"

enum { NAME = 255 /* bytes of a name, the longest that file systems have */ };

/* The first name of the path, and whether it is a plain one. */
static bool
take_name(const char *path, char name[NAME + 1], size_t *len)
{
    *len = strcspn(path, "/");
    if (*len == 0 || *len > NAME)
        return false;
    memcpy(name, path, *len);
    name[*len] = '\0';
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Opens the path; who passes through a directory closes it. */
static int
walk(int root, const char *path)
{
    char name[NAME + 1];
    size_t len;
    int dir = root, fd = -ENOENT;

    while (take_name(path, name, &len)) {
        bool last = path[len] == '\0';

        fd = weft_file_open_in(dir, name, !last);
        if (dir != root)
            weft_file_close(&dir);
        if (fd < 0 || last)
            return fd;
        dir = fd;
        path += len + 1;
    }
    if (dir != root)
        weft_file_close(&dir);
    return -ENOENT;
}

int
weft_file_open(int root, const char *path, struct weft_file_facts *facts)
{
    int fd = walk(root, path), error;

    if (fd < 0)
        return fd;
    error = weft_file_look(fd, facts);
    if (error < 0) {
        weft_file_close(&fd);
        return error;
    }
    return fd;
}
