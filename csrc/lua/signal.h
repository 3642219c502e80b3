/*
 * Signals of the process, taken for one instance at a time.
 */
#ifndef WEFT_LUA_SIGNAL_H
#define WEFT_LUA_SIGNAL_H

#include <stdbool.h>

struct weft_instance;

/* Whoever sends a signal twice within so many nanoseconds means it once:
 * timeout(1) signals the process and then its group. */
#define WEFT_ONE_BREATH (WEFT_SECOND / 5000)

/* Whether the process can reach a terminal; fit for a signal handler.  SIGHUP
 * says that the one it had is gone, or else it is somebody's order. */
bool weft_has_terminal(void);

/* Ends the process by this signal: in its handler when that returns.  The first
 * process of a container no signal ends of itself: it exits as if one had. */
void weft_signal_die(int number);

/* Takes SIGINT and SIGTERM, and with `hangup` SIGHUP, for the instance, until
 * weft_signal_end: from then on its signal_watch is readable when one has come.
 * False when another instance has them or descriptors are out. */
bool weft_signal_begin(struct weft_instance *I, bool hangup);

/* Puts the old handlers back if it is this instance that took the signals;
 * for an instance that is being closed, before its loop is deinited. */
void weft_signal_end(struct weft_instance *I);

/* The signal that has come and that nobody has taken yet, or 0; an end goes
 * before a renewal. */
int weft_signal_take(const struct weft_instance *I);

#endif
