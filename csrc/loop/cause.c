/*
 * The words for why a connection ended.
 */
#include "loop/cause.h"

#include <stddef.h>

const char *
weft_cause_name(enum weft_cause cause)
{
    static const char *const names[] = {
        [WEFT_CAUSE_NONE] = "",
        [WEFT_CAUSE_PEER] = "peer",
        [WEFT_CAUSE_LOCAL] = "local",
        [WEFT_CAUSE_HANDLER] = "handler",
        [WEFT_CAUSE_ERROR] = "error",
        [WEFT_CAUSE_PROTOCOL] = "protocol",
        [WEFT_CAUSE_TOO_BIG] = "too_big",
        [WEFT_CAUSE_PING_TIMEOUT] = "ping_timeout",
        [WEFT_CAUSE_IDLE] = "idle",
        [WEFT_CAUSE_TIMEOUT] = "timeout",
        [WEFT_CAUSE_SLOW] = "slow",
        [WEFT_CAUSE_RESET] = "reset",
        [WEFT_CAUSE_EOF] = "eof",
        [WEFT_CAUSE_TLS] = "tls",
        [WEFT_CAUSE_SHUTDOWN] = "shutdown",
        [WEFT_CAUSE_CANCELLED] = "cancelled",
        [WEFT_CAUSE_COLLECTED] = "collected",
    };

    return names[cause];
}

const char *
weft_cause_text(enum weft_cause cause)
{
    static const char *const texts[] = {
        [WEFT_CAUSE_NONE] = NULL,
        [WEFT_CAUSE_PEER] = "the peer closed the connection",
        [WEFT_CAUSE_LOCAL] = "this side closed the connection",
        [WEFT_CAUSE_HANDLER] = "the handler returned",
        [WEFT_CAUSE_ERROR] = "the handler raised an error",
        [WEFT_CAUSE_PROTOCOL] = "the peer broke the protocol",
        [WEFT_CAUSE_TOO_BIG] = "the peer sent too much",
        [WEFT_CAUSE_PING_TIMEOUT] = "the peer did not answer a ping in time",
        [WEFT_CAUSE_IDLE] = "no message went either way for idle_timeout",
        [WEFT_CAUSE_TIMEOUT] = "timed out",
        [WEFT_CAUSE_SLOW] = "the peer does not take what it is sent",
        [WEFT_CAUSE_RESET] = "the connection broke",
        [WEFT_CAUSE_EOF] = "the peer went without a close frame",
        [WEFT_CAUSE_TLS] = "TLS failed",
        [WEFT_CAUSE_SHUTDOWN] = "the server is closing",
        [WEFT_CAUSE_CANCELLED] = "the handler was cancelled",
        [WEFT_CAUSE_COLLECTED] = "nothing referred to the connection",
    };

    return texts[cause];
}
