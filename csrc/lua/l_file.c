/*
 * Files as userdata: which are open, and the part of each that is to be sent.
 * It must not know what is sent with them.
 *
 * Each userdata is there, inert, before its descriptor is: an error of Lua's
 * leaves none behind.
 */
#include "lua/l_file.h"

#include <errno.h>
#include <string.h>

#include "lua/check.h"
#include "lua/state.h"
#include "net/file.h"
#include "net/sock.h"

#define ROOT_TYPE "weft.Root"
#define FILE_TYPE "weft.File"

struct root {
    int fd;
};

struct file {
    int fd;
    uint64_t offset, length; /* the part that is to be sent */
    struct weft_file_facts facts;
};

/* core.open_root(path) -> root, or nil and a sentence */
static int
core_open_root(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct root *r = weft_new_userdata(L, sizeof(*r), ROOT_TYPE, 0);

    r->fd = weft_file_root(path);
    if (r->fd >= 0)
        return 1;
    return weft_push_failure(L, weft_error_words(-r->fd));
}

static int
root_gc(lua_State *L)
{
    struct root *r = luaL_checkudata(L, 1, ROOT_TYPE);

    weft_file_close(&r->fd);
    return 0;
}

static const char *
word_of(int error)
{
    switch (-error) {
    case ENOENT:
        return "missing";
    case EISDIR:
        return "directory";
    case EACCES:
    case EPERM:
        return "forbidden";
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return "busy";
    default:
        return "system";
    }
}

/*
 * core.open_file(root, path) -> file, or nil and "missing", "directory",
 * "forbidden", "busy" (no descriptor, no memory) or "system"
 */
static int
core_open_file(lua_State *L)
{
    struct root *r = luaL_checkudata(L, 1, ROOT_TYPE);
    size_t len;
    const char *path = luaL_checklstring(L, 2, &len);
    struct file *f = weft_new_userdata(L, sizeof(*f), FILE_TYPE, 0);

    f->fd = -1;
    if (strlen(path) != len) /* a NUL would cut it short */
        return weft_push_failure(L, word_of(-ENOENT));
    f->fd = weft_file_open(r->fd, path, &f->facts);
    if (f->fd < 0)
        return weft_push_failure(L, word_of(f->fd));
    f->length = f->facts.size;
    return 1;
}

bool
weft_lua_is_file(lua_State *L, int index)
{
    return luaL_testudata(L, index, FILE_TYPE) != NULL;
}

/* core.is_file(value) */
static int
core_is_file(lua_State *L)
{
    lua_pushboolean(L, weft_lua_is_file(L, 1));
    return 1;
}

int
weft_lua_file_take(lua_State *L, int index, uint64_t *offset, uint64_t *length)
{
    struct file *f = luaL_testudata(L, index, FILE_TYPE);
    int fd;

    if (f == NULL || f->fd < 0)
        return -1;
    *offset = f->offset;
    *length = f->length;
    fd = f->fd;
    f->fd = -1;
    return fd;
}

static struct file *
check_file(lua_State *L, const char *call)
{
    return weft_check(L, 1, FILE_TYPE, call);
}

/* file:facts() -> size, seconds and nanoseconds of its last change, inode */
static int
file_facts(lua_State *L)
{
    const struct weft_file_facts *facts = &check_file(L, "file:facts")->facts;

    lua_pushinteger(L, (lua_Integer)facts->size);
    lua_pushinteger(L, (lua_Integer)facts->seconds);
    lua_pushinteger(L, (lua_Integer)facts->nanoseconds);
    lua_pushinteger(L, (lua_Integer)facts->inode);
    return 4;
}

/* file:length() -> bytes of the part that is to be sent */
static int
file_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_file(L, "file:length")->length);
    return 1;
}

/* file:part(offset, length) -> file, of which no more than that is sent */
static int
file_part(lua_State *L)
{
    struct file *f = check_file(L, "file:part");
    lua_Integer size = (lua_Integer)f->facts.size;
    lua_Integer offset = luaL_checkinteger(L, 2);
    lua_Integer length = luaL_checkinteger(L, 3);

    if (offset < 0 || offset > size)
        return weft_argument_error(L, 2, "file:part", "offset",
                                   "a place in the file");
    if (length < 0 || length > size - offset)
        return weft_argument_error(L, 3, "file:part", "length",
                                   "no more than comes after the offset");
    f->offset = (uint64_t)offset;
    f->length = (uint64_t)length;
    lua_settop(L, 1);
    return 1;
}

/*
 * file:read(count) -> the next bytes of the part, which is shorter by them
 * then; nil at its end, and nil, "closed" or "system" when there are none
 */
static int
file_read(lua_State *L)
{
    struct file *f = check_file(L, "file:read");
    lua_Integer wanted = luaL_checkinteger(L, 2);
    uint64_t most = f->length;
    luaL_Buffer b;
    long n;

    if (wanted < 1)
        return weft_argument_error(L, 2, "file:read", "count",
                                   "a whole number, 1 or more");
    if (f->fd < 0)
        return weft_push_failure(L, "closed");
    if ((uint64_t)wanted < most)
        most = (uint64_t)wanted;
    n = weft_file_read(f->fd, luaL_buffinitsize(L, &b, (size_t)most),
                       (size_t)most, f->offset);
    if (n < 0)
        return weft_push_failure(L, "system");
    if (n == 0)
        return 0;
    luaL_pushresultsize(&b, (size_t)n);
    f->offset += (uint64_t)n;
    f->length -= (uint64_t)n;
    return 1;
}

/* file:close(), and when it is collected */
static int
file_close(lua_State *L)
{
    weft_file_close(&check_file(L, "file:close")->fd);
    return 0;
}

void
weft_file_register(lua_State *L)
{
    static const luaL_Reg root[] = { { "__gc", root_gc }, { NULL, NULL } };
    static const luaL_Reg file[] = { { "__gc", file_close },
                                     { "__close", file_close },
                                     { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "facts", file_facts }, { "length", file_length },
        { "part", file_part },   { "read", file_read },
        { "close", file_close }, { NULL, NULL },
    };
    static const luaL_Reg functions[] = { { "open_root", core_open_root },
                                          { "open_file", core_open_file },
                                          { "is_file", core_is_file },
                                          { NULL, NULL } };

    weft_new_type(L, ROOT_TYPE, root, NULL);
    weft_new_type(L, FILE_TYPE, file, methods);
    luaL_setfuncs(L, functions, 0);
}
