---@meta
--- What the C module provides to users: connections, tasks, queues, rooms and
--- the loop.

--- What a message is.
---@alias weft.Kind "text"|"binary"

--- How a message is sent, where its kind alone does not say it.
---@class weft.SendOptions
---@field kind? weft.Kind ("text")
---@field timeout? number seconds (no limit); for ws:send alone
---@field compress? boolean false: send it as it is, though compression was agreed on, since it is compressed already (true)
---@field event? string for event streams, like the next two, alone or in a room: the event's name; readers take one without for "message"
---@field id? string|integer what a reader that comes again names as the last it saw; "" makes it forget
---@field retry? number seconds after which a reader that was cut off comes again

--- Why a connection ended.
---@alias weft.Cause
---| "peer" its close frame; the client of an event stream has gone
---| "local" ws:close or ws:abort
---| "handler" the handler returned
---| "error" the handler raised
---| "protocol" the peer broke the protocol; close_message names the rule
---| "too_big" the peer sent more than a limit allows
---| "ping_timeout" the peer went silent
---| "idle" no message for idle_timeout
---| "timeout" the opening or the closing took too long
---| "slow" the peer does not take our output, in time or within memory_limit
---| "reset" TCP was reset
---| "eof" TCP ended without a close frame
---| "tls" the TLS stream was broken or cut off
---| "shutdown" server:close
---| "cancelled" the handler was cancelled, or the instance closed
---| "collected" nothing referred to it any more

--- Called instead of a coroutine, each as a task of its own that may wait; the
--- events of one connection never overlap.
---@class weft.Events
---@field open? fun(ws: weft.Connection)
---@field message? fun(ws: weft.Connection, message: string, kind: weft.Kind)
---@field close? fun(ws: weft.Connection, code: integer, reason: string) exactly once, last
---@field error? fun(ws: weft.Connection, message: string, code: string) a connect that failed

--- What handles a connection: a function, run as a coroutine for each, or a
--- table of events.
---@alias weft.Handler fun(ws: weft.Connection)|weft.Events

--- What answers plain HTTP, as a task of its own: returns a status from 200 to
--- 599, headers (name to value or list of values), and a body: a string, a list
--- of strings, a function that streams, or a file as weft.static gives it. Nothing,
--- when it has answered with an event stream.
---@alias weft.Page fun(request: weft.Request): integer?, table<string, string|string[]>?, string|string[]|weft.Body|weft.File|nil

--- A page for each method that a path knows: `{ GET = ..., POST = ... }`. HEAD
--- goes to GET, OPTIONS is answered, other methods get 405 with Allow.
---@alias weft.Methods table<string, weft.Page>

--- An open file: the body of what weft.static answers, for whoever calls its
--- handler. It is closed when the answer is sent, or collected.
---@class weft.File
local file = {}

--- What was known of it when it was opened.
---@return integer size in bytes
---@return integer seconds when it was changed, since 1970
---@return integer nanoseconds and what comes on top
---@return integer inode
function file:facts() end

--- How much of it will be sent.
---@return integer bytes
function file:length() end

--- Has only a part of it sent; raises when the file has no such part.
---@param offset integer
---@param length integer
---@return weft.File file itself
function file:part(offset, length) end

--- Reads, from the disk and without waiting for others, what would be sent next;
--- it is not sent then.
---@param count integer bytes at most
---@return string|nil bytes nil at the end
---@return string? word "closed" or "system"
function file:read(count) end

--- Closes it.
function file:close() end

--- Options of weft.protocol.client: those of weft.connect that say what is sent,
--- and limits.
---@class weft.ProtocolClientOptions
---@field url? string what Host, target, user and password are taken from ("ws://localhost/")
---@field headers? table<string, string|string[]>
---@field username? string
---@field password? string
---@field protocols? string[]
---@field origin? string
---@field user_agent? string
---@field max_message? integer
---@field max_frame? integer
---@field max_fragments? integer
---@field max_header? integer
---@field max_headers? integer
---@field compression? boolean|weft.Compression (true)

--- Options of weft.protocol.server.
---@class weft.ProtocolServerOptions
---@field headers? table<string, string|string[]> headers of the 101 response
---@field protocols? string[]
---@field origins? string|string[]
---@field max_message? integer
---@field max_frame? integer
---@field max_fragments? integer
---@field max_header? integer
---@field max_headers? integer
---@field compression? boolean|weft.Compression (false)

--- How a connection is encrypted: ws.tls.
--- It is read from the connection when you first ask, and kept then; of one that
--- has already ended only version, cipher and resumed are left.
---@class weft.Tls
---@field version string "TLSv1.3" or "TLSv1.2"
---@field cipher string "TLS_AES_256_GCM_SHA384"
---@field resumed boolean whether an earlier session was resumed
---@field alpn string|nil "http/1.1", when both sides named it
---@field server_name string|nil whom the client asked for
---@field peer_certificate weft.Certificate|nil on a server: the client's, if it showed one

--- A certificate; tostring() gives its PEM text.
---@class weft.Certificate
---@field subject string|nil "CN = a.example, O = A"
---@field common_name string|nil "a.example"
---@field issuer string|nil whoever signed it
---@field serial string in hexadecimal
---@field not_before string "2026-07-01T12:00:00Z"
---@field not_after string
---@field names string[] the host names and addresses that it is for
---@field fingerprint string the SHA-256 of the certificate, in hexadecimal
---@field pin string of its public key, as the option `tls.pin` takes it: "sha256//..."
---@field pem string

--- A WebSocket connection, of either side. Any field that is not weft's is the
--- user's own: `ws.nickname = "ana"`; assigning one of weft's raises.
---@class weft.Connection
---@field request weft.Request the opening's request
---@field response weft.Response|nil on a client: what the server answered
---@field remote_address string the peer, or whom a trusted proxy names as its client: "127.0.0.1"; on a Unix-domain socket its path, or "unix" when it has none
---@field remote_port integer|nil nil on a Unix-domain socket, and where a proxy does not tell it
---@field tls weft.Tls|nil how it is encrypted; nil when it is not
---@field protocol string|nil the subprotocol agreed on
---@field extensions string those agreed on: "permessage-deflate; server_no_context_takeover", say, or "" for none
---@field state "connecting"|"open"|"closing"|"closed"
---@field buffered integer bytes that the kernel has not taken
---@field close_code integer|nil the peer's close frame; 1005 without a code, 1006 when none came
---@field close_reason string|nil the peer's reason
---@field sent_code integer|nil the code that we sent
---@field close_cause weft.Cause|nil why it really ended
---@field close_message string|nil a sentence that says so
---@field latency number|nil the keepalive's last round trip, in seconds
local Connection = {}

--- Waits for the next message. What arrived before the end comes first, then
--- "closed" for ever. One task receives at a time: a second one raises.
---@param timeout? number seconds (no limit); 0 never waits
---@return string|nil message
---@return weft.Kind|"timeout"|"closed"|"cancelled" kind or why there is none
---@return integer? code with "closed"
---@return string? reason with "closed"
function Connection:receive(timeout) end

--- Iterates over messages: `for message, kind in ws:messages() do`. Ends when
--- the connection does; close_cause says why.
---@return fun(): string?, weft.Kind?
function Connection:messages() end

--- Sends a message, whole. Waits, first come first served, until the backlog is
--- at most send_buffer, then queues it; messages leave in order. Text that is
--- not UTF-8 raises. With a table instead of the kind:
--- `ws:send(png, { kind = "binary", timeout = 5, compress = false })`.
---@param message string
---@param kind? weft.Kind|weft.SendOptions ("text")
---@param timeout? number seconds (no limit)
---@return boolean|nil ok
---@return "timeout"|"closed"|"connecting"|"cancelled"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Connection:send(message, kind, timeout) end

--- As send, but never waits: nil, "full" above the mark.
---@param message string
---@param kind? weft.Kind|weft.SendOptions ("text")
---@return boolean|nil ok
---@return "full"|"closed"|"connecting"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Connection:try_send(message, kind) end

--- Waits until the kernel has all that was queued. Only a close that returns
--- true proves that the peer has read it.
---@param timeout? number seconds (no limit)
---@return boolean|nil ok
---@return "timeout"|"closed"|"cancelled"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Connection:flush(timeout) end

--- Receives one message piece by piece: `for chunk in ws:chunks() do`. Leaving
--- early skips the rest; a failure ends it and shows in close_cause.
---@return fun(): string?
function Connection:chunks() end

--- Sends one message piece by piece. Other sends wait meanwhile.
---@param kind? weft.Kind|weft.SendOptions ("text")
---@return weft.Writer|nil writer
---@return "closed"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Connection:writer(kind) end

--- Sends a ping and waits for its pong.
---@param payload? string at most 125 bytes
---@param timeout? number seconds (no limit)
---@return number|nil seconds the round trip
---@return "timeout"|"closed"|"cancelled"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Connection:ping(payload, timeout) end

--- Closes: queued output, then the closing handshake. True when the peer took
--- part in it, and on a closed connection; nil, "timeout" when the connection
--- was dropped instead.
---@param code? integer 1000 (the default) to 1003, 1007 to 1014, 3000 to 4999
---@param reason? string UTF-8, at most 123 bytes
---@param timeout? number seconds (close_timeout); 0 starts it and does not wait
---@return boolean|nil ok
---@return "timeout"|"cancelled"|nil word
function Connection:close(code, reason, timeout) end

--- Drops the TCP connection now.
function Connection:abort() end

--- Waits until it is over.
---@param timeout? number seconds (no limit)
---@return boolean|nil ok
---@return integer|"timeout"|"cancelled" code or why not
---@return string? reason
function Connection:wait_closed(timeout) end

--- One message in the making: what ws:writer returns. Abandoned unfinished, it
--- fails the connection.
---@class weft.Writer
local Writer = {}

--- Sends a piece; waits as ws:send does.
---@param bytes string
---@return boolean|nil ok
---@return "closed"|"cancelled"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Writer:write(bytes) end

--- Ends the message.
---@return boolean|nil ok
---@return "closed"|"cancelled"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Writer:close() end

--- A coroutine that the loop runs: what weft.spawn returns.
---@class weft.Task
local Task = {}

--- Waits until it has ended: true and its results; nil, its error and the
--- traceback; or nil, "timeout". The error arrives unchanged, so that after
--- error(nil) it is nil. It then goes to nobody else.
---@param timeout? number seconds (no limit)
---@return boolean|nil ok
---@return any ...
function Task:join(timeout) end

--- What it is at: "waiting", "running", "ready", "done", "failed", "cancelled".
---@return string
function Task:status() end

--- Cancels it: the wait in progress returns nil, "cancelled"; the next one
--- raises, unreported; swallowed twice, the task is closed where it stands.
function Task:cancel() end

--- How tasks hand things to each other: what weft.queue returns.
---@class weft.Queue
local Queue = {}

--- Adds an item at the end; waits while the queue is full.
---@param item any not nil
---@return boolean|nil ok
---@return "closed"|"cancelled"|nil word
function Queue:put(item) end

--- Adds an item; nil, "full" instead of waiting.
---@param item any not nil
---@return boolean|nil ok
---@return "full"|"closed"|nil word
function Queue:try_put(item) end

--- Takes the first item; waits while there is none.
---@param timeout? number seconds (no limit)
---@return any item or nil
---@return "timeout"|"closed"|"cancelled"|nil word
function Queue:take(timeout) end

--- Takes no more items; those in it can still be taken, then takers get nil,
--- "closed".
function Queue:close() end

--- What `request:event_stream` takes.
---@class weft.EventStreamOptions
---@field retry? number seconds after which a reader that was cut off comes again (its own choice, mostly 3)
---@field headers? table<string, string|string[]> more for the response's head; what makes it an event stream is its own and raises

--- A plain HTTP request answered with Server-Sent Events: a connection that only
--- sends. Each text is an event of its lines as data; a binary message is its
--- bytes in base64, named "binary" unless `event` says otherwise. receive and
--- messages wait for the end, which comes when the client goes (cause "peer"),
--- when it is closed, or when its handler returns; ping, writer and chunks raise.
--- No codes are exchanged: what close is given is ignored, and close_code is 1005
--- after an orderly end, else 1006. Every ping_interval in which nothing was sent
--- a comment is, to which nobody answers. See [HTTP](http.md#server-sent-events).
---@class weft.EventStream: weft.Connection
---@field last_event_id string|nil what a reader that came again saw last: its Last-Event-ID
local EventStream = {}

--- Sends a comment, which readers ignore. Waits as send does.
---@param text string any number of lines
---@param timeout? number seconds (no limit)
---@return boolean|nil ok
---@return "timeout"|"closed"|"cancelled"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function EventStream:comment(text, timeout) end

--- Connections that one message is sent to: what weft.room returns. A closed
--- connection leaves by itself.
---@class weft.Room
local Room = {}

--- Adds a connection; joining again changes nothing.
---@param ws weft.Connection
---@return boolean|nil ok
---@return "closed"|"connecting"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Room:join(ws) end

--- Takes a connection out.
---@param ws weft.Connection
---@return boolean was whether it was a member
function Room:leave(ws) end

--- Sends to every member. Never waits: a slow member never holds up the others.
---@param message string
---@param kind? weft.Kind|weft.SendOptions ("text")
---@param except? weft.Connection one that does not get it
---@return integer queued
---@return integer dropped members whose output was above its mark
function Room:send(message, kind, except) end

--- How many members it has.
---@return integer
function Room:count() end

--- A list of the members there are now.
---@return weft.Connection[]
function Room:members() end

--- The event loop of an instance: `weft.loop`. Answers what cqueues asks of a
--- pollable object.
---@class weft.Loop
local Loop = {}

--- The poller in use: "epoll", "kqueue", "poll", or "wsapoll" on Windows. WEFT_POLLER=poll
--- in the environment forces poll(2); a name that is none of these raises.
---@return string
function Loop:backend() end

--- The descriptor to poll.
---@return integer|nil
function Loop:pollfd() end

--- What to poll it for.
---@return string "r"
function Loop:events() end

--- As weft.timeout().
---@return number|nil
function Loop:timeout() end
