/*
 * How a loop inside somebody else's says that there is something to do.  It must
 * not know what.
 *
 * The kernel's part the poller's own descriptor tells.  What comes up between
 * turns (a send, a task that is started) nobody would see: it writes to a pipe
 * that the poller watches.  Inside a turn that is not needed, and while nobody
 * has asked for the descriptor there is no pipe.
 */
#include <errno.h>

#include "loop/link_inner.h"
#include "net/sock.h"

static enum weft_status
make_pipe(struct weft_loop *loop)
{
    int ends[2], error = -weft_sock_pipe(ends);

    if (error == 0) {
        loop->wake = (struct weft_watch){ .fd = ends[0],
                                          .kind = WEFT_KIND_WAKE };
        loop->wake_fd = ends[1];
        if (weft_poller_set(loop->poller, &loop->wake, WEFT_READABLE)
            == WEFT_OK)
            return WEFT_OK;
        error = errno;
        weft_loop_end_wake(loop);
    }
    errno = error;
    return WEFT_E_SYSTEM;
}

int
weft_loop_fd(struct weft_loop *loop)
{
    int fd = weft_poller_fd(loop->poller);

    if (fd < 0)
        errno = 0;
    else if (loop->wake_fd < 0 && make_pipe(loop) != WEFT_OK)
        return -1;
    return fd;
}

void
weft_loop_doze(struct weft_loop *loop, bool busy)
{
    if (loop->wake_fd < 0)
        return;
    loop->dozes = true;
    if (busy || weft_loop_timeout(loop) == 0)
        weft_loop_rouse(loop);
}

void
weft_loop_rouse(struct weft_loop *loop)
{
    loop->dozes = false;
    weft_sock_wake(loop->wake_fd);
}

void
weft_loop_end_wake(struct weft_loop *loop)
{
    if (loop->wake_fd < 0)
        return;
    loop->dozes = false;
    weft_sock_close(&loop->wake.fd);
    weft_sock_close(&loop->wake_fd);
}
