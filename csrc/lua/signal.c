/*
 * SIGINT and SIGTERM taken from the process for an instance: the first one
 * wakes its loop and the second one kills.  SIGHUP, if asked for, wakes it as
 * well, each time; when the terminal is gone that is what it says, and means an
 * end.  It must not know what a server is, nor what waits (l_signal.c does).
 *
 * Signals belong to the process, so what is static here and in l_crew.c is
 * weft's one exception to keeping no state of the process's: one instance at a
 * time owns it.  The handler leaves the signal's number and wakes the loop through a
 * pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lua/signal.h"
#include "lua/state.h"
#include "net/clock.h"
#include "net/sock.h"

enum { SIGNALS = 3 };

static const int numbers[SIGNALS] = { SIGINT, SIGTERM, SIGHUP };

static _Atomic(struct weft_instance *) owner;
static struct sigaction before[SIGNALS];
static int held;              /* how many of the signals are ours */
static bool had_terminal;
static volatile sig_atomic_t arrived; /* and not yet waited for; or 0 */
static volatile sig_atomic_t renewal; /* SIGHUP has, the same */
static volatile sig_atomic_t wake_fd;
static int64_t first_at; /* the handler's own; 0: none came */

bool
weft_has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    bool has = fd >= 0;

    weft_sock_close(&fd);
    return has;
}

void
weft_signal_die(int number)
{
    if (getpid() == 1)
        _exit(128 + number);
    signal(number, SIG_DFL);
    raise(number);
}

static void
on_signal(int number)
{
    int error = errno;
    int64_t now = weft_now();

    if (number == SIGHUP && (!had_terminal || weft_has_terminal())) {
        renewal = 1;
        weft_sock_wake((int)wake_fd);
    } else if (first_at == 0) {
        first_at = now;
        arrived = number == SIGHUP ? SIGTERM : number;
        weft_sock_wake((int)wake_fd);
    } else if (number != SIGHUP && now - first_at > WEFT_ONE_BREATH) {
        weft_signal_die(number);
    }
    errno = error;
}

/* nohup(1) has it ignored, and that is how it stays. */
static bool
is_ignored(int number)
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static void
install(bool hangup)
{
    struct sigaction action = { .sa_flags = SA_RESTART };

    held = hangup && !is_ignored(SIGHUP) ? SIGNALS : SIGNALS - 1;
    had_terminal = weft_has_terminal();
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&action.sa_mask, numbers[i]);
    for (int i = 0; i < SIGNALS && i < held; i++)
        sigaction(numbers[i], &action, &before[i]);
}

bool
weft_signal_begin(struct weft_instance *I, bool hangup)
{
    struct weft_instance *nobody = NULL;
    int fds[2];

    if (!atomic_compare_exchange_strong(&owner, &nobody, I))
        return false;
    if (weft_sock_pipe(fds) < 0)
        goto fail;
    I->signal_watch = (struct weft_user_watch){ .watch = { .fd = fds[0] } };
    if (weft_loop_watch(&I->loop, &I->signal_watch, WEFT_READABLE) != WEFT_OK)
        goto fail_pipe;
    I->signal_fd = fds[1];
    wake_fd = fds[1];
    arrived = 0;
    renewal = 0;
    first_at = 0;
    install(hangup);
    return true;

fail_pipe:
    weft_sock_close(&fds[0]);
    weft_sock_close(&fds[1]);
fail:
    atomic_store(&owner, NULL);
    return false;
}

void
weft_signal_end(struct weft_instance *I)
{
    if (atomic_load(&owner) != I)
        return;
    for (int i = 0; i < SIGNALS && i < held; i++)
        sigaction(numbers[i], &before[i], NULL);
    if (I->loop.poller != NULL)
        weft_loop_watch(&I->loop, &I->signal_watch, 0);
    weft_sock_close(&I->signal_watch.watch.fd);
    weft_sock_close(&I->signal_fd);
    atomic_store(&owner, NULL);
}

int
weft_signal_take(const struct weft_instance *I)
{
    int number = atomic_load(&owner) == I ? (int)arrived : 0;

    if (number != 0) {
        arrived = 0;
    } else if (atomic_load(&owner) == I && renewal != 0) {
        renewal = 0;
        number = SIGHUP;
    }
    return number;
}
