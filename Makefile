# weft: build, test, install.  `make help` lists the targets.
#
# Everything that is made lands in build/, for another Lua than 5.4 (LUA=luajit)
# in a folder of that.  Every tool, flag and path below can be given on the
# command line or in the environment.

PKG_CONFIG ?= pkg-config
LUA        ?= lua5.4
BUSTED     ?= $(shell command -v busted)

# lua5.1 to lua5.5, or luajit, whatever its command is called
lua_name   := $(or $(shell $(LUA) -e 'io.write(jit and "luajit" or "lua" .. \
                _VERSION:match("[%d.]+"))' 2>/dev/null),$(notdir $(LUA)))
lua_number := $(patsubst lua%,%,$(lua_name:luajit=lua5.1))
BUILD      ?= build$(addprefix /,$(filter-out lua5.4,$(lua_name)))
CFLAGS     ?= -O2 -g
SECONDS    ?= 60

PREFIX     ?= /usr/local
# weft.pc is read anywhere, so it names a place from the root on
ifneq ($(filter-out /%,$(firstword $(PREFIX))),)
override PREFIX := $(CURDIR)/$(PREFIX)
endif
LUADIR     ?= $(PREFIX)/share/lua/$(lua_number)
LIBDIR     ?= $(PREFIX)/lib/lua/$(lua_number)
BINDIR     ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
ARCHIVEDIR ?= $(PREFIX)/lib

# Looked up once, and only by a target that compiles: `make deps` must work
# before pkg-config is there.
once = $(eval $(1) := $(2))$(value $(1))
LUA_PC     ?= $(call once,LUA_PC,$(or $(firstword $(foreach name,\
                  $(lua_name) lua-$(lua_number) lua$(subst .,,$(lua_number)) \
                  lua,$(if $(filter $(if $(filter luajit,$(name)),2.1,\
                  $(lua_number))%,$(shell $(PKG_CONFIG) --modversion $(name) \
                  2>/dev/null)),$(name)))),$(lua_name)))
LUA_CFLAGS ?= $(call once,LUA_CFLAGS,$(shell $(PKG_CONFIG) --cflags $(LUA_PC)))
OPENSSL_CFLAGS ?= $(call once,OPENSSL_CFLAGS,$(shell \
                  $(PKG_CONFIG) --cflags libssl libcrypto))
OPENSSL_LIBS ?= $(call once,OPENSSL_LIBS,$(shell \
                  $(PKG_CONFIG) --libs libssl libcrypto))

# permessage-deflate; `make ZLIB=0` builds without, and never agrees on it.
ZLIB       ?= 1
ifneq ($(ZLIB),0)
ZLIB_CFLAGS ?= $(call once,ZLIB_CFLAGS,$(shell $(PKG_CONFIG) --cflags zlib))
ZLIB_LIBS  ?= $(call once,ZLIB_LIBS,$(shell $(PKG_CONFIG) --libs zlib))
endif

# The Lua that a C program embeds, its archive where there is one.
LUA_LIBS   ?= $(call once,LUA_LIBS,$(or $(wildcard $(addsuffix /lib$(LUA_PC).a,\
                  $(shell $(PKG_CONFIG) --variable=libdir $(LUA_PC)))),\
                  $(shell $(PKG_CONFIG) --libs $(LUA_PC))) -lm -ldl)

# International host names: a module of its own, made where libidn2 is known.
IDN_CFLAGS ?= $(call once,IDN_CFLAGS,$(shell \
                  $(PKG_CONFIG) --cflags libidn2 2>/dev/null))
IDN_LIBS   ?= $(call once,IDN_LIBS,$(shell \
                  $(PKG_CONFIG) --libs libidn2 2>/dev/null))

# Windows, as the compiler sees it: without TLS, signals and workers.
windows    := $(findstring mingw,$(shell $(CC) -dumpmachine 2>/dev/null))
ifneq ($(windows),)
OPENSSL_CFLAGS :=
OPENSSL_LIBS :=
IDN_LIBS   :=
LUA_DLL    ?= $(call once,LUA_DLL,$(shell $(PKG_CONFIG) --libs $(LUA_PC)))
system_cflags = -D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN
system_libs = -lws2_32 -liphlpapi -lbcrypt -lntdll
else
system_cflags = -fPIC -fno-plt -pthread
endif

WARNINGS   ?= -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
              -Wstrict-prototypes -Wmissing-prototypes

cflags = -std=c11 -D_GNU_SOURCE $(WARNINGS) $(system_cflags) -fvisibility=hidden \
         -Icsrc $(if $(filter 0,$(ZLIB)),-DWEFT_NO_ZLIB) \
         $(CPPFLAGS) $(CFLAGS)

# A resolver thread may outlive lua_close(), so the module stays mapped.
ifneq ($(windows),)
module_ldflags = -shared -static-libgcc
else ifeq ($(shell uname -s),Darwin)
module_ldflags = -bundle -undefined dynamic_lookup
else
module_ldflags = -shared -Wl,-z,nodelete -Wl,-z,relro,-z,now
endif

# The floors of the house, lowest first; each is a folder of csrc/.
floor   = $(patsubst csrc/%.c,$(BUILD)/obj/%.o,\
          $(filter-out $(left_out),$(sort $(wildcard csrc/$(1)/*.c))))
left_out = $(addprefix csrc/proto/deflate,\
           $(if $(filter 0,$(ZLIB)),.c _in.c _out.c,_none.c)) \
           $(if $(windows),$(own:_win.c=.c) $(tls),$(own) csrc/net/tls_none.c)
# What Windows has of its own stands in for the file without _win.
own    := $(wildcard csrc/*/*_win.c)
tls    := $(filter-out %_none.c %_first.c,$(wildcard csrc/net/tls*.c))
base   := $(call floor,base)
proto  := $(call floor,proto)
net    := $(call floor,net)
loop   := $(call floor,loop)
lua    := $(call floor,lua)
# What C programs see: the protocol as weft.h has it, and weft_preload().
capi   := $(call floor,capi)
preload := $(BUILD)/obj/capi/preload.o
sources := $(BUILD)/obj/capi/sources.o
embedded := $(filter-out lua/weft/cli/% lua/weft/types/%,\
            $(sort $(wildcard lua/weft/*.lua lua/weft/*.js lua/weft/*/*.lua)))
archive := $(BUILD)/libweft.a
examples := $(patsubst %,$(BUILD)/examples/%,protocol protocol_client host)
suffix := $(if $(windows),dll,so)
module := $(BUILD)/weft/core.$(suffix)
idn    := $(patsubst csrc/%.c,$(BUILD)/obj/%.o,$(wildcard csrc/idn/*.c))
idn_module = $(if $(IDN_LIBS),$(BUILD)/weft/idn.so)
# The load of weft bench: a module of its own on the lowest floors, loaded by
# nothing else.
load   := $(filter-out %/module.o,$(call floor,load))
load_binding := $(BUILD)/obj/load/module.o
poller := $(filter $(BUILD)/obj/loop/poller%,$(loop))
load_module := $(if $(windows),,$(BUILD)/weft/load.so)

c_tests := $(patsubst spec/c/%.c,$(BUILD)/c/%,$(sort $(wildcard spec/c/*_test.c)))
fuzzers := $(patsubst spec/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard spec/fuzz/*_fuzz.c)))

.PHONY: all help deps demo test test-gc test-luas lint asan host windows fuzz interop attack love \
        conformance conformance-full bench bench-docs bench-callgrind bench-step \
        install clean c-tests fuzzers \
        static examples host-tests \
        benches FORCE
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDEXPANSION:

all: $(module) $(load_module) $$(idn_module)

help:
	@echo 'make              build $(module) (ZLIB=0: without compression; LUA=luajit: for that)'
	@echo 'make static       build $(archive), for C programs (docs/c.md)'
	@echo 'make examples     build the examples in C, in $(BUILD)/examples'
	@echo 'make deps         install what building and testing need'
	@echo 'make demo         the chat example on http://127.0.0.1:8080 (PORT=)'
	@echo 'make test         C tests and specs (SPEC=spec/some_spec.lua)'
	@echo 'make test-gc      the specs with the collector at every step'
	@echo 'make test-luas    the specs under Lua 5.1, 5.2, 5.3, 5.5 and LuaJIT (LUAS=luajit SPEC=)'
	@echo 'make lint         compilers, clang-tidy, luacheck, the include rule'
	@echo 'make asan         the tests under the address, undefined and leak sanitizers'
	@echo 'make host         programs that embed weft: memory and system calls fail, valgrind, threads'
	@echo 'make windows      cross-compile for Windows (mingw-w64), and its specs under Wine'
	@echo 'make fuzz         each fuzz target for SECONDS=60'
	@echo 'make interop      Node, Python, Chromium, openssl, nginx, HAProxy, proxies, systemd, promtool (SKIP=chromium)'
	@echo 'make attack       slow and half-open clients; how long honest ones wait meanwhile'
	@echo 'make love         the game of examples/love under LÖVE, on a screen that nobody sees'
	@echo 'make conformance  the Autobahn suite, ws and wss (GROUPS="1.* 2.*" ROLE=server)'
	@echo 'make conformance-full  all 517 cases a role, compression included (an hour)'
	@echo 'make bench        weft beside other servers (SCENARIOS="ws wss deflate broadcast crowd check" PEERS=)'
	@echo 'make bench-docs   what make bench measured last, as docs/performance.md and its plot'
	@echo 'make bench-callgrind  instructions per echoed message'
	@echo 'make bench-step   what weft costs a frame of a game: time and memory'
	@echo 'make install      PREFIX=/usr/local DESTDIR='
	@echo 'make clean'

# Building -------------------------------------------------------------------

# One line a file; `make V=1` shows the commands.
say = $(if $(V),,@echo '  $(1)  $@';)

# What was built with other flags is built again.
flags = $(CC) $(cflags) $(LUA_CFLAGS) $(OPENSSL_CFLAGS) $(ZLIB_CFLAGS) \
        $(IDN_CFLAGS) $(LDFLAGS) $(OPENSSL_LIBS) $(ZLIB_LIBS) $(IDN_LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(flags)' | cmp -s - $@ || echo '$(flags)' > $@

$(BUILD)/obj/lua/%.o: csrc/lua/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc  )$(CC) $(cflags) $(LUA_CFLAGS) -MMD -MP -c -o $@ $<

$(load_binding): csrc/load/module.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc  )$(CC) $(cflags) $(LUA_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/idn/%.o: csrc/idn/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc  )$(CC) $(cflags) $(LUA_CFLAGS) $(IDN_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: csrc/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc  )$(CC) $(cflags) $(OPENSSL_CFLAGS) $(ZLIB_CFLAGS) -MMD -MP -c -o $@ $<

# Moved into place whole: who runs on the old one keeps it.
$(module): $(base) $(proto) $(net) $(loop) $(lua)
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(module_ldflags) $(CFLAGS) $(LDFLAGS) -pthread -o $@.new $^ $(LUA_DLL) $(OPENSSL_LIBS) $(ZLIB_LIBS) $(system_libs)
	@mv $@.new $@

$(BUILD)/weft/idn.so: $(idn)
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(module_ldflags) $(CFLAGS) $(LDFLAGS) -o $@.new $^ $(IDN_LIBS)
	@mv $@.new $@

$(BUILD)/weft/load.so: $(base) $(proto) $(net) $(poller) $(load) $(load_binding)
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(module_ldflags) $(CFLAGS) $(LDFLAGS) -pthread -o $@.new $^ $(OPENSSL_LIBS) $(ZLIB_LIBS)
	@mv $@.new $@

# What the server under attack measures itself with.
$(BUILD)/attack/trim.so: spec/attack/trim.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(module_ldflags) $(cflags) $(LUA_CFLAGS) $(LDFLAGS) -o $@ $<

# All of it for C programs, the Lua modules included.  Of an archive the linker
# takes what is used: a program without Lua takes none of what needs it.
$(archive): $(base) $(proto) $(net) $(loop) $(lua) $(capi) $(sources) $$(if $$(IDN_LIBS),$(idn))

$(BUILD)/sources.c: csrc/capi/embed $(embedded)
	@mkdir -p $(@D)
	$(call say,gen )csrc/capi/embed $(embedded) > $@

$(sources): $(BUILD)/sources.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc  )$(CC) $(cflags) -MMD -MP -c -o $@ $<

$(preload): csrc/capi/preload.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc  )$(CC) $(cflags) $(LUA_CFLAGS) $(if $(IDN_LIBS),-DWEFT_WITH_IDN) -MMD -MP -c -o $@ $<

static: $(archive)

# Without Lua, and without TLS: libcrypto and zlib are all they need.
$(BUILD)/examples/%: examples/%.c $(archive)
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(cflags) -Icsrc/capi -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(archive) \
	  $(filter-out -lssl,$(OPENSSL_LIBS)) $(ZLIB_LIBS)

embedding = $(CC) $(cflags) $(LUA_CFLAGS) $(OPENSSL_CFLAGS) -Icsrc/capi -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(archive) \
            $(LUA_LIBS) $(OPENSSL_LIBS) $(ZLIB_LIBS) $(IDN_LIBS)

$(BUILD)/examples/host: examples/host/host.c $(archive)
	@mkdir -p $(@D)
	$(call say,link)$(call embedding)

examples: $(examples)

comma := ,

# Programs around weft that try it: see spec/host/run.
host_tests := $(patsubst spec/%.c,$(BUILD)/%,$(sort $(wildcard spec/host/*.c)))

$(BUILD)/host/%: spec/host/%.c $(archive)
	@mkdir -p $(@D)
	$(call say,link)$(call embedding) -Ispec/c $(if $(filter %/failing_calls,$@),$(wraps))

# The calls that one of them lets fail, where the linker has --wrap.
wraps := $(patsubst %,-Wl$(comma)--wrap=%,socket bind listen accept4 connect getsockopt setsockopt \
         getsockname getpeername shutdown epoll_create1 epoll_ctl epoll_wait poll pipe2 read write recv send sendmsg \
         pthread_create getaddrinfo)

host-tests: $(host_tests)

# Tests and fuzz targets see the floors they name and none above: an archive
# of the lowest two, one of the two on top of them, and one of the load.
$(BUILD)/protocol.a: $(base) $(proto)
$(BUILD)/loop.a: $(net) $(loop)
$(BUILD)/capi.a: $(filter-out $(preload),$(capi))
$(BUILD)/load.a: $(load)
$(BUILD)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,ar  )$(AR) rcs $@ $^

program = $(CC) $(cflags) $(ZLIB_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) $(1) -o $@ \
          $(filter %.c,$^) $(filter %.a,$^) $(OPENSSL_LIBS) $(ZLIB_LIBS)

$(BUILD)/c/load_%: spec/c/load_%.c $(BUILD)/load.a $(BUILD)/loop.a $(BUILD)/protocol.a
	@mkdir -p $(@D)
	$(call say,link)$(call program)

$(BUILD)/c/loop_%: spec/c/loop_%.c $(BUILD)/loop.a $(BUILD)/protocol.a
	@mkdir -p $(@D)
	$(call say,link)$(call program)

$(BUILD)/c/weft_%: spec/c/weft_%.c $(BUILD)/capi.a $(BUILD)/protocol.a
	@mkdir -p $(@D)
	$(call say,link)$(call program)

$(BUILD)/c/%: spec/c/%.c $(BUILD)/protocol.a
	@mkdir -p $(@D)
	$(call say,link)$(call program)

$(BUILD)/fuzz/%: spec/fuzz/%.c $(BUILD)/protocol.a
	@mkdir -p $(@D)
	$(call say,link)$(call program,-fsanitize=fuzzer)

# Programs around the load, which measure a server beside it.
benches := $(patsubst %,$(BUILD)/bench/%,load idle closing handshakes tcp_echo)

$(filter-out %/tcp_echo,$(benches)): bench/program.c bench/process.c
$(BUILD)/bench/load $(BUILD)/bench/handshakes: bench/meter.c
$(BUILD)/bench/%: bench/%.c $(wildcard bench/*.h) $(BUILD)/load.a $(BUILD)/loop.a $(BUILD)/protocol.a
	@mkdir -p $(@D)
	$(call say,link)$(call program)

benches: $(benches)

c-tests: $(c_tests)

fuzzers: $(fuzzers)

-include $(patsubst %.o,%.d,$(base) $(proto) $(net) $(loop) $(lua) $(capi) $(sources) $(idn) $(load) $(load_binding)) \
         $(addsuffix .d,$(c_tests) $(fuzzers) $(examples) $(host_tests))

# Running --------------------------------------------------------------------

export LUA BUSTED BUILD SPEC SKIP
jobs := -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
again = +@$(MAKE) --no-print-directory $(jobs)
sanitize = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
           -fno-sanitize-recover=all -DWEFT_AWAKE=0

deps:
	@.ci/deps build

demo: deps
	$(again) all
	@LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='$(BUILD)/?.so;;' \
	  exec $(LUA) examples/chat/server.lua

test: deps
	@.ci/deps test
	$(again) all c-tests examples
	@.ci/test

test-gc: deps
	@.ci/deps test
	$(again) all c-tests examples
	@RESTLESS=1 .ci/test

LUAS ?= luajit lua5.1 lua5.2 lua5.3 lua5.5
test-luas: deps
	@.ci/deps test
	@.ci/deps luas
	$(again) all
	+@.ci/luas $(LUAS) -- $(SPEC)

# The plain module too, here and above: bin/weft, which some specs start, runs on
# that one.
asan: deps
	@.ci/deps test
	$(again) all
	$(again) all c-tests examples BUILD=$(BUILD)/asan CC=gcc CFLAGS='$(sanitize)'
	@BUILD=$(BUILD)/asan SANITIZED=1 .ci/test

host: deps
	@.ci/deps host
	$(again) host-tests examples
	$(again) host-tests BUILD=$(BUILD)/asan CC=gcc CFLAGS='$(sanitize)'
	$(again) host-tests examples BUILD=$(BUILD)/tsan CC=gcc \
	  CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=thread'
	@spec/host/run

# For Windows, by a cross compiler; its specs run under Wine, and from here.
windows_cc ?= x86_64-w64-mingw32-gcc
windows: deps
	@.ci/deps windows
	@.ci/windows-lua $(BUILD)/windows/lua $(windows_cc)
	$(again) all
	$(again) -s install BUILD=$(BUILD)/windows CC=$(windows_cc) CFLAGS='-O2 -g -Werror' ZLIB_CFLAGS= \
	  ZLIB_LIBS=-l:libz.a LUA_CFLAGS=-I$(BUILD)/windows/lua LUA_DLL=$(BUILD)/windows/lua/lua54.dll \
	  DESTDIR= PREFIX=$(BUILD)/windows/installed
	@BUILD=$(BUILD)/windows HERE=$(BUILD) CC=$(windows_cc) .ci/windows

lint: deps
	@.ci/deps lint
	@.ci/lint

fuzz: deps
	@.ci/deps fuzz
	$(again) fuzzers BUILD=$(BUILD)/fuzzing CC=clang \
	  CFLAGS='$(sanitize) -fsanitize=fuzzer-no-link'
	@BUILD=$(BUILD)/fuzzing .ci/fuzz $(SECONDS)

interop: deps
	@.ci/deps interop
	$(again) all
	@spec/interop/run

attack: deps
	@.ci/deps attack
	$(again) all $(BUILD)/attack/trim.so
	@spec/attack/run

# LÖVE is LuaJIT, its server Lua 5.4.
love: deps
	@.ci/deps love
	$(again) all
	$(again) all LUA=luajit BUILD=$(BUILD)/luajit
	@spec/love/run

conformance: deps
	@.ci/deps conformance
	$(again) all
	@spec/conformance/run "$(ROLE)" "$(GROUPS)"

conformance-full: deps
	@.ci/deps conformance
	$(again) all
	@spec/conformance/run "$(ROLE)" full

# A peer that cannot be had is named in the report, and the others run.
bench: deps
	@.ci/deps bench || echo 'some peers will be missing'
	$(again) all benches
	@bench/run

bench-docs:
	@$(LUA) bench/report.lua $(BUILD)/bench/results docs/performance.md

bench-callgrind: deps
	$(again) all benches
	@bench/callgrind

bench-step: deps
	$(again) all
	@LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='$(BUILD)/?.so;;' \
	  $(LUA) bench/step.lua

# Installing -----------------------------------------------------------------

# pc NAME,DESCRIPTION,REQUIRES: a file for pkg-config; an archive always needs what it was made of
needed_libs = $(if $(windows),$(ZLIB_LIBS) $(system_libs),-pthread -lm)
needed = $(if $(windows),,$(1) $(if $(ZLIB_LIBS),zlib))
version = $(shell sed -n 's/^.define WEFT_VERSION "\(.*\)"/\1/p' csrc/capi/weft.h)
define pc
	printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$(INCLUDEDIR)' 'libdir=$(ARCHIVEDIR)' '' \
	  'Name: $(1)' 'Description: $(2)' 'Version: $(version)' 'Cflags: -I$${includedir}' \
	  'Libs: -L$${libdir} -lweft $(needed_libs)' 'Requires: $(call needed,$(3))' > '$(DESTDIR)$(ARCHIVEDIR)/pkgconfig/$(1).pc'
endef

# install(1) puts a new file in the place of an old one: who runs on that keeps it.
install: all static
	install -d -m 755 '$(DESTDIR)$(LIBDIR)/weft' '$(DESTDIR)$(BINDIR)' \
	  '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(ARCHIVEDIR)/pkgconfig'
	(cd lua && find . -type f \( -name '*.lua' -o -name '*.js' \)) | while read -r file; do \
	  install -d -m 755 "$(DESTDIR)$(LUADIR)/$$(dirname "$$file")" && \
	  install -m 644 "lua/$$file" "$(DESTDIR)$(LUADIR)/$$file" || exit 1; done
	install -m 755 $(module) $(load_module) $(idn_module) '$(DESTDIR)$(LIBDIR)/weft/'
	sed '1s|.*|#!$(if $(findstring /,$(LUA)),$(LUA),/usr/bin/env $(LUA))|' bin/weft > '$(DESTDIR)$(BINDIR)/weft'
	chmod 755 '$(DESTDIR)$(BINDIR)/weft'
	install -m 644 csrc/capi/weft.h csrc/capi/weft_lua.h '$(DESTDIR)$(INCLUDEDIR)/'
	install -m 644 $(archive) '$(DESTDIR)$(ARCHIVEDIR)/'
	$(call pc,weft,WebSockets for Lua in a C program,libssl libcrypto $(if $(IDN_LIBS),libidn2))
	$(call pc,weft-protocol,The WebSocket protocol without Lua,libcrypto)
	chmod 644 '$(DESTDIR)$(ARCHIVEDIR)/pkgconfig/'weft*.pc

clean:
	rm -rf build
