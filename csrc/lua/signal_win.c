/*
 * Signals where there are none: Windows ends a process on Ctrl-C, and weft
 * leaves that to it.
 */
#include "lua/signal.h"

bool
weft_signal_begin(struct weft_instance *I, bool hangup)
{
    (void)I;
    (void)hangup;
    return false;
}

void
weft_signal_end(struct weft_instance *I)
{
    (void)I;
}

int
weft_signal_take(const struct weft_instance *I)
{
    (void)I;
    return 0;
}
