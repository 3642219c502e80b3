/*
 * What a status means to the peer and to people.  It must not know who met it.
 */
#include "base/status.h"

int
weft_status_close_code(enum weft_status status)
{
    switch (status) {
    case WEFT_E_UTF8: /* 7.4.1: data that is not consistent with its type */
    case WEFT_E_CLOSE_UTF8:
    case WEFT_E_DEFLATE:
        return 1007;
    case WEFT_E_MESSAGE_TOO_BIG: /* 7.4.1: too big to process */
    case WEFT_E_FRAME_TOO_BIG:
    case WEFT_E_TOO_MANY_FRAGMENTS:
        return 1009;
    case WEFT_E_TOO_MANY_MESSAGES: /* 7.4.1: it violates our policy */
    case WEFT_E_TOO_MANY_BYTES:
        return 1008;
    case WEFT_E_OVER_MEMORY: /* registered with IANA: try again later */
        return 1013;
    default: /* 7.4.1: 1002 for a breach of protocol, 1011 for our own */
        return status <= WEFT_E_RESERVED_BITS ? 1002 : 1011;
    }
}

const char *
weft_status_text(enum weft_status status)
{
    switch (status) {
    case WEFT_OK:
        return "done";
    case WEFT_MORE:
        return "more input is needed";
    case WEFT_EVENT:
        return "there is an event";
    case WEFT_E_MEMORY:
        return "out of memory";
    case WEFT_E_CLOSED:
        return "the connection is closed for sending";
    case WEFT_E_BUSY:
        return "another message is being written in pieces";
    case WEFT_E_SYSTEM:
        return "a system call failed";
    case WEFT_E_HEAD:
        return "the HTTP head was refused";
    case WEFT_E_TLS:
        return "TLS failed";
    case WEFT_E_RESERVED_BITS:
        return "the peer sent a frame with a reserved bit set "
               "(RFC 6455, 5.2)";
    case WEFT_E_OPCODE:
        return "the peer sent a frame with an unknown opcode "
               "(RFC 6455, 5.2)";
    case WEFT_E_LENGTH_NOT_MINIMAL:
        return "the peer sent a frame whose length is not written in the "
               "fewest bytes (RFC 6455, 5.2)";
    case WEFT_E_LENGTH_OVERFLOW:
        return "the peer sent a frame length with the highest bit set "
               "(RFC 6455, 5.2)";
    case WEFT_E_UNMASKED:
        return "the client sent a frame without a mask (RFC 6455, 5.1)";
    case WEFT_E_MASKED:
        return "the server sent a masked frame (RFC 6455, 5.1)";
    case WEFT_E_CONTROL_FRAGMENTED:
        return "the peer sent a control frame in fragments (RFC 6455, 5.5)";
    case WEFT_E_CONTROL_TOO_LONG:
        return "a control frame carries more than 125 bytes "
               "(RFC 6455, 5.5)";
    case WEFT_E_CONTINUATION:
        return "the peer sent a continuation frame without a message to "
               "continue (RFC 6455, 5.4)";
    case WEFT_E_INTERLEAVED:
        return "the peer began a message inside another one "
               "(RFC 6455, 5.4)";
    case WEFT_E_UTF8:
        return "the peer sent text that is not UTF-8 (RFC 6455, 8.1)";
    case WEFT_E_CLOSE_LENGTH:
        return "the peer sent a close frame with a body of one byte "
               "(RFC 6455, 5.5.1)";
    case WEFT_E_CLOSE_CODE:
        return "the peer sent a close code that must not be sent "
               "(RFC 6455, 7.4)";
    case WEFT_E_CLOSE_UTF8:
        return "the peer sent a close reason that is not UTF-8 "
               "(RFC 6455, 5.5.1)";
    case WEFT_E_MESSAGE_TOO_BIG:
        return "the peer sent a message over the limit of max_message "
               "(RFC 6455, 10.4)";
    case WEFT_E_FRAME_TOO_BIG:
        return "the peer sent a frame over the limit of max_frame "
               "(RFC 6455, 10.4)";
    case WEFT_E_TOO_MANY_FRAGMENTS:
        return "the peer sent a message in more frames than max_fragments "
               "(RFC 6455, 10.4)";
    case WEFT_E_DEFLATE:
        return "the peer sent a compressed message that cannot be inflated "
               "(RFC 7692, 7.2.2)";
    case WEFT_E_TOO_MANY_MESSAGES:
        return "the peer sent more messages than the option rate lets it "
               "(RFC 6455, 10.4)";
    case WEFT_E_TOO_MANY_BYTES:
        return "the peer sent more bytes than the option rate lets it "
               "(RFC 6455, 10.4)";
    case WEFT_E_OVER_MEMORY:
        return "memory_limit was passed, and this connection held the most";
    }
    return "unknown status";
}
