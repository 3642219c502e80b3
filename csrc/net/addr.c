/*
 * Addresses as words.  It opens no socket and asks no resolver; it must not
 * know what an address is wanted for.
 *
 * Addresses are copied in and out of the storage, never cast: that would
 * break the aliasing rules.
 */
#include "net/addr.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/inet.h"

#ifdef _WIN32
#include <iphlpapi.h>
#else
#include <net/if.h>
#endif

static void
store(struct weft_addr *a, const void *from, size_t len)
{
    memset(a, 0, sizeof(*a));
    memcpy(&a->storage, from, len);
    a->len = (socklen_t)len;
}

/* A zone is an interface's name or its number. */
static bool
parse_zone(const char *zone, uint32_t *id)
{
    char *end;
    unsigned long number;

    *id = if_nametoindex(zone);
    if (*id != 0)
        return true;
    if (zone[0] < '0' || zone[0] > '9')
        return false;
    number = strtoul(zone, &end, 10);
    *id = (uint32_t)number;
    return *end == '\0' && number <= UINT32_MAX;
}

/* The part before a zone; *zone is what follows %, or NULL. */
static bool
parse_v6(struct sockaddr_in6 *v6, const char *host, const char **zone)
{
    char literal[INET6_ADDRSTRLEN];
    const char *percent = strchr(host, '%');
    size_t len = percent != NULL ? (size_t)(percent - host) : strlen(host);

    *zone = percent != NULL ? percent + 1 : NULL;
    if (len >= sizeof(literal))
        return false;
    memcpy(literal, host, len);
    literal[len] = '\0';
    return inet_pton(AF_INET6, literal, &v6->sin6_addr) == 1;
}

bool
weft_addr_parse(struct weft_addr *a, const char *host, uint16_t port)
{
    struct sockaddr_in v4 = { 0 };
    struct sockaddr_in6 v6 = { 0 };
    const char *zone;
    uint32_t id = 0;

    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        store(a, &v4, sizeof(v4));
        return true;
    }
    if (parse_v6(&v6, host, &zone)
        && (zone == NULL || parse_zone(zone, &id))) {
        v6.sin6_scope_id = id;
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        store(a, &v6, sizeof(v6));
        return true;
    }
    return false;
}

void
weft_addr_from_bytes(struct weft_addr *a, const uint8_t *bytes, size_t len,
                     uint16_t port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(port) };

    if (len == sizeof(v4.sin_addr)) {
        memcpy(&v4.sin_addr, bytes, len);
        store(a, &v4, sizeof(v4));
    } else {
        memcpy(&v6.sin6_addr, bytes, sizeof(v6.sin6_addr));
        store(a, &v6, sizeof(v6));
    }
}

bool
weft_addr_zone_unknown(const char *host)
{
    struct sockaddr_in6 v6 = { 0 };
    const char *zone;
    uint32_t id;

    return parse_v6(&v6, host, &zone) && zone != NULL
           && !parse_zone(zone, &id);
}

bool
weft_addr_unix(struct weft_addr *a, const char *path)
{
    struct sockaddr_un un = { 0 };
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(un.sun_path))
        return false;
    un.sun_family = AF_UNIX;
    memcpy(un.sun_path, path, len + 1);
    store(a, &un, offsetof(struct sockaddr_un, sun_path) + len + 1);
    return true;
}

uint16_t
weft_addr_port(const struct weft_addr *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (a->storage.ss_family) {
    case AF_INET:
        memcpy(&v4, &a->storage, sizeof(v4));
        return ntohs(v4.sin_port);
    case AF_INET6:
        memcpy(&v6, &a->storage, sizeof(v6));
        return ntohs(v6.sin6_port);
    default:
        return 0;
    }
}

void
weft_addr_set_port(struct weft_addr *a, uint16_t port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (a->storage.ss_family) {
    case AF_INET:
        memcpy(&v4, &a->storage, sizeof(v4));
        v4.sin_port = htons(port);
        memcpy(&a->storage, &v4, sizeof(v4));
        break;
    case AF_INET6:
        memcpy(&v6, &a->storage, sizeof(v6));
        v6.sin6_port = htons(port);
        memcpy(&a->storage, &v6, sizeof(v6));
        break;
    default:
        break;
    }
}

static void
print_v6(const struct sockaddr_in6 *v6, char to[WEFT_ADDR_TEXT])
{
    char name[IF_NAMESIZE];
    size_t len;

    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], to, WEFT_ADDR_TEXT);
        return;
    }
    inet_ntop(AF_INET6, &v6->sin6_addr, to, WEFT_ADDR_TEXT);
    if (v6->sin6_scope_id == 0)
        return;
    len = strlen(to);
    if (if_indextoname(v6->sin6_scope_id, name) != NULL)
        snprintf(to + len, WEFT_ADDR_TEXT - len, "%%%s", name);
    else
        snprintf(to + len, WEFT_ADDR_TEXT - len, "%%%lu",
                 (unsigned long)v6->sin6_scope_id);
}

static void
print_unix(const struct weft_addr *a, char to[WEFT_ADDR_TEXT])
{
    struct sockaddr_un un = { 0 };
    size_t len = (size_t)a->len < sizeof(un) ? (size_t)a->len : sizeof(un);

    memcpy(&un, &a->storage, len);
    snprintf(to, WEFT_ADDR_TEXT, "%.*s", (int)sizeof(un.sun_path),
             un.sun_path[0] != '\0' ? un.sun_path : "unix");
}

void
weft_addr_host(const struct weft_addr *a, char to[WEFT_ADDR_TEXT])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (a->storage.ss_family) {
    case AF_INET:
        memcpy(&v4, &a->storage, sizeof(v4));
        inet_ntop(AF_INET, &v4.sin_addr, to, WEFT_ADDR_TEXT);
        break;
    case AF_INET6:
        memcpy(&v6, &a->storage, sizeof(v6));
        print_v6(&v6, to);
        break;
    case AF_UNIX:
        print_unix(a, to);
        break;
    default:
        snprintf(to, WEFT_ADDR_TEXT, "unknown");
        break;
    }
}
