/*
 * One connection end to end: socket (or the other end of a pair), opening
 * handshake, session, deadlines, and how it ends.
 *
 *   IDLE -> DIALLING -> HANDSHAKE -> OPEN -> LINGER -> CLOSED      (client)
 *   IDLE -> HANDSHAKE -> ASKED -> OPEN -> LINGER -> CLOSED         (server)
 *
 * where plain requests go round: HANDSHAKE -> ASKED -> ANSWERING -> HANDSHAKE,
 *
 * with TUNNEL (through a proxy) or PROXY_HEAD (from one), and SECURING (the TLS
 * handshake), in front of HANDSHAKE where they are needed.
 *
 * A server's may become an event stream, see weft_link_begin_events(): its role
 * is WEFT_EVENTS then, and sending, rooms and deadlines are as for the others.
 *
 * A link is embedded in the caller's struct; all zero is inert.  Whenever there
 * is something for the caller, the link's `work` is named by weft_loop_next(),
 * and the caller looks at what it waits for: state, messages, backlog, pings.
 */
#ifndef WEFT_LOOP_LINK_H
#define WEFT_LOOP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "loop/cause.h"
#include "loop/counters.h"
#include "loop/kept.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "proto/opening.h"
#include "proto/session.h"
#include "proto/tunnel.h"

/* What a server's client may send in a second, and so many seconds' worth of it
 * at once; INFINITY is no limit, a burst of 0 none on either. */
struct weft_rate {
    double messages, bytes, burst;
};

/* Settings that connections share; whoever holds one counts. Times in ns. */
struct weft_config {
    int references;
    struct weft_limits limits;
    struct weft_deflate_options deflate; /* all zero: no compression */
    uint32_t max_header, max_headers;
    uint64_t max_body; /* of a plain request */
    int64_t handshake_timeout, idle_timeout, close_timeout, write_timeout;
    int64_t ping_interval, ping_timeout;
    size_t send_buffer, receive_buffer;
    struct weft_rate rate;
    bool nodelay;
    size_t memory_limit;   /* of the loop that it is used in; 0: none */
    uint32_t limited;      /* what is open with these settings, if there is */
    struct weft_node limit; /* in loop->limits, if something is */
};

enum weft_link_state {
    WEFT_LINK_IDLE,
    WEFT_LINK_DIALLING,  /* name lookup and TCP connect */
    WEFT_LINK_TUNNEL,    /* client: the proxy is asked */
    WEFT_LINK_PROXY_HEAD, /* server: for whom the proxy has connected */
    WEFT_LINK_SECURING,  /* the TLS handshake */
    WEFT_LINK_HANDSHAKE, /* waiting for the peer's head */
    WEFT_LINK_BODY,      /* client: refused, reading the response's body */
    WEFT_LINK_ASKED,     /* server: a request waits for accept or respond */
    WEFT_LINK_ANSWERING, /* server: a plain request's answer is under way */
    WEFT_LINK_OPEN,      /* the data phase, the closing handshake included */
    WEFT_LINK_LINGER,    /* wrote the last byte; discards until the peer goes */
    WEFT_LINK_CLOSED,
};

/* A ping that somebody waits for; the caller owns it, the link lists it. */
struct weft_ping {
    struct weft_node node;
    int64_t sent, round_trip; /* round_trip: below zero until answered */
    uint8_t len;
    uint8_t payload[WEFT_CONTROL_MAX];
};

/* How a client reaches its server.  Everything is copied or counted. */
struct weft_route {
    const char *host;      /* the server's: a name or a literal */
    uint16_t port;
    const char *unix_path; /* dialled instead, or NULL */
    const char *proxy_host; /* dialled instead, then asked; or NULL */
    uint16_t proxy_port;
    struct weft_tunnel_request tunnel; /* what a proxy is asked */
    struct weft_tls_context *tls;      /* NULL: without TLS */
    const char *tls_name;  /* whom the certificate must name; NULL: host */
};

struct weft_listener;
struct weft_dial;
struct weft_membership;

/* What an end of a pair has, and a link that TLS may have more for: it is
 * looked at without the kernel's word. */
struct weft_pipe {
    struct weft_node node;   /* in loop->piped */
    struct weft_link *link, *other; /* other: the pair's, or NULL */
    struct weft_buf inbox;   /* what the other has sent */
};

/* What is said of TLS once it is secured, in static strings. */
struct weft_tls_said {
    const char *version, *cipher;
    bool resumed; /* it went on with an earlier session */
};

/* What a peer may still send, as of a time. */
struct weft_quota {
    struct weft_allowance left;
    int64_t at;
};

/* A plain request, from its head to the end of its answer. */
struct weft_answer {
    uint64_t left;   /* of the body: bytes to be written, or WEFT_UNKNOWN */
    uint64_t at;     /* in the file: of the next of them */
    uint64_t written; /* of the response's body, so far */
    size_t head;     /* bytes of its head */
    int64_t asked;   /* when the request's head was there */
    unsigned status; /* 0: it has not begun */
    enum weft_refused why; /* with is_refused */
    int file;        /* owned, with has_file */
    bool has_file;
    bool is_refused; /* the request, by whoever was asked */
    bool reads_body; /* somebody waits for the request's body */
    bool body_read;  /* it is complete */
    bool bodiless;   /* the response has none, whatever is written */
    bool chunked;
    bool keeps;      /* the connection goes on behind it */
    bool whole;      /* all of it is queued */
    bool released;   /* nobody looks at the request any more */
};

/*
 * What a link has only while something passes through it, or before and after
 * its data phase: from the loop's spare ones, given back at rest.  A link at
 * rest, and one that does nothing yet, has weft_flow_none, which only reads.
 */
struct weft_flow {
    struct weft_link *link;
    struct weft_node awake;  /* in loop->awake, or ->spare_flows */
    struct weft_node dirty;  /* in loop->dirty, or later */
    union {
        struct weft_node fed;       /* in loop->fed, while open */
        struct weft_node unsecured; /* in loop->unsecured, before */
    };
    struct weft_node pings;  /* struct weft_ping, oldest first */
    struct weft_session session;
    struct weft_input input; /* what was read in this turn */
    uint8_t *rest;           /* input that outlives its turn: what came with
                                the handshake, or would inflate to too much */
    struct weft_buf ahead;   /* messages nobody has received yet */
    struct weft_event event; /* the one that is lent */
    enum weft_status fault;  /* of the peer, not yet acted upon, when below 0 */
    uint32_t discarded;      /* bytes, while it lingers */
    int64_t stalled;         /* output waits since; 0: it does not */
    int64_t ending;          /* since when it closes, lingers or is at fault */

    /* opening */
    struct weft_dial *dial;
    struct weft_tunnel *tunnel; /* until it stands */
    struct weft_opening *opening;
    struct weft_answer answer;

    size_t held;              /* bytes, as counted in loop->held */
    struct weft_node holding; /* in loop->holders */
    bool shed;                /* it has been made to give up some */

    /* the caller's, for what it lends; in a list, it keeps the link awake */
    struct weft_node borrower;
    uint32_t let_go; /* of what the output queue has borrowed */
};

extern const struct weft_flow weft_flow_none;

#define WEFT_UNKNOWN UINT64_MAX /* the length of a body */

struct weft_link {
    struct weft_loop *loop;
    struct weft_config *config; /* counted */

    struct weft_node node;   /* in its listener's links, or loop->links */
    struct weft_membership *rooms; /* the last one joined, or NULL */
    struct weft_work work;   /* in loop->work */
    struct weft_timer timer;
    struct weft_watch watch;
    uint32_t ping_count;
    uint32_t warm;           /* place in loop->warm, counted from 1; 0: none */
    int32_t latency;         /* the keepalive's last round trip in microseconds,
                                or below zero */
    struct weft_listener *listener;
    struct weft_counters *counters; /* its listener's, or loop->unlisted */
    struct weft_kept *kept;  /* what is known; see weft_link_kept() */
    struct weft_pipe *pipe;  /* NULL: a plain socket's */
    struct weft_tls *tls;    /* NULL: without TLS, or no longer connected */

    struct weft_flow *flow;  /* never NULL once it is initialised */
    struct weft_deflate *deflate; /* the session's, also at rest */
    struct weft_quota *quota; /* NULL: no rate is set */
    enum weft_role role : 8;
    enum weft_link_state state : 8;
    enum weft_cause cause : 8;
    bool lent, from_ahead;
    bool wanted;      /* somebody waits for a message */
    bool asked;       /* somebody asked for one since bytes last came */
    bool owes;        /* a message was taken and nobody has come back since */
    bool drain;       /* somebody waits for the backlog to shrink */
    bool reading_over; /* nothing more will be received */
    bool write_dead;  /* the socket takes nothing any more */
    bool was_reset : 1;   /* as a send was told, so that no read will be */
    bool head_only : 1;   /* a response to HEAD */
    bool clean : 1;       /* close frames went both ways */
    bool again : 1;       /* a server's client: it has been answered before */
    bool met : 1;         /* a server's client: it speaks TLS, it seems */
    bool proxied : 1;     /* it goes, or went, through a proxy */
    bool was_secure : 1;  /* a PROXY head says so: it came to that by TLS */
    bool inbox_ended : 1; /* the other end of a pair sends no more; or the peer
                             of one that lingers, which still gets what is
                             queued */
    bool ending_sent : 1; /* all output behind which it ends is sent */
    struct weft_deflate_agreed agreed; /* compression; all zero: none */
    uint16_t close_code;   /* the peer's close frame, or 1006; an event
                              stream's is 1005 after an orderly end */
    char *close_message;    /* heap, or NULL */
    const char *error;       /* the opener's word: "refused", "dns", ... */

    /* clocks */
    union {
        struct {
            int64_t opened;        /* when the opening began */
            int64_t opening_limit; /* ns for all of it */
        };
        struct { /* once it is open */
            int64_t last_message; /* either way */
            int64_t pinged;       /* the keepalive's unanswered ping, or 0;
                                     an event stream's last comment */
        };
    };
    int64_t life;         /* a byte came, or output made progress */
};

struct weft_config *weft_config_retain(struct weft_config *c);
void weft_config_release(struct weft_config *c); /* frees the last; NULL ok */

/* Makes an inert link ready to be used in a loop; allocates nothing. */
void weft_link_init(struct weft_link *k, struct weft_loop *loop,
                    struct weft_config *config, enum weft_role role);

/* Drops the connection if there is one, and all memory. May be repeated. */
void weft_link_deinit(struct weft_link *k);

/*
 * Takes over an accepted descriptor; on failure it is closed.  tls: NULL for a
 * port without.  A listener's may have to begin with a proxy's head.
 */
enum weft_status weft_link_serve(struct weft_link *k, int fd,
                                 const struct weft_addr *from,
                                 struct weft_tls_context *tls);

/*
 * Starts to connect as the route says and to open with the request, all within
 * limit nanoseconds.  What goes wrong later shows in state CLOSED, `error` and
 * `close_message`.
 */
enum weft_status weft_link_connect(struct weft_link *k,
                                   const struct weft_route *to, int64_t limit,
                                   const struct weft_client_request *r);

/*
 * Connects a client's link again whose handshake was refused (a redirect),
 * within what is left of its time; who waits for it goes on waiting.
 */
enum weft_status weft_link_redial(struct weft_link *k,
                                  const struct weft_route *to,
                                  const struct weft_client_request *r);

/*
 * Joins two initialised links into an open pair without a socket.  `spoken`
 * are the server's subprotocols.  WEFT_E_HEAD when the handshake is refused.
 */
enum weft_status weft_link_pair(struct weft_link *client,
                                struct weft_link *server,
                                const struct weft_client_request *r,
                                const struct weft_span *spoken, size_t count);

/* Answers a request (state ASKED) with 101; `protocol` may be empty.  Whether
 * to compress is agreed on here. */
enum weft_status weft_link_accept(struct weft_link *k,
                                  struct weft_span protocol,
                                  struct weft_span headers);

/*
 * A plain request, in state ASKED: its body, at most max_body bytes of it, is
 * read only when it is wanted.  WEFT_OK: it is complete, and weft_link_body()
 * lends it until the answer begins.  WEFT_MORE: the link is named when it has
 * come to something.  WEFT_E_CLOSED: there will be none; a fault has been
 * answered (413, 400).
 */
enum weft_status weft_link_want_body(struct weft_link *k);
struct weft_span weft_link_body(const struct weft_link *k);

/* The answer that is to come refuses the request (state ASKED), for that; the
 * last word counts, once the answer begins. */
void weft_link_refuses(struct weft_link *k, enum weft_refused why);

/*
 * Answers a request (state ASKED) with an HTTP response; `headers` are lines,
 * each ended by CRLF.  Behind it the connection waits for the next request, once
 * weft_link_release() was called, or ends: as the request wants it, when its
 * body was not read, when the lines name Connection, when the server no longer
 * listens.  WEFT_E_CLOSED, WEFT_E_MEMORY: nothing was queued.
 */
enum weft_status weft_link_respond(struct weft_link *k, unsigned status,
                                   struct weft_span headers,
                                   struct weft_span body);
/* The body stays where it is until the output queue has returned it. */
enum weft_status weft_link_respond_borrowed(struct weft_link *k,
                                            unsigned status,
                                            struct weft_span headers,
                                            struct weft_span body);

/*
 * The same piece by piece, so long as nothing fails.  length: of the body, or
 * WEFT_UNKNOWN (it comes in chunks, or to HTTP/1.0 ends with the connection).
 * To HEAD and where there is no body, what is written is dropped.
 * WEFT_E_BUSY: more than the length, or, at the end, less.
 */
enum weft_status weft_link_begin_answer(struct weft_link *k, unsigned status,
                                        struct weft_span headers,
                                        uint64_t length);
enum weft_status weft_link_write_answer(struct weft_link *k,
                                        struct weft_span bytes);
enum weft_status weft_link_write_answer_borrowed(struct weft_link *k,
                                                 struct weft_span bytes);
enum weft_status weft_link_end_answer(struct weft_link *k);

/* The same with bytes [at, at + length) of a file, which is read as the peer
 * takes it.  The descriptor is closed, whatever comes of it. */
enum weft_status weft_link_respond_file(struct weft_link *k, unsigned status,
                                        struct weft_span headers, int fd,
                                        uint64_t at, uint64_t length);

/* Whoever answers has failed: an answer of which there is but a head, and that
 * has not left, is as if it had not begun (state ASKED). */
void weft_link_retract(struct weft_link *k);

/* Nobody looks at the request any more: its connection may go on.  An answer
 * that is not finished breaks off. */
void weft_link_release(struct weft_link *k);

/*
 * Answers a request with an event stream, `headers` in its head; `retry` is
 * what the client waits before it comes again, in milliseconds, and left out
 * below 0.  The link is open: what is sent goes as events (see
 * weft_session_speak_events()), nothing is received, and it must be neither
 * written to in pieces nor pinged.  As a keepalive it sends comments.  When the
 * client goes, that is the end of it (WEFT_CAUSE_PEER); to close it sends what
 * is queued and ends the connection, without a code.  A HEAD request gets the
 * head alone, and the link closes.
 */
enum weft_status weft_link_begin_events(struct weft_link *k,
                                        struct weft_span headers,
                                        int64_t retry);

/*
 * The next message (or chunk, while streaming): WEFT_EVENT, and `event` is it,
 * lent until weft_link_taken(); the same again if it was not taken.
 * WEFT_MORE: nothing now.  WEFT_E_CLOSED: nothing ever again.
 */
static inline enum weft_status weft_link_next(struct weft_link *k);
static inline void weft_link_taken(struct weft_link *k);
/* The long ways of the two. rc: where the short one has come to. */
enum weft_status weft_link_next_any(struct weft_link *k, enum weft_status rc);
void weft_link_taken_ahead(struct weft_link *k);

/* Whether weft_link_next() would give something other than WEFT_MORE. */
bool weft_link_has_next(const struct weft_link *k);

/* Says that somebody waits for a message (or no longer does). */
void weft_link_want(struct weft_link *k, bool wanted);

/* The next message comes as chunks (or whole, if it has been read already);
 * off: what is unread of it is skipped.  Those behind it come whole. */
void weft_link_stream(struct weft_link *k, bool on);

/* As weft_session_send() and its kin; output leaves in weft_loop_flush().
 * WEFT_E_CLOSED also before the link is open. */
enum weft_status weft_link_send(struct weft_link *k, enum weft_opcode opcode,
                                const void *data, size_t len);
enum weft_status weft_link_send_plain(struct weft_link *k,
                                      enum weft_opcode opcode,
                                      const void *data, size_t len);
enum weft_status weft_link_send_borrowed(struct weft_link *k,
                                         enum weft_opcode opcode,
                                         const void *data, size_t len);
static inline enum weft_status weft_link_send_chunk(struct weft_link *k,
                                                    struct weft_chunk *frame);
/* The long way, on an open link. */
enum weft_status weft_link_send_chunk_any(struct weft_link *k,
                                          struct weft_chunk *frame);
enum weft_status weft_link_write(struct weft_link *k, enum weft_opcode opcode,
                                 const void *data, size_t len, bool last);
enum weft_status weft_link_write_plain(struct weft_link *k,
                                       enum weft_opcode opcode,
                                       const void *data, size_t len,
                                       bool last);

/* Sends p's payload; its pong sets p->round_trip and names the link. */
enum weft_status weft_link_ping(struct weft_link *k, struct weft_ping *p);

/* Sends what is queued now, without waiting for the end of the turn. */
void weft_link_flush(struct weft_link *k);

bool weft_link_get_flow(struct weft_link *k); /* for weft_link_wake() */

static inline bool
weft_link_is_awake(const struct weft_link *k)
{
    return k->flow != &weft_flow_none;
}

/* Gives the link a flow of its own, if it has none: what sends does so itself,
 * this is for who writes to the flow.  False: memory is out. */
static inline bool
weft_link_wake(struct weft_link *k)
{
    return weft_link_is_awake(k) || weft_link_get_flow(k);
}

/* Bytes that are queued for it alone. */
static inline size_t
weft_link_queued(const struct weft_link *k)
{
    return weft_outq_len(&k->flow->session.out)
           + (k->tls != NULL ? weft_buf_len(weft_tls_pending(k->tls)) : 0);
}

void weft_link_catch_up_any(struct weft_link *k); /* the long way */

/* What its room has gathered in this turn is queued, since something else is
 * to come behind it.  When memory is out, the link ends. */
static inline void
weft_link_catch_up(struct weft_link *k)
{
    if (k->rooms != NULL && k->loop->post.room != NULL)
        weft_link_catch_up_any(k);
}

/* Bytes of messages that have come and that nobody has taken. */
static inline size_t
weft_link_unread(const struct weft_link *k)
{
    return weft_buf_len(&k->flow->ahead) + k->flow->input.len
           + weft_session_held(&k->flow->session);
}

/* Bytes the kernel has not taken. */
static inline size_t
weft_link_backlog(struct weft_link *k)
{
    weft_link_catch_up(k);
    return weft_link_queued(k);
}

/*
 * Starts the closing handshake; nothing when the connection is closing.  A
 * fault of the peer's that was still waiting takes precedence.  While the
 * opening is under way, the connection is dropped.
 */
void weft_link_close(struct weft_link *k, unsigned code,
                     struct weft_span reason, enum weft_cause cause);

/*
 * A server's, which accepts nothing any more: 1001 while it is open.  Dropped
 * while no request is there, behind answers that are still queued; one that is
 * being answered ends behind its answer.
 */
void weft_link_shut_down(struct weft_link *k);

/* Whether it is between two plain requests; and whether it is at a handshake,
 * or a request's head: what is neither is at its work, or has ended. */
bool weft_link_is_idle(const struct weft_link *k);
bool weft_link_is_opening(const struct weft_link *k);

/* Drops the connection now; `message` may be NULL. */
void weft_link_abort(struct weft_link *k, enum weft_cause cause,
                     const char *message);

/* A sentence that says why it ended, or NULL while it has not. */
const char *weft_link_message(const struct weft_link *k);

/* Drops a connection whose closing took too long. */
void weft_link_drop_closing(struct weft_link *k);

/* Remembers why it ends, unless that is known already; message may be NULL. */
void weft_link_blame(struct weft_link *k, enum weft_cause cause,
                     const char *message);

/* Another sentence for why it ended, where somebody knows better. */
void weft_link_explain(struct weft_link *k, const char *message);

/* What is known of the connection, also when it is closed; NULL: nothing. */
static inline struct weft_span
weft_link_kept(const struct weft_link *k, enum weft_kept_kind kind)
{
    return weft_kept_find(k->kept, kind);
}

/* How a journal calls a connection: its number there, or 0; and who is at the
 * other end, in the room or kept. */
uint64_t weft_link_told_number(const struct weft_link *k);
struct weft_span weft_link_told_address(const struct weft_link *k,
                                        char room[WEFT_ADDR_TEXT]);

/* Whether it is a WebSocket or an event stream, and has not ended. */
static inline bool
weft_link_is_upgraded(const struct weft_link *k)
{
    return k->state == WEFT_LINK_OPEN
           || (k->state == WEFT_LINK_LINGER
               && weft_link_kept(k, WEFT_KEPT_REQUEST).data != NULL);
}

/* Who is at the other end; its length is 0 when nobody knows. */
void weft_link_peer(const struct weft_link *k, struct weft_addr *peer);

/* Whether the data phase is open for sending. */
static inline bool
weft_link_is_open(const struct weft_link *k)
{
    return k->state == WEFT_LINK_OPEN && !k->flow->session.close_sent
           && !k->flow->session.close_received && !k->write_dead;
}

#include "loop/link_short.h"

#endif
