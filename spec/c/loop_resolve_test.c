/*
 * Names that need no network: literals, localhost and what no resolver takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "net/resolve.h"

enum { MANY = 20 };

static const char no_name[] = "no such name";

static bool
wait_for(const struct weft_lookup *l)
{
    struct pollfd p = { .fd = weft_lookup_fd(l), .events = POLLIN };

    return poll(&p, 1, 30000) == 1 && (p.revents & POLLIN) != 0;
}

/* Whether a dropped lookup has come to its end. */
static bool
is_closed(int fd)
{
    for (int i = 0; i < 3000; i++) {
        if (fcntl(fd, F_GETFD) < 0)
            return true;
        usleep(10000);
    }
    return false;
}

static bool
is_loopback(const struct weft_addr *a)
{
    char text[WEFT_ADDR_TEXT];

    weft_addr_host(a, text);
    return strcmp(text, "::1") == 0 || strncmp(text, "127.", 4) == 0;
}

static void
finds_localhost(const char *host)
{
    struct weft_lookup *l = weft_lookup_start(host, 8080);
    const struct weft_addr *addresses = NULL;
    const char *why = "unset";
    int count = 0, fd;

    CHECK(l != NULL);
    if (l == NULL)
        return;
    fd = weft_lookup_fd(l);
    CHECK(wait_for(l));
    CHECK(weft_lookup_result(l, &addresses, &count, &why) == WEFT_OK);
    CHECK(count > 0 && why == NULL);
    for (int i = 0; i < count; i++) {
        CHECK(is_loopback(&addresses[i]));
        CHECK(weft_addr_port(&addresses[i]) == 8080);
    }
    CHECK(wait_for(l)); /* it stays readable */
    weft_lookup_drop(l);
    CHECK(is_closed(fd));
}

static void
says_why_there_is_none(void)
{
    struct weft_lookup *l = weft_lookup_start(no_name, 1);
    const struct weft_addr *addresses;
    const char *why = NULL;
    int count = -1;

    CHECK(l != NULL);
    if (l == NULL)
        return;
    CHECK(wait_for(l));
    CHECK(weft_lookup_result(l, &addresses, &count, &why) == WEFT_OK);
    CHECK(count == 0 && why != NULL && why[0] != '\0');
    weft_lookup_drop(l);
}

static void
can_be_dropped_at_any_time(void)
{
    struct weft_lookup *l;
    const struct weft_addr *addresses;
    const char *why;
    int fds[MANY], count;

    weft_lookup_drop(NULL);
    for (int i = 0; i < MANY; i++) {
        l = weft_lookup_start("localhost", 1);
        CHECK(l != NULL);
        if (l == NULL)
            return;
        fds[i] = weft_lookup_fd(l);
        if (i % 2)
            weft_lookup_result(l, &addresses, &count, &why);
        weft_lookup_drop(l);
    }
    for (int i = 0; i < MANY; i++)
        CHECK(is_closed(fds[i]));
}

static void
runs_many_at_once(void)
{
    struct weft_lookup *all[MANY];
    const struct weft_addr *addresses;
    const char *why;
    int count;

    for (int i = 0; i < MANY; i++)
        all[i] = weft_lookup_start("127.0.0.1", 1);
    for (int i = 0; i < MANY; i++) {
        CHECK(all[i] != NULL && wait_for(all[i]));
        CHECK(weft_lookup_result(all[i], &addresses, &count, &why)
              == WEFT_OK);
        CHECK(count == 1);
        weft_lookup_drop(all[i]);
    }
}

static void
fails_where_descriptors_are_out(void)
{
    struct rlimit limit, none;

    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    errno = 0;
    CHECK(weft_lookup_start("localhost", 1) == NULL);
    CHECK(errno == EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void
resolves_at_once(void)
{
    struct weft_addr addresses[4];
    const char *why = "unset";
    int count = weft_resolve_now("localhost", 80, addresses, 4, &why);

    CHECK(count > 0 && count <= 4 && why == NULL);
    CHECK(is_loopback(&addresses[0]));
    CHECK(weft_addr_port(&addresses[count - 1]) == 80);
    CHECK(weft_resolve_now("localhost", 80, addresses, 1, &why) == 1);
    CHECK(weft_resolve_now(no_name, 80, addresses, 4, &why) == 0);
    CHECK(why != NULL);
}

int
main(void)
{
    finds_localhost("localhost");
    finds_localhost("127.0.0.1");
    says_why_there_is_none();
    can_be_dropped_at_any_time();
    runs_many_at_once();
    fails_where_descriptors_are_out();
    resolves_at_once();
    return check_report();
}
