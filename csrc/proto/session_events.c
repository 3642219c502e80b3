/*
 * A session that speaks Server-Sent Events instead of frames: a message is an
 * event, and nothing is read.  It must not know the head that such a stream
 * begins with.
 */
#include <assert.h>
#include <string.h>

#include "proto/events.h"
#include "proto/session_inner.h"

void
weft_session_speak_events(struct weft_session *s)
{
    assert(s->deflate == NULL && s->out_opcode == 0);
    s->role = WEFT_EVENTS;
    s->state = WEFT_READ_NOTHING;
}

enum weft_status
weft_session_queue_event(struct weft_session *s, unsigned opcode,
                         const void *data, size_t len)
{
    struct weft_sse e = weft_sse_message(opcode, data, len);
    uint8_t *to;

    if (opcode != WEFT_ENCODED)
        return weft_sse_queue(&s->out, &e);
    to = weft_outq_reserve(&s->out, len);
    if (to == NULL)
        return WEFT_E_MEMORY;
    memcpy(to, data, len);
    weft_outq_commit(&s->out, len);
    return WEFT_OK;
}
