/*
 * The system calls on files, by the kernel's own interface: Win32's would walk
 * a path by itself, and takes names for devices and cuts dots off.  It keeps no
 * state and must not know what leads to a file.
 *
 * A handle is an int here, see sock_win.c.
 */
#include "net/file_system.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <windows.h>

#include <winternl.h>

#include "base/mem.h"

enum {
    NAME = 256, /* code units of UTF-16, more than file systems have */
    PATH = 32768
};

static int
error_of(DWORD error)
{
    switch (error) {
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
        return -EACCES;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return -ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_SYSTEM_RESOURCES:
        return -EMFILE;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_DIRECTORY:
    case ERROR_BAD_NETPATH:
        return -ENOENT;
    default:
        return -EIO;
    }
}

static HANDLE
handle_of(int fd)
{
    return (HANDLE)(intptr_t)fd;
}

static int
fd_of(HANDLE handle)
{
    return (int)(intptr_t)handle;
}

/* The attributes of what is open, or all bits when they cannot be told. */
static DWORD
attributes_of(int fd, BY_HANDLE_FILE_INFORMATION *about)
{
    return GetFileInformationByHandle(handle_of(fd), about)
               ? about->dwFileAttributes
               : INVALID_FILE_ATTRIBUTES;
}

int
weft_file_root(const char *path)
{
    WCHAR *wide = weft_realloc(NULL, PATH * sizeof(WCHAR));
    BY_HANDLE_FILE_INFORMATION about;
    HANDLE root;
    int fd;

    if (wide == NULL)
        return -ENOMEM;
    root = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide,
                               PATH) == 0
               ? INVALID_HANDLE_VALUE
               : CreateFileW(wide, FILE_TRAVERSE | FILE_READ_ATTRIBUTES,
                             FILE_SHARE_READ | FILE_SHARE_WRITE
                                 | FILE_SHARE_DELETE,
                             NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS,
                             NULL);
    fd = root == INVALID_HANDLE_VALUE ? error_of(GetLastError())
                                      : fd_of(root);
    weft_free(wide);
    if (fd >= 0 && !(attributes_of(fd, &about) & FILE_ATTRIBUTE_DIRECTORY)) {
        weft_file_close(&fd);
        return -ENOTDIR;
    }
    return fd;
}

/*
 * Whether a name is the file's own: not one of a stream inside it (':'), a path
 * ('\\'), nor the short one that file systems make up besides (~1), which would
 * be a second name for what is hidden by its first.
 */
static bool
is_own_name(const char *name)
{
    const char *tilde = strchr(name, '~');

    while (tilde != NULL && (tilde[1] < '0' || tilde[1] > '9'))
        tilde = strchr(tilde + 1, '~');
    return tilde == NULL && strpbrk(name, ":\\") == NULL;
}

static int
open_wide(int dir, const WCHAR *name, int units, bool pass)
{
    UNICODE_STRING text = { (USHORT)(units * (int)sizeof(WCHAR)),
                            (USHORT)(units * (int)sizeof(WCHAR)),
                            (WCHAR *)name };
    OBJECT_ATTRIBUTES object;
    IO_STATUS_BLOCK block;
    HANDLE handle;
    NTSTATUS status;

    InitializeObjectAttributes(&object, &text, 0, handle_of(dir), NULL);
    status = NtCreateFile(
        &handle,
        pass ? FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE
             : FILE_GENERIC_READ,
        &object, &block, NULL, FILE_ATTRIBUTE_NORMAL,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN,
        FILE_OPEN_REPARSE_POINT | FILE_SYNCHRONOUS_IO_NONALERT
            | (pass ? FILE_DIRECTORY_FILE : 0u),
        NULL, 0);
    return status < 0 ? error_of(RtlNtStatusToDosError(status))
                      : fd_of(handle);
}

int
weft_file_open_in(int dir, const char *name, bool pass)
{
    BY_HANDLE_FILE_INFORMATION about;
    WCHAR wide[NAME];
    int units, fd;

    if (!is_own_name(name))
        return -ENOENT;
    units = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name,
                                (int)strlen(name), wide, NAME);
    if (units == 0)
        return -ENOENT;
    fd = open_wide(dir, wide, units, pass);
    if (fd >= 0 && (attributes_of(fd, &about) & FILE_ATTRIBUTE_REPARSE_POINT)) {
        weft_file_close(&fd); /* a link, or cannot be told from one */
        return -ENOENT;
    }
    return fd;
}

/* 1970, counted from 1601 in units of 100 ns. */
#define SINCE_1601 UINT64_C(116444736000000000)

int
weft_file_look(int fd, struct weft_file_facts *facts)
{
    BY_HANDLE_FILE_INFORMATION about;
    uint64_t changed;

    if (attributes_of(fd, &about) & FILE_ATTRIBUTE_DIRECTORY)
        return -EISDIR;
    if (GetFileType(handle_of(fd)) != FILE_TYPE_DISK)
        return -ENOENT;
    changed = ((uint64_t)about.ftLastWriteTime.dwHighDateTime << 32
               | about.ftLastWriteTime.dwLowDateTime);
    facts->size = (uint64_t)about.nFileSizeHigh << 32 | about.nFileSizeLow;
    facts->inode = (uint64_t)about.nFileIndexHigh << 32 | about.nFileIndexLow;
    facts->seconds = (int64_t)(changed / 10000000)
                     - (int64_t)(SINCE_1601 / 10000000);
    facts->nanoseconds = (uint32_t)(changed % 10000000) * 100;
    return 0;
}

long
weft_file_read(int fd, void *to, size_t len, uint64_t offset)
{
    OVERLAPPED at = { .Offset = (DWORD)offset,
                      .OffsetHigh = (DWORD)(offset >> 32) };
    DWORD n;

    if (ReadFile(handle_of(fd), to, len < INT_MAX ? (DWORD)len : INT_MAX, &n,
                 &at))
        return (long)n;
    return GetLastError() == ERROR_HANDLE_EOF ? 0 : error_of(GetLastError());
}

void
weft_file_close(int *fd)
{
    if (*fd >= 0)
        CloseHandle(handle_of(*fd));
    *fd = -1;
}
