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

/* Takes both answers, however long that takes. */
static void
take_both(struct weft_lookup *l, struct weft_found found[WEFT_FAMILIES])
{
    struct weft_found next = { 0 };
    enum weft_status rc;
    int taken = 0;

    while ((rc = weft_lookup_take(l, &next)) != WEFT_E_CLOSED) {
        if (rc == WEFT_OK) {
            CHECK(next.family == WEFT_V6 || next.family == WEFT_V4);
            found[next.family] = next;
            taken++;
            continue;
        }
        CHECK(rc == WEFT_MORE);
        if (!wait_for(l))
            break;
    }
    CHECK(rc == WEFT_E_CLOSED && taken == 2);
    CHECK(weft_lookup_take(l, &next) == WEFT_E_CLOSED);
}

static void
finds_localhost(void)
{
    struct weft_lookup *l = weft_lookup_start("localhost", 8080);
    struct weft_found found[WEFT_FAMILIES];
    const struct weft_addr *a;
    int fd;

    CHECK(l != NULL);
    if (l == NULL)
        return;
    fd = weft_lookup_fd(l);
    take_both(l, found);
    CHECK(found[WEFT_V4].count > 0); /* IPv6: where there is */
    for (int i = 0; i < WEFT_FAMILIES; i++) {
        for (int j = 0; j < found[i].count; j++) {
            a = &found[i].addresses[j];
            CHECK(is_loopback(a) && weft_addr_port(a) == 8080);
            CHECK(a->storage.ss_family == (i == WEFT_V6 ? AF_INET6
                                                        : AF_INET));
            for (int other = 0; other < j; other++)
                CHECK(memcmp(a, &found[i].addresses[other], sizeof(*a)) != 0);
        }
    }
    weft_lookup_drop(l);
    CHECK(is_closed(fd));
}

static void
says_why_there_is_none(void)
{
    struct weft_lookup *l = weft_lookup_start(no_name, 1);
    struct weft_found found[WEFT_FAMILIES];
    const char *why;

    CHECK(l != NULL);
    if (l == NULL)
        return;
    take_both(l, found);
    why = weft_lookup_why(l);
    CHECK(found[WEFT_V6].count == 0 && found[WEFT_V4].count == 0);
    CHECK(why != NULL && why[0] != '\0');
    weft_lookup_drop(l);
}

static void
can_be_dropped_at_any_time(void)
{
    struct weft_lookup *l;
    struct weft_found found;
    int fds[MANY];

    weft_lookup_drop(NULL);
    for (int i = 0; i < MANY; i++) {
        l = weft_lookup_start("localhost", 1);
        CHECK(l != NULL);
        if (l == NULL)
            return;
        fds[i] = weft_lookup_fd(l);
        if (i % 2)
            weft_lookup_take(l, &found);
        weft_lookup_drop(l);
    }
    for (int i = 0; i < MANY; i++)
        CHECK(is_closed(fds[i]));
}

static void
runs_many_at_once(void)
{
    struct weft_lookup *all[MANY];
    struct weft_found found[WEFT_FAMILIES];

    for (int i = 0; i < MANY; i++)
        all[i] = weft_lookup_start("127.0.0.1", 1);
    for (int i = 0; i < MANY; i++) {
        CHECK(all[i] != NULL);
        take_both(all[i], found);
        CHECK(found[WEFT_V4].count == 1 && found[WEFT_V6].count == 0);
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
    finds_localhost();
    says_why_there_is_none();
    can_be_dropped_at_any_time();
    runs_many_at_once();
    fails_where_descriptors_are_out();
    resolves_at_once();
    return check_report();
}
