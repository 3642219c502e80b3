/*
 * The PROXY protocol in front of a server's link: in two pieces cut anywhere,
 * and with each allocation failing in its turn.
 */
#include <arpa/inet.h>

#include "failing_mem.h"
#include "loop_kit.h"
#include "loop_play.h"

static const char line[] = "PROXY TCP6 2001:db8::7 ::1 4711 80\r\n";
static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\5hello";
static const char nothing[] = "PROXY TCP7 1.2.3.4 1.2.3.4 1 2\r\n";

/* A socket that is connected to the listener, or -1. */
static int
connect_to(const struct weft_listener *h)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to;

    memcpy(&to, &h->address.storage, sizeof(to));
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* What the listener accepts, its head and a request cut at `cut`. */
static void
scene(struct world *w, struct weft_link *s, const char *head, size_t len,
      size_t cut, const char *trusted)
{
    char bytes[sizeof(raw_request) + 64];
    size_t all = len + sizeof(raw_request) - 1;
    struct weft_range range;
    struct weft_listener h;
    struct weft_addr a;
    int fd;

    memcpy(bytes, head, len);
    memcpy(bytes + len, raw_request, sizeof(raw_request) - 1);
    weft_range_parse(&range, trusted);
    weft_addr_parse(&a, "127.0.0.1", 0);
    weft_link_init(s, &w->loop, w->config, WEFT_SERVER);
    if (weft_listener_init(&h, &w->loop, w->config, &a, 10, false, false)
        != WEFT_OK)
        return;
    weft_listener_want_proxy_heads(&h, &range, 1);
    fd = connect_to(&h);
    turn(w, 0);
    if (weft_listener_accept(&h, s) == WEFT_OK) {
        CHECK(s->state == WEFT_LINK_PROXY_HEAD);
        CHECK(send(fd, bytes, cut, MSG_NOSIGNAL) == (ssize_t)cut);
        turn(w, 0);
        if (send(fd, bytes + cut, all - cut, MSG_NOSIGNAL) >= 0)
            turn(w, 0);
    }
    CHECK(h.counters.accepted == 1 || s->state == WEFT_LINK_IDLE);
    CHECK(h.total == (s->listener == &h));
    close(fd);
    weft_listener_deinit(&h);
}

static bool
is_told(const struct weft_link *s, const char *host)
{
    char text[WEFT_ADDR_TEXT];
    struct weft_addr a;

    weft_link_peer(s, &a);
    weft_addr_host(&a, text);
    return strcmp(text, host) == 0;
}

static void
every_cut(const char *head, size_t len, const char *host)
{
    struct world w;
    size_t well = 0;

    for (size_t cut = 0; cut <= len + 3; cut++) {
        struct weft_link s;

        world_init(&w);
        scene(&w, &s, head, len, cut, "127.0.0.0/8");
        well += s.state == WEFT_LINK_ASKED && is_told(&s, host);
        weft_link_deinit(&s);
        world_deinit(&w);
    }
    CHECK(well == len + 4);
}

static void
others_are_dropped(void)
{
    struct weft_link s;
    struct world w;

    world_init(&w);
    scene(&w, &s, nothing, sizeof(nothing) - 1, 3, "127.0.0.1");
    CHECK(s.state == WEFT_LINK_CLOSED && s.cause == WEFT_CAUSE_PROTOCOL);
    CHECK(strstr(s.close_message, "PROXY protocol") != NULL);
    weft_link_deinit(&s);
    scene(&w, &s, line, sizeof(line) - 1, 3, "192.0.2.1");
    CHECK(s.state == WEFT_LINK_IDLE);
    weft_link_deinit(&s);
    world_deinit(&w);
}

static void
head_scene(struct world *w)
{
    struct weft_link s;

    scene(w, &s, line, sizeof(line) - 1, 7, "127.0.0.1");
    CHECK(s.state != WEFT_LINK_ASKED || is_told(&s, "2001:db8::7"));
    weft_link_deinit(&s);
}

/* Two of one client, which may have one; both heads and requests come at once. */
static void
turn_away_scene(struct world *w)
{
    struct weft_link links[2];
    struct weft_listener h;
    struct weft_addr a;
    long kept = failing;
    int fds[2];

    failing = -1;
    weft_addr_parse(&a, "127.0.0.1", 0);
    CHECK(weft_listener_init(&h, &w->loop, w->config, &a, 10, false, false)
          == WEFT_OK);
    weft_listener_want_proxy_heads(&h, NULL, 0);
    weft_listener_limit(&h, 0, 1);
    failing = kept;
    for (int i = 0; i < 2; i++) {
        weft_link_init(&links[i], &w->loop, w->config, WEFT_SERVER);
        fds[i] = connect_to(&h);
        send(fds[i], line, sizeof(line) - 1, MSG_NOSIGNAL);
        send(fds[i], raw_request, sizeof(raw_request) - 1, MSG_NOSIGNAL);
        turn(w, 0);
        weft_listener_accept(&h, &links[i]);
        turn(w, 0);
        turn(w, 0);
        CHECK(links[i].state != WEFT_LINK_PROXY_HEAD);
        CHECK(links[i].state != WEFT_LINK_ASKED
              || is_told(&links[i], "2001:db8::7"));
    }
    if (failing < 0 || allocations <= failing) {
        CHECK(links[0].state == WEFT_LINK_ASKED);
        CHECK(links[1].state == WEFT_LINK_LINGER
              && h.counters.turned_away == 1);
    }
    CHECK(h.callers.count <= 1 && h.total <= 2);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        weft_link_deinit(&links[i]);
    }
    CHECK(h.callers.count == 0 && h.total == 0);
    weft_listener_deinit(&h);
}

int
main(void)
{
    every_cut(line, sizeof(line) - 1, "2001:db8::7");
    every_cut(local, sizeof(local) - 1, "127.0.0.1");
    others_are_dropped();
    play(head_scene);
    CHECK(play(turn_away_scene) > 10);
    CHECK(unfreed == 0);
    return check_report();
}
