/*
 * Ranges of addresses.  It must not know what being in one is good for.
 */
#include "net/range.h"

#include <stddef.h>
#include <string.h>

#include "base/inet.h"

/* The address without its port, as a range that holds it alone. */
static struct weft_range
range_of(const struct weft_addr *a)
{
    struct weft_range r = { .family = a->storage.ss_family };
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;

    if (r.family == AF_INET) {
        memcpy(&v4, &a->storage, sizeof(v4));
        memcpy(r.bytes, &v4.sin_addr, 4);
        r.bits = 32;
    } else if (r.family == AF_INET6) {
        memcpy(&v6, &a->storage, sizeof(v6));
        memcpy(r.bytes, &v6.sin6_addr, 16);
        r.bits = 128;
    }
    return r;
}

/* An IPv4 address mapped into IPv6 is one of IPv4, and so is such a range. */
static void
unmap(struct weft_range *r)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (r->family != AF_INET6 || r->bits < 96
        || memcmp(r->bytes, mapped, sizeof(mapped)) != 0)
        return;
    r->family = AF_INET;
    memmove(r->bytes, r->bytes + 12, 4);
    r->bits = (uint8_t)(r->bits - 96);
}

/* "0" to as many as there are, without a leading zero. */
static bool
parse_bits(const char *text, uint8_t most, uint8_t *bits)
{
    unsigned n = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (unsigned)(*text - '0');
    }
    *bits = (uint8_t)n;
    return n <= most;
}

bool
weft_range_parse(struct weft_range *r, const char *text)
{
    const char *slash = strchr(text, '/');
    char host[WEFT_ADDR_TEXT];
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct weft_addr a;

    *r = (struct weft_range){ .family = AF_UNIX };
    if (strcmp(text, "unix") == 0)
        return true;
    if (len >= sizeof(host) || memchr(text, '%', len) != NULL)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (!weft_addr_parse(&a, host, 0))
        return false;
    *r = range_of(&a);
    if (slash != NULL && !parse_bits(slash + 1, r->bits, &r->bits))
        return false;
    unmap(r);
    return true;
}

static bool
holds(const struct weft_range *r, const struct weft_range *one)
{
    size_t whole = r->bits / 8;
    uint8_t left = r->bits % 8;

    if (r->family != one->family || memcmp(r->bytes, one->bytes, whole) != 0)
        return false;
    return left == 0
           || (r->bytes[whole] ^ one->bytes[whole]) >> (8 - left) == 0;
}

bool
weft_ranges_hold(const struct weft_range *ranges, size_t count,
                 const struct weft_addr *a)
{
    struct weft_range one = range_of(a);

    unmap(&one);
    for (size_t i = 0; i < count; i++)
        if (holds(&ranges[i], &one))
            return true;
    return false;
}
