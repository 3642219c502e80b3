/*
 * The system calls on files.  It keeps no state and must not know what leads to
 * a file.
 */
#include "net/file_system.h"

#include <errno.h>
#include <fcntl.h>
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

int
weft_file_open_in(int dir, const char *name, bool pass)
{
    return no_such_file(open_in(dir, name, (pass ? PASS : READ) | O_NOFOLLOW));
}

#if defined(__APPLE__)
#define CHANGED(st) ((st).st_mtimespec)
#else
#define CHANGED(st) ((st).st_mtim)
#endif

int
weft_file_look(int fd, struct weft_file_facts *facts)
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
