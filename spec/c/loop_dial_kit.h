/*
 * Names under test: getaddrinfo() is ours here, so that a name has what
 * addresses a test likes, and each family's answer comes when the test lets
 * it.  And a street of loopback addresses, all with one port: at 127.0.0.1
 * somebody answers, at 127.0.0.2 nobody ever does (its backlog is full), and
 * any other refuses.  "::ffff:127.0.0.1" is the same house by IPv6.
 */
#ifndef WEFT_SPEC_LOOP_DIAL_KIT_H
#define WEFT_SPEC_LOOP_DIAL_KIT_H

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>

#include "loop/dial_inner.h"
#include "loop_kit.h"

/* Names ------------------------------------------------------------------- */

enum { MANY = 20 };

/* What one family answers: addresses, or else an error. */
struct answers {
    const char *addresses[MANY + 1];
    int error;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct answers families[WEFT_FAMILIES];
    bool held[WEFT_FAMILIES]; /* its answer has to wait */
    int asked;                /* and not answered */
} resolver = { .lock = PTHREAD_MUTEX_INITIALIZER,
               .changed = PTHREAD_COND_INITIALIZER };

static inline struct addrinfo *
one_info(const char *host, struct addrinfo *next)
{
    struct weft_addr *a = calloc(1, sizeof(*a));
    struct addrinfo *info = calloc(1, sizeof(*info));

    weft_addr_parse(a, host, 0); /* no CHECK() here: this is a thread */
    *info = (struct addrinfo){ .ai_family = a->storage.ss_family,
                               .ai_socktype = SOCK_STREAM,
                               .ai_addrlen = a->len,
                               .ai_addr = (struct sockaddr *)&a->storage,
                               .ai_next = next };
    return info;
}

void
freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;

        free(list->ai_addr); /* the first member of what one_info() made */
        free(list);
        list = next;
    }
}

int
getaddrinfo(const char *host, const char *service,
            const struct addrinfo *hints, struct addrinfo **list)
{
    int family = hints->ai_family == AF_INET6 ? WEFT_V6 : WEFT_V4, count = 0;
    struct answers answers;

    (void)host;
    (void)service;
    pthread_mutex_lock(&resolver.lock);
    answers = resolver.families[family];
    while (resolver.held[family])
        pthread_cond_wait(&resolver.changed, &resolver.lock);
    resolver.asked--;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.lock);
    *list = NULL;
    while (answers.addresses[count] != NULL)
        count++;
    while (count > 0)
        *list = one_info(answers.addresses[--count], *list);
    errno = EIO;
    return *list != NULL ? 0 : answers.error;
}

#define ADDRESSES(...) ((struct answers){ { __VA_ARGS__ }, 0 })
#define NOTHING ((struct answers){ { NULL }, EAI_NONAME })
#define TROUBLE(code) ((struct answers){ { NULL }, code })

/* What the next lookup will find, and whether its answers have to wait. */
static inline void
name_has(struct answers v6, bool hold_v6, struct answers v4, bool hold_v4)
{
    pthread_mutex_lock(&resolver.lock);
    while (resolver.asked > 0) /* an earlier test's, let go of already */
        pthread_cond_wait(&resolver.changed, &resolver.lock);
    resolver.families[WEFT_V6] = v6;
    resolver.families[WEFT_V4] = v4;
    resolver.held[WEFT_V6] = hold_v6;
    resolver.held[WEFT_V4] = hold_v4;
    resolver.asked = 2;
    pthread_mutex_unlock(&resolver.lock);
}

static inline void
let_answer(int family)
{
    pthread_mutex_lock(&resolver.lock);
    resolver.held[family] = false;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.lock);
}

/* The street -------------------------------------------------------------- */

enum { FILLERS = 4 };

struct street {
    struct world *w;
    uint16_t port;
    int live, dead;
    int fillers[FILLERS]; /* what fills the dead one's backlog */
};

static inline int
open_house(const char *host, uint16_t port, int backlog)
{
    struct weft_addr a;

    CHECK(weft_addr_parse(&a, host, port));
    return weft_sock_listen(&a, backlog, false, false);
}

/* Until a connect is not taken any more. */
static inline void
fill_backlog(struct street *s, const char *host)
{
    struct weft_addr a;

    CHECK(weft_addr_parse(&a, host, s->port));
    for (int i = 0; i < FILLERS; i++) {
        s->fillers[i] = weft_sock_connect(&a);
        poll(&(struct pollfd){ .fd = s->fillers[i], .events = POLLOUT }, 1,
             20);
    }
    CHECK(weft_sock_connected(s->fillers[FILLERS - 1]) == -EAGAIN);
}

static inline void
street_open(struct street *s, struct world *w)
{
    struct weft_addr a;

    *s = (struct street){ .w = w, .live = -1, .dead = -1 };
    for (int i = 0; i < 20 && s->dead < 0; i++) {
        weft_sock_close(&s->live);
        s->live = open_house("127.0.0.1", 0, 16);
        CHECK(weft_sock_local(s->live, &a) == 0);
        s->port = weft_addr_port(&a);
        s->dead = open_house("127.0.0.2", s->port, 0);
    }
    CHECK(s->dead >= 0);
    fill_backlog(s, "127.0.0.2");
}

static inline void
street_close(struct street *s)
{
    for (int i = 0; i < FILLERS; i++)
        weft_sock_close(&s->fillers[i]);
    weft_sock_close(&s->dead);
    weft_sock_close(&s->live);
}

/* How many have come to the one who answers and have not gone again. */
static inline int
visitors(struct street *s)
{
    struct weft_addr from;
    char byte;
    int fd, count = 0;

    while ((fd = weft_sock_accept(s->live, &from)) >= 0) {
        poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 100);
        if (weft_sock_recv(fd, &byte, 1) != 0)
            count++;
        weft_sock_close(&fd);
    }
    return count;
}

/* Dials ------------------------------------------------------------------- */

/* Sets out for the name, which has what name_has() said. */
static inline void
set_out(struct street *s, struct weft_link *c)
{
    weft_link_init(c, &s->w->loop, s->w->config, WEFT_CLIENT);
    CHECK(go_to(c, "test.example", s->port, 5 * WEFT_SECOND, &a_request)
          == WEFT_OK);
    CHECK(c->state == WEFT_LINK_DIALLING && c->flow->dial->looking);
}

/* Turns until so many attempts have begun. */
static inline bool
begins(struct street *s, const struct weft_link *c, int count)
{
    int64_t end = weft_now() + 2 * WEFT_SECOND;

    while (c->flow->dial != NULL && c->flow->dial->begun < count
           && weft_now() < end)
        turn(s->w, 1);
    return c->flow->dial != NULL && c->flow->dial->begun == count;
}

/* Turns until that family's addresses are there. */
static inline bool
learns(struct street *s, const struct weft_link *c, int family)
{
    int64_t end = weft_now() + 2 * WEFT_SECOND;

    while (c->flow->dial != NULL && c->flow->dial->families[family].count == 0
           && weft_now() < end)
        turn(s->w, 1);
    return c->flow->dial != NULL && c->flow->dial->families[family].count > 0;
}

/* What goes on from here is not the timer's doing. */
static inline void
put_off(struct weft_link *c)
{
    weft_timer_set(&c->loop->timers, &c->flow->dial->timer,
                   weft_now() + 60 * WEFT_SECOND);
}

static inline bool
came_by(const struct weft_link *c, int family)
{
    struct weft_addr peer;

    weft_link_peer(c, &peer);
    return c->state == WEFT_LINK_HANDSHAKE && c->flow->dial == NULL
           && peer.storage.ss_family == family;
}

/* Whether it has failed like that; the port is left out of the message. */
static inline bool
failed_as(const struct street *s, const struct weft_link *c, const char *word,
          const char *message)
{
    char port[16], text[512];
    const char *at;

    snprintf(port, sizeof(port), ":%u", s->port);
    if (c->state == WEFT_LINK_CLOSED && c->close_message != NULL) {
        at = strstr(c->close_message, port);
        snprintf(text, sizeof(text), "%.*s%s",
                 at != NULL ? (int)(at - c->close_message) : 512,
                 c->close_message, at != NULL ? at + strlen(port) : "");
        if (strcmp(text, message) == 0 && strcmp(c->error, word) == 0)
            return true;
    }
    fprintf(stderr, "--- state %d, \"%s\", %s\n", c->state,
            c->error != NULL ? c->error : "",
            c->close_message != NULL ? c->close_message : "no message");
    return false;
}

#endif
