/*
 * The options of weft.h, which anybody may have filled in, and what an endpoint
 * takes.
 */
#ifndef WEFT_CAPI_OPTIONS_H
#define WEFT_CAPI_OPTIONS_H

#include "base/bytes.h"
#include "capi/weft.h"
#include "proto/endpoint.h"

/* Whether they are as weft.h wants them: WEFT_PROTOCOL_OK, or which is not. */
enum weft_protocol_status weft_options_check(
    const struct weft_protocol_options *o, enum weft_role role);

/*
 * Fills *to from options that were checked.  Its lists and headers point into
 * what this returns, which begins with the subprotocols, each with a NUL behind
 * it: the caller's, for weft_free(); its other strings are those of *o.  NULL
 * when memory is out.
 */
struct weft_span *weft_options_keep(const struct weft_protocol_options *o,
                                    enum weft_role role,
                                    struct weft_endpoint_options *to);

#endif
