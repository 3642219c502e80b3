/*
 * Records one behind the other, each with its texts behind it.  It must not
 * know what they are about.
 */
#include "loop/journal.h"

#include <string.h>

#include "loop/loop.h"
#include "net/clock.h"

void
weft_journal_init(struct weft_journal *j, struct weft_loop *loop)
{
    *j = (struct weft_journal){ .loop = loop };
}

void
weft_journal_deinit(struct weft_journal *j)
{
    weft_node_unlink(&j->node);
    weft_buf_deinit(&j->records);
    weft_buf_deinit(&j->lent);
}

bool
weft_journal_add(struct weft_journal *j, const struct weft_told *told)
{
    struct weft_told t = *told;
    size_t len = sizeof(t);
    uint8_t *to;

    t.time = weft_wall_time();
    for (int i = 0; i < WEFT_TOLD_TEXTS; i++) {
        if (t.texts[i].len > WEFT_TOLD_LONGEST)
            t.texts[i].len = WEFT_TOLD_LONGEST;
        len += t.texts[i].len;
    }
    to = weft_buf_reserve(&j->records, len);
    if (to == NULL) {
        j->lost++;
        return false;
    }
    memcpy(to, &t, sizeof(t));
    to += sizeof(t);
    for (int i = 0; i < WEFT_TOLD_TEXTS; i++) {
        if (t.texts[i].len > 0)
            memcpy(to, t.texts[i].data, t.texts[i].len);
        to += t.texts[i].len;
    }
    weft_buf_commit(&j->records, len);
    weft_list_add(&j->loop->journals, &j->node);
    weft_loop_stir(j->loop);
    return true;
}

void
weft_journal_add_limit(struct weft_journal *j, enum weft_told_limit which,
                       const struct weft_told *t)
{
    int64_t now = j->loop->now;

    if (j->met[which] != 0 && now - j->met[which] < WEFT_SECOND)
        return;
    if (weft_journal_add(j, t))
        j->met[which] = now;
}

bool
weft_journal_next(struct weft_journal *j, struct weft_told *t)
{
    const char *text;

    if (weft_buf_len(&j->lent) == 0) {
        weft_buf_deinit(&j->lent);
        j->lent = j->records;
        j->records = (struct weft_buf){ 0 };
    }
    if (weft_buf_len(&j->lent) == 0) {
        weft_node_unlink(&j->node);
        return false;
    }
    memcpy(t, weft_buf_head(&j->lent), sizeof(*t));
    text = (const char *)weft_buf_head(&j->lent) + sizeof(*t);
    for (int i = 0; i < WEFT_TOLD_TEXTS; i++) {
        t->texts[i].data = text;
        text += t->texts[i].len;
    }
    weft_buf_consume(&j->lent,
                     (size_t)(text - (const char *)weft_buf_head(&j->lent)));
    return true;
}
