/*
 * Files beneath a root: what is opened, what is not, and that nothing leads
 * out, not even what is renamed meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "net/file.h"
#include "net/sock.h"

enum { RACES = 20000 };

static int root; /* of "www", beside which lies "outside" */

static void
write_file(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* What the file at the path holds, or NULL and why in *error. */
static const char *
read_file(const char *path, int *error)
{
    static char text[64];
    struct weft_file_facts facts;
    int fd = weft_file_open(root, path, &facts);
    long n;

    *error = fd;
    if (fd < 0)
        return NULL;
    n = weft_file_read(fd, text, sizeof(text) - 1, 0);
    CHECK(n >= 0 && (uint64_t)n == facts.size);
    text[n < 0 ? 0 : n] = '\0';
    weft_sock_close(&fd);
    return text;
}

static bool
holds(const char *path, const char *expected)
{
    int error;
    const char *text = read_file(path, &error);

    return text != NULL && strcmp(text, expected) == 0;
}

static bool
fails(const char *path, int expected)
{
    int error;

    return read_file(path, &error) == NULL && error == expected;
}

static void
files_are_opened_by_name(void)
{
    CHECK(holds("a.txt", "public"));
    CHECK(holds("d/e/f.txt", "deep"));
    CHECK(holds("d/empty", ""));
    CHECK(holds(".hidden", "dot"));
    CHECK(holds("...", "dots"));
    CHECK(fails("nothing", -ENOENT));
    CHECK(fails("nothing/a.txt", -ENOENT));
    CHECK(fails("a.txt/b", -ENOENT));
    CHECK(fails("d", -EISDIR));
    CHECK(fails("d/e", -EISDIR));
}

static void
facts_are_told(void)
{
    struct weft_file_facts facts;
    struct stat st;
    int fd = weft_file_open(root, "d/e/f.txt", &facts);

    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    CHECK(facts.size == 4);
    CHECK(facts.inode == (uint64_t)st.st_ino);
    CHECK(facts.seconds == (int64_t)st.st_mtime);
    CHECK(facts.nanoseconds < 1000000000);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    weft_sock_close(&fd);
}

static void
files_are_read_in_parts(void)
{
    struct weft_file_facts facts;
    char bytes[8];
    int fd = weft_file_open(root, "a.txt", &facts);

    CHECK(weft_file_read(fd, bytes, 3, 2) == 3);
    CHECK(memcmp(bytes, "bli", 3) == 0);
    CHECK(weft_file_read(fd, bytes, sizeof(bytes), 4) == 2);
    CHECK(weft_file_read(fd, bytes, sizeof(bytes), 6) == 0);
    CHECK(weft_file_read(fd, bytes, sizeof(bytes), 1000) == 0);
    weft_sock_close(&fd);
    CHECK(weft_file_read(fd, bytes, 1, 0) == -EBADF);
}

static void
names_have_to_be_plain(void)
{
    static const char *const paths[] = {
        "", ".", "..", "/", "/a.txt", "a.txt/", "d/", "d//e/f.txt", "./a.txt",
        "d/./e/f.txt", "d/../a.txt", "../www/a.txt", "../outside/secret",
        "d/e/../../../outside/secret", "d/..", "..//outside/secret",
        "/etc/passwd", "//etc/passwd",
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        CHECK(fails(paths[i], -ENOENT));
}

static void
names_may_be_too_long(void)
{
    static const size_t lengths[] = { 255, 256, 1999 };
    char name[2000];

    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        memset(name, 'x', lengths[i]);
        name[lengths[i]] = '\0';
        CHECK(fails(name, -ENOENT));
    }
    memcpy(name, "a.txt", 5); /* of which no more than the name is taken */
    name[5] = '/';
    CHECK(fails(name, -ENOENT));
}

static void
links_are_not_followed(void)
{
    CHECK(symlink("a.txt", "www/link") == 0);
    CHECK(symlink("../outside/secret", "www/out") == 0);
    CHECK(symlink("../outside", "www/outdir") == 0);
    CHECK(symlink("d", "www/indir") == 0);
    CHECK(symlink("loop", "www/loop") == 0);
    CHECK(fails("link", -ENOENT));
    CHECK(fails("out", -ENOENT));
    CHECK(fails("outdir", -ENOENT));
    CHECK(fails("outdir/secret", -ENOENT));
    CHECK(fails("indir/e/f.txt", -ENOENT));
    CHECK(fails("loop", -ENOENT));
    CHECK(fails("loop/x", -ENOENT));
}

/* Opening a FIFO without a writer waits; the alarm would end this program. */
static void
other_things_are_no_files(void)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "www/socket" };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    CHECK(mkfifo("www/fifo", 0600) == 0);
    CHECK(bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
    alarm(10);
    CHECK(fails("fifo", -ENOENT));
    CHECK(fails("fifo/x", -ENOENT));
    CHECK(fails("socket", -ENOENT));
    alarm(0);
    close(fd);
}

/* Root may read everything. */
static void
rights_count(void)
{
    CHECK(chmod("www/a.txt", 0) == 0);
    if (geteuid() != 0)
        CHECK(fails("a.txt", -EACCES));
    CHECK(chmod("www/a.txt", 0600) == 0);
}

static int
lowest_descriptor(void)
{
    int fd = dup(root);

    close(fd);
    return fd;
}

static void
roots_are_directories(void)
{
    int other;

    CHECK(weft_file_root("nothing") == -ENOENT);
    CHECK(weft_file_root("www/a.txt") == -ENOTDIR);
    CHECK(symlink("www", "current") == 0);
    other = weft_file_root("current");
    CHECK(other >= 0);
    CHECK((fcntl(other, F_GETFD) & FD_CLOEXEC) != 0);
    weft_sock_close(&other);
}

/*
 * Puts links in the place of a directory and of a file, and those back, until
 * it is killed.
 */
static pid_t
start_swapping(void)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (;;) {
        rename("www/d/e", "www/d/kept");
        if (symlink("../../outside", "www/d/e") != 0)
            _exit(1);
        unlink("www/d/e");
        rename("www/d/kept", "www/d/e");
        rename("www/a.txt", "www/kept.txt");
        if (symlink("../outside/secret", "www/a.txt") != 0)
            _exit(1);
        unlink("www/a.txt");
        rename("www/kept.txt", "www/a.txt");
    }
}

static void
what_is_swapped_leads_nowhere(void)
{
    pid_t pid = start_swapping();
    int found = 0, missed = 0, wrong = 0, error, status;

    CHECK(pid > 0);
    for (int i = 0; i < RACES || ((!found || !missed) && i < RACES * 50);
         i++) {
        bool file = i % 2 == 0;
        const char *text = read_file(file ? "a.txt" : "d/e/secret", &error);

        found += text != NULL;
        missed += text == NULL;
        if (text != NULL ? strcmp(text, file ? "public" : "inner") != 0
                         : error != -ENOENT)
            wrong++;
    }
    CHECK(wrong == 0);
    CHECK(found > 0 && missed > 0); /* else nothing was swapped */
    CHECK(waitpid(pid, &status, WNOHANG) == 0); /* it still does */
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

int
main(void)
{
    char dir[] = "/tmp/weft-file-XXXXXX", command[64];
    int lowest;

    CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
    CHECK(mkdir("www", 0700) == 0 && mkdir("www/d", 0700) == 0
          && mkdir("www/d/e", 0700) == 0 && mkdir("outside", 0700) == 0);
    write_file("outside/secret", "secret");
    write_file("www/a.txt", "public");
    write_file("www/.hidden", "dot");
    write_file("www/...", "dots");
    write_file("www/d/empty", "");
    write_file("www/d/e/f.txt", "deep");
    write_file("www/d/e/secret", "inner");
    root = weft_file_root("www");
    CHECK(root >= 0);
    lowest = lowest_descriptor();
    files_are_opened_by_name();
    facts_are_told();
    files_are_read_in_parts();
    names_have_to_be_plain();
    names_may_be_too_long();
    links_are_not_followed();
    other_things_are_no_files();
    rights_count();
    roots_are_directories();
    what_is_swapped_leads_nowhere();
    CHECK(lowest_descriptor() == lowest); /* nothing was left open */
    weft_sock_close(&root);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    CHECK(chdir("/") == 0 && system(command) == 0);
    return check_report();
}
