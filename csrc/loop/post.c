/*
 * Gathering what a room says in a turn.  It must not know who speaks, nor what
 * becomes of a member that cannot take a message.
 */
#include "loop/post.h"

#include "loop/link_inner.h"

enum {
    GATHERED = 16 * 1024,      /* bytes that are gathered at most */
    BRIEF = WEFT_COPIED_CHUNK, /* bytes of a message that is gathered */
};

static struct weft_membership *
member_of(struct weft_node *in_room)
{
    return WEFT_CONTAINER(in_room, struct weft_membership, in_room);
}

/* Its loop's; it has a member. */
static struct weft_post *
post_of(const struct weft_room *r)
{
    return &member_of(r->members.next)->link->loop->post;
}

/* Whether it takes what is gathered as it is, and has space for all of it.  Who
 * has to wait for its socket would keep hold of the whole chunk. */
static bool
takes_all(const struct weft_link *k)
{
    return weft_link_is_open(k) && k->role == WEFT_SERVER && k->deflate == NULL
           && k->flow->session.out_opcode == 0 && k->flow->stalled == 0
           && weft_link_queued(k) + GATHERED <= k->config->send_buffer;
}

/* Queues it; who has no memory for it cannot go on. */
static bool
queue(struct weft_link *k, struct weft_chunk *c)
{
    if (weft_link_send_chunk(k, c) == WEFT_OK)
        return true;
    weft_link_finish(k, WEFT_CAUSE_ERROR, "out of memory");
    return false;
}

/* Whether the link has taken it. */
typedef bool give_fn(struct weft_link *k, struct weft_chunk *c);

/* Gives it what was gathered, which it counts as one message.  It may end on the
 * way, and its membership with it. */
static void
hand_over(struct weft_link *k, const struct weft_post *post, give_fn *give)
{
    if (give(k, post->chunk))
        k->counters->messages_out += post->messages - 1;
}

static void
end(struct weft_post *post)
{
    if (post->room == NULL)
        return;
    post->room = NULL;
    if (post->chunk->references == 1)
        return;
    /* somebody goes on sending it */
    weft_chunk_count(post->chunk,
                     &WEFT_CONTAINER(post, struct weft_loop, post)->held);
    weft_chunk_release(post->chunk);
    post->chunk = NULL;
}

/* Gives everybody what was gathered.  A link may end on the way, and is no
 * member any more then. */
static void
deliver(struct weft_post *post, give_fn *give)
{
    struct weft_room *r = post->room;
    struct weft_node *n, *next;

    if (r == NULL)
        return;
    for (n = r->members.next; n != &r->members; n = next) {
        struct weft_membership *m = member_of(n);

        next = n->next;
        if (weft_node_linked(&m->apart))
            weft_node_unlink(&m->apart);
        else if (post->messages > 0)
            hand_over(m->link, post, give);
    }
    end(post);
}

static bool
begin(struct weft_post *post, struct weft_room *r)
{
    struct weft_node *n;

    if (post->chunk == NULL)
        post->chunk = weft_chunk_new(GATHERED);
    if (post->chunk == NULL)
        return false;
    post->chunk->len = 0;
    post->messages = 0;
    post->room = r;
    weft_loop_stir(member_of(r->members.next)->link->loop);
    post->members = 0;
    weft_list_init(&post->apart);
    for (n = r->members.next; n != &r->members; n = n->next) {
        struct weft_membership *m = member_of(n);

        if (takes_all(m->link))
            post->members++;
        else
            weft_list_add(&post->apart, &m->apart);
    }
    return true;
}

bool
weft_post_open(struct weft_room *r, const struct weft_letter *letter)
{
    struct weft_post *post = post_of(r);
    bool is_short = letter->len <= BRIEF;

    if (post->room != r || !is_short
        || GATHERED - post->chunk->len < WEFT_FRAME_HEAD_MAX + letter->len)
        deliver(post, queue);
    return is_short && r->count > 0 && (post->room == r || begin(post, r));
}

size_t
weft_post_add(struct weft_room *r, const struct weft_letter *letter)
{
    struct weft_post *post = post_of(r);
    struct weft_chunk *c = post->chunk;

    c->len += weft_session_write_frame(c->bytes + c->len, letter->opcode,
                                       letter->data, letter->len);
    post->messages++;
    return post->members;
}

void
weft_post_set_apart(struct weft_membership *m)
{
    struct weft_post *post = &m->link->loop->post;

    if (post->room != m->room || weft_node_linked(&m->apart))
        return;
    weft_list_add(&post->apart, &m->apart);
    post->members--;
    if (post->messages > 0)
        hand_over(m->link, post, queue);
}

void
weft_post_join(struct weft_membership *m)
{
    struct weft_post *post = &m->link->loop->post;

    if (post->room == m->room)
        weft_list_add(&post->apart, &m->apart);
}

void
weft_post_forget(struct weft_membership *m)
{
    struct weft_post *post = &m->link->loop->post;

    if (post->room != m->room)
        return;
    if (weft_node_linked(&m->apart))
        weft_node_unlink(&m->apart);
    else
        post->members--;
    if (m->room->count == 1)
        end(post);
}

/* To the kernel at once, or, in a turn that is late, as everything else. */
static bool
give(struct weft_link *k, struct weft_chunk *c)
{
    return weft_loop_is_late(k->loop) ? queue(k, c)
                                      : weft_link_send_now(k, c);
}

void
weft_loop_post(struct weft_loop *loop)
{
    deliver(&loop->post, give);
}

void
weft_loop_free_post(struct weft_loop *loop)
{
    weft_chunk_release(loop->post.chunk);
    loop->post = (struct weft_post){ 0 };
}
