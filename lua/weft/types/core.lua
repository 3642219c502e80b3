---@meta
--- What the C module `weft.core` gives to the Lua modules of weft.  Internal:
--- users see `weft`, `weft.Connection`, `weft.Task`, ... instead.
---
--- Arguments are taken as checked: option tables come here flat, complete and
--- validated (lua/weft/options.lua), only types that could crash are checked
--- again.  Functions that may wait follow the rules of "Where calls may wait".

---@class weft.core
---@field compression boolean whether this build can compress: it has zlib
local core = {}

--- Seconds of the monotonic clock.
---@return number
function core.now() end

--- From 0 up to, but not including, 1; nobody can foresee it, and it does not
--- touch math.random.
---@param loop weft.Loop
---@return number
function core.random(loop) end

--- Bytes (1024 at most) that nobody can foresee.
---@param loop weft.Loop
---@param n integer
---@return string
function core.random_bytes(loop, n) end

--- The bytes that memory_limit bounds, as they are now.
---@param loop weft.Loop
---@return integer
function core.held(loop) end

--- A new event loop; every object below belongs to one.
---@param force_poll boolean use poll(2)
---@return weft.Loop
function core.loop(force_poll) end

--- Closes an instance: every connection is aborted, every task cancelled and
--- closed, listeners closed. Later calls on its objects fail or raise.
---@param loop weft.Loop
function core.close(loop) end

--- Raises, naming the call, when the instance is closed: before anything is
--- made that a closing state would no longer collect.
---@param loop weft.Loop
---@param call string
function core.check(loop, call) end

--- Sets what the loop calls on its own:
--- `error(err, traceback, ws_or_task)` for errors nobody joins,
--- `request(ws)` to build `ws.request` when it is first read,
--- `response(ws)` to build `ws.response`.
---@param loop weft.Loop
---@param hooks { error: function, request: function, response: function }
function core.hooks(loop, hooks) end

--- Reports through the error hook, as an error in a task would be.
---@param loop weft.Loop
function core.report(loop, err, traceback, subject) end

--- One turn; limits may be math.huge. True while run() would go on.
---@param loop weft.Loop
---@param timeout number seconds
---@param messages number
---@param seconds number
---@return boolean
function core.step(loop, timeout, messages, seconds) end

--- Whether one of this loop's turns is running.
---@param loop weft.Loop
---@return boolean
function core.in_turn(loop) end

--- Without fn: until nothing is left or stop; with fn: until that task ends.
---@param loop weft.Loop
---@param fn? function
function core.run(loop, fn, ...) end
---@param loop weft.Loop
function core.stop(loop) end

---@param loop weft.Loop
---@return weft.Task
function core.spawn(loop, fn, ...) end
---@param loop weft.Loop
---@param seconds number
function core.sleep(loop, seconds) end
---@param loop weft.Loop
---@param limit number items; math.huge
---@return weft.Queue
function core.queue(loop, limit) end
--- fd is a non-negative integer; mode has r, w or both; returns "r", "w", "rw".
---@param loop weft.Loop
---@return string|nil, string?
function core.wait(loop, fd, mode, timeout) end
--- For weft.wrap and protected.lua: resumes a plain coroutine on behalf of the running task.
--- Returns "wait" when it parked inside a weft call (yield core.mark and call
--- again with what that returns), "yield", values... when it yielded, "done",
--- results... when it returned, or "error", err.
function core.resume(co, ...) end
--- What a parked coroutine yields.
core.mark = nil ---@type lightuserdata

--- 0, seconds to the next timer, or nil.
---@param loop weft.Loop
---@return number|nil
function core.timeout(loop) end
---@param loop weft.Loop
---@return integer|nil, string?
function core.fd(loop) end

--- Connection settings shared by all connections of a server or client:
--- max_message max_frame max_fragments max_header max_headers
--- max_body handshake_timeout idle_timeout close_timeout write_timeout ping_interval
--- ping_timeout send_buffer receive_buffer (numbers, math.huge for none;
--- ping_interval math.huge turns it off) nodelay (boolean); compression (false
--- or nil, or what compression.lua makes of the option: level, mem_level (0: as
--- fits), threshold, server_max_window_bits, client_max_window_bits and
--- window_bits (our own window, when it is kept) are numbers,
--- server_no_context_takeover and client_no_context_takeover booleans); rate (nil,
--- or a table of messages, bytes and burst, all numbers).
---@param options table
---@return userdata config
function core.config(options) end

--- What TLS connections share: certificates, trust, sessions to be resumed.
--- options, checked: server (boolean), min_version (12 or 13), ca (file,
--- directory or PEM text, or nil), identities (a list of { name, cert, key,
--- passphrase }, the default one without a name first); a client: verify
--- (boolean), pin; a server: client_cert ("none", "optional", "required"),
--- self_signed (a host name: makes a certificate, no identities then).
--- `before` is the context that this one replaces; its sessions go on.
---@param options table
---@param before? userdata
---@return userdata|nil context, string? message names the option and file
function core.tls_context(options, before) end

--- Whether bytes are UTF-8, to their end.
---@param bytes string
---@return boolean
function core.is_utf8(bytes) end
--- 16 hexadecimal digits that other bytes hardly have; not for secrets.
---@param bytes string
---@return string
function core.fingerprint(bytes) end
--- Base64 without line breaks.
---@param bytes string
---@return string
function core.base64(bytes) end
--- And back; nil when that is not what the text is, to the letter.
---@param text string
---@return string|nil
function core.unbase64(text) end

--- Ranges of addresses, from "192.0.2.1", "10.0.0.0/8", "unix", ...
---@param list string[]
---@return userdata|nil ranges, integer? index of the first that is none
function core.ranges(list) end
--- Whether they hold an address, and how weft writes it; nil when it is none.
---@param ranges userdata
---@param text string
---@return boolean|nil, string?
function core.ranges_hold(ranges, text) end
--- Whether they hold whoever is at the other end.
---@param ranges userdata
---@param ws userdata
---@return boolean
function core.ranges_hold_peer(ranges, ws) end

--- Binds and accepts. spec: host, port or unix; backlog, reuse_port, config,
--- `tls` (a context, or nil), max_connections and max_connections_per_address
--- (math.huge or nil for none), `proxy_protocol` (each connection begins with a head
--- of it), `trusted` (ranges: whose, or nil), `dual` (IPv4 too on an IPv6 socket),
--- `fd` (listens already: instead of any address), `log` (a weft.Log, or nil), `plan`
--- (whatever core.plan is to give), `handler(ws)`.  The handler runs as a task for each
--- request head that is well-formed (bad ones are refused in C);
--- it calls accept or respond, then carries on as the connection's handler:
--- when it returns the connection closes with 1000, when it raises 1011.
--- One that raises or returns before it has answered: 500 (the error reported).
---@param loop weft.Loop
---@return weft.Listener|nil, string? message, string? code
function core.listen(loop, spec) end

--- Adds an event, which gets its time and what is known of the connection, to a
--- server's log: the log, or nothing when there is none.  It is told behind all
--- else in the turn, in the order of what happens.
---@param about any a listener, or a connection of one
---@param event table
---@return weft.Log|nil
function core.say(about, event) end
--- Tells logs now what there is to tell, where no turn comes to it.
---@param loop weft.Loop
function core.tell_log(loop) end
--- Who a trusted proxy says is at the other end, for the log; nil: nobody is told.
---@param ws userdata
---@param address? string
function core.note_client(ws, address) end
--- Writes to a descriptor by one call of the system, without waiting or SIGPIPE.
---@param fd integer
---@param bytes string
---@return integer written 0 when that was not possible
function core.write_line(fd, bytes) end
--- "websocket" or "http": what the request waiting for an answer is.
---@return string
function core.request_kind(ws) end
--- The parsed head: method, target, headers for a request; status, reason,
--- headers for a response.  headers: lower-case name to value (any case finds
--- them), repeated ones joined with ", ". `which` is "request" or "response"; nil when none.
function core.head(ws, which) end
--- The bounded body of a refused handshake's response.
---@return string
function core.body(ws) end
--- Whether the request's Origin may connect (list nil: same host and port).
---@param ws userdata
---@param origins? string[]
---@return boolean
function core.origin_allowed(ws, origins) end
--- Whether the request is for one of these hosts; those without a port are
--- meant at `port`, too.
---@param ws userdata
---@param hosts string[]
---@param port? integer
---@return boolean
function core.host_allowed(ws, hosts, port) end
--- The first of ours that the client offers, or nil.
---@param ws userdata
---@param protocols string[]
---@return string|nil
function core.choose_protocol(ws, protocols) end
--- The answer that is to come refuses the handshake or the request: it is counted,
--- by the last such word, once it begins.
---@param ws userdata
---@param reason weft.Refused
function core.refuses(ws, reason) end
--- The `plan` of the server that the connection came to, as core.listen got it; nil
--- for a client's.
---@param ws userdata
---@return weft.Plan|nil
function core.plan(ws) end
--- Answers 101.  headers: lines each ended by CRLF, checked by the caller.
--- True, or nil, "closed", code, reason when the peer has gone.
function core.accept(ws, protocol, headers) end
--- The body of a plain request: waits until all of it is there. Nil, "closed",
--- code, reason when there will be none: the client has gone, or was answered with
--- 400 or 413; or nil, "cancelled".
---@param ws userdata
---@return string|nil body, string? word, integer? code, string? reason
function core.read_body(ws) end
--- Answers with a whole HTTP response; does not wait. Behind it comes the
--- connection's next request, or its end. True, or nil, "closed", code, reason.
---@param ws userdata
---@param status integer
---@param headers string lines each ended by CRLF
---@param body string
function core.respond(ws, status, headers, body) end
--- The same piece by piece: core.write for each, then core.end_response. Without a
--- length the body goes in chunks, or to HTTP/1.0 until the connection ends.
---@param ws userdata
---@param status integer
---@param headers string lines each ended by CRLF
---@param length? integer of the body
function core.begin_response(ws, status, headers, length) end
--- Waits while more than send_buffer is queued. True; nil, "closed", code, reason;
--- or nil, "cancelled". Raises past the length.
---@param ws userdata
---@param bytes string
function core.write(ws, bytes) end
--- Raises when the body is shorter than the length.
---@param ws userdata
function core.end_response(ws) end
--- Answers a plain request with an event stream, which the connection is from then
--- on. True, also when the server is closing and the stream ends at once; or nil,
--- "closed", code, reason.
---@param ws userdata
---@param headers string lines each ended by CRLF, besides the stream's own
---@param retry? integer milliseconds
function core.event_stream(ws, headers, retry) end
--- core.respond with a file, or the part of it that is to be sent, as the peer takes
--- it; raises when it was closed.  It is closed then.
---@param file weft.File
function core.respond_file(ws, status, headers, file) end
--- Makes the connection call events instead: open, close, error, each with it
--- and what the event tells; and messages, with it alone, which gets them by
--- core.next_message until that gives nil.
--- After accept on a server, right after connect on a client.
---@param ws userdata
---@param events table
function core.set_events(ws, events) end
--- The next message of a connection that calls events, for a running
--- events.messages: nil when there is none in this turn.
---@param ws userdata
---@return string|nil message
---@return string|nil kind
function core.next_message(ws) end
--- From now on small blocks that the Lua state frees are kept for its next ones
--- of the same size; nil when that is so already, or cannot be (Lua 5.5).
---@return userdata|nil blocks for core.free_blocks
function core.keep_blocks() end
--- As it was before core.keep_blocks.
---@param blocks userdata
function core.free_blocks(blocks) end
--- Sets one of weft's own fields, such as "request", past the check that
--- keeps users from assigning it.
---@param ws userdata
---@param name string
---@param value any
function core.set_field(ws, name, value) end
--- Whether the head of the PROXY protocol says that the client came to the proxy by
--- TLS.
---@param ws userdata
---@return boolean
function core.was_secure(ws) end
--- What server:close does to each of listener:all(), without waiting: an open
--- connection is closed with 1001, close_cause "shutdown"; one whose request
--- head has not come is dropped; a request that a handler is answering is left.
function core.shutdown(ws) end
--- Starts the closing handshake with a close frame that carries no code.
function core.close_without_code(ws) end
--- Cancels the task that runs the connection's handler, if any.
function core.cancel_handler(ws) end
--- True when the running task is this connection's handler.
function core.is_own_handler(ws) end
--- Whether it is between two plain requests.
---@return boolean
function core.is_idle(ws) end

--- Starts to connect and returns at once.  spec: host, port; target,
--- host_header, origin, user_agent (strings, "" for none), protocols (list),
--- headers (lines each ended by CRLF), timeout, config; and, or nil:
--- `unix` (a path, dialled instead), `proxy` ({ kind = "http" or "socks5",
--- host, port, user, password }), `tls` (a context), `tls_name` (whom the
--- certificate must name instead of host), `redirect`: a function called with
--- ws when the handshake was refused (core.head(ws, "response") tells how). It
--- must not wait; it returns a spec to connect anew with (timeout, config and
--- redirect stay those of the first), or nil [, message] to let it fail.
---@param loop weft.Loop
---@return userdata ws
function core.connect(loop, spec) end
--- Waits for the opening: true, or nil, message, code (for "handshake",
--- core.head(ws, "response") and core.body(ws) then tell more).
function core.wait_open(ws) end
--- Two open connections without a socket: client, server.  Specs as for
--- connect, and { protocols = list, config = config } for the server.
function core.pair(loop, client_spec, server_spec) end
--- Runs fn(ws) in the next turn as the handler of an end of a pair, by the
--- rules of a server's connection: when it returns the connection closes with
--- 1000 (not when it has set events), when it raises with 1011, and the error is
--- reported.
---@param ws userdata
---@param fn fun(ws: userdata)
function core.handle(ws, fn) end

--- on_full is "close" or "drop".
---@param loop weft.Loop
---@return weft.Room
function core.room(loop, on_full) end

--- A directory to open files in, or nil and why not. A link that it is itself is
--- followed.
---@param path string
---@return userdata|nil root
---@return string? message
function core.open_root(path) end

--- Opens a regular file: path is of plain names with "/" between. "missing" is
--- also what is behind a link, no regular file, or called "." or "..".
---@param root userdata
---@param path string
---@return weft.File|nil
---@return string? word "missing", "directory", "forbidden", "busy" (no descriptors, no memory) or "system"
function core.open_file(root, path) end

---@return boolean
function core.is_file(value) end

--- weft.protocol: role is "client" or "server"; options, all in one flat
--- table: max_message max_frame max_fragments max_header max_headers (numbers,
--- math.huge for none) and compression as in config; for a client: target host_header origin user_agent
--- protocols headers as in connect; for a server: protocols (list), origins
--- (list, { "*" } for any, or nil for the same host), headers (lines).  Other
--- names are ignored.  See types/protocol.lua.
---@param role string
---@param options table
---@return weft.Protocol
function core.protocol(role, options) end

--- For the command line: up to n bytes read from a descriptor that core.wait
--- says is readable, "" at the end, or nil, "again"; nil, message when it fails.
--- core.wait on a regular file says "r" at once (epoll refuses those).
---@return string|nil, string?
function core.read(fd, n) end

--- SIGINT and SIGTERM for serve: between the two calls each signal counts.
--- signals_begin raises nothing and returns true; `core.wait_signal(loop)`
--- waits for one and returns its name ("SIGINT", "SIGTERM"); signals_end puts
--- the old handlers back.  After the first signal the second one kills.  With
--- `hangup` there is "SIGHUP" as well, unless it was ignored, any number of
--- times; that of a terminal that is gone is "SIGTERM".
---@param loop weft.Loop
---@param hangup? boolean
function core.signals_begin(loop, hangup) end
function core.wait_signal(loop) end
function core.signals_end(loop) end

--- Whether the loop has nothing in it, and no turn of any loop is under way.
---@param loop weft.Loop
---@return boolean
function core.is_unused(loop) end

--- In a worker, before anything else: the loop it has from its parent gets a
--- poller and random numbers of its own.
---@param loop weft.Loop
function core.renew(loop) end

--- The number of this process.
---@return integer
function core.pid() end

--- Ends the process without closing the state.
---@param status integer
function core.exit(status) end

--- A parent's hold on its workers. Until crew:close() the signals that end it
--- (`signals`) and SIGCHLD are let in by crew:wait() alone.
---@param signals boolean
---@return weft.Crew|nil, string? message
function core.crew(signals) end

---@class weft.Crew
local crew = {}
--- In the worker 0; its signals are blocked until crew:unblock().
---@return integer|nil pid, integer|string line_or_message
function crew:fork() end
function crew:unblock() end
--- In a worker: the descriptor that turns readable when it is to end.
---@return integer
function crew:lifeline() end
--- In a worker that is to end: whether another takes its place.
---@return boolean
function crew:is_replaced() end
--- In a worker: tells the parent that it accepts.
function crew:accepts() end
--- In a worker: tells the parent that it has stopped accepting, of itself.
function crew:leaves() end
--- The pid of the next worker that has told that it accepts; or -pid, that it does so
--- no more.
---@return integer|nil
function crew:news() end
--- Tells one worker to end, as another takes its place.
---@param line integer
function crew:retire(line) end
--- One has ended, and its line is free.
---@param line integer
function crew:forget(line) end
--- Tells the workers to end.
function crew:dismiss() end
--- Waits for anything to happen, at most so long: how many signals to end have
--- come so far, 0 to 2, and whether SIGHUP has since the last time.
---@param seconds number
---@return integer signals, boolean hangup
function crew:wait(seconds) end
--- "exited" and the status, "killed" and the signal, "lost"; nil: it runs.
---@param pid integer
---@return string|nil, integer?
function crew:reap(pid) end
--- By SIGKILL.
---@param pid integer
function crew:kill(pid) end
--- Signals are what they were.
function crew:close() end
--- The same, and ends this process by the second signal.
function crew:die() end

--- A listening server's C side.
---@class weft.Listener
local listener = {}
--- host or path, port (nil for Unix).
function listener:address() end
--- Connections, those still in their handshake not counted.
---@return integer
function listener:count() end
--- How many are at a handshake, or at the head of a request.
---@return integer
function listener:opening() end
--- A list of them.
function listener:connections() end
--- All of them, handshakes and plain HTTP requests included.
function listener:all() end
--- Stops accepting and closes the socket (a Unix path is removed).
function listener:stop() end
---@return boolean
function listener:is_open() end
--- Accepts nothing until wake; raises when it cannot be watched.
function listener:rest() end
function listener:wake() end
--- Whether others can now listen on its port, with reuse_port, and the kernel
--- deals connections out.
---@return boolean
function listener:share() end
--- A Unix path is not removed by this process.
function listener:disown() end
--- New connections get this TLS context; those that are there keep theirs.
---@param context userdata
function listener:set_tls(context) end
--- Raises where wait_empty, or with `more` something else, has to wait and cannot.
---@param more? boolean
function listener:check_wait(more) end
--- Waits until at most `allow` of listener:all() are left: true, or
--- nil, "timeout" / "cancelled".
function listener:wait_empty(timeout, allow) end
--- What Server:stats() gives, without the sessions of weft.fallback.
---@return table
function listener:stats() end
--- How many round trips or turns took at most as long as each of the bounds, how
--- many there were, and the sum of their times.
---@param what "round_trip"|"turn"
---@param bounds number[] seconds
---@return integer[] within, integer count, number sum
function listener:spread(what, bounds) end

return core
