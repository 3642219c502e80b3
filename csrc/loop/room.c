/*
 * Who is in a room, and one message to all of them.  It must not know who
 * speaks, nor how long a link lives.
 */
#include "loop/room.h"

#include "base/mem.h"
#include "loop/link_inner.h"
#include "loop/memory.h"
#include "loop/post.h"
#include "proto/events.h"

static struct weft_membership *
first_member(const struct weft_room *r)
{
    return WEFT_CONTAINER(r->members.next, struct weft_membership, in_room);
}

/* That of its members; there is one. */
static struct weft_loop *
loop_of(const struct weft_room *r)
{
    return first_member(r)->link->loop;
}

/* A link is in few rooms, a room may have many members: look there. */
static struct weft_membership *
find(const struct weft_room *r, const struct weft_link *k)
{
    struct weft_membership *m = k->rooms;

    while (m != NULL && m->room != r)
        m = m->next;
    return m;
}

static void
end_membership(struct weft_membership *m)
{
    struct weft_membership **at = &m->link->rooms;

    weft_post_forget(m);
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    weft_node_unlink(&m->in_room);
    m->room->count--;
    weft_free(m);
}

void
weft_room_init(struct weft_room *r, enum weft_on_full on_full)
{
    weft_list_init(&r->members);
    r->count = 0;
    r->on_full = on_full;
}

void
weft_room_deinit(struct weft_room *r)
{
    while (r->count > 0)
        weft_room_leave(r, first_member(r)->link);
}

enum weft_status
weft_room_join(struct weft_room *r, struct weft_link *k)
{
    struct weft_membership *m;

    if (!weft_link_is_open(k))
        return WEFT_E_CLOSED;
    if (find(r, k) != NULL)
        return WEFT_OK;
    m = weft_zalloc(sizeof(*m));
    if (m == NULL)
        return WEFT_E_MEMORY;
    m->room = r;
    m->link = k;
    weft_list_add(&r->members, &m->in_room);
    m->next = k->rooms;
    k->rooms = m;
    r->count++;
    weft_post_join(m);
    return WEFT_OK;
}

bool
weft_room_leave(struct weft_room *r, struct weft_link *k)
{
    struct weft_membership *m = find(r, k);

    if (m == NULL)
        return false;
    weft_post_set_apart(m);
    m = find(r, k); /* its link may have ended */
    if (m != NULL)
        end_membership(m);
    return true;
}

void
weft_room_leave_all(struct weft_link *k)
{
    while (k->rooms != NULL)
        end_membership(k->rooms);
}

void
weft_link_catch_up_any(struct weft_link *k)
{
    struct weft_membership *m = find(k->loop->post.room, k);

    if (m != NULL)
        weft_post_set_apart(m);
}

/* Sending --------------------------------------------------------------- */

enum { KINDS = 8 }; /* of compressed frames at once; who needs a ninth gets
                       the plain one */

/* A letter and the frames that were made of it. */
struct post {
    const struct weft_letter *letter;
    size_t *sum; /* where they count */
    struct weft_chunk *frame; /* for members that do not mask, or NULL */
    struct weft_chunk *event; /* for event streams, once one was met */
    struct {
        struct weft_deflate as;   /* the parameters of those that share it */
        struct weft_chunk *frame; /* NULL: they get the plain one */
    } packed[KINDS];
    int kinds;
};

/*
 * Whether the kernel has left more than the mark behind.  What was queued in
 * this turn has not been offered to it yet: a burst makes no member slow.
 */
static bool
is_full(struct weft_link *k)
{
    size_t mark = k->config->send_buffer;

    if (weft_link_backlog(k) > mark && k->flow->stalled == 0)
        weft_link_flush(k);
    return weft_link_backlog(k) > mark;
}

/* The frame for a member that does not mask; the plain one where no other was
 * made, or memory for it was out. */
static struct weft_chunk *
frame_for(struct post *p, struct weft_session *s)
{
    struct weft_chunk *frame = NULL;
    int i = 0;

    if (p->letter->plain || !weft_deflate_wants(s->deflate, p->letter->len))
        return p->frame;
    while (i < p->kinds && !weft_deflate_same(&p->packed[i].as, s->deflate))
        i++;
    if (i == KINDS)
        return p->frame;
    if (i == p->kinds) {
        weft_session_deflate_chunk(s, p->letter->opcode, p->letter->data,
                                   p->letter->len, &frame);
        weft_chunk_count(frame, p->sum);
        p->packed[i].as = *s->deflate;
        p->packed[i].frame = frame;
        p->kinds++;
    }
    return p->packed[i].frame != NULL ? p->packed[i].frame : p->frame;
}

static enum weft_status
send_event(struct weft_link *k, struct post *p)
{
    const struct weft_letter *l = p->letter;
    struct weft_sse e = l->event != NULL ? *l->event
                                         : weft_sse_message(l->opcode, l->data,
                                                            l->len);

    if (p->event == NULL) {
        p->event = weft_sse_chunk(&e);
        weft_chunk_count(p->event, p->sum);
    }
    return p->event != NULL ? weft_link_send_chunk(k, p->event)
                            : WEFT_E_MEMORY;
}

static enum weft_status
send_to(struct weft_link *k, struct post *p)
{
    const struct weft_letter *l = p->letter;

    if (!weft_link_wake(k))
        return WEFT_E_MEMORY;
    if (k->role == WEFT_SERVER)
        return weft_link_send_chunk(k, frame_for(p, &k->flow->session));
    if (k->role == WEFT_EVENTS)
        return send_event(k, p);
    /* 5.3: masked for each */
    return l->plain ? weft_link_send_plain(k, l->opcode, l->data, l->len)
                    : weft_link_send(k, l->opcode, l->data, l->len);
}

/* A member that misses a message has lost its place in the conversation. */
static void
drop(const struct weft_room *r, struct weft_link *k)
{
    if (r->on_full == WEFT_FULL_CLOSE)
        weft_link_close(k, 1013, (struct weft_span){ "", 0 },
                        WEFT_CAUSE_SLOW);
}

/* Who is sent to one by one: who was set apart, or everybody. */
struct roll {
    struct weft_node *list;
    bool apart;
};

static struct weft_membership *
member_at(const struct roll *roll, struct weft_node *n)
{
    return roll->apart ? WEFT_CONTAINER(n, struct weft_membership, apart)
                       : WEFT_CONTAINER(n, struct weft_membership, in_room);
}

static bool
needs_frame(const struct roll *roll)
{
    struct weft_node *n;

    for (n = roll->list->next; n != roll->list; n = n->next)
        if (member_at(roll, n)->link->role == WEFT_SERVER)
            return true;
    return false;
}

static void
deliver(struct weft_room *r, struct post *p, const struct roll *roll,
        size_t *queued, size_t *dropped)
{
    struct weft_node *n, *next;

    for (n = roll->list->next; n != roll->list; n = next) {
        struct weft_link *k = member_at(roll, n)->link;

        next = n->next; /* k may end in here, and leave */
        if (k == p->letter->except || !weft_link_is_open(k))
            continue;
        if (!is_full(k) && send_to(k, p) == WEFT_OK) {
            ++*queued;
        } else if (weft_link_is_open(k)) {
            ++*dropped;
            drop(r, k);
        }
    }
}

/* Whether the letter is gathered for those who take it as it is. */
static bool
gathers(struct weft_room *r, const struct weft_letter *letter)
{
    struct weft_membership *m;

    if (!weft_post_open(r, letter))
        return false;
    m = letter->except != NULL ? find(r, letter->except) : NULL;
    if (m != NULL)
        weft_post_set_apart(m);
    return r->count > 0; /* memory may have been out */
}

enum weft_status
weft_room_send(struct weft_room *r, const struct weft_letter *letter,
               size_t *queued, size_t *dropped)
{
    struct roll roll = { &r->members, false };
    struct post p; /* large: packed[] is filled as far as kinds says */

    *queued = *dropped = 0;
    if (r->count > 0)
        weft_loop_relieve(loop_of(r)); /* somebody may leave */
    if (r->count == 0)
        return WEFT_OK;
    p.letter = letter;
    p.sum = &loop_of(r)->held;
    p.frame = p.event = NULL;
    p.kinds = 0;
    if (gathers(r, letter))
        roll = (struct roll){ &loop_of(r)->post.apart, true };
    if (needs_frame(&roll)) {
        p.frame = weft_session_frame_chunk(letter->opcode, letter->data,
                                           letter->len);
        if (p.frame == NULL)
            return WEFT_E_MEMORY;
        weft_chunk_count(p.frame, p.sum);
    }
    if (roll.apart)
        *queued = weft_post_add(r, letter);
    deliver(r, &p, &roll, queued, dropped);
    weft_chunk_release(p.frame);
    weft_chunk_release(p.event);
    for (int i = 0; i < p.kinds; i++)
        weft_chunk_release(p.packed[i].frame);
    return WEFT_OK;
}
