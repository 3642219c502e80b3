/*
 * weft.h: an endpoint behind a face that shows none of its insides, and checks
 * what it is told, as the endpoint does not.  It must not know Lua.
 */
#include "capi/weft.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "capi/options.h"
#include "proto/endpoint.h"

struct weft_protocol {
    struct weft_endpoint e;
    struct weft_span *kept; /* owned: what the endpoint's options point to, its
                               subprotocols first */
};

const char *
weft_protocol_version(void)
{
    return WEFT_VERSION;
}

const char *
weft_protocol_text(enum weft_protocol_status status)
{
    switch (status) {
    case WEFT_PROTOCOL_OK:
        return "done";
    case WEFT_PROTOCOL_EVENT:
        return "there is an event";
    case WEFT_PROTOCOL_E_MEMORY:
        return "out of memory";
    case WEFT_PROTOCOL_E_CLOSED:
        return "the connection is closed";
    case WEFT_PROTOCOL_E_CONNECTING:
        return "the opening handshake is not complete";
    case WEFT_PROTOCOL_E_KIND:
        return "a message is text or binary";
    case WEFT_PROTOCOL_E_UTF8:
        return "text must be UTF-8 (RFC 6455, 5.6)";
    case WEFT_PROTOCOL_E_CODE:
        return "this close code must not be sent (RFC 6455, 7.4)";
    case WEFT_PROTOCOL_E_LENGTH:
        return "a control frame carries at most 125 bytes (RFC 6455, 5.5)";
    case WEFT_PROTOCOL_E_HOST:
        return "option host: expected host or host:port";
    case WEFT_PROTOCOL_E_TARGET:
        return "option target: expected a path with its query";
    case WEFT_PROTOCOL_E_ORIGIN:
        return "option origin: expected the value of a header";
    case WEFT_PROTOCOL_E_ORIGINS:
        return "option origins: expected a list of origins";
    case WEFT_PROTOCOL_E_USER_AGENT:
        return "option user_agent: expected the value of a header";
    case WEFT_PROTOCOL_E_SUBPROTOCOLS:
        return "option subprotocols: expected at most 64 tokens, each once";
    case WEFT_PROTOCOL_E_HEADERS:
        return "option headers: expected lines \"Name: value\\r\\n\", none of "
               "the handshake's own names";
    case WEFT_PROTOCOL_E_COMPRESSION:
        return "option compression: expected one of its three values";
    case WEFT_PROTOCOL_E_LEVEL:
        return "option compression_level: expected 1 to 9, or 0 for 6";
    }
    return "unknown status";
}

/* What the floors below come to, in the words of this one. */
static enum weft_protocol_status
status_of(const struct weft_protocol *p, enum weft_status rc)
{
    if (rc >= 0)
        return WEFT_PROTOCOL_OK;
    if (rc == WEFT_E_CONTROL_TOO_LONG)
        return WEFT_PROTOCOL_E_LENGTH;
    if (rc != WEFT_E_CLOSED)
        return WEFT_PROTOCOL_E_MEMORY;
    return weft_endpoint_state(&p->e) == WEFT_CONNECTING
               ? WEFT_PROTOCOL_E_CONNECTING
               : WEFT_PROTOCOL_E_CLOSED;
}

/* Beginning and end ------------------------------------------------------- */

static enum weft_status
start(struct weft_endpoint *e, enum weft_role role,
      const struct weft_endpoint_options *o)
{
    return role == WEFT_SERVER ? weft_endpoint_server(e, o)
                               : weft_endpoint_client(e, o);
}

static enum weft_protocol_status
begin(struct weft_protocol **to, enum weft_role role,
      const struct weft_protocol_options *options)
{
    struct weft_protocol_options none = { 0 };
    struct weft_endpoint_options o = { 0 };
    struct weft_protocol *p;
    enum weft_protocol_status status;

    *to = NULL;
    if (options == NULL)
        options = &none;
    status = weft_options_check(options, role);
    if (status != WEFT_PROTOCOL_OK)
        return status;
    p = weft_zalloc(sizeof(*p));
    if (p == NULL)
        return WEFT_PROTOCOL_E_MEMORY;
    p->kept = weft_options_keep(options, role, &o);
    if (p->kept == NULL || start(&p->e, role, &o) != WEFT_OK) {
        weft_free(p->kept);
        weft_free(p);
        return WEFT_PROTOCOL_E_MEMORY;
    }
    *to = p;
    return WEFT_PROTOCOL_OK;
}

enum weft_protocol_status
weft_protocol_server(struct weft_protocol **p,
                     const struct weft_protocol_options *options)
{
    return begin(p, WEFT_SERVER, options);
}

enum weft_protocol_status
weft_protocol_client(struct weft_protocol **p,
                     const struct weft_protocol_options *options)
{
    return begin(p, WEFT_CLIENT, options);
}

void
weft_protocol_free(struct weft_protocol *p)
{
    if (p == NULL)
        return;
    weft_endpoint_deinit(&p->e);
    weft_free(p->kept);
    weft_free(p);
}

/* Bytes in, events out ---------------------------------------------------- */

enum weft_protocol_status
weft_protocol_feed(struct weft_protocol *p, const void *bytes, size_t len)
{
    return status_of(p, weft_endpoint_feed(&p->e, len > 0 ? bytes : "", len));
}

static void
fill(struct weft_protocol_event *ev, enum weft_protocol_type type,
     const char *data, size_t len, unsigned code)
{
    *ev = (struct weft_protocol_event){ type, len > 0 ? data : "", len, code };
}

static enum weft_protocol_type
type_of(const struct weft_event *ev)
{
    switch (ev->type) {
    case WEFT_EVENT_PING:
        return WEFT_PROTOCOL_PING;
    case WEFT_EVENT_PONG:
        return WEFT_PROTOCOL_PONG;
    case WEFT_EVENT_CLOSE:
        return WEFT_PROTOCOL_CLOSE;
    default:
        return ev->opcode == WEFT_TEXT ? WEFT_PROTOCOL_TEXT
                                       : WEFT_PROTOCOL_BINARY;
    }
}

static void
fill_open(const struct weft_protocol *p, struct weft_protocol_event *ev)
{
    const char *agreed = weft_protocol_subprotocol(p);

    fill(ev, WEFT_PROTOCOL_OPEN, agreed, agreed != NULL ? strlen(agreed) : 0,
         0);
}

static void
fill_found(const struct weft_protocol *p, struct weft_protocol_event *ev)
{
    const struct weft_event *found = &p->e.event;
    enum weft_protocol_type type = type_of(found);

    fill(ev, type, (const char *)found->data, found->len,
         type == WEFT_PROTOCOL_CLOSE ? found->code : 0);
}

enum weft_protocol_status
weft_protocol_next(struct weft_protocol *p, struct weft_protocol_event *ev)
{
    enum weft_status rc;

    weft_endpoint_take(&p->e); /* the one before */
    rc = weft_endpoint_look(&p->e);
    if (rc != WEFT_EVENT)
        return status_of(p, rc);
    if (p->e.found == WEFT_FOUND_OPEN)
        fill_open(p, ev);
    else if (p->e.found == WEFT_FOUND_EVENT)
        fill_found(p, ev);
    else
        fill(ev, WEFT_PROTOCOL_ERROR, p->e.error, strlen(p->e.error),
             p->e.code);
    return WEFT_PROTOCOL_EVENT;
}

/* The peer's head while it is to be seen, else NULL. */
static const struct weft_opening *
seen_opening(const struct weft_protocol *p)
{
    return p->e.found == WEFT_FOUND_OPEN ? p->e.opening : NULL;
}

const char *
weft_protocol_target(const struct weft_protocol *p, size_t *len)
{
    const struct weft_opening *o = seen_opening(p);

    *len = 0;
    if (o == NULL || o->role != WEFT_SERVER)
        return NULL;
    *len = o->head.target.len;
    return (const char *)weft_buf_head(&o->bytes) + o->head.target.at;
}

bool
weft_protocol_field_at(const struct weft_protocol *p, size_t i,
                       struct weft_protocol_field *to)
{
    const struct weft_opening *o = seen_opening(p);
    const struct weft_field *f;
    const char *bytes;

    if (o == NULL || i >= o->head.count)
        return false;
    f = &o->head.fields[i];
    bytes = (const char *)weft_buf_head(&o->bytes);
    *to = (struct weft_protocol_field){ bytes + f->name.at, bytes + f->value.at,
                                        f->name.len, f->value.len };
    return true;
}

const char *
weft_protocol_header(const struct weft_protocol *p, const char *name,
                     size_t *len)
{
    struct weft_protocol_field f;

    *len = 0;
    for (size_t i = 0; weft_protocol_field_at(p, i, &f); i++) {
        struct weft_span found = { f.name, f.name_len };

        if (!weft_http_same(found, weft_http_text(name)))
            continue;
        *len = f.value_len;
        return f.value;
    }
    return NULL;
}

/* Bytes to send ----------------------------------------------------------- */

const char *
weft_protocol_output(const struct weft_protocol *p, size_t *len)
{
    struct weft_span out = weft_endpoint_output(&p->e);

    *len = out.len;
    return out.data;
}

void
weft_protocol_sent(struct weft_protocol *p, size_t len)
{
    size_t most = weft_endpoint_output(&p->e).len;

    weft_endpoint_sent(&p->e, len < most ? len : most);
}

typedef enum weft_status sender(struct weft_endpoint *, enum weft_opcode,
                                const void *, size_t);

static enum weft_protocol_status
send_by(struct weft_protocol *p, sender *send, enum weft_protocol_type kind,
        const void *data, size_t len)
{
    bool text = kind == WEFT_PROTOCOL_TEXT;

    if (!text && kind != WEFT_PROTOCOL_BINARY)
        return WEFT_PROTOCOL_E_KIND;
    if (len == 0)
        data = ""; /* where NULL would not do */
    if (text && !weft_utf8_is_text(data, len))
        return WEFT_PROTOCOL_E_UTF8;
    return status_of(p, send(&p->e, text ? WEFT_TEXT : WEFT_BINARY, data,
                             len));
}

enum weft_protocol_status
weft_protocol_send(struct weft_protocol *p, enum weft_protocol_type kind,
                   const void *data, size_t len)
{
    return send_by(p, weft_endpoint_send, kind, data, len);
}

enum weft_protocol_status
weft_protocol_send_plain(struct weft_protocol *p, enum weft_protocol_type kind,
                         const void *data, size_t len)
{
    return send_by(p, weft_endpoint_send_plain, kind, data, len);
}

enum weft_protocol_status
weft_protocol_ping(struct weft_protocol *p, const void *data, size_t len)
{
    return status_of(p, weft_endpoint_ping(&p->e, len > 0 ? data : "", len));
}

enum weft_protocol_status
weft_protocol_pong(struct weft_protocol *p, const void *data, size_t len)
{
    return status_of(p, weft_endpoint_pong(&p->e, len > 0 ? data : "", len));
}

enum { NO_CODE = 1005 }; /* 7.4.1: stands for none, and is not sent */

enum weft_protocol_status
weft_protocol_close(struct weft_protocol *p, unsigned code, const void *reason,
                    size_t len)
{
    enum weft_status rc;

    if (code != NO_CODE && !weft_close_code_valid(code))
        return WEFT_PROTOCOL_E_CODE;
    if (len > (code == NO_CODE ? 0 : WEFT_REASON_MAX))
        return WEFT_PROTOCOL_E_LENGTH;
    if (len == 0)
        reason = "";
    if (!weft_utf8_is_text(reason, len))
        return WEFT_PROTOCOL_E_UTF8;
    rc = weft_endpoint_close(&p->e, code, reason, len);
    if (rc == WEFT_E_CLOSED && weft_endpoint_state(&p->e) == WEFT_CLOSED)
        return WEFT_PROTOCOL_OK;
    return status_of(p, rc);
}

/* Questions --------------------------------------------------------------- */

enum weft_protocol_state
weft_protocol_state(const struct weft_protocol *p)
{
    switch (weft_endpoint_state(&p->e)) {
    case WEFT_CONNECTING:
        return WEFT_PROTOCOL_IS_CONNECTING;
    case WEFT_OPEN:
        return WEFT_PROTOCOL_IS_OPEN;
    case WEFT_CLOSING:
        return WEFT_PROTOCOL_IS_CLOSING;
    case WEFT_CLOSED:
        break;
    }
    return WEFT_PROTOCOL_IS_CLOSED;
}

unsigned
weft_protocol_close_code(const struct weft_protocol *p)
{
    return weft_endpoint_close_code(&p->e);
}

const char *
weft_protocol_subprotocol(const struct weft_protocol *p)
{
    return p->e.protocol < 0 ? NULL : p->kept[p->e.protocol].data;
}

bool
weft_protocol_compresses(const struct weft_protocol *p)
{
    return p->e.agreed.on;
}
