/*
 * Names by getaddrinfo(), on helper threads or at once.  It must not know
 * what the addresses are for; a thread touches nothing but its half of the
 * lookup.
 */
#include "net/resolve.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/inet.h"
#include "base/mem.h"
#include "net/sock.h"
#include "net/thread.h"

enum { ADDRESSES = 16 /* no name deserves more attempts */ };

/*
 * What getaddrinfo() said.  strerror() is not for threads, so errors stay
 * numbers until the owner asks.
 */
struct answer {
    int count;
    int error;  /* of getaddrinfo(), 0 when there are addresses */
    int system; /* errno when that was EAI_SYSTEM */
};

/* One family's question, which is its thread's own until it is done. */
struct half {
    struct weft_lookup *lookup;
    int family;       /* AF_INET6 or AF_INET */
    atomic_bool done; /* set last: the answer is complete */
    bool taken;
    struct answer answer;
    struct weft_addr addresses[ADDRESSES];
};

/*
 * Shared by the owner and the threads until the last of them lets go, which
 * closes the pipe too: so its writer never meets a pipe without a reader, and
 * no SIGPIPE is raised wherever the kernel would send it.
 */
struct weft_lookup {
    atomic_int references;
    int pipe[2];
    uint16_t port;
    struct half halves[WEFT_FAMILIES];
    char host[];
};

static void
release(struct weft_lookup *l)
{
    if (atomic_fetch_sub(&l->references, 1) > 1)
        return;
    weft_sock_close(&l->pipe[0]);
    weft_sock_close(&l->pipe[1]);
    weft_free(l);
}

static bool
is_among(const struct weft_addr *a, const struct weft_addr *list, int count)
{
    for (int i = 0; i < count; i++)
        if (list[i].len == a->len
            && memcmp(&list[i].storage, &a->storage, (size_t)a->len) == 0)
            return true;
    return false;
}

/*
 * No AI_ADDRCONFIG: with nothing but loopback, "localhost" would fail.  The
 * same address may come twice: glibc gives 127.0.0.1 for ::1 in /etc/hosts
 * when it is asked for IPv4.
 */
static struct answer
ask(const char *host, uint16_t port, int family, struct weft_addr *to,
    int max)
{
    const struct addrinfo hints = { .ai_family = family,
                                    .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    struct answer answer = { 0 };

    answer.error = getaddrinfo(host, NULL, &hints, &list);
    answer.system = errno;
    if (answer.error != 0)
        return answer;
    for (struct addrinfo *i = list; i && answer.count < max; i = i->ai_next) {
        struct weft_addr *a = &to[answer.count];

        if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
            continue;
        memset(a, 0, sizeof(*a));
        memcpy(&a->storage, i->ai_addr, i->ai_addrlen);
        a->len = (socklen_t)i->ai_addrlen;
        weft_addr_set_port(a, port);
        if (!is_among(a, to, answer.count))
            answer.count++;
    }
    freeaddrinfo(list);
    if (answer.count == 0)
        answer.error = EAI_NONAME;
    return answer;
}

static const char *
words(const struct answer *answer)
{
    if (answer->error == 0)
        return NULL;
    if (answer->error == EAI_SYSTEM)
        return weft_error_words(answer->system);
    return weft_name_error_words(answer->error);
}

static void *
look_up(void *argument)
{
    struct half *h = argument;
    struct weft_lookup *l = h->lookup;

    h->answer = ask(l->host, l->port, h->family, h->addresses, ADDRESSES);
    atomic_store(&h->done, true);
    weft_sock_wake(l->pipe[1]);
    release(l);
    return NULL;
}

/* Starts one half's thread, which has a reference to the whole. */
static int
start_half(struct weft_lookup *l, struct half *h, int family)
{
    int error;

    h->lookup = l;
    h->family = family;
    atomic_init(&h->done, false);
    atomic_fetch_add(&l->references, 1);
    error = weft_thread_start(look_up, h);
    if (error != 0)
        release(l);
    return error;
}

struct weft_lookup *
weft_lookup_start(const char *host, uint16_t port)
{
    size_t len = strlen(host);
    struct weft_lookup *l = weft_zalloc(sizeof(*l) + len + 1);
    int error;

    if (l == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    l->pipe[0] = l->pipe[1] = -1;
    memcpy(l->host, host, len + 1);
    l->port = port;
    atomic_init(&l->references, 1);
    error = -weft_sock_pipe(l->pipe);
    if (error == 0)
        error = start_half(l, &l->halves[WEFT_V6], AF_INET6);
    if (error == 0)
        error = start_half(l, &l->halves[WEFT_V4], AF_INET);
    if (error == 0)
        return l;
    release(l);
    errno = error;
    return NULL;
}

int
weft_lookup_fd(const struct weft_lookup *l)
{
    return l->pipe[0];
}

/* The pipe is emptied first: what is done later writes to it again. */
enum weft_status
weft_lookup_take(struct weft_lookup *l, struct weft_found *found)
{
    bool waits = false;

    weft_sock_drain(l->pipe[0]);
    for (int i = 0; i < WEFT_FAMILIES; i++) {
        struct half *h = &l->halves[i];

        if (h->taken)
            continue;
        if (!atomic_load(&h->done)) {
            waits = true;
            continue;
        }
        h->taken = true;
        *found = (struct weft_found){ i, h->answer.count, h->addresses };
        return WEFT_OK;
    }
    return waits ? WEFT_MORE : WEFT_E_CLOSED;
}

/*
 * How much an error explains.  That there is no such name, or that it has no
 * address of a family, says less than trouble in finding out.
 */
static int
weight(const struct answer *answer)
{
    switch (answer->error) {
    case EAI_SYSTEM:
    case EAI_MEMORY:
        return 4;
    case EAI_AGAIN:
        return 3;
    case EAI_FAIL:
        return 2;
    case EAI_NONAME:
        return 1;
    default:
        return 0;
    }
}

const char *
weft_lookup_why(const struct weft_lookup *l)
{
    const struct answer *v6 = &l->halves[WEFT_V6].answer;
    const struct answer *v4 = &l->halves[WEFT_V4].answer;

    return words(weight(v6) > weight(v4) ? v6 : v4);
}

void
weft_lookup_drop(struct weft_lookup *l)
{
    if (l != NULL)
        release(l);
}

int
weft_resolve_now(const char *host, uint16_t port, struct weft_addr *to,
                 int max, const char **why)
{
    struct answer answer = ask(host, port, AF_UNSPEC, to, max);

    *why = words(&answer);
    return answer.count;
}
