/*
 * A loop inside somebody else's: the descriptor that says that there is something
 * to do, and turns that may work no longer than they are told.
 */
#include <fcntl.h>
#include <poll.h>

#include "loop/journal.h"
#include "loop_kit.h"

static bool
is_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

/* Turns until the loop says that it has nothing to do. */
static void
settles(struct world *w)
{
    do {
        turn(w, 0);
        weft_loop_doze(&w->loop, false);
    } while (weft_loop_timeout(&w->loop) == 0);
}

static void
polling_forced_has_none(void)
{
    struct weft_loop loop;

    CHECK(weft_loop_init(&loop, true) == WEFT_OK);
    errno = EBADF;
    CHECK(weft_loop_fd(&loop) == -1 && errno == 0);
    weft_loop_doze(&loop, true);
    weft_loop_stir(&loop);
    weft_loop_deinit(&loop);
}

static void
between_turns_it_is_told(struct world *w)
{
    struct weft_link client, server;
    int fd = weft_loop_fd(&w->loop);

    CHECK(weft_loop_fd(&w->loop) == fd);
    if (fd < 0)
        return; /* a system that has poll(2) alone */
    pair(w, &client, &server);
    settles(w);
    CHECK(!is_readable(fd));
    say(&client, "between turns");
    CHECK(is_readable(fd));
    settles(w);
    CHECK(!is_readable(fd));
    CHECK(hears(&server, "between turns"));
    settles(w);
    weft_loop_doze(&w->loop, true); /* the caller has something to do */
    CHECK(is_readable(fd));
    settles(w);
    CHECK(!is_readable(fd));
    weft_link_deinit(&client);
    weft_link_deinit(&server);
    settles(w);
}

/* A room's send between turns, past memory_limit, sends what is queued: a file
 * that goes on in the next turn is then all that there is to do. */
static void
a_file_goes_on_after_relief(struct world *w)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct weft_link server;
    struct raw client;

    serve(w, &server, &client);
    raw_write(&client, request, sizeof(request) - 1);
    CHECK(reaches(w, &server, WEFT_LINK_ASKED));
    CHECK(weft_link_respond_file(&server, 200, SPAN(""),
                                 open("/dev/zero", O_RDONLY), 0, 1 << 20)
          == WEFT_OK);
    weft_loop_relieve_any(&w->loop);
    CHECK(weft_list_empty(&w->loop.dirty));
    CHECK(weft_loop_timeout(&w->loop) == 0);
    weft_link_deinit(&server);
    raw_close(&client);
}

static void
a_journal_is_told_of_too(struct world *w)
{
    struct weft_told t = { .what = WEFT_TOLD_REQUEST };
    struct weft_journal j;
    int fd = weft_loop_fd(&w->loop);

    weft_journal_init(&j, &w->loop);
    settles(w);
    CHECK(weft_journal_add(&j, &t));
    CHECK(weft_loop_timeout(&w->loop) == 0);
    CHECK(fd < 0 || is_readable(fd));
    weft_journal_deinit(&j);
    settles(w);
}

/* In a child process both have ends of one pipe: it makes another. */
static void
renewed_it_has_another(struct world *w)
{
    int fd = weft_loop_fd(&w->loop);

    if (fd < 0)
        return;
    CHECK(weft_loop_renew(&w->loop) == WEFT_OK && w->loop.wake_fd < 0);
    fd = weft_loop_fd(&w->loop);
    CHECK(fd >= 0 && w->loop.wake_fd >= 0);
    weft_loop_doze(&w->loop, true);
    CHECK(is_readable(fd));
    settles(w);
    CHECK(!is_readable(fd));
}

/* With no time at all one socket is read, and one written, in each turn. */
static void
late_turns_leave_the_rest(struct world *w)
{
    struct weft_link clients[4], servers[4];
    int turns = 0, unsent;

    for (int i = 0; i < 4; i++)
        pair(w, &clients[i], &servers[i]);
    settles(w);
    weft_loop_bound(&w->loop, 0);
    for (int i = 0; i < 4; i++)
        say(&clients[i], "x");
    do {
        turn(w, 0);
        CHECK(weft_loop_is_late(&w->loop));
        unsent = 0;
        for (int i = 0; i < 4; i++)
            unsent += weft_link_queued(&clients[i]) > 0;
        turns++;
    } while (unsent > 0 && turns < 10);
    CHECK(unsent == 0 && turns >= 2);
    for (int i = 0; i < 20; i++)
        turn(w, 0);
    CHECK(!w->loop.behind);
    for (int i = 0; i < 4; i++)
        CHECK(hears(&servers[i], "x"));
    weft_loop_bound(&w->loop, WEFT_FOREVER);
    turn(w, 0);
    CHECK(!weft_loop_is_late(&w->loop));
    for (int i = 0; i < 4; i++) {
        weft_link_deinit(&clients[i]);
        weft_link_deinit(&servers[i]);
    }
    settles(w);
}

int
main(void)
{
    struct world w;

    polling_forced_has_none();
    world_init(&w);
    renewed_it_has_another(&w);
    between_turns_it_is_told(&w);
    late_turns_leave_the_rest(&w);
    a_file_goes_on_after_relief(&w);
    a_journal_is_told_of_too(&w);
    world_deinit(&w);
    return check_report();
}
