/*
 * Responses on their way out.  It must not know what they answer.
 */
#include "proto/http_response.h"

#include <stdio.h>

#include "proto/writer.h"

/* Whether a line begins with the name and a colon. */
static bool
begins_with(struct weft_span line, struct weft_span name)
{
    return line.len > name.len && line.data[name.len] == ':'
           && weft_http_same((struct weft_span){ line.data, name.len }, name);
}

bool
weft_http_lines_name(struct weft_span lines, const char *name)
{
    struct weft_span wanted = weft_http_text(name);
    const char *end;

    for (; lines.len > 0; lines.len -= (size_t)(end - lines.data),
                          lines.data = end) {
        if (begins_with(lines, wanted))
            return true;
        end = memchr(lines.data, '\n', lines.len);
        end = end != NULL ? end + 1 : lines.data + lines.len;
    }
    return false;
}

bool
weft_http_never_has_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

static const char *
connection_of(const struct weft_http_response *r)
{
    bool upgrade = weft_http_lines_name(r->headers, "upgrade");

    switch (r->then) {
    case WEFT_THEN_KEEP:
        return upgrade ? "Upgrade" : NULL;
    case WEFT_THEN_KEEP_OLD:
        return upgrade ? "keep-alive, Upgrade" : "keep-alive";
    case WEFT_THEN_CLOSE:
        break;
    }
    return upgrade ? "close, Upgrade" : "close";
}

static void
put_named(struct weft_head_writer *w, const char *name, const char *value)
{
    if (value != NULL)
        weft_put_field(w, name, weft_http_text(value));
}

/* What there is in a head beside the caller's lines, in which it is looked for
 * once. */
struct parts {
    char status[32], length[24];
    const char *connection, *date, *type; /* NULL: none */
};

static void
take_apart(struct parts *p, const struct weft_http_response *r)
{
    bool typed = weft_http_lines_name(r->headers, "content-type");
    bool dated = weft_http_lines_name(r->headers, "date");

    snprintf(p->status, sizeof(p->status), "HTTP/1.1 %u ", r->status);
    snprintf(p->length, sizeof(p->length), "%llu",
             (unsigned long long)r->length);
    p->connection = connection_of(r);
    p->date = dated ? NULL : r->date;
    p->type = typed || (r->framing == WEFT_FRAMED_LENGTH && r->length == 0)
                  ? NULL
                  : "text/plain; charset=utf-8";
}

/* The lines that tell of the body. */
static void
put_framing(struct weft_head_writer *w, const struct weft_http_response *r,
            const struct parts *p)
{
    if (weft_http_never_has_body(r->status))
        return;
    put_named(w, "Content-Type", p->type);
    if (r->framing == WEFT_FRAMED_CHUNKS)
        put_named(w, "Transfer-Encoding", "chunked");
    if (r->framing == WEFT_FRAMED_LENGTH)
        put_named(w, "Content-Length", p->length);
}

static void
put_head(struct weft_head_writer *w, const struct weft_http_response *r,
         const struct parts *p)
{
    weft_put_text(w, p->status);
    weft_put_text(w, weft_http_reason(r->status));
    weft_put_text(w, "\r\n");
    put_named(w, "Connection", p->connection);
    put_named(w, "Date", p->date);
    weft_put(w, r->headers);
    put_framing(w, r, p);
    weft_put_text(w, "\r\n");
}

enum weft_status
weft_http_write_head(struct weft_buf *out, const struct weft_http_response *r)
{
    struct weft_head_writer w = { NULL, 0 };
    struct parts p;

    take_apart(&p, r);
    put_head(&w, r, &p);
    if (weft_writer_reserve(&w, out) != WEFT_OK)
        return WEFT_E_MEMORY;
    put_head(&w, r, &p);
    weft_buf_commit(out, w.len);
    return WEFT_OK;
}

enum weft_status
weft_http_respond(struct weft_buf *out, unsigned status,
                  struct weft_span headers, struct weft_span body,
                  bool head_only)
{
    struct weft_http_response r = { .status = status, .headers = headers,
                                    .length = body.len };
    bool told = !head_only && !weft_http_never_has_body(status);
    size_t before = out->tail;

    if (weft_http_write_head(out, &r) != WEFT_OK)
        return WEFT_E_MEMORY;
    if (!told || weft_buf_add(out, body.data, body.len) == WEFT_OK)
        return WEFT_OK;
    out->tail = before;
    return WEFT_E_MEMORY;
}

size_t
weft_http_chunk_head(char to[WEFT_CHUNK_HEAD], size_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t count = 1, rest = len;

    while (rest >= 16) {
        rest /= 16;
        count++;
    }
    for (size_t i = count; i-- > 0; len /= 16)
        to[i] = digits[len % 16];
    to[count] = '\r';
    to[count + 1] = '\n';
    return count + 2;
}

/* The civil date of a day counted from 1970-01-01, by eras of 400 years that
 * begin with March. */
static void
civil(int64_t day, int *year, unsigned *month, unsigned *date)
{
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned of_era = (unsigned)(z - era * 146097);
    unsigned years = (of_era - of_era / 1460 + of_era / 36524
                      - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * years + years / 4 - years / 100);
    unsigned m = (5 * of_year + 2) / 153;

    *date = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int)(era * 400) + (int)years + (*month <= 2);
}

void
weft_http_date(char to[WEFT_DATE_TEXT], int64_t seconds)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day;
    unsigned month, date, left;
    int year;

    if (seconds < 0 || seconds > 253402300799) /* the end of year 9999 */
        seconds = 0;
    day = seconds / 86400;
    left = (unsigned)(seconds % 86400);
    civil(day, &year, &month, &date);
    snprintf(to, WEFT_DATE_TEXT, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
             days + (day + 4) % 7 * 3, date % 100, months + (month - 1) * 3,
             (unsigned)year % 10000, left / 3600, left / 60 % 60, left % 60);
}
