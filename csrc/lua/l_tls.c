/*
 * TLS contexts from Lua tables that tls.lua has checked, and what is known of
 * a connection's TLS.  It must not know files or certificates.
 */
#include "lua/l_tls.h"

#include <string.h>

#include "lua/l_config.h"

struct box {
    struct weft_tls_context *context;
};

/* A string in a field of the table at index, which keeps it; or NULL. */
static const char *
text_field(lua_State *L, int index, const char *name)
{
    struct weft_span s = weft_span_field(L, index, name);

    return s.len > 0 ? s.data : NULL;
}

static bool
flag_field(lua_State *L, int index, const char *name)
{
    bool v;

    lua_getfield(L, index, name);
    v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

/* The list in field "identities", in a userdata that is left on the stack. */
static void
read_identities(lua_State *L, int index, struct weft_tls_options *o)
{
    struct weft_tls_identity *list;
    size_t count;

    if (lua_getfield(L, index, "identities") != LUA_TTABLE)
        return;
    count = (size_t)lua_rawlen(L, -1);
    list = lua_newuserdatauv(L, (count + 1) * sizeof(*list), 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        list[i] = (struct weft_tls_identity){
            .name = text_field(L, -1, "name"),
            .cert = text_field(L, -1, "cert"),
            .key = text_field(L, -1, "key"),
            .passphrase = text_field(L, -1, "passphrase"),
        };
        lua_pop(L, 1);
    }
    o->identities = list;
    o->identity_count = count;
}

static enum weft_tls_asks
read_asks(lua_State *L, int index)
{
    const char *word = text_field(L, index, "client_cert");

    if (word != NULL && strcmp(word, "required") == 0)
        return WEFT_TLS_ASKS_REQUIRED;
    if (word != NULL && strcmp(word, "optional") == 0)
        return WEFT_TLS_ASKS_OPTIONAL;
    return WEFT_TLS_ASKS_NONE;
}

/* core.tls_context(options[, before]) -> context, or nil, message */
static int
core_tls_context(lua_State *L)
{
    struct weft_tls_options o = { 0 };
    struct weft_tls_context *before = NULL;
    char why[WEFT_TLS_WHY] = "";
    struct box *box;

    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2))
        before = weft_check_tls(L, 2);
    o.server = flag_field(L, 1, "server");
    o.verify = flag_field(L, 1, "verify");
    o.ca = text_field(L, 1, "ca");
    o.pin = text_field(L, 1, "pin");
    o.self_signed = text_field(L, 1, "self_signed");
    o.client_cert = read_asks(L, 1);
    lua_getfield(L, 1, "min_version");
    o.min_version = (int)lua_tointeger(L, -1);
    read_identities(L, 1, &o);
    box = weft_new_userdata(L, sizeof(*box), WEFT_TLS_TYPE, 0);
    box->context = weft_tls_context_new(&o, before, why);
    if (box->context != NULL)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

static int
context_gc(lua_State *L)
{
    struct box *box = lua_touserdata(L, 1);

    weft_tls_context_release(box->context);
    box->context = NULL;
    return 0;
}

struct weft_tls_context *
weft_check_tls(lua_State *L, int index)
{
    struct box *box = luaL_checkudata(L, index, WEFT_TLS_TYPE);

    return box->context;
}

struct weft_tls_context *
weft_tls_field(lua_State *L, int index)
{
    struct weft_tls_context *context = NULL;

    if (lua_getfield(L, index, "tls") != LUA_TNIL)
        context = weft_check_tls(L, -1);
    lua_pop(L, 1);
    return context;
}

/* ---- what a connection tells */

/* t[name] = the fact, t being on the top; nothing when there is none. */
static void
set_fact(lua_State *L, const struct weft_tls *t, enum weft_tls_fact fact,
         const char *name)
{
    size_t len = weft_tls_fact(t, fact, NULL, 0);
    char *to;

    if (len == 0)
        return;
    to = lua_newuserdatauv(L, len + 1, 0);
    weft_tls_fact(t, fact, to, len + 1);
    lua_pushstring(L, to);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
}

/* The names in a certificate, as a list. */
static void
set_names(lua_State *L, const struct weft_tls *t)
{
    lua_Integer count = 0;
    const char *at, *end;

    lua_newtable(L);
    set_fact(L, t, WEFT_TLS_NAMES, "all");
    if (lua_getfield(L, -1, "all") == LUA_TSTRING) {
        for (at = lua_tostring(L, -1); *at != '\0'; at = end) {
            end = at + strcspn(at, "\n");
            lua_pushlstring(L, at, (size_t)(end - at));
            lua_rawseti(L, -3, ++count);
            end += *end == '\n';
        }
        lua_pushnil(L);
        lua_setfield(L, -3, "all");
    }
    lua_pop(L, 1);
    lua_setfield(L, -2, "names");
}

#define CERTIFICATE_TYPE "weft.Certificate"

static void
push_certificate(lua_State *L, const struct weft_tls *t)
{
    static const struct {
        enum weft_tls_fact fact;
        const char *name;
    } facts[] = {
        { WEFT_TLS_SUBJECT, "subject" },
        { WEFT_TLS_COMMON_NAME, "common_name" },
        { WEFT_TLS_ISSUER, "issuer" },
        { WEFT_TLS_SERIAL, "serial" },
        { WEFT_TLS_NOT_BEFORE, "not_before" },
        { WEFT_TLS_NOT_AFTER, "not_after" },
        { WEFT_TLS_FINGERPRINT, "fingerprint" },
        { WEFT_TLS_PIN, "pin" },
        { WEFT_TLS_PEM, "pem" },
    };

    lua_createtable(L, 0, 10);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        set_fact(L, t, facts[i].fact, facts[i].name);
    set_names(L, t);
    luaL_setmetatable(L, CERTIFICATE_TYPE);
}

static int
certificate_tostring(lua_State *L)
{
    lua_getfield(L, 1, "pem");
    luaL_tolstring(L, -1, NULL);
    return 1;
}

void
weft_push_tls(lua_State *L, const struct weft_link *k)
{
    struct weft_span kept = weft_link_kept(k, WEFT_KEPT_TLS);
    struct weft_tls_said said;

    if (kept.data == NULL) {
        lua_pushnil(L);
        return;
    }
    memcpy(&said, kept.data, sizeof(said));
    lua_createtable(L, 0, 6);
    lua_pushstring(L, said.version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, said.cipher);
    lua_setfield(L, -2, "cipher");
    lua_pushboolean(L, said.resumed);
    lua_setfield(L, -2, "resumed");
    if (k->tls == NULL) /* no longer connected, and nobody asked before */
        return;
    set_fact(L, k->tls, WEFT_TLS_ALPN, "alpn");
    set_fact(L, k->tls, WEFT_TLS_SERVER_NAME, "server_name");
    if (weft_tls_fact(k->tls, WEFT_TLS_FINGERPRINT, NULL, 0) > 0) {
        push_certificate(L, k->tls);
        lua_setfield(L, -2, "peer_certificate");
    }
}

void
weft_tls_register(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", context_gc }, { NULL, NULL } };
    static const luaL_Reg certificate[] = {
        { "__tostring", certificate_tostring }, { NULL, NULL }
    };
    static const luaL_Reg functions[] = {
        { "tls_context", core_tls_context },
        { NULL, NULL },
    };

    weft_new_type(L, WEFT_TLS_TYPE, meta, NULL);
    weft_new_type(L, CERTIFICATE_TYPE, certificate, NULL);
    luaL_setfuncs(L, functions, 0);
}
