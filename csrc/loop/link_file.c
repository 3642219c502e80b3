/*
 * Files as the bodies of answers: read a piece at a time, as the socket takes
 * them.  It must not know what they are.
 */
#include "loop/link_inner.h"
#include "net/file.h"

enum { STEP = 64 * 1024 }; /* bytes of a file that one link sends in a turn */

void
weft_answer_close_file(struct weft_answer *a)
{
    if (a->has_file)
        weft_file_close(&a->file);
    a->has_file = false;
}

/* Queues the next piece; WEFT_E_SYSTEM: there is less than was promised. */
static enum weft_status
queue_piece(struct weft_link *k)
{
    struct weft_answer *a = &k->flow->answer;
    size_t want = a->left < STEP ? (size_t)a->left : STEP;
    uint8_t *to;
    long n;

    if (!weft_link_get_buffer(k)
        || (to = weft_outq_reserve(&k->flow->session.out, want)) == NULL)
        return WEFT_E_MEMORY;
    n = weft_file_read(a->file, to, want, a->at);
    if (n <= 0)
        return WEFT_E_SYSTEM;
    weft_outq_commit(&k->flow->session.out, (size_t)n);
    a->at += (uint64_t)n;
    a->left -= (uint64_t)n;
    a->written += (uint64_t)n;
    return WEFT_OK;
}

/* Its head may be on its way: all that is left is to break off. */
static void
file_failed(struct weft_link *k, enum weft_status rc)
{
    weft_link_abort(k, WEFT_CAUSE_ERROR,
                    rc == WEFT_E_MEMORY ? "out of memory"
                                        : "a file became shorter while it"
                                          " was sent");
}

/* Queues the next piece; behind the last one the answer is whole. */
static void
add_piece(struct weft_link *k)
{
    struct weft_answer *a = &k->flow->answer;
    enum weft_status rc = a->left > 0 ? queue_piece(k) : WEFT_OK;

    if (rc != WEFT_OK) {
        file_failed(k, rc);
        return;
    }
    if (a->left == 0) {
        weft_answer_close_file(a);
        weft_link_finish_answer(k);
    }
}

enum weft_status
weft_link_respond_file(struct weft_link *k, unsigned status,
                       struct weft_span headers, int fd, uint64_t at,
                       uint64_t length)
{
    enum weft_status rc = weft_link_begin_answer(k, status, headers, length);
    struct weft_answer *a = &k->flow->answer;

    if (rc != WEFT_OK || a->bodiless || k->state != WEFT_LINK_ANSWERING) {
        weft_file_close(&fd);
        return rc != WEFT_OK ? rc : weft_link_end_answer(k);
    }
    a->has_file = true;
    a->file = fd;
    a->at = at;
    add_piece(k);
    return k->state == WEFT_LINK_CLOSED ? WEFT_E_CLOSED : WEFT_OK;
}

bool
weft_link_add_piece(struct weft_link *k)
{
    if (k->state != WEFT_LINK_ANSWERING || !k->flow->answer.has_file)
        return false;
    add_piece(k);
    if (k->state != WEFT_LINK_CLOSED)
        weft_list_add(&k->loop->later, &k->flow->dirty);
    return true;
}
