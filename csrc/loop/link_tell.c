/*
 * What a server's connection puts into its listener's journal, if it has one.
 * Nothing is looked at otherwise.  It must not know who reads that.
 */
#include <string.h>

#include "loop/link_inner.h"
#include "loop/listener.h"
#include "net/clock.h"

/* What is kept of a connection that is told of. */
struct story {
    uint64_t number;
    int64_t opened;
};

/* A record about a connection, with room for what it lends. */
struct record {
    struct weft_told t;
    char address[WEFT_ADDR_TEXT];
};

static struct weft_journal *
journal_of(const struct weft_link *k)
{
    return k->listener != NULL ? k->listener->journal : NULL;
}

static struct story
story_of(const struct weft_link *k)
{
    struct weft_span kept = weft_link_kept(k, WEFT_KEPT_STORY);
    struct story s = { 0 };

    if (kept.len == sizeof(s))
        memcpy(&s, kept.data, sizeof(s));
    return s;
}

void
weft_link_number(struct weft_link *k)
{
    struct weft_journal *j = journal_of(k);
    struct story s = { 0 };

    if (j == NULL)
        return;
    s.number = ++j->connections;
    weft_kept_add(&k->kept, WEFT_KEPT_STORY, /* without memory: no number */
                  (struct weft_span){ (const char *)&s, sizeof(s) });
}

struct weft_span
weft_link_told_address(const struct weft_link *k, char room[WEFT_ADDR_TEXT])
{
    struct weft_span client = weft_link_kept(k, WEFT_KEPT_CLIENT);
    struct weft_addr peer;

    if (client.len > 0)
        return client;
    weft_link_peer(k, &peer);
    room[0] = '\0';
    if (peer.len > 0)
        weft_addr_host(&peer, room);
    return weft_http_text(room);
}

uint64_t
weft_link_told_number(const struct weft_link *k)
{
    return story_of(k).number;
}

static void
begin(struct record *r, const struct weft_link *k, enum weft_told_what what)
{
    r->t = (struct weft_told){ .what = what };
    r->t.connection = weft_link_told_number(k);
    r->t.texts[WEFT_TOLD_ADDRESS] = weft_link_told_address(k, r->address);
}

/* Up to the query, which is where tokens stand; a URL's user name never gets
 * as far as this. */
static struct weft_span
path_of(struct weft_span target)
{
    struct weft_span authority, path;
    size_t n = 0;

    if (!weft_http_split_target(target, &authority, &path))
        return (struct weft_span){ "", 0 };
    while (n < path.len && path.data[n] != '?')
        n++;
    return n > 0 ? (struct weft_span){ path.data, n } : weft_http_text("/");
}

/* What it has asked for, as far as that has come. */
static void
add_request(struct record *r, const struct weft_link *k)
{
    const struct weft_opening *o = k->flow->opening;
    const char *bytes;

    if (o == NULL || o->head.method.len == 0 || o->head.target.len == 0)
        return;
    bytes = weft_opening_head(o).data;
    r->t.texts[WEFT_TOLD_METHOD] = weft_http_span(bytes, o->head.method);
    r->t.texts[WEFT_TOLD_PATH] =
        path_of(weft_http_span(bytes, o->head.target));
}

/* Why it ended, where somebody has found words for it. */
static void
add_cause(struct record *r, const struct weft_link *k)
{
    if (k->cause != WEFT_CAUSE_NONE)
        r->t.cause = weft_cause_name(k->cause);
    if (k->close_message != NULL)
        r->t.texts[WEFT_TOLD_MESSAGE] = weft_http_text(k->close_message);
}

static void
note_opened(struct weft_link *k)
{
    struct weft_span kept = weft_link_kept(k, WEFT_KEPT_STORY);
    struct story s = story_of(k);

    s.opened = k->loop->now;
    if (kept.len == sizeof(s))
        memcpy((char *)kept.data, &s, sizeof(s));
}

void
weft_link_tell_open(struct weft_link *k, struct weft_span protocol)
{
    struct weft_span tls;
    struct weft_tls_said said;
    struct record r;

    if (journal_of(k) == NULL)
        return;
    note_opened(k);
    begin(&r, k, WEFT_TOLD_OPEN);
    add_request(&r, k);
    r.t.texts[WEFT_TOLD_METHOD].len = 0; /* it says nothing here */
    r.t.texts[WEFT_TOLD_PROTOCOL] = protocol;
    r.t.kind = k->flow->opening->kind == WEFT_REQUEST_HTTP ? "events"
                                                           : "websocket";
    tls = weft_link_kept(k, WEFT_KEPT_TLS);
    if (tls.len == sizeof(said)) {
        memcpy(&said, tls.data, sizeof(said));
        r.t.tls = said.version;
    }
    weft_journal_add(journal_of(k), &r.t);
}

void
weft_link_tell_refused(struct weft_link *k)
{
    const struct weft_refusal *why = &k->flow->opening->refusal;
    struct record r;

    if (journal_of(k) == NULL)
        return;
    begin(&r, k, why->status == 429 ? WEFT_TOLD_LIMIT : WEFT_TOLD_REFUSED);
    if (why->status == 429)
        r.t.option = "max_connections_per_address";
    add_request(&r, k);
    r.t.status = why->status;
    r.t.texts[WEFT_TOLD_MESSAGE] = weft_http_text(why->why);
    weft_journal_add(journal_of(k), &r.t);
}

void
weft_link_tell_answer(struct weft_link *k)
{
    const struct weft_answer *a = &k->flow->answer;
    bool plain = k->flow->opening->kind == WEFT_REQUEST_HTTP;
    struct record r;

    if (journal_of(k) == NULL)
        return;
    begin(&r, k, plain ? WEFT_TOLD_REQUEST
                       : a->status != 0 ? WEFT_TOLD_REFUSED
                                        : WEFT_TOLD_FAILED);
    add_request(&r, k);
    r.t.status = a->status;
    r.t.option = a->is_refused ? weft_refused_option(a->why) : NULL;
    r.t.has_bytes = plain && a->status != 0;
    r.t.bytes = a->written;
    r.t.has_lasted = plain;
    r.t.lasted = weft_now() - a->asked;
    if (!a->whole)
        add_cause(&r, k);
    weft_journal_add(journal_of(k), &r.t);
}

void
weft_link_tell_rate(struct weft_link *k, enum weft_status fault)
{
    struct record r;

    if (journal_of(k) == NULL)
        return;
    begin(&r, k, WEFT_TOLD_LIMIT);
    r.t.option = "rate";
    r.t.texts[WEFT_TOLD_MESSAGE] = weft_http_text(weft_status_text(fault));
    weft_journal_add(journal_of(k), &r.t);
}

static void
tell_close(struct weft_link *k)
{
    struct story s = story_of(k);
    struct record r;

    begin(&r, k, WEFT_TOLD_CLOSE);
    r.t.code = k->close_code;
    if (k->flow->session.close_sent && k->role != WEFT_EVENTS)
        r.t.sent_code = k->flow->session.sent_code;
    r.t.texts[WEFT_TOLD_REASON] = weft_link_kept(k, WEFT_KEPT_REASON);
    add_cause(&r, k);
    r.t.has_lasted = s.opened != 0;
    r.t.lasted = k->loop->now - s.opened;
    weft_journal_add(journal_of(k), &r.t);
}

static void
tell_failed(struct weft_link *k)
{
    bool is_late = k->cause == WEFT_CAUSE_TIMEOUT && !k->again;
    struct record r;

    if (!is_late && !weft_link_has_begun(k))
        return; /* not worth a line; nor is who has nothing more to ask */
    begin(&r, k, k->state == WEFT_LINK_SECURING ? WEFT_TOLD_TLS
                                                : WEFT_TOLD_FAILED);
    add_request(&r, k);
    add_cause(&r, k);
    weft_journal_add(journal_of(k), &r.t);
}

void
weft_link_tell_end(struct weft_link *k)
{
    if (journal_of(k) == NULL)
        return;
    switch (k->state) {
    case WEFT_LINK_OPEN:
        tell_close(k);
        break;
    case WEFT_LINK_LINGER: /* behind an answer it has been told of */
        if (weft_link_kept(k, WEFT_KEPT_REQUEST).data != NULL)
            tell_close(k);
        break;
    case WEFT_LINK_ASKED:
    case WEFT_LINK_ANSWERING:
        if (!k->flow->answer.whole)
            weft_link_tell_answer(k);
        break;
    case WEFT_LINK_PROXY_HEAD:
    case WEFT_LINK_SECURING:
    case WEFT_LINK_HANDSHAKE:
        tell_failed(k);
        break;
    default:
        break;
    }
}
