/*
 * What the Lua modules ask of bytes and Lua itself does not know, or not every
 * Lua: UTF-8, base64, fingerprints.  It must not know what the bytes are for.
 */
#include "base/crypto.h"
#include "base/utf8.h"
#include "lua/state.h"

/* core.is_utf8(bytes) -> whether they are a whole text */
static int
core_is_utf8(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);

    lua_pushboolean(L, weft_utf8_is_text((const uint8_t *)bytes, len));
    return 1;
}

/* core.fingerprint(bytes) -> 16 hexadecimal digits: FNV-1a, of 64 bits */
static int
core_fingerprint(lua_State *L)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    char text[16];
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001B3);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = digits[hash >> (60 - 4 * i) & 0xF];
    lua_pushlstring(L, text, sizeof(text));
    return 1;
}

/* core.base64(bytes) */
static int
core_base64(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    char *to;

    luaL_argcheck(L, len < 1 << 30, 1, "too long");
    to = lua_newuserdatauv(L, WEFT_BASE64_SIZE(len), 0);
    weft_base64(bytes, len, to);
    lua_pushstring(L, to);
    return 1;
}

/* core.unbase64(text) -> bytes, or nil when it is no base64 */
static int
core_unbase64(lua_State *L)
{
    size_t len, got;
    const char *text = luaL_checklstring(L, 1, &len);
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, len / 4 * 3);

    if (weft_unbase64(text, len, (uint8_t *)to, &got))
        luaL_pushresultsize(&b, got);
    else
        lua_pushnil(L);
    return 1;
}

void
weft_text_register(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "is_utf8", core_is_utf8 },
        { "fingerprint", core_fingerprint },
        { "base64", core_base64 },
        { "unbase64", core_unbase64 },
        { NULL, NULL },
    };

    luaL_setfuncs(L, functions, 0);
}
