/*
 * weft.load: the load engine for `weft bench`, a module of its own that nothing
 * else loads.  It must not know how a load works.
 *
 * A run is a userdata that is made inert first: whatever raises after that, it
 * is collected whole.
 */
#include <errno.h>
#include <string.h>

#include "load/load.h"
#include "lua/compat.h"

#define RUN_TYPE "weft.LoadRun"
#define EXPORT __attribute__((visibility("default")))

struct run {
    struct weft_load *load; /* NULL: closed */
    struct weft_tls_context *tls;
};

EXPORT int luaopen_weft_load(lua_State *L);

static int
push_failure(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* The plan, from the table that is the first argument --------------------- */

/* The table keeps the string. */
static const char *
text_field(lua_State *L, const char *name)
{
    const char *text;

    if (lua_getfield(L, 1, name) != LUA_TSTRING && !lua_isnil(L, -1))
        luaL_error(L, "field '%s' is no string", name);
    text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1);
    return text;
}

static const char *
needed_field(lua_State *L, const char *name)
{
    const char *text = text_field(L, name);

    if (text == NULL)
        luaL_error(L, "field '%s' is missing", name);
    return text;
}

static bool
flag_field(lua_State *L, const char *name)
{
    bool flag;

    lua_getfield(L, 1, name);
    flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static double
number_field(lua_State *L, const char *name, double least, double most)
{
    double number;
    int is_number;

    lua_getfield(L, 1, name);
    number = lua_tonumberx(L, -1, &is_number);
    if (!is_number || !(number >= least && number <= most))
        luaL_error(L, "field '%s' is out of range", name);
    lua_pop(L, 1);
    return number;
}

static struct weft_load_plan
read_plan(lua_State *L)
{
    struct weft_load_plan p = {
        .connections = (unsigned)number_field(L, "connections", 1, 60000),
        .depth = (unsigned)number_field(L, "depth", 1, 4096),
        .at_once = (unsigned)number_field(L, "at_once", 1, 60000),
        .size = (size_t)number_field(L, "size", 0, 1 << 28),
        .kind = flag_field(L, "binary") ? WEFT_LOAD_BINARY : WEFT_LOAD_TEXT,
        .seconds = number_field(L, "seconds", 0, 1e6),
        .warmup = number_field(L, "warmup", 0, 1e6),
        .patience = number_field(L, "patience", 0, 1e6),
        .to = {
            .host = needed_field(L, "host_header"),
            .path = needed_field(L, "target"),
            .headers = text_field(L, "headers"),
            .name = needed_field(L, "host"),
        },
    };
    uint16_t port = (uint16_t)number_field(L, "port", 1, 65535);

    if (!weft_addr_parse(&p.to.to, needed_field(L, "address"), port))
        luaL_error(L, "field 'address' is no numeric address");
    if (flag_field(L, "compression"))
        p.to.deflate = weft_load_deflate();
    return p;
}

/* Runs --------------------------------------------------------------------- */

/*
 * load.new(plan) -> run, or nil, message
 *
 * A plan has address (numeric), port, host (for TLS), host_header, target,
 * headers (or nil), tls, verify, ca (or nil), connections, depth, at_once,
 * size, binary, compression, seconds, warmup and patience.
 */
static int
load_new(lua_State *L)
{
    struct weft_load_plan plan;
    char why[WEFT_LOAD_WHY] = "";
    bool tls, verify;
    const char *ca;
    struct run *r;

    luaL_checktype(L, 1, LUA_TTABLE);
    plan = read_plan(L);
    tls = flag_field(L, "tls");
    verify = flag_field(L, "verify");
    ca = text_field(L, "ca");
    if (plan.to.deflate.on && !weft_deflate_available())
        return push_failure(L, "this build of weft cannot compress (no zlib)");
    r = lua_newuserdatauv(L, sizeof(*r), 1);
    *r = (struct run){ 0 };
    luaL_setmetatable(L, RUN_TYPE);
    lua_pushvalue(L, 1); /* the strings of the plan live as long */
    lua_setiuservalue(L, -2, 1);
    if (tls)
        r->tls = weft_load_tls(verify, ca, why);
    plan.to.tls = r->tls;
    if (!tls || r->tls != NULL)
        r->load = weft_load_new(&plan, why);
    return r->load != NULL ? 1 : push_failure(L, why);
}

static struct run *
check_run(lua_State *L)
{
    struct run *r = luaL_checkudata(L, 1, RUN_TYPE);

    if (r->load == NULL)
        luaL_error(L, "the run is closed");
    return r;
}

static const char *
phase_text(enum weft_load_phase phase)
{
    switch (phase) {
    case WEFT_LOAD_OPENING: return "opening";
    case WEFT_LOAD_WARMING: return "warming";
    case WEFT_LOAD_MEASURING: return "measuring";
    case WEFT_LOAD_DRAINING: return "draining";
    case WEFT_LOAD_DONE: return "done";
    }
    return "";
}

/* run:step(seconds) -> phase, or nil, message */
static int
run_step(lua_State *L)
{
    struct run *r = check_run(L);
    lua_Number seconds = luaL_checknumber(L, 2);

    luaL_argcheck(L, seconds >= 0 && seconds <= 3600, 2, "0 to 3600 seconds");
    if (weft_load_step(r->load, seconds) < 0)
        return push_failure(L, weft_load_why(r->load));
    lua_pushstring(L, phase_text(weft_load_phase(r->load)));
    return 1;
}

static void
set_number(lua_State *L, const char *name, double number)
{
    lua_pushnumber(L, number);
    lua_setfield(L, -2, name);
}

static void
set_count(lua_State *L, const char *name, uint64_t count)
{
    lua_pushinteger(L, (lua_Integer)count);
    lua_setfield(L, -2, name);
}

static void
set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

/* run:report() -> a table, the fields of struct weft_load_report */
static int
run_report(lua_State *L)
{
    struct weft_load_report report = weft_load_report(check_run(L)->load);

    lua_createtable(L, 0, 16);
    set_text(L, "phase", phase_text(report.phase));
    set_count(L, "opened", report.opened);
    set_number(L, "opening_seconds", report.opening_seconds);
    set_count(L, "total", report.total);
    set_count(L, "echoes", report.echoes);
    set_number(L, "seconds", report.seconds);
    set_number(L, "rate", report.rate);
    set_number(L, "cpu", report.cpu);
    set_number(L, "p50", report.p50);
    set_number(L, "p99", report.p99);
    set_number(L, "p999", report.p999);
    set_number(L, "max", report.max);
    set_text(L, "tls_version", report.tls_version);
    set_text(L, "tls_cipher", report.tls_cipher);
    set_text(L, "deflate", report.deflate);
    set_number(L, "carried", report.carried);
    return 1;
}

/* run:close(); also when it is collected, and again */
static int
run_close(lua_State *L)
{
    struct run *r = luaL_checkudata(L, 1, RUN_TYPE);

    weft_load_free(r->load);
    weft_tls_context_release(r->tls);
    *r = (struct run){ 0 };
    return 0;
}

/* load.allow(connections) -> true, or nil, message: makes room for so many
 * descriptors in this process */
static int
load_allow(lua_State *L)
{
    lua_Integer count = luaL_checkinteger(L, 1);

    luaL_argcheck(L, count >= 1 && count <= 60000, 1, "1 to 60000");
    if (weft_load_allow((unsigned)count) < 0)
        return push_failure(L, strerror(errno));
    lua_pushboolean(L, 1);
    return 1;
}

int
luaopen_weft_load(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "step", run_step },   { "report", run_report },
        { "close", run_close }, { "__gc", run_close },
        { "__close", run_close }, { NULL, NULL },
    };
    static const luaL_Reg functions[] = { { "new", load_new },
                                          { "allow", load_allow },
                                          { NULL, NULL } };

    luaL_newmetatable(L, RUN_TYPE);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_newlib(L, functions);
    return 1;
}
