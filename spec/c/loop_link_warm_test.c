/*
 * Links with TLS whose bytes pass turn after turn keep OpenSSL's buffers, as
 * many links as may; those that fall silent or end give them back.
 */
#include "loop_kit.h"
#include "loop_tls_blocks.h"

#include "loop/link_inner.h"

/* A listener with TLS on the loopback, and whom it serves. */
struct hall {
    struct world *w;
    struct weft_tls_context *client, *server;
    struct weft_listener listener;
};

static void
hall_open(struct hall *h, struct world *w)
{
    static char why[WEFT_TLS_WHY];
    struct weft_tls_options serves = { .server = true,
                                       .self_signed = "h.example" };
    struct weft_tls_options dials = { .verify = false };
    struct weft_addr a;

    h->w = w;
    h->server = weft_tls_context_new(&serves, NULL, why);
    h->client = weft_tls_context_new(&dials, NULL, why);
    CHECK(weft_addr_parse(&a, "127.0.0.1", 0));
    CHECK(weft_listener_init(&h->listener, &w->loop, w->config, &a, 100,
                             false, false)
          == WEFT_OK);
    weft_listener_secure(&h->listener, h->server);
}

static void
hall_close(struct hall *h)
{
    weft_listener_deinit(&h->listener);
    weft_tls_context_release(h->server);
    weft_tls_context_release(h->client);
}

struct couple {
    struct weft_link c, s;
};

static void
couple_init(struct couple *of, struct hall *h)
{
    struct weft_route to = { .host = "127.0.0.1", .tls = h->client };
    struct world *w = h->w;
    enum weft_status rc = WEFT_MORE;

    to.port = weft_addr_port(&h->listener.address);
    weft_link_init(&of->c, &w->loop, w->config, WEFT_CLIENT);
    weft_link_init(&of->s, &w->loop, w->config, WEFT_SERVER);
    CHECK(weft_link_connect(&of->c, &to, 5 * WEFT_SECOND, &a_request)
          == WEFT_OK);
    for (int i = 0; i < 200 && rc == WEFT_MORE; i++) {
        turn(w, 10);
        rc = weft_listener_accept(&h->listener, &of->s);
    }
    CHECK(rc == WEFT_OK && reaches(w, &of->s, WEFT_LINK_ASKED));
    CHECK(weft_link_accept(&of->s, SPAN(""), SPAN("")) == WEFT_OK);
    CHECK(reaches(w, &of->c, WEFT_LINK_OPEN));
}

static void
couple_deinit(struct couple *of)
{
    weft_link_deinit(&of->c);
    weft_link_deinit(&of->s);
}

static void
echo(struct world *w, struct couple *of)
{
    CHECK(say(&of->c, "hello") == WEFT_OK);
    CHECK(waits(w, &of->s) && hears(&of->s, "hello"));
    CHECK(say(&of->s, "hello") == WEFT_OK);
    CHECK(waits(w, &of->c) && hears(&of->c, "hello"));
}

static bool
is_warm(const struct couple *of)
{
    return of->c.warm != 0 && of->s.warm != 0;
}

/* Echoes until both ends are warm and have what they need. */
static bool
warms_up(struct world *w, struct couple *of)
{
    int64_t end = weft_now() + 2 * WEFT_SECOND;

    do {
        echo(w, of);
        echo(w, of);
    } while (!is_warm(of) && weft_now() < end);
    return is_warm(of);
}

static bool
cools(struct world *w)
{
    int64_t end = weft_now() + 2 * WEFT_SECOND;

    while (w->loop.warm_count > 0 && weft_now() < end) {
        int64_t timeout = weft_loop_timeout(&w->loop);

        CHECK(timeout >= 0 && timeout <= WEFT_WARM_TIME);
        turn(w, 1000);
    }
    return w->loop.warm_count == 0;
}

/* Scenes ------------------------------------------------------------------ */

static void
the_silent_cool(struct hall *h)
{
    struct world *w = h->w;
    struct couple a;
    size_t before = large, made_before;

    couple_init(&a, h);
    CHECK(cools(w));
    CHECK(large == before);
    CHECK(warms_up(w, &a));
    CHECK(large > before);
    CHECK(w->loop.warm_count == 2);
    for (int i = 0; i < 10; i++) {
        int64_t began = weft_now();

        made_before = made;
        echo(w, &a);
        if (weft_now() - began < WEFT_WARM_TIME / 2) /* nobody could cool */
            CHECK(made == made_before);
    }
    CHECK(cools(w));
    CHECK(a.c.warm == 0 && a.s.warm == 0);
    CHECK(large == before);
    echo(w, &a);
    couple_deinit(&a);
}

/* Wherever it stands among the others. */
static void
who_ends_is_warm_no_more(struct hall *h)
{
    struct world *w = h->w;
    struct couple of[3];
    size_t before = large;

    for (int i = 0; i < 3; i++)
        couple_init(&of[i], h);
    for (int i = 0; i < 3; i++)
        CHECK(warms_up(w, &of[i]));
    couple_deinit(&of[1]);
    for (uint32_t i = 0; i < w->loop.warm_count; i++) {
        struct weft_link *k = w->loop.warm[i];

        CHECK(k->warm == i + 1);
        CHECK(k != &of[1].c && k != &of[1].s);
    }
    CHECK(warms_up(w, &of[0]) && warms_up(w, &of[2]));
    couple_deinit(&of[0]);
    couple_deinit(&of[2]);
    CHECK(w->loop.warm_count == 0);
    CHECK(large == before);
}

static void
so_many_and_no_more(struct hall *h)
{
    struct weft_loop *loop = &h->w->loop;
    struct weft_link other = { .life = WEFT_FOREVER };
    struct couple a;
    size_t before;

    couple_init(&a, h);
    CHECK(cools(h->w));
    before = large;
    loop->cooled = weft_now();
    for (uint32_t i = 0; i < WEFT_WARM; i++)
        loop->warm[i] = &other;
    loop->warm_count = WEFT_WARM;
    for (int i = 0; i < 10; i++) {
        echo(h->w, &a);
        CHECK(large == before);
    }
    CHECK(a.c.warm == 0 && a.s.warm == 0);
    loop->warm_count = 0;
    CHECK(warms_up(h->w, &a));
    couple_deinit(&a);
}

int
main(void)
{
    struct world w;
    struct hall h;

    CHECK(count_blocks());
    world_init(&w);
    hall_open(&h, &w);
    the_silent_cool(&h);
    who_ends_is_warm_no_more(&h);
    so_many_and_no_more(&h);
    hall_close(&h);
    world_deinit(&w);
    return check_report();
}
