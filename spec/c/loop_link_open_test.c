/*
 * How links open, over sockets: accepted, dialled, refused, answered; and that
 * one can be let go of in any state.
 */
#include "loop_kit.h"

/* A listener on the loopback, and links between it and us. */
struct hall {
    struct world *w;
    struct weft_listener listener;
    uint16_t port;
};

static void
hall_open(struct hall *h, struct world *w)
{
    struct weft_addr a;

    h->w = w;
    CHECK(weft_addr_parse(&a, "127.0.0.1", 0));
    CHECK(weft_listener_init(&h->listener, &w->loop, w->config, &a, 100,
                             false, false)
          == WEFT_OK);
    h->port = weft_addr_port(&h->listener.address);
}

static void
dial(struct hall *h, struct weft_link *c, const char *host)
{
    weft_link_init(c, &h->w->loop, h->w->config, WEFT_CLIENT);
    CHECK(go_to(c, host, h->port, 5 * WEFT_SECOND, &a_request)
          == WEFT_OK);
}

/* Turns until somebody has come in. */
static void
accept_one(struct hall *h, struct weft_link *s)
{
    enum weft_status rc = WEFT_MORE;

    weft_link_init(s, &h->w->loop, h->w->config, WEFT_SERVER);
    for (int i = 0; i < 200 && rc == WEFT_MORE; i++) {
        turn(h->w, 10);
        rc = weft_listener_accept(&h->listener, s);
    }
    CHECK(rc == WEFT_OK && s->listener == &h->listener);
}

/* Opening ------------------------------------------------------------------ */

static void
opens_and_echoes(struct world *w, const char *host)
{
    struct weft_link c, s;
    struct hall h;

    hall_open(&h, w);
    dial(&h, &c, host);
    CHECK(say(&c, "too early") == WEFT_E_CLOSED);
    accept_one(&h, &s);
    CHECK(h.listener.total == 1 && h.listener.counters.accepted == 1);
    CHECK(reaches(w, &s, WEFT_LINK_ASKED));
    CHECK(say(&s, "too early") == WEFT_E_CLOSED);
    CHECK(weft_link_accept(&s, SPAN(""), SPAN("X-A: b\r\n")) == WEFT_OK);
    CHECK(weft_link_accept(&s, SPAN(""), SPAN("")) == WEFT_E_CLOSED);
    CHECK(say(&s, "welcome") == WEFT_OK);
    CHECK(waits(w, &c) && hears(&c, "welcome"));
    CHECK(say(&c, "hello") == WEFT_OK);
    CHECK(waits(w, &s) && hears(&s, "hello"));
    CHECK(h.listener.counters.upgraded == 1);
    CHECK(weft_link_kept(&c, WEFT_KEPT_REQUEST).len
          == weft_link_kept(&s, WEFT_KEPT_REQUEST).len);
    goodbye(&c, 1001, "");
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PEER, 1001) && s.clean);
    CHECK(ended(&c, WEFT_CAUSE_LOCAL, 1001) && c.clean);
    CHECK(h.listener.total == 0 && s.listener == NULL);
    weft_listener_deinit(&h.listener);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
    weft_listener_deinit(&h.listener);
}

static void
nobody_listens(struct world *w)
{
    struct weft_link c;
    struct hall h;

    hall_open(&h, w);
    weft_listener_stop(&h.listener);
    dial(&h, &c, "127.0.0.1");
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(ended(&c, WEFT_CAUSE_RESET, 1006));
    CHECK(strcmp(c.error, "refused") == 0);
    CHECK(strncmp(c.close_message, "connect to 127.0.0.1:", 21) == 0);
    CHECK(strstr(c.close_message, ": connection refused") != NULL);
    weft_link_deinit(&c);
    weft_listener_deinit(&h.listener);
}

static void
no_such_name(struct world *w)
{
    struct weft_link c;

    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    CHECK(go_to(&c, "no.such.name.invalid", 1, 20 * WEFT_SECOND,
                            &a_request)
          == WEFT_OK);
    CHECK(c.state == WEFT_LINK_DIALLING);
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED) && strcmp(c.error, "dns") == 0);
    CHECK(strncmp(c.close_message, "look up no.such.name.invalid: ", 30) == 0);
    weft_link_deinit(&c);
}

/* Answers other than 101 --------------------------------------------------- */

static void
a_refusal_reaches_the_client(struct world *w)
{
    struct weft_link c, s;
    struct weft_span body;
    struct hall h;

    hall_open(&h, w);
    dial(&h, &c, "127.0.0.1");
    accept_one(&h, &s);
    CHECK(reaches(w, &s, WEFT_LINK_ASKED));
    CHECK(weft_link_respond(&s, 403, SPAN("X-Why: so\r\n"), SPAN("go away"))
          == WEFT_OK);
    CHECK(weft_link_respond(&s, 403, SPAN(""), SPAN("")) == WEFT_E_CLOSED);
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(strcmp(c.error, "handshake") == 0);
    CHECK(strcmp(c.close_message, "handshake refused: 403 Forbidden") == 0);
    body = weft_link_kept(&c, WEFT_KEPT_BODY);
    CHECK(body.len == 7 && memcmp(body.data, "go away", 7) == 0);
    CHECK(weft_link_kept(&c, WEFT_KEPT_RESPONSE).len > 0
          && weft_link_kept(&c, WEFT_KEPT_REQUEST).len > 0);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_LOCAL, 1006));
    weft_listener_deinit(&h.listener);
    weft_link_deinit(&c);
    weft_link_deinit(&s);
}

static bool
raw_has(const struct raw *r, const char *text)
{
    size_t len = weft_buf_len(&r->in), n = strlen(text);
    const char *at = (const char *)weft_buf_head(&r->in);

    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(at + i, text, n) == 0)
            return true;
    return false;
}

/* Requests that nobody is asked about. */
static void
refuses(struct world *w, const char *request, const char *status)
{
    struct weft_link s;
    struct raw c;

    serve(w, &s, &c);
    raw_write(&c, request, strlen(request));
    CHECK(reaches(w, &s, WEFT_LINK_LINGER));
    CHECK(strcmp(s.error, "handshake") == 0 && s.close_message != NULL);
    quiet(w);
    CHECK(!raw_receive(&c)); /* its end of the stream is over */
    CHECK(raw_has(&c, status) && raw_has(&c, "\r\nConnection: close"));
    raw_close(&c);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(ended(&s, WEFT_CAUSE_PROTOCOL, 1006));
    weft_link_deinit(&s);
}

static void
bad_requests_are_answered(struct world *w)
{
    char many[4096] = "GET / HTTP/1.1\r\nHost: x\r\n";
    char *at = many + strlen(many);

    for (int i = 0; i < 300; i++)
        at += sprintf(at, "A%d: b\r\n", i);
    refuses(w, "nonsense\r\n\r\n", "HTTP/1.1 400 ");
    refuses(w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    refuses(w, many, "HTTP/1.1 431 ");
    refuses(w, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Version: 7\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            "Sec-WebSocket-Version: 13\r\n");
}

static void
plain_requests_are_asked_about(struct world *w)
{
    static const char get[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char head[] = "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n";
    struct weft_link s;
    struct raw c;

    serve(w, &s, &c);
    for (size_t i = 0; i < sizeof(get) - 1; i++) {
        CHECK(s.state == WEFT_LINK_HANDSHAKE);
        raw_write(&c, get + i, 1);
        turn(w, 1);
    }
    CHECK(s.state == WEFT_LINK_ASKED &&
          s.flow->opening->kind == WEFT_REQUEST_HTTP);
    CHECK(weft_link_respond(&s, 200, SPAN(""), SPAN("hello")) == WEFT_OK);
    quiet(w);
    CHECK(!raw_receive(&c) && raw_has(&c, "\r\n\r\nhello"));
    raw_close(&c);
    weft_link_deinit(&s);
    serve(w, &s, &c);
    raw_write(&c, head, sizeof(head) - 1);
    CHECK(reaches(w, &s, WEFT_LINK_ASKED));
    CHECK(weft_link_respond(&s, 200, SPAN(""), SPAN("hello")) == WEFT_OK);
    quiet(w);
    CHECK(!raw_receive(&c) && raw_has(&c, "Content-Length: 5\r\n"));
    CHECK(!raw_has(&c, "hello"));
    raw_close(&c);
    weft_link_deinit(&s);
}

/* The client goes while its request waits for an answer. */
static void
the_asker_goes_away(struct world *w)
{
    struct weft_link s;
    struct raw c;

    serve(w, &s, &c);
    raw_write(&c, raw_request, sizeof(raw_request) - 1);
    CHECK(reaches(w, &s, WEFT_LINK_ASKED));
    raw_close(&c);
    quiet(w);
    if (s.state == WEFT_LINK_ASKED)
        CHECK(weft_link_accept(&s, SPAN(""), SPAN("")) == WEFT_OK);
    CHECK(reaches(w, &s, WEFT_LINK_CLOSED));
    CHECK(!s.clean && s.close_code == 1006);
    weft_link_deinit(&s);
}

/* What servers may answer wrong -------------------------------------------- */

struct answer {
    const char *bytes;
    enum weft_cause cause;
    const char *words;
};

static void
answers_badly(struct world *w, const struct answer *answer)
{
    struct weft_addr a, from;
    struct weft_link c;
    struct raw s = { .fd = -1 };
    int fd;

    weft_addr_parse(&a, "127.0.0.1", 0);
    fd = weft_sock_listen(&a, 5, false, false);
    weft_sock_local(fd, &a);
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    go_to(&c, "127.0.0.1", weft_addr_port(&a), 5 * WEFT_SECOND,
                      &a_request);
    CHECK(reaches(w, &c, WEFT_LINK_HANDSHAKE));
    s.fd = weft_sock_accept(fd, &from);
    CHECK(s.fd >= 0 && raw_greeted(w, &s));
    raw_write(&s, answer->bytes, strlen(answer->bytes));
    weft_sock_shutdown_write(s.fd);
    CHECK(reaches(w, &c, WEFT_LINK_CLOSED));
    CHECK(ended(&c, answer->cause, 1006));
    CHECK(strcmp(c.error, "handshake") == 0);
    CHECK(strstr(c.close_message, answer->words) != NULL);
    raw_close(&s);
    weft_link_deinit(&c);
    weft_sock_close(&fd);
}

static void
bad_answers_are_not_taken(struct world *w)
{
    static const struct answer answers[] = {
        { "", WEFT_CAUSE_EOF, "during the handshake" },
        { "HTTP/1.1 101 Switch", WEFT_CAUSE_EOF, "during the handshake" },
        { "SSH-2.0-OpenSSH\r\n\r\n", WEFT_CAUSE_PROTOCOL, "" },
        { "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n"
          "Connection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
          WEFT_CAUSE_PROTOCOL, "Sec-WebSocket-Accept" },
        { "HTTP/1.1 404 Not Found\r\n\r\nno length, till the end",
          WEFT_CAUSE_PROTOCOL, "404 Not Found" },
        { "HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\ncut short",
          WEFT_CAUSE_PROTOCOL, "401 No" },
    };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        answers_badly(w, &answers[i]);
}

/* Letting go --------------------------------------------------------------- */

/* A link is brought into the state, and then let go of as `how` says. */
enum letting_go { DEINIT, ABORT, CLOSE, HOWS };

static void
let_go(struct world *w, struct weft_link *k, enum letting_go how)
{
    if (how == ABORT)
        weft_link_abort(k, WEFT_CAUSE_CANCELLED, "given up");
    else if (how == CLOSE)
        goodbye(k, 1000, "");
    if (how != DEINIT && k->state < WEFT_LINK_OPEN)
        CHECK(k->state == WEFT_LINK_IDLE);
    turn(w, 1);
    weft_link_deinit(k);
    weft_link_deinit(k);
    CHECK(k->state == WEFT_LINK_CLOSED && next(k) == WEFT_E_CLOSED);
    CHECK(say(k, "x") == WEFT_E_CLOSED);
    weft_link_close(k, 1000, SPAN(""), WEFT_CAUSE_LOCAL);
    weft_link_abort(k, WEFT_CAUSE_LOCAL, NULL);
    turn(w, 1);
}

static void
let_go_of_clients(struct world *w, enum letting_go how)
{
    struct weft_link c, s;
    struct hall h;

    hall_open(&h, w);
    weft_link_init(&c, &w->loop, w->config, WEFT_CLIENT);
    let_go(w, &c, how);
    dial(&h, &c, "localhost");
    CHECK(c.state == WEFT_LINK_DIALLING);
    let_go(w, &c, how);
    dial(&h, &c, "127.0.0.1");
    let_go(w, &c, how);
    dial(&h, &c, "127.0.0.1");
    CHECK(reaches(w, &c, WEFT_LINK_HANDSHAKE));
    let_go(w, &c, how);
    for (int i = 0; i < 4; i++) { /* what is left of those above */
        weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
        weft_listener_accept(&h.listener, &s);
        turn(w, 1);
        weft_link_deinit(&s);
    }
    CHECK(h.listener.total == 0);
    weft_listener_deinit(&h.listener);
}

static void
let_go_while_serving(struct world *w, enum letting_go how)
{
    struct weft_link s;
    struct raw c;

    weft_link_init(&s, &w->loop, w->config, WEFT_SERVER);
    let_go(w, &s, how);
    serve(w, &s, &c);
    raw_write(&c, raw_request, 20);
    quiet(w);
    let_go(w, &s, how);
    raw_close(&c);
    serve(w, &s, &c);
    raw_write(&c, raw_request, sizeof(raw_request) - 1);
    CHECK(reaches(w, &s, WEFT_LINK_ASKED));
    let_go(w, &s, how);
    raw_close(&c);
    serve_open(w, &s, &c);
    let_go(w, &s, how);
    raw_close(&c);
}

/* With all that an open link may have at hand. */
static void
let_go_in_the_middle(struct world *w, enum letting_go how)
{
    struct weft_ping p = { .len = 0 };
    uint8_t *big = calloc(1, 1 << 20);
    struct weft_event ev;
    struct weft_link s;
    struct raw c;

    serve_open(w, &s, &c);
    raw_frame(&c, 0x81, "ahead");
    raw_frame(&c, 0x01, "half of");
    weft_link_send(&s, WEFT_BINARY, big, 1 << 20);
    quiet(w);
    CHECK(weft_link_ping(&s, &p) == WEFT_OK);
    raw_frame(&c, 0x00, "in the arena");
    weft_loop_wait(&w->loop, 10 * MS);
    CHECK(next_event(&s, &ev) == WEFT_EVENT);
    let_go(w, &s, how);
    CHECK(!weft_node_linked(&p.node));
    raw_close(&c);
    serve_open(w, &s, &c);
    raw_frame(&c, 0x83, "bad");
    CHECK(reaches(w, &s, WEFT_LINK_LINGER));
    let_go(w, &s, how);
    raw_close(&c);
    serve_open(w, &s, &c);
    goodbye(&s, 1000, "");
    turn(w, 1);
    let_go(w, &s, how);
    raw_close(&c);
    free(big);
}

static void
let_go_of_pairs(struct world *w, enum letting_go how, bool client_first)
{
    struct weft_link c, s;

    pair(w, &c, &s);
    say(&c, "underway");
    say(&s, "underway");
    let_go(w, client_first ? &c : &s, how);
    let_go(w, client_first ? &s : &c, how);
    pair(w, &c, &s);
    turn(w, 1);
    say(&c, "underway");
    weft_loop_wait(&w->loop, 0);
    let_go(w, client_first ? &c : &s, how);
    let_go(w, client_first ? &s : &c, how);
}

int
main(void)
{
    struct world w;

    world_init(&w);
    opens_and_echoes(&w, "127.0.0.1");
    opens_and_echoes(&w, "localhost");
    nobody_listens(&w);
    no_such_name(&w);
    a_refusal_reaches_the_client(&w);
    bad_requests_are_answered(&w);
    plain_requests_are_asked_about(&w);
    the_asker_goes_away(&w);
    bad_answers_are_not_taken(&w);
    for (int how = DEINIT; how < HOWS; how++) {
        let_go_of_clients(&w, (enum letting_go)how);
        let_go_while_serving(&w, (enum letting_go)how);
        let_go_in_the_middle(&w, (enum letting_go)how);
        let_go_of_pairs(&w, (enum letting_go)how, true);
        let_go_of_pairs(&w, (enum letting_go)how, false);
    }
    world_deinit(&w);
    return check_report();
}
