/*
 * What the files of the link share among themselves and with the loop; nobody
 * else includes this.
 *
 *   link.c       life and death        link_begin.c how an opening begins
 *   link_open.c  the handshake, both roles
 *   link_request.c, link_answer.c and link_file.c  plain HTTP
 *   link_io.c    reading and flushing  link_data.c  messages in and out
 *   link_large.c large messages in
 *   link_time.c  deadlines             link_pair.c  two ends without a socket
 *   link_tls.c   TLS on the way        link_reach.c what comes before the
 *   dial.c       names, TCP connect                 request: proxy, TLS
 *   dial_words.c what a dial says    link_rest.c  what idle ones do without
 *   link_events.c event streams      link_rate.c how much may come in a time
 *   link_proxy_head.c the PROXY protocol    link_tell.c  the journal
 *   memory.c     what they all hold
 */
#ifndef WEFT_LOOP_LINK_INNER_H
#define WEFT_LOOP_LINK_INNER_H

#include "loop/link.h"

enum { WEFT_TARGET_TEXT = 320 }; /* room for "host:port" */

/* wake.c */
/* Closes the pipe.  The poller is gone: a child's shares the parent's epoll, so
 * that nothing may be taken out of it. */
void weft_loop_end_wake(struct weft_loop *loop);

/* link_rest.c */
void weft_link_drop_flow(struct weft_link *k); /* with what is in it */
void weft_loop_rest(struct weft_loop *loop); /* links that are done, do */
void weft_loop_free_flows(struct weft_loop *loop); /* spare ones, for good */

/* Something of it has changed: it is looked at whether it may rest. */
static inline void
weft_flow_touch(struct weft_flow *f)
{
    if (weft_node_linked(&f->awake))
        return;
    weft_list_add(&f->link->loop->awake, &f->awake);
    f->link->loop->awake_count++;
}

/* link.c */
/* The end: socket closed, waiters named. The first cause counts. */
void weft_link_finish(struct weft_link *k, enum weft_cause cause,
                      const char *message);
/* Acts on a fault of the peer: close frame, then linger. */
void weft_link_fail(struct weft_link *k, enum weft_status fault);
/* Names the link to the caller in this turn or the next. */
void weft_link_mark(struct weft_link *k);
void weft_link_mark_dirty(struct weft_link *k); /* it is awake */

/* link_begin.c */
void weft_link_fail_opening(struct weft_link *k, const char *word,
                            enum weft_cause cause, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void weft_link_out_of_memory(struct weft_link *k); /* the same, for that */
/* Queues what is in b, and frees b whatever came of it. */
enum weft_status weft_link_queue(struct weft_link *k, struct weft_buf *b);
void weft_link_ask(struct weft_link *k); /* a client's request goes out */
/* The data phase begins; the opening is kept as the two heads. */
enum weft_status weft_link_begin(struct weft_link *k,
                                 struct weft_span protocol,
                                 const struct weft_deflate_agreed *agreed);
enum weft_status weft_link_begin_client(struct weft_link *k);
enum weft_status weft_link_keep_heads(struct weft_link *k);
enum weft_status weft_link_keep_peer(struct weft_link *k,
                                     const struct weft_addr *peer);

/* link_answer.c */
/* Puts a finished answer out; the connection ends behind it. */
void weft_link_end_with_answer(struct weft_link *k);
/* All of the answer is queued. */
void weft_link_finish_answer(struct weft_link *k);
/* What can come behind the answer, comes. */
void weft_link_advance(struct weft_link *k);

/* link_file.c */
void weft_answer_close_file(struct weft_answer *a);
/* All that was queued has left: the next piece of the answer's file is queued,
 * which the next turn sends.  False: there is none. */
bool weft_link_add_piece(struct weft_link *k);

/* link_request.c */
void weft_link_read_asked(struct weft_link *k);
/* The request that was answered is forgotten; the next one is waited for, or
 * looked at when it is there. */
void weft_link_next_request(struct weft_link *k);
/* Whether a request has begun to come and has not come to its end. */
bool weft_link_is_in_request(const struct weft_link *k);

/* link_open.c */
/* Answers what has come of a request and ends the connection. */
void weft_link_refuse(struct weft_link *k, unsigned status, const char *why);
/* Answers a connection from an address that has too many with 429, without
 * waiting for its request. */
void weft_link_turn_away(struct weft_link *k);
void weft_link_look_at_head(struct weft_link *k);
/* Receives at most len bytes behind those the opening has.  False: none came,
 * and when there are none to come it has been seen to. */
bool weft_link_receive_opening(struct weft_link *k, size_t len);
void weft_link_head_ended(struct weft_link *k, long n); /* n: what it read */
/* A plain HTTP request came where TLS is spoken; its bytes are dropped. */
void weft_link_refuse_plain(struct weft_link *k);
void weft_link_read_head(struct weft_link *k);
void weft_link_head_grew(struct weft_link *k); /* by bytes of the opening's */
void weft_link_read_body(struct weft_link *k);
void weft_link_keep_body(struct weft_link *k); /* as far as it has come */

/* link_proxy_head.c */
void weft_link_read_proxy_head(struct weft_link *k);

/* link_reach.c */
void weft_link_connected(struct weft_link *k); /* TCP is there */
void weft_link_read_tunnel(struct weft_link *k);
/* The opening fails on the way to the server: "connect to TARGET: why", the
 * proxy named if there is one (and then the word is "proxy"). */
void weft_link_fail_reaching(struct weft_link *k, const char *word,
                             enum weft_cause cause, const char *why);
enum weft_status weft_link_reach(struct weft_link *k,
                                 const struct weft_route *to);
/* The server as the user named it when a proxy is between, else whom the link
 * talks to. */
void weft_link_name_target(const struct weft_link *k,
                           char to[WEFT_TARGET_TEXT]);

/* link_tls.c */
void weft_link_secure_later(struct weft_link *k); /* in its turn */
void weft_link_secure(struct weft_link *k);
/* Goes on with the handshakes that wait, for a share of the turn. */
void weft_loop_secure(struct weft_loop *loop);
/* Whether what passes the socket is ciphertext. */
static inline bool
weft_link_is_sealed(const struct weft_link *k)
{
    return k->tls != NULL && k->state >= WEFT_LINK_SECURING;
}
/* As their namesakes without TLS; -EPROTO: the filter says why. */
long weft_sealed_receive(struct weft_link *k, void *to, size_t len);
long weft_sealed_send(struct weft_link *k, const struct weft_span *spans,
                      int count);
/* Sends close_notify, as far as the socket takes it. */
void weft_sealed_end(struct weft_link *k);
void weft_sealed_watch(struct weft_link *k); /* it may have more to read */
/*
 * A link that is busy is warm: OpenSSL keeps its buffers.  When none of its
 * bytes has passed for WEFT_WARM_TIME, it cools; so it does when it ends.
 */
#define WEFT_WARM_TIME (WEFT_SECOND / 10)
void weft_loop_cool(struct weft_loop *loop);
void weft_sealed_cool(struct weft_link *k);

/* post.c */
void weft_loop_post(struct weft_loop *loop); /* what is gathered goes out */
void weft_loop_free_post(struct weft_loop *loop);

/* link_io.c */
/* Sends whole frames of a server's now, if nothing is in front of them, and
 * queues what does not leave.  False: neither was possible. */
bool weft_link_send_now(struct weft_link *k, struct weft_chunk *c);
void weft_link_ready(struct weft_link *k, uint8_t what);
long weft_link_receive(struct weft_link *k, void *to, size_t len);
/* Sets what the poller reports, for a socket and for an end of a pair. */
void weft_link_watch(struct weft_link *k, uint8_t wanted);
static inline bool
weft_link_is_reading(const struct weft_link *k)
{
    return (k->watch.wanted & WEFT_READABLE) != 0;
}

/* The peer's side of the stream is over, or broken: n is what receiving gave. */
void weft_link_input_ended(struct weft_link *k, long n);

/* The peer of a link that lingers sends no more, but may still want what is
 * queued: it ends behind that. */
void weft_link_hears_no_more(struct weft_link *k);

/* link_large.c */
/* Receives into the message that is being collected; false: not this way. */
bool weft_link_read_large(struct weft_link *k);
/* The message that was lent is done with; its buffer may serve another. */
void weft_link_end_large(struct weft_link *k);

/* link_data.c */
void weft_link_settle(struct weft_link *k);
/* Whether input waits that was read before; it is seen to first, and until
 * then nothing more is read. */
bool weft_link_holds_input(struct weft_link *k);
/* How much more may be read ahead, or WEFT_SLICE when somebody waits. */
size_t weft_link_read_limit(const struct weft_link *k);

/* link_events.c */
/* A comment, so that nobody on the way takes it for dead. */
void weft_link_keep_events(struct weft_link *k);
/* The client of an event stream has closed its side: that is the end. */
void weft_link_client_went(struct weft_link *k);

/* link_rate.c */
/* Its peer may send no more than the rate in its settings, if there is one, from
 * the start of the data phase on.  False: memory is out. */
bool weft_link_ration(struct weft_link *k);
/* Before something is read: what the time since has added is there.  While the
 * link does not read, what is sent waits in the kernel, so all of that time
 * counts, whatever the burst. */
void weft_quota_refill(struct weft_link *k);
static inline void
weft_link_refill(struct weft_link *k)
{
    if (k->quota != NULL)
        weft_quota_refill(k);
}
/* Whether anything has come of an opening: who only looks whether the port is
 * there has not begun. */
static inline bool
weft_link_has_begun(const struct weft_link *k)
{
    return (k->state == WEFT_LINK_SECURING && k->met)
           || weft_buf_len(&k->flow->opening->bytes) > 0;
}

/* Reading has stopped, or goes on. */
void weft_quota_watch(struct weft_link *k);

/* link_tell.c: records for the listener's journal; without one, nothing */
void weft_link_number(struct weft_link *k); /* it has been accepted */
void weft_link_tell_open(struct weft_link *k, struct weft_span protocol);
void weft_link_tell_refused(struct weft_link *k); /* by the opening's refusal */
void weft_link_tell_answer(struct weft_link *k); /* whole, or broken off */
void weft_link_tell_rate(struct weft_link *k, enum weft_status fault);
void weft_link_tell_end(struct weft_link *k); /* before it is disconnected */

/* link_time.c */
void weft_link_expire(struct weft_link *k);  /* its timer fired */
void weft_link_retime(struct weft_link *k);  /* a deadline may be nearer */

/* dial.c */
/* "127.0.0.1:80": whom the link talks to, or tries to. */
void weft_link_target(const struct weft_link *k, char to[WEFT_TARGET_TEXT]);
/*
 * Each starts a dial; how it ends is told by weft_link_connected(), with the
 * socket in k->watch.fd (not yet watched) and its address kept, or by
 * weft_link_fail_reaching().  That may be before start returns.
 */
enum weft_status weft_dial_start(struct weft_link *k, const char *host,
                                 uint16_t port);
enum weft_status weft_dial_unix(struct weft_link *k, const char *path);
void weft_dial_ready(struct weft_watch *w); /* an attempt was decided */
void weft_dial_looked_up(struct weft_watch *w);
void weft_dial_expire(struct weft_timer *t); /* time for the next attempt */
void weft_dial_free(struct weft_link *k);

/* memory.c */
/* What it holds may have changed. */
void weft_link_count(struct weft_link *k);

/* link_pair.c */
bool weft_link_make_pipe(struct weft_link *k); /* false: memory is out */
void weft_link_free_pipe(struct weft_link *k);
long weft_pair_receive(struct weft_link *k, void *to, size_t len);
long weft_pair_send(struct weft_link *k, const struct weft_span *spans,
                    int count);
void weft_pair_end(struct weft_link *k);   /* this end sends no more */
void weft_pair_leave(struct weft_link *k); /* this end is gone */
void weft_pair_watch(struct weft_link *k); /* something may be ready now */
void weft_pair_drop(struct weft_link *k);  /* what has come in is dropped */

#endif
