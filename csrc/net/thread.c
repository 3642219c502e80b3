/*
 * Threads as POSIX has them.  It must not know what they run.
 */
#include "net/thread.h"

#include <pthread.h>
#include <signal.h>

enum { STACK = 512 << 10 /* glibc's resolver and its plugins are hungry */ };

/* The module stays loaded: it was linked so. */
int
weft_thread_start(void *(*run)(void *), void *argument)
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
    error = pthread_create(&thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}
