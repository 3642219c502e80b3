/*
 * Names by getaddrinfo(), on a helper thread or at once.  It must not know
 * what the addresses are for; the thread touches nothing but its lookup.
 */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "net/sock.h"

enum {
    ADDRESSES = 16,   /* no name deserves more attempts */
    STACK = 512 << 10 /* glibc's resolver and its plugins are hungry */
};

/*
 * What getaddrinfo() said.  strerror() is not for threads, so errors stay
 * numbers until the owner asks.
 */
struct answer {
    int count;
    int error;  /* of getaddrinfo(), 0 when there are addresses */
    int system; /* errno when that was EAI_SYSTEM */
};

/*
 * Shared by the owner and the thread until the last of them lets go, which
 * closes the pipe too: so its writer never meets a pipe without a reader, and
 * no SIGPIPE is raised wherever the kernel would send it.
 */
struct weft_lookup {
    atomic_int references;
    atomic_bool done; /* set last: what is above the host is complete */
    int pipe[2];
    uint16_t port;
    struct answer answer;
    struct weft_addr addresses[ADDRESSES];
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

static struct answer
ask(const char *host, uint16_t port, struct weft_addr *to, int max)
{
    /* no AI_ADDRCONFIG: with nothing but loopback, "localhost" would fail */
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    struct answer answer = { 0 };

    answer.error = getaddrinfo(host, NULL, &hints, &list);
    answer.system = errno;
    if (answer.error != 0)
        return answer;
    for (struct addrinfo *i = list; i && answer.count < max; i = i->ai_next) {
        if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
            continue;
        memset(to, 0, sizeof(*to));
        memcpy(&to->storage, i->ai_addr, i->ai_addrlen);
        to->len = i->ai_addrlen;
        weft_addr_set_port(to++, port);
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
        return strerror(answer->system);
    return gai_strerror(answer->error);
}

static void *
look_up(void *argument)
{
    struct weft_lookup *l = argument;

    l->answer = ask(l->host, l->port, l->addresses, ADDRESSES);
    atomic_store(&l->done, true);
    weft_sock_wake(l->pipe[1]);
    release(l);
    return NULL;
}

/* A detached thread with a small stack that no signal is delivered to. */
static int
start_thread(struct weft_lookup *l)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);

    if (error != 0)
        return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, look_up, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
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
    memcpy(l->host, host, len + 1);
    l->port = port;
    atomic_init(&l->done, false);
    error = -weft_sock_pipe(l->pipe);
    if (error != 0)
        goto fail;
    atomic_init(&l->references, 2);
    error = start_thread(l);
    if (error != 0)
        goto fail_pipe;
    return l;

fail_pipe:
    weft_sock_close(&l->pipe[0]);
    weft_sock_close(&l->pipe[1]);
fail:
    weft_free(l);
    errno = error;
    return NULL;
}

int
weft_lookup_fd(const struct weft_lookup *l)
{
    return l->pipe[0];
}

enum weft_status
weft_lookup_result(struct weft_lookup *l, const struct weft_addr **addresses,
                   int *count, const char **why)
{
    if (!atomic_load(&l->done))
        return WEFT_MORE;
    *addresses = l->addresses;
    *count = l->answer.count;
    *why = words(&l->answer);
    return WEFT_OK;
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
    struct answer answer = ask(host, port, to, max);

    *why = words(&answer);
    return answer.count;
}
