/*
 * weft.idn: host names in other scripts than ASCII's, as the name service
 * knows them.  A module of its own, so that weft itself does not need libidn2;
 * it sees nothing of the rest of weft.
 */
#include <string.h>

#include <idn2.h>

#include "lua/compat.h"

#define EXPORT __attribute__((visibility("default")))

enum { NAME_LEN = 255 }; /* more than any name has (RFC 1035, 2.3.4) */

EXPORT int luaopen_weft_idn(lua_State *L);

/*
 * idn.to_ascii(name) -> "xn--...", or nil, message
 *
 * IDNA2008 after the mapping of UTS #46, non-transitional: what browsers do.
 */
static int
to_ascii(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    char ascii[NAME_LEN];
    size_t ascii_len = 0;
    uint8_t *found = NULL;
    int rc = IDN2_DISALLOWED;

    if (memchr(name, '\0', len) == NULL)
        rc = idn2_lookup_u8((const uint8_t *)name, &found,
                            IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (rc == IDN2_OK) {
        ascii_len = strlen((char *)found);
        if (ascii_len > sizeof(ascii))
            rc = IDN2_TOO_BIG_DOMAIN;
        else /* copied, since the push below can raise */
            memcpy(ascii, found, ascii_len);
    }
    idn2_free(found);
    if (rc != IDN2_OK) {
        lua_pushnil(L);
        lua_pushstring(L, idn2_strerror(rc));
        return 2;
    }
    lua_pushlstring(L, ascii, ascii_len);
    return 1;
}

int
luaopen_weft_idn(lua_State *L)
{
    static const luaL_Reg functions[] = { { "to_ascii", to_ascii },
                                          { NULL, NULL } };

    luaL_newlib(L, functions);
    return 1;
}
