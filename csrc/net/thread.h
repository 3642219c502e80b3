/*
 * Threads for what would block: nothing but their start.
 */
#ifndef WEFT_NET_THREAD_H
#define WEFT_NET_THREAD_H

/*
 * Runs run(argument) on a detached thread with a small stack, to which no
 * signal is delivered; the module stays loaded under it.  0, or an errno.
 */
int weft_thread_start(void *(*run)(void *), void *argument);

#endif
