/*
 * Arguments, checked.  Knows Lua, UTF-8 and the close codes; it must not know
 * whose methods these are, nor what becomes of what it lets pass.
 */
#include "lua/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Where weft's own Lua files are, as their chunks are named. */
static const char own_key = 0;

/* Windows takes both, and a path that Lua has searched may have both. */
static const char separators[] = { '/', LUA_DIRSEP[0], '\0' };

void
weft_remember_own(lua_State *L)
{
    lua_Debug ar;
    size_t folder = 0;

    if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "S", &ar))
        return;
    for (size_t i = 0; ar.source[i] != '\0'; i++)
        if (strchr(separators, ar.source[i]) != NULL)
            folder = i;
    if (folder == 0)
        return;
    lua_pushlstring(L, ar.source, folder);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &own_key);
}

static bool
is_in(const char *folder, const char *source)
{
    size_t len = strlen(folder);

    return strncmp(source, folder, len) == 0 && source[len] != '\0'
           && strchr(separators, source[len]) != NULL;
}

/* Pushes "file:line: " of the first caller that is not weft itself. */
static void
push_where(lua_State *L)
{
    const char *own;
    lua_Debug ar;
    int level = 1;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &own_key);
    own = lua_tostring(L, -1);
    while (own != NULL && lua_getstack(L, level, &ar)
           && lua_getinfo(L, "S", &ar)
           && is_in(own, ar.source))
        level++;
    lua_pop(L, 1);
    luaL_where(L, level);
}

int
weft_raise(lua_State *L, const char *format, ...)
{
    va_list arguments;

    push_where(L);
    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    lua_concat(L, 2);
    return lua_error(L);
}

int
weft_argument_error(lua_State *L, int arg, const char *fname,
                    const char *name, const char *expected)
{
    const char *got = luaL_typename(L, arg);

    if (lua_type(L, arg) == LUA_TNUMBER)
        got = lua_tonumber(L, arg) == lua_tonumber(L, arg)
                  ? luaL_tolstring(L, arg, NULL)
                  : "NaN";

    return weft_raise(L, "%s: argument '%s': expected %s, got %s", fname, name,
                      expected, got);
}

const char *
weft_check_string(lua_State *L, int arg, size_t *len, const char *fname,
                  const char *name)
{
    const char *s = lua_tolstring(L, arg, len);

    if (s != NULL)
        return s;
    weft_argument_error(L, arg, fname, name, "a string");
    return "";
}

enum weft_opcode
weft_check_kind(lua_State *L, int arg, const char *fname)
{
    const char *kind;
    size_t len;

    if (lua_isnoneornil(L, arg))
        return WEFT_TEXT;
    if (lua_type(L, arg) != LUA_TSTRING)
        weft_argument_error(L, arg, fname, "kind", "\"text\" or \"binary\"");
    kind = lua_tolstring(L, arg, &len);
    if (len == 4 && memcmp(kind, "text", 4) == 0)
        return WEFT_TEXT;
    if (len == 6 && memcmp(kind, "binary", 6) == 0)
        return WEFT_BINARY;
    weft_raise(L, "%s: argument 'kind': expected \"text\" or \"binary\", "
               "got \"%s\"", fname, kind);
    return WEFT_TEXT;
}

static bool
is_of_event(const char *name)
{
    return strcmp(name, "event") == 0 || strcmp(name, "id") == 0
           || strcmp(name, "retry") == 0;
}

/* Raises unless the option's name is one of ours; whether it is an event's. */
static bool
check_option_name(lua_State *L, bool may_wait, bool is_stream,
                  const char *fname)
{
    const char *name = "?";

    if (lua_type(L, -2) == LUA_TSTRING) {
        name = lua_tostring(L, -2);
        if (strcmp(name, "kind") == 0 || strcmp(name, "compress") == 0
            || (may_wait && strcmp(name, "timeout") == 0))
            return false;
        if (is_of_event(name) && is_stream)
            return true;
    }
    weft_raise(L, "%s: unknown option '%s' (expected kind%s%s or compress)%s",
               fname, name, may_wait ? ", timeout" : "",
               is_stream ? ", event, id, retry" : "",
               is_of_event(name) ? ": only event streams have it" : "");
    return false;
}

struct weft_manner
weft_check_manner(lua_State *L, int arg, bool may_wait, const char *fname)
{
    return weft_check_send(L, arg, may_wait, false, fname);
}

struct weft_manner
weft_check_send(lua_State *L, int arg, bool may_wait, bool is_stream,
                const char *fname)
{
    struct weft_manner m = { .seconds = HUGE_VAL };

    if (lua_type(L, arg) != LUA_TTABLE) {
        m.opcode = weft_check_kind(L, arg, fname);
        return m;
    }
    for (lua_pushnil(L); lua_next(L, arg) != 0; lua_pop(L, 1))
        if (check_option_name(L, may_wait, is_stream, fname))
            m.named = true;
    lua_getfield(L, arg, "kind");
    m.opcode = weft_check_kind(L, -1, fname);
    lua_getfield(L, arg, "compress");
    if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
        weft_argument_error(L, -1, fname, "compress", "true or false");
    m.plain = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_getfield(L, arg, "timeout");
    m.seconds = weft_check_seconds(L, -1, HUGE_VAL, fname, "timeout");
    lua_pop(L, 3);
    return m;
}

/* Pushes a count as text: not every Lua formats one that large. */
static const char *
push_count(lua_State *L, size_t n)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%zu", n);
    lua_pushstring(L, digits);
    return lua_tostring(L, -1);
}

/*
 * Where the character begins that `at`, the first byte that is not good, or
 * the end, cuts short: the position that Lua's utf8.len() names too.
 */
static size_t
character_at(const uint8_t *s, size_t at)
{
    size_t lead = at, size;

    while (lead > 0 && (s[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead == 0 || s[lead - 1] < 0xC0)
        return at;
    lead--;
    size = s[lead] >= 0xF0 ? 4 : s[lead] >= 0xE0 ? 3 : 2;
    return at - lead < size ? lead : at;
}

/* Zero when the bytes are UTF-8, else the place of the first that is not,
 * counted from one. */
static size_t
utf8_fault(const char *text, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)text;
    struct weft_utf8 u = { 0 };
    size_t good = weft_utf8_check(&u, bytes, len);

    if (good == len && weft_utf8_complete(&u))
        return 0;
    return character_at(bytes, good) + 1;
}

const char *
weft_check_message(lua_State *L, int arg, enum weft_opcode opcode,
                   size_t *len, const char *fname)
{
    const char *text = weft_check_string(L, arg, len, fname, "message");
    size_t fault = opcode == WEFT_TEXT ? utf8_fault(text, *len) : 0;

    if (fault != 0)
        weft_raise(L, "%s: argument 'message': expected UTF-8 text, got text "
                   "that is invalid at byte %s (the kind \"binary\" sends any "
                   "bytes)", fname, push_count(L, fault));
    return text;
}

const char *
weft_check_payload(lua_State *L, int arg, size_t *len, const char *fname)
{
    const char *s;

    *len = 0;
    if (lua_isnoneornil(L, arg))
        return "";
    s = weft_check_string(L, arg, len, fname, "payload");
    if (*len > WEFT_CONTROL_MAX)
        weft_raise(L, "%s: argument 'payload': expected at most %d bytes, "
                   "got %s", fname, WEFT_CONTROL_MAX, push_count(L, *len));
    return s;
}

static unsigned
check_code(lua_State *L, int arg, const char *fname)
{
    lua_Integer code;
    int is_integer;

    if (lua_isnoneornil(L, arg))
        return 1000;
    code = lua_tointegerx(L, arg, &is_integer);
    if (lua_type(L, arg) != LUA_TNUMBER || !is_integer || code < 0
        || code > 0xFFFF || !weft_close_code_valid((unsigned)code))
        weft_argument_error(L, arg, fname, "code",
                            "1000-1003, 1007-1014 or 3000-4999");
    return (unsigned)code;
}

unsigned
weft_check_close(lua_State *L, int code_arg, int reason_arg,
                 const char **reason, size_t *len, const char *fname)
{
    unsigned code = check_code(L, code_arg, fname);
    size_t fault;

    *reason = "";
    *len = 0;
    if (lua_isnoneornil(L, reason_arg))
        return code;
    *reason = weft_check_string(L, reason_arg, len, fname, "reason");
    if (*len > WEFT_REASON_MAX)
        weft_raise(L, "%s: argument 'reason': expected at most %d bytes, "
                   "got %s", fname, WEFT_REASON_MAX, push_count(L, *len));
    fault = utf8_fault(*reason, *len);
    if (fault != 0)
        weft_raise(L, "%s: argument 'reason': expected UTF-8 text, got text "
                   "that is invalid at byte %s", fname, push_count(L, fault));
    return code;
}

double
weft_check_seconds(lua_State *L, int arg, double missing, const char *fname,
                   const char *name)
{
    double seconds;

    if (missing >= 0 && lua_isnoneornil(L, arg))
        return missing;
    seconds = (double)lua_tonumber(L, arg);
    if (lua_type(L, arg) != LUA_TNUMBER || !(seconds >= 0))
        weft_argument_error(L, arg, fname, name,
                            "seconds (a number, not negative)");
    return seconds;
}
