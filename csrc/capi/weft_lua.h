/*
 * weft in a C program that embeds Lua and links libweft.a: no files are needed
 * at run time.
 *
 *     lua_State *L = luaL_newstate();
 *     luaL_openlibs(L);
 *     weft_preload(L);
 *     luaL_dostring(L, "weft = require 'weft'");
 *     ...
 *     for (;;) {                                        one frame
 *         luaL_dostring(L, "weft.step(0)");
 *         ...
 *     }
 *     lua_close(L);                                     whenever it suits
 *
 * examples/host is a whole program.  Link with
 * `pkg-config --cflags --libs weft` and the Lua that you embed, which
 * must be the version whose headers weft was built with.
 *
 * Any number of lua_States may use weft, in one thread or in several; each is
 * used by one thread at a time, as Lua has it.  lua_close() frees all that weft
 * holds for that state, in whatever it is in the middle of: connections are
 * dropped, and their peers see the TCP connection end.
 *
 * What is the process's and not a lua_State's: signals and workers, which only
 * weft.serve touches (`signals = false` leaves them alone, and
 * weft.listen never does).  SIGPIPE is not raised by weft.
 */
#ifndef WEFT_LUA_H
#define WEFT_LUA_H

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;

/*
 * Makes `require` find weft and all its modules in the program: fills
 * package.preload, for which luaL_openlibs() or luaopen_package() came before.
 * Loads nothing yet.  The command line (weft.cli) is not among them.
 * As with luaL_openlibs(), out of memory is a Lua error.
 */
void weft_preload(struct lua_State *L);

/* The C modules alone, weft.core and, where libidn2 was there when weft was
 * built, weft.idn: for a package.preload of your own making. */
int luaopen_weft_core(struct lua_State *L);
int luaopen_weft_idn(struct lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
