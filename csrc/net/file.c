/*
 * The system calls on files.  It keeps no state and must not know who asks for
 * a file nor how its path was written.
 */
#include "net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sock.h"

/* A directory that is only passed through need not be readable. */
#if defined(O_PATH)
#define WEFT_SEARCH O_PATH
#elif defined(O_SEARCH)
#define WEFT_SEARCH O_SEARCH
#else
#define WEFT_SEARCH O_RDONLY
#endif

enum {
    NAME = 255, /* bytes of a name, the longest that file systems have */
    PASS = WEFT_SEARCH | O_DIRECTORY | O_CLOEXEC,
    /* NONBLOCK: a FIFO has no writer, NOCTTY: a terminal is not ours */
    READ = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

static int
open_in(int dir, const char *path, int flags)
{
    int fd;

    do
        fd = openat(dir, path, flags);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int
weft_file_root(const char *path)
{
    return open_in(AT_FDCWD, path, PASS);
}

/* What kernels say of a path that leads to no file, or through a link. */
static int
no_such_file(int error)
{
    switch (-error) {
    case ENOTDIR:
    case ELOOP:
    case EMLINK: /* FreeBSD's for a link */
#ifdef EFTYPE
    case EFTYPE: /* NetBSD's */
#endif
    case ENAMETOOLONG:
    case EINVAL:
    case ENXIO: /* a socket, a device that is not there */
    case ENODEV:
    case EOPNOTSUPP:
        return -ENOENT;
    default:
        return error;
    }
}

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

        fd = open_in(dir, name, (last ? READ : PASS) | O_NOFOLLOW);
        if (dir != root)
            weft_file_close(&dir);
        if (fd < 0 || last)
            return no_such_file(fd);
        dir = fd;
        path += len + 1;
    }
    if (dir != root)
        weft_file_close(&dir);
    return -ENOENT;
}

#if defined(__APPLE__)
#define CHANGED(st) ((st).st_mtimespec)
#else
#define CHANGED(st) ((st).st_mtim)
#endif

static int
look(int fd, struct weft_file_facts *facts)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -ENOENT;
    facts->size = (uint64_t)st.st_size;
    facts->inode = (uint64_t)st.st_ino;
    facts->seconds = (int64_t)CHANGED(st).tv_sec;
    facts->nanoseconds = (uint32_t)CHANGED(st).tv_nsec;
    return 0;
}

int
weft_file_open(int root, const char *path, struct weft_file_facts *facts)
{
    int fd = walk(root, path), error;

    if (fd < 0)
        return fd;
    error = look(fd, facts);
    if (error < 0) {
        weft_file_close(&fd);
        return error;
    }
    return fd;
}

long
weft_file_read(int fd, void *to, size_t len, uint64_t offset)
{
    long n;

    do
        n = offset > INT64_MAX ? 0 : pread(fd, to, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

void
weft_file_close(int *fd)
{
    weft_sock_close(fd); /* here a descriptor is a descriptor */
}
