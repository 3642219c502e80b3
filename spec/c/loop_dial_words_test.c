/*
 * How a dial is told: whom it tries to reach and why it reached nobody; and
 * what is dialled without a lookup: literals with zones, paths.
 */
#include <sys/resource.h>
#include <sys/un.h>

#include "loop_dial_kit.h"

#define SHUT4 "127.0.0.3"
#define SHUT6 "::ffff:127.0.0.3"

/* Failures ----------------------------------------------------------------- */

static void
fails_as(struct street *s, const char *word, const char *message)
{
    struct weft_link c;

    set_out(s, &c);
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    CHECK(failed_as(s, &c, word, message));
    CHECK(c.flow->dial == NULL && c.cause == WEFT_CAUSE_RESET);
    weft_link_deinit(&c);
}

static void
one_reason_stands_alone(struct street *s)
{
    const char *message = "connect to 127.0.0.3: connection refused";

    name_has(NOTHING, false, ADDRESSES(SHUT4), false);
    fails_as(s, "refused", message);
    name_has(ADDRESSES(SHUT6), false, NOTHING, false);
    fails_as(s, "refused", message);
    name_has(NOTHING, false, ADDRESSES(SHUT4, SHUT4, SHUT4), false);
    fails_as(s, "refused", message); /* it was one address, thrice */
}

static void
several_reasons_name_their_addresses(struct street *s)
{
    name_has(NOTHING, false, ADDRESSES(SHUT4, "127.0.0.4"), false);
    fails_as(s, "refused",
             "connect to test.example: connection refused "
             "(127.0.0.3, 127.0.0.4)");
    name_has(NOTHING, false,
             ADDRESSES(SHUT4, "127.0.0.4", "127.0.0.5", "127.0.0.6"), false);
    fails_as(s, "refused",
             "connect to test.example: connection refused "
             "(127.0.0.3, 127.0.0.4 and 2 more)");
    name_has(NOTHING, false,
             ADDRESSES(SHUT4, "255.255.255.255", "127.0.0.4"), false);
    fails_as(s, "refused",
             "connect to test.example: connection refused "
             "(127.0.0.3, 127.0.0.4); network is unreachable "
             "(255.255.255.255)");
}

static void
lookups_say_the_better_reason(struct street *s)
{
    const struct {
        int v6, v4, told;
    } both[] = {
        { EAI_NONAME, EAI_NONAME, EAI_NONAME },
        { EAI_NONAME, EAI_AGAIN, EAI_AGAIN },
        { EAI_AGAIN, EAI_NONAME, EAI_AGAIN },
        { EAI_FAMILY, EAI_FAIL, EAI_FAIL },
        { EAI_MEMORY, EAI_AGAIN, EAI_MEMORY },
    };
    char message[128];

    for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
        name_has(TROUBLE(both[i].v6), false, TROUBLE(both[i].v4), i % 2);
        let_answer(WEFT_V4);
        snprintf(message, sizeof(message), "look up test.example: %s",
                 gai_strerror(both[i].told));
        fails_as(s, "dns", message);
    }
    name_has(TROUBLE(EAI_SYSTEM), false, TROUBLE(EAI_AGAIN), false);
    snprintf(message, sizeof(message), "look up test.example: %s",
             strerror(EIO));
    fails_as(s, "dns", message);
}

/* No descriptor is left for the lookup's pipe. */
static void
a_lookup_that_cannot_begin_says_so(struct street *s)
{
    struct weft_link c;
    struct rlimit kept, none;

    getrlimit(RLIMIT_NOFILE, &kept);
    none = kept;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    weft_link_init(&c, &s->w->loop, s->w->config, WEFT_CLIENT);
    CHECK(go_to(&c, "test.example", s->port, WEFT_SECOND, &a_request) ==
          WEFT_OK);
    CHECK(setrlimit(RLIMIT_NOFILE, &kept) == 0);
    CHECK(c.state == WEFT_LINK_CLOSED);
    CHECK(failed_as(s, &c, "system",
                    "look up test.example: Too many open files"));
    weft_link_deinit(&c);
}

static void
a_proxy_is_named_as_one(struct street *s)
{
    struct weft_route to = {
        .host = "far.example", .port = 80,
        .proxy_host = "test.example", .proxy_port = s->port,
        .tunnel = { .host = SPAN("far.example"), .port = 80 },
    };
    struct weft_link c;
    char message[128];

    snprintf(message, sizeof(message), "connect to far.example:80: look up "
             "proxy test.example: %s", gai_strerror(EAI_NONAME));
    name_has(NOTHING, false, NOTHING, false);
    weft_link_init(&c, &s->w->loop, s->w->config, WEFT_CLIENT);
    CHECK(weft_link_connect(&c, &to, WEFT_SECOND, &a_request) == WEFT_OK);
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    CHECK(strcmp(c.error, "proxy") == 0);
    CHECK(strcmp(c.close_message, message) == 0);
    weft_link_deinit(&c);
}

/* On the way --------------------------------------------------------------- */

static bool
aims_at(const struct street *s, const struct weft_link *c, const char *host)
{
    char to[WEFT_TARGET_TEXT], expected[64];

    weft_link_target(c, to);
    snprintf(expected, sizeof(expected), "%s:%u", host, s->port);
    return strcmp(to, expected) == 0;
}

static void
the_target_is_what_it_hangs_on(struct street *s)
{
    struct weft_link c;

    name_has(NOTHING, true, ADDRESSES("127.0.0.2", SHUT4), true);
    set_out(s, &c);
    CHECK(aims_at(s, &c, "test.example"));
    let_answer(WEFT_V4);
    CHECK(begins(s, &c, 1) && aims_at(s, &c, "test.example"));
    let_answer(WEFT_V6);
    while (c.flow->dial->looking)
        turn(s->w, 1);
    CHECK(c.flow->dial->begun == 1 && aims_at(s, &c, "127.0.0.2"));
    weft_dial_expire(&c.flow->dial->timer);
    CHECK(c.flow->dial->under_way == 2 && aims_at(s, &c, "test.example"));
    while (c.flow->dial->under_way == 2)
        turn(s->w, 1);
    CHECK(aims_at(s, &c, "127.0.0.2"));
    weft_link_deinit(&c);
}

static void
deadlines_name_the_target(struct street *s)
{
    struct weft_link c;

    name_has(NOTHING, true, NOTHING, true);
    weft_link_init(&c, &s->w->loop, s->w->config, WEFT_CLIENT);
    CHECK(go_to(&c, "test.example", s->port, 30 * MS, &a_request) == WEFT_OK);
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    CHECK(failed_as(s, &c, "timeout", "connect to test.example: timed out"));
    weft_link_deinit(&c);
    let_answer(WEFT_V6);
    let_answer(WEFT_V4);
    weft_link_init(&c, &s->w->loop, s->w->config, WEFT_CLIENT);
    CHECK(go_to(&c, "127.0.0.2", s->port, 30 * MS, &a_request) == WEFT_OK);
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    CHECK(failed_as(s, &c, "timeout", "connect to 127.0.0.2: timed out"));
    weft_link_deinit(&c);
}

/* Zones -------------------------------------------------------------------- */

static void
go_literally(struct street *s, struct weft_link *c, const char *host)
{
    weft_link_init(c, &s->w->loop, s->w->config, WEFT_CLIENT);
    CHECK(go_to(c, host, s->port, 5 * WEFT_SECOND, &a_request) == WEFT_OK);
    CHECK(c->flow->dial == NULL || c->flow->dial->lookup == NULL);
}

static void
zones_are_not_names(struct street *s)
{
    struct weft_link c;

    go_literally(s, &c, "fe80::1%no-such");
    CHECK(failed_as(s, &c, "dns", "look up fe80::1%no-such: there is no such "
                                  "network interface"));
    weft_link_deinit(&c);
    go_literally(s, &c, "::ffff:127.0.0.1%1"); /* a zone it does not need */
    CHECK(reaches(s->w, &c, WEFT_LINK_HANDSHAKE) && visitors(s) == 1);
    weft_link_deinit(&c);
}

/* Where there is no IPv6 this has nothing to say. */
static void
link_local_addresses_need_one(struct street *s)
{
    int fd = open_house("::1", 0, 1);
    struct weft_link c;

    if (fd < 0)
        return;
    weft_sock_close(&fd);
    go_literally(s, &c, "fe80::1");
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    CHECK(failed_as(s, &c, "refused",
                    "connect to [fe80::1]: a link-local address needs a "
                    "zone, as in fe80::1%eth0"));
    weft_link_deinit(&c);
}

/* Paths -------------------------------------------------------------------- */

static void
go_to_path(struct street *s, struct weft_link *c, const char *path)
{
    struct weft_route to = { .host = "localhost", .port = 80,
                             .unix_path = path };

    weft_link_init(c, &s->w->loop, s->w->config, WEFT_CLIENT);
    CHECK(weft_link_connect(c, &to, 5 * WEFT_SECOND, &a_request) == WEFT_OK);
}

static void
path_fails(struct street *s, const char *path, const char *why)
{
    struct weft_link c;
    char message[512];

    go_to_path(s, &c, path);
    CHECK(reaches(s->w, &c, WEFT_LINK_CLOSED));
    snprintf(message, sizeof(message), "connect to %.128s: %s", path, why);
    CHECK(failed_as(s, &c, "refused", message));
    weft_link_deinit(&c);
}

static void
bad_paths_fail(struct street *s, const char *path)
{
    char long_path[200];

    path_fails(s, path, "connection refused");
    unlink(path);
    path_fails(s, path, "no such file or directory");
    path_fails(s, "", "the path is empty");
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    path_fails(s, long_path, "the path is too long");
}

/* A full queue is waited for; connect() on Linux would not. */
static void
full_queues_are_waited_for(struct street *s, const char *path, int listener)
{
    char to[WEFT_TARGET_TEXT];
    struct weft_addr a, from;
    int fillers[8], fd;
    struct weft_link c;

    weft_addr_unix(&a, path);
    for (int i = 0; i < 8; i++)
        fillers[i] = weft_sock_connect(&a);
    CHECK(fillers[7] == -EAGAIN);
    go_to_path(s, &c, path);
    for (int64_t end = weft_now() + 120 * MS; weft_now() < end;) {
        turn(s->w, 10);
        CHECK(c.state == WEFT_LINK_DIALLING && c.flow->dial->under_way == 0);
    }
    weft_link_target(&c, to);
    CHECK(strcmp(to, path) == 0);
    while ((fd = weft_sock_accept(listener, &from)) >= 0)
        weft_sock_close(&fd);
    CHECK(reaches(s->w, &c, WEFT_LINK_HANDSHAKE));
    weft_link_deinit(&c);
    for (int i = 0; i < 8; i++)
        if (fillers[i] >= 0)
            weft_sock_close(&fillers[i]);
}

static void
paths_are_dialled(struct street *s)
{
    char dir[] = "/tmp/weft-dial-XXXXXX", path[64], text[WEFT_TARGET_TEXT];
    struct weft_link c;
    struct weft_addr a;
    int listener;

    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/s", dir);
    weft_addr_unix(&a, path);
    listener = weft_sock_listen(&a, 1, false, false);
    CHECK(listener >= 0);
    go_to_path(s, &c, path);
    CHECK(reaches(s->w, &c, WEFT_LINK_HANDSHAKE));
    weft_link_peer(&c, &a);
    CHECK(a.storage.ss_family == AF_UNIX);
    weft_link_target(&c, text);
    CHECK(strcmp(text, path) == 0);
    weft_link_deinit(&c);
    go_to_path(s, &c, path);
    weft_link_abort(&c, WEFT_CAUSE_CANCELLED, "given up");
    weft_link_deinit(&c);
    full_queues_are_waited_for(s, path, listener);
    weft_sock_close(&listener);
    bad_paths_fail(s, path);
    rmdir(dir);
}

int
main(void)
{
    struct street s;
    struct world w;

    world_init(&w);
    street_open(&s, &w);
    one_reason_stands_alone(&s);
    several_reasons_name_their_addresses(&s);
    lookups_say_the_better_reason(&s);
    a_lookup_that_cannot_begin_says_so(&s);
    a_proxy_is_named_as_one(&s);
    the_target_is_what_it_hangs_on(&s);
    deadlines_name_the_target(&s);
    zones_are_not_names(&s);
    link_local_addresses_need_one(&s);
    paths_are_dialled(&s);
    street_close(&s);
    name_has(NOTHING, false, NOTHING, false); /* all lookups have ended */
    world_deinit(&w);
    return check_report();
}
