/*
 * Rooms: who is in them, who gets a message, and what becomes of one who
 * cannot take it.
 */
#include "loop/room.h"

#include "loop/link_inner.h"
#include "loop_kit.h"

static const char long_text[2000] = { 'x' };

struct sent {
    size_t queued, dropped;
};

static struct sent
tell(struct weft_room *r, const char *text, const struct weft_link *except)
{
    struct sent s;

    CHECK(weft_room_send(r, &(struct weft_letter){
                             .opcode = WEFT_TEXT, .data = text,
                             .len = strlen(text), .except = except },
                         &s.queued, &s.dropped)
          == WEFT_OK);
    return s;
}

static bool
told(struct sent s, size_t queued, size_t dropped)
{
    return s.queued == queued && s.dropped == dropped;
}

/* Servers of two pairs and the client of one. */
struct party {
    struct weft_link c1, s1, c2, s2;
    struct weft_room r;
};

static void
party_begins(struct party *p, struct world *w, enum weft_on_full on_full)
{
    pair(w, &p->c1, &p->s1);
    pair(w, &p->c2, &p->s2);
    weft_room_init(&p->r, on_full);
    CHECK(weft_room_join(&p->r, &p->s1) == WEFT_OK);
    CHECK(weft_room_join(&p->r, &p->s2) == WEFT_OK);
    CHECK(p->r.count == 2);
}

static void
party_ends(struct party *p)
{
    weft_room_deinit(&p->r);
    weft_room_deinit(&p->r);
    CHECK(p->r.count == 0 && weft_list_empty(&p->r.members));
    weft_link_deinit(&p->c1);
    weft_link_deinit(&p->s1);
    weft_link_deinit(&p->c2);
    weft_link_deinit(&p->s2);
}

/* Who is in it ------------------------------------------------------------- */

static void
members_come_and_go(struct world *w)
{
    struct weft_room other;
    struct party p;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    CHECK(weft_room_join(&p.r, &p.s1) == WEFT_OK && p.r.count == 2);
    weft_room_init(&other, WEFT_FULL_DROP);
    CHECK(!weft_room_leave(&other, &p.s1));
    CHECK(weft_room_join(&other, &p.s1) == WEFT_OK && other.count == 1);
    CHECK(weft_room_leave(&p.r, &p.s1) && !weft_room_leave(&p.r, &p.s1));
    CHECK(p.r.count == 1 && other.count == 1);
    CHECK(told(tell(&p.r, "x", NULL), 1, 0));
    weft_link_abort(&p.s1, WEFT_CAUSE_LOCAL, NULL); /* it leaves by itself */
    CHECK(other.count == 0 && p.s1.rooms == NULL);
    CHECK(weft_room_join(&other, &p.s1) == WEFT_E_CLOSED);
    weft_link_deinit(&p.s2);
    CHECK(p.r.count == 0 && told(tell(&p.r, "x", NULL), 0, 0));
    weft_room_deinit(&other);
    quiet(w);
    party_ends(&p);
}

static void
only_open_links_join(struct world *w)
{
    struct weft_room r;
    struct weft_link k;

    weft_room_init(&r, WEFT_FULL_CLOSE);
    weft_link_init(&k, &w->loop, w->config, WEFT_SERVER);
    CHECK(weft_room_join(&r, &k) == WEFT_E_CLOSED && r.count == 0);
    weft_link_deinit(&k);
    CHECK(weft_room_join(&r, &k) == WEFT_E_CLOSED);
    CHECK(!weft_room_leave(&r, &k));
    weft_room_deinit(&r);
    r = (struct weft_room){ 0 };
    weft_room_deinit(&r); /* all zero is inert */
}

/* Who gets it -------------------------------------------------------------- */

static void
everybody_gets_it_but_one(struct world *w)
{
    struct party p;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    CHECK(weft_room_join(&p.r, &p.c1) == WEFT_OK); /* one that masks (5.3) */
    CHECK(told(tell(&p.r, "to all", NULL), 3, 0));
    CHECK(told(tell(&p.r, "to others", &p.s1), 2, 0));
    CHECK(told(tell(&p.r, "", &p.c2), 3, 0)); /* who is not in it */
    quiet(w);
    CHECK(hears(&p.c1, "to all") && hears(&p.c1, ""));
    CHECK(hears(&p.c2, "to all") && hears(&p.c2, "to others"));
    CHECK(hears(&p.s1, "to all") && hears(&p.s1, "to others"));
    CHECK(next(&p.s2) == WEFT_MORE);
    party_ends(&p);
}

static void
long_messages_are_shared(struct world *w)
{
    size_t size = 50000;
    uint8_t *big = calloc(1, size);
    struct party p;
    size_t queued, dropped;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    CHECK(weft_room_send(&p.r, &(struct weft_letter){
                             .opcode = WEFT_BINARY, .data = big,
                             .len = size },
                         &queued, &dropped)
          == WEFT_OK);
    CHECK(queued == 2 && dropped == 0);
    CHECK(p.s1.flow->session.out.count == 1
          && p.s2.flow->session.out.count == 1);
    weft_room_deinit(&p.r); /* what is on its way does not need the room */
    quiet(w);
    CHECK(waits(w, &p.c1) && hears_bytes(&p.c1, big, size));
    CHECK(waits(w, &p.c2) && hears_bytes(&p.c2, big, size));
    party_ends(&p);
    free(big);
}

static void
who_is_closing_gets_nothing(struct world *w)
{
    struct party p;

    party_begins(&p, w, WEFT_FULL_CLOSE);
    goodbye(&p.s1, 1000, "");
    CHECK(p.r.count == 1 && told(tell(&p.r, "x", NULL), 1, 0));
    goodbye(&p.c2, 1000, "");
    quiet(w);
    CHECK(p.r.count == 0 && ended(&p.s1, WEFT_CAUSE_LOCAL, 1000));
    party_ends(&p);
}

/* Who cannot take it ------------------------------------------------------- */

/* So many in one turn are more than the mark, but no one is slow. */
static void
a_burst_makes_nobody_slow(struct world *w)
{
    struct weft_span text = { long_text, sizeof(long_text) };
    struct weft_link s;
    struct weft_room r;
    struct raw c;
    size_t queued, dropped;

    serve_open(w, &s, &c);
    weft_room_init(&r, WEFT_FULL_CLOSE);
    CHECK(weft_room_join(&r, &s) == WEFT_OK);
    for (int i = 0; i < 60; i++) {
        CHECK(weft_room_send(&r, &(struct weft_letter){
                             .opcode = WEFT_BINARY, .data = text.data,
                             .len = text.len },
                         &queued, &dropped)
              == WEFT_OK);
        CHECK(queued == 1 && dropped == 0);
    }
    CHECK(weft_link_is_open(&s));
    raw_close(&c);
    weft_link_deinit(&s);
    CHECK(r.count == 0);
    weft_room_deinit(&r);
}

/* A member that reads nothing, and one that does. */
static void
a_slow_one_is_left_behind(struct world *w, enum weft_on_full on_full)
{
    struct weft_span text = { long_text, sizeof(long_text) };
    size_t queued = 0, dropped = 0, got = 0;
    struct weft_link slow;
    struct raw peer;
    struct party p;

    party_begins(&p, w, on_full);
    serve_open(w, &slow, &peer);
    CHECK(weft_room_join(&p.r, &slow) == WEFT_OK);
    while (got < 2000 && dropped == 0) {
        weft_room_send(&p.r, &(struct weft_letter){
                             .opcode = WEFT_BINARY, .data = text.data,
                             .len = text.len },
                         &queued, &dropped);
        turn(w, 0);
        while (hears_bytes(&p.c1, long_text, sizeof(long_text)))
            got++;
        while (hears_bytes(&p.c2, long_text, sizeof(long_text)))
            continue;
    }
    CHECK(queued == 2 && dropped == 1 && got > 30 && got < 2000);
    CHECK(weft_link_is_open(&slow) == (on_full == WEFT_FULL_DROP));
    weft_room_send(&p.r, &(struct weft_letter){
                             .opcode = WEFT_BINARY, .data = text.data,
                             .len = text.len },
                         &queued, &dropped);
    CHECK(queued == 2 && dropped == (on_full == WEFT_FULL_DROP));
    for (int i = 0; i < 200; i++) {
        raw_receive(&peer);
        turn(w, 0);
    }
    if (on_full == WEFT_FULL_DROP) {
        CHECK(told(tell(&p.r, "back again", NULL), 3, 0));
    } else {
        CHECK(slow.flow->session.sent_code == 1013);
        raw_frame(&peer, 0x88, "\x03\xF5");
        CHECK(p.r.count == 2 && reaches(w, &slow, WEFT_LINK_CLOSED));
        CHECK(ended(&slow, WEFT_CAUSE_SLOW, 1013));
    }
    raw_close(&peer);
    weft_link_deinit(&slow);
    party_ends(&p);
}

static void
who_writes_in_pieces_cannot_take_it(struct world *w, enum weft_on_full on_full)
{
    struct party p;

    party_begins(&p, w, on_full);
    weft_link_write(&p.s1, WEFT_TEXT, "a", 1, false);
    CHECK(told(tell(&p.r, "x", NULL), 1, 1));
    CHECK(weft_link_is_open(&p.s1) == (on_full == WEFT_FULL_DROP));
    weft_link_write(&p.s1, WEFT_TEXT, "b", 1, true);
    quiet(w);
    if (on_full == WEFT_FULL_DROP)
        CHECK(hears(&p.c1, "ab"));
    else
        CHECK(ended(&p.c1, WEFT_CAUSE_PEER, 1013));
    party_ends(&p);
}

/* What it says in a turn -------------------------------------------------- */

/* A member that talks to a raw peer. */
struct guest {
    struct weft_room r;
    struct weft_link s;
    struct raw peer;
};

static void
guest_comes(struct guest *g, struct world *w)
{
    serve_open(w, &g->s, &g->peer);
    weft_room_init(&g->r, WEFT_FULL_CLOSE);
    CHECK(weft_room_join(&g->r, &g->s) == WEFT_OK);
}

static void
guest_goes(struct guest *g)
{
    raw_close(&g->peer);
    weft_link_deinit(&g->s);
    CHECK(g->r.count == 0);
    weft_room_deinit(&g->r);
}

static void
it_leaves_in_one_piece_without_a_flow(struct world *w)
{
    struct guest g;

    guest_comes(&g, w);
    CHECK(told(tell(&g.r, "one", NULL), 1, 0));
    CHECK(told(tell(&g.r, "two", NULL), 1, 0));
    CHECK(raw_heard(&g.peer, "") && weft_loop_timeout(&w->loop) == 0);
    g.s.last_message = g.s.life = 0;
    weft_loop_flush(&w->loop);
    CHECK(!weft_link_is_awake(&g.s));
    CHECK(g.s.last_message == w->loop.now && g.s.life == w->loop.now);
    CHECK(raw_heard(&g.peer, "text one\ntext two\n"));
    CHECK(w->loop.post.room == NULL && w->loop.post.chunk != NULL);
    guest_goes(&g);
}

#define TEN(text) text text text text text text text text text text
#define LONG_LINE TEN(TEN("0123456789"))
static const char long_line[] = LONG_LINE;
static const char long_note[] = "text " LONG_LINE "\n"; /* as it is heard */

/* Tells lines of a thousand bytes that count up. */
static void
tell_lines(struct weft_room *r, int from, int n, struct weft_buf *said)
{
    char text[1001];

    for (int i = from; i < from + n; i++) {
        memset(text, 'a' + i % 26, 1000);
        text[1000] = '\0';
        memcpy(text, (char[]){ (char)('0' + i / 10), (char)('0' + i % 10) }, 2);
        CHECK(told(tell(r, text, NULL), 1, 0));
        weft_buf_add(said, "text ", 5);
        weft_buf_add(said, text, 1000);
        weft_buf_add(said, "\n", 1);
    }
}

/* The peer hears all that was said, as it reads on. */
static bool
hears_all(struct world *w, struct raw *peer, struct weft_buf *said)
{
    bool all;

    for (int i = 0; i < 500 && weft_buf_len(&peer->log) < weft_buf_len(said);
         i++) {
        raw_listen(peer);
        turn(w, 1);
    }
    weft_buf_add(said, "", 1);
    all = raw_heard(peer, (const char *)weft_buf_head(said));
    weft_buf_deinit(said);
    return all;
}

/* The kernel takes some of it; the rest waits while more is gathered, in other
 * memory. */
static void
what_the_kernel_leaves_waits(struct world *w)
{
    struct weft_buf said = { 0 };
    struct weft_chunk *first;
    struct guest g;
    int small = 1;
    size_t left;

    guest_comes(&g, w);
    CHECK(setsockopt(g.s.watch.fd, SOL_SOCKET, SO_SNDBUF, &small,
                     sizeof(small)) == 0);
    tell_lines(&g.r, 0, 15, &said);
    first = w->loop.post.chunk;
    g.s.life = 0;
    w->loop.now = weft_now();
    weft_loop_post(&w->loop);
    left = weft_link_queued(&g.s);
    CHECK(left > 0 && left < 15 * 1004);
    CHECK(g.s.life == w->loop.now); /* some of it has left */
    CHECK(g.s.last_message == w->loop.now);
    CHECK(g.s.flow->stalled == 0 && first->references == 1);
    CHECK(w->loop.post.chunk == NULL);
    weft_loop_flush(&w->loop);
    CHECK(g.s.flow->stalled != 0 && (g.s.watch.wanted & WEFT_WRITABLE));
    tell_lines(&g.r, 15, 3, &said); /* it keeps hold of no more chunks */
    CHECK(w->loop.post.chunk != first && w->loop.post.members == 0);
    turn(w, 0);
    CHECK(weft_link_queued(&g.s) > left && w->loop.post.chunk != NULL);
    tell_lines(&g.r, 18, 1, &said);
    turn(w, 0);
    CHECK(hears_all(w, &g.peer, &said));
    CHECK(weft_link_backlog(&g.s) == 0 && g.s.flow->stalled == 0);
    guest_goes(&g);
}

/* So many in one turn are more than the mark, and more than a few chunks. */
static void
a_burst_of_short_ones_makes_nobody_slow(struct world *w)
{
    struct weft_buf said = { 0 };
    struct guest g;

    guest_comes(&g, w);
    tell_lines(&g.r, 0, 90, &said);
    CHECK(weft_link_is_open(&g.s) && weft_link_queued(&g.s) > 0);
    CHECK(hears_all(w, &g.peer, &said));
    guest_goes(&g);
}

/* The kernel takes little: no more is gathered for it than its mark allows. */
static void
nobody_has_more_than_its_mark(struct world *w, size_t mark)
{
    size_t kept = w->config->send_buffer, missed = 0;
    struct weft_buf said = { 0 };
    struct guest g;
    int small = 1;

    guest_comes(&g, w);
    w->config->send_buffer = mark;
    g.r.on_full = WEFT_FULL_DROP;
    CHECK(setsockopt(g.s.watch.fd, SOL_SOCKET, SO_SNDBUF, &small,
                     sizeof(small)) == 0);
    for (int i = 0; i < 60; i++) {
        struct sent s = tell(&g.r, long_line, NULL);

        CHECK(s.queued + s.dropped == 1);
        missed += s.dropped;
        if (s.queued == 1)
            weft_buf_add(&said, long_note, sizeof(long_note) - 1);
        CHECK(weft_link_queued(&g.s) <= mark + 1004);
    }
    CHECK(missed > 10 && missed < 60);
    CHECK(hears_all(w, &g.peer, &said));
    CHECK(told(tell(&g.r, "again", NULL), 1, 0));
    w->config->send_buffer = kept;
    guest_goes(&g);
}

/* Nothing waits, and yet the kernel takes nothing: as if it had all been taken
 * just now. */
static void
a_full_kernel_is_no_fault(struct world *w)
{
    struct weft_span one = { "\x81\x01x", 3 };
    struct weft_buf said = { 0 };
    struct guest g;
    int small = 1;

    guest_comes(&g, w);
    CHECK(setsockopt(g.s.watch.fd, SOL_SOCKET, SO_SNDBUF, &small,
                     sizeof(small)) == 0);
    while (weft_sock_sendv(g.s.watch.fd, &one, 1) == 3)
        weft_buf_add(&said, "text x\n", 7);
    g.s.life = 0;
    tell_lines(&g.r, 0, 2, &said);
    turn(w, 0);
    CHECK(weft_link_is_open(&g.s) && g.s.flow->stalled != 0 && g.s.life == 0);
    CHECK(weft_link_queued(&g.s) == 2 * 1004);
    CHECK(hears_all(w, &g.peer, &said));
    CHECK(g.s.flow->stalled == 0 && g.s.life != 0);
    guest_goes(&g);
}

/* Who catches up has the same bytes as the others, who get more of them. */
static void
who_catches_up_keeps_the_order(struct world *w)
{
    struct weft_buf said = { 0 };
    struct guest g;

    guest_comes(&g, w);
    tell_lines(&g.r, 0, 3, &said);
    CHECK(weft_link_backlog(&g.s) == 3 * 1004);
    tell_lines(&g.r, 3, 3, &said);
    CHECK(weft_link_backlog(&g.s) == 6 * 1004);
    say(&g.s, "myself");
    weft_buf_add(&said, "text myself\n", 12);
    tell_lines(&g.r, 6, 2, &said);
    CHECK(w->loop.post.members == 0);
    CHECK(hears_all(w, &g.peer, &said));
    guest_goes(&g);
}

/* Whatever is done with the link itself comes behind. */
static void
what_is_done_with_it_comes_after(struct world *w)
{
    struct weft_ping ping = { .len = 0 };
    struct guest g;

    guest_comes(&g, w);
    tell(&g.r, "one", NULL);
    say(&g.s, "own");
    tell(&g.r, "two", NULL);
    CHECK(raw_heard(&g.peer, ""));
    turn(w, 0);
    CHECK(raw_heard(&g.peer, "text one\ntext own\ntext two\n"));
    quiet(w);
    CHECK(!weft_link_is_awake(&g.s));
    tell(&g.r, "three", NULL);
    weft_link_flush(&g.s);
    CHECK(raw_heard(&g.peer, "text three\n"));
    tell(&g.r, "four", NULL);
    CHECK(weft_link_ping(&g.s, &ping) == WEFT_OK);
    tell(&g.r, "five", NULL);
    turn(w, 0);
    CHECK(raw_heard(&g.peer, "text four\nping\ntext five\n"));
    tell(&g.r, "six", NULL);
    CHECK(weft_link_write(&g.s, WEFT_TEXT, "part", 4, true) == WEFT_OK);
    tell(&g.r, "seven", NULL);
    goodbye(&g.s, 1000, "");
    turn(w, 0);
    CHECK(raw_heard(&g.peer, "text six\ntext part\ntext seven\nclose 1000\n"));
    weft_node_unlink(&ping.node);
    guest_goes(&g);
}

/* Who goes, and whose room goes, has what was said before. */
static void
what_was_said_does_not_need_the_room(struct world *w)
{
    struct guest g;

    guest_comes(&g, w);
    tell(&g.r, "one", NULL);
    CHECK(weft_room_leave(&g.r, &g.s) && w->loop.post.room == NULL);
    turn(w, 0);
    CHECK(raw_heard(&g.peer, "text one\n"));
    CHECK(weft_room_join(&g.r, &g.s) == WEFT_OK);
    tell(&g.r, "two", NULL);
    weft_room_deinit(&g.r);
    CHECK(w->loop.post.room == NULL && weft_link_is_open(&g.s));
    turn(w, 0);
    CHECK(raw_heard(&g.peer, "text two\n"));
    guest_goes(&g);
}

/* More than is gathered at once, with one who takes all of it and one who has
 * set itself apart. */
static void
more_than_a_chunk_is_in_order(struct world *w)
{
    struct weft_buf said = { 0 }, same = { 0 };
    struct guest g, other;

    guest_comes(&g, w);
    serve_open(w, &other.s, &other.peer);
    tell_lines(&g.r, 0, 20, &said);
    CHECK(weft_room_join(&g.r, &other.s) == WEFT_OK);
    for (int i = 0; i < 40; i++) {
        CHECK(told(tell(&g.r, "again", NULL), 2, 0));
        weft_buf_add(&said, "text again\n", 11);
        weft_buf_add(&same, "text again\n", 11);
    }
    CHECK(hears_all(w, &g.peer, &said));
    CHECK(hears_all(w, &other.peer, &same));
    raw_close(&other.peer);
    weft_link_deinit(&other.s);
    guest_goes(&g);
}

/* The first to notice is who sends; what came before is still read. */
static void
who_is_gone_is_noticed(struct world *w)
{
    struct guest g;

    guest_comes(&g, w);
    raw_frame(&g.peer, 0x81, "last words");
    CHECK(told(tell(&g.r, "x", NULL), 1, 0));
    weft_sock_close(&g.peer.fd);
    weft_loop_flush(&w->loop);
    CHECK(g.s.write_dead && g.s.state == WEFT_LINK_OPEN);
    CHECK(g.s.flow->ending != 0 && weft_link_queued(&g.s) == 0);
    CHECK(told(tell(&g.r, "x", NULL), 0, 0));
    CHECK(waits(w, &g.s) && hears(&g.s, "last words"));
    CHECK(reaches(w, &g.s, WEFT_LINK_CLOSED) && g.r.count == 0);
    guest_goes(&g);
}

/* A clock that is looked at before the turn's end knows what was said. */
static void
who_was_told_is_not_idle(struct world *w)
{
    struct guest g;

    w->config->idle_timeout = WEFT_SECOND;
    guest_comes(&g, w);
    g.s.last_message -= 2 * WEFT_SECOND;
    CHECK(g.s.timer.at > w->loop.now);
    g.s.timer.at = w->loop.now; /* it is the only one */
    CHECK(told(tell(&g.r, "x", NULL), 1, 0));
    turn(w, 0);
    CHECK(weft_link_is_open(&g.s) && raw_heard(&g.peer, "text x\n"));
    w->config->idle_timeout = WEFT_FOREVER;
    guest_goes(&g);
}

/* A keepalive's ping does not overtake either. */
static void
a_ping_comes_after_what_was_said(struct world *w)
{
    struct guest g;

    guest_comes(&g, w);
    w->config->ping_interval = WEFT_SECOND;
    g.s.life -= 2 * WEFT_SECOND;
    weft_timer_set(&w->loop.timers, &g.s.timer, w->loop.now);
    CHECK(told(tell(&g.r, "x", NULL), 1, 0));
    turn(w, 0);
    w->config->ping_interval = WEFT_FOREVER;
    raw_listen(&g.peer);
    CHECK(weft_buf_len(&g.peer.log) > 12
          && memcmp(weft_buf_head(&g.peer.log), "text x\nping ", 12) == 0);
    guest_goes(&g);
}

int
main(void)
{
    struct world w;

    world_init(&w);
    members_come_and_go(&w);
    only_open_links_join(&w);
    everybody_gets_it_but_one(&w);
    long_messages_are_shared(&w);
    who_is_closing_gets_nothing(&w);
    a_burst_makes_nobody_slow(&w);
    a_slow_one_is_left_behind(&w, WEFT_FULL_CLOSE);
    a_slow_one_is_left_behind(&w, WEFT_FULL_DROP);
    who_writes_in_pieces_cannot_take_it(&w, WEFT_FULL_CLOSE);
    who_writes_in_pieces_cannot_take_it(&w, WEFT_FULL_DROP);
    it_leaves_in_one_piece_without_a_flow(&w);
    what_the_kernel_leaves_waits(&w);
    a_burst_of_short_ones_makes_nobody_slow(&w);
    nobody_has_more_than_its_mark(&w, 1000);
    nobody_has_more_than_its_mark(&w, 16384);
    nobody_has_more_than_its_mark(&w, 20000);
    nobody_has_more_than_its_mark(&w, 40000);
    a_full_kernel_is_no_fault(&w);
    who_catches_up_keeps_the_order(&w);
    what_is_done_with_it_comes_after(&w);
    what_was_said_does_not_need_the_room(&w);
    more_than_a_chunk_is_in_order(&w);
    who_is_gone_is_noticed(&w);
    who_was_told_is_not_idle(&w);
    a_ping_comes_after_what_was_said(&w);
    world_deinit(&w);
    return check_report();
}
