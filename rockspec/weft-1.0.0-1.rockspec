rockspec_format = "3.0"
package = "weft"
version = "1.0.0-1"
source = {
  url = "file://weft-1.0.0.tar.gz",
}
description = {
  summary = "WebSockets for Lua: a C core under a coroutine API",
  detailed = [[
    Servers and clients of RFC 6455 whose application logic is written as
    coroutines, on a loop of their own or inside another's. The protocol, the
    loop and the buffers are C; routes, options and policy are Lua.
  ]],
  license = "MIT",
  labels = { "websocket", "network", "coroutine", "server", "client" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.1",
}
external_dependencies = {
  OPENSSL = { header = "openssl/ssl.h" },
  ZLIB = { header = "zlib.h" },
}
build = {
  type = "make",
  build_target = "all",
  build_variables = {
    LUA = "$(LUA)",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    OPENSSL_CFLAGS = "-I$(OPENSSL_INCDIR)",
    OPENSSL_LIBS = "-L$(OPENSSL_LIBDIR) -lssl -lcrypto",
    ZLIB_CFLAGS = "-I$(ZLIB_INCDIR)",
    ZLIB_LIBS = "-L$(ZLIB_LIBDIR) -lz",
  },
  install_variables = {
    LUA = "$(LUA)",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    OPENSSL_CFLAGS = "-I$(OPENSSL_INCDIR)",
    OPENSSL_LIBS = "-L$(OPENSSL_LIBDIR) -lssl -lcrypto",
    ZLIB_CFLAGS = "-I$(ZLIB_INCDIR)",
    ZLIB_LIBS = "-L$(ZLIB_LIBDIR) -lz",
    PREFIX = "$(PREFIX)",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
  },
}
test = {
  type = "command",
  command = "make test",
}
