/*
 * Arguments of weft's methods, checked.  A mistake raises at the caller's
 * line, in words that name the function, the argument and what was expected:
 *
 *     ws:send: argument 'message': expected a string, got table
 *
 * Nothing here changes anything but the error it raises, so a call checks all
 * its arguments first and is still free to fail.  Each `fname` is the function
 * as the user writes it, such as "ws:send".
 */
#ifndef WEFT_LUA_CHECK_H
#define WEFT_LUA_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "lua/compat.h"
#include "proto/frame.h"

/*
 * Raises an error at the line of the first caller that is not one of weft's
 * own Lua files; the format is lua_pushfstring()'s.  Never returns; the int is
 * for `return weft_raise(...)`.
 */
int weft_raise(lua_State *L, const char *format, ...);

/* Remembers that the calling chunk's folder holds weft's own Lua files. */
void weft_remember_own(lua_State *L);

/*
 * Raises "<fname>: argument '<name>': expected <expected>, got <what>"; the
 * last is the value of a number, else the type.  Never returns; the int is for
 * `return weft_argument_error(...)`.
 */
int weft_argument_error(lua_State *L, int arg, const char *fname,
                        const char *name, const char *expected);

/* The kind of a message: "text", "binary", or nil for text. */
enum weft_opcode weft_check_kind(lua_State *L, int arg, const char *fname);

/* How a message is sent. */
struct weft_manner {
    enum weft_opcode opcode;
    bool plain;     /* not compressed, whatever was agreed on */
    bool named;     /* the table has what only an event may */
    double seconds; /* how long its send may wait */
};

/*
 * What a call takes behind the message: its kind as above, or a table of
 * "kind", "compress" and, where it may wait, "timeout".  Seconds are HUGE_VAL
 * unless the table names them.
 */
struct weft_manner weft_check_manner(lua_State *L, int arg, bool may_wait,
                                     const char *fname);

/* The same for a connection that may be an event stream, where "event", "id"
 * and "retry" are allowed too; what they are is weft_event_encode()'s. */
struct weft_manner weft_check_send(lua_State *L, int arg, bool may_wait,
                                   bool is_stream, const char *fname);

/*
 * A message to send: a string (or a number, as Lua's own functions take it);
 * as WEFT_TEXT it must be UTF-8.  The pointer is good while the argument stays
 * on the stack.
 */
const char *weft_check_message(lua_State *L, int arg, enum weft_opcode opcode,
                               size_t *len, const char *fname);

/* A ping's or pong's payload: a string of at most 125 bytes; nil is "". */
const char *weft_check_payload(lua_State *L, int arg, size_t *len,
                               const char *fname);

/*
 * What a close frame says: returns a code that may be sent (nil: 1000; allowed
 * are 1000-1003, 1007-1014 and 3000-4999), and the reason, UTF-8 of at most 123
 * bytes (nil: "").
 */
unsigned weft_check_close(lua_State *L, int code_arg, int reason_arg,
                          const char **reason, size_t *len,
                          const char *fname);

/*
 * Seconds: a number that is not negative and not NaN; math.huge (HUGE_VAL) is
 * no limit.  Nil gives `missing`, or raises when that is negative.
 */
double weft_check_seconds(lua_State *L, int arg, double missing,
                          const char *fname, const char *name);

/* A string of any bytes; a number counts as one. */
const char *weft_check_string(lua_State *L, int arg, size_t *len,
                              const char *fname, const char *name);

#endif
