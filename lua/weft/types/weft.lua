---@meta
--- What the C module provides to users: connections, tasks, queues, rooms and
--- the loop; and the options of openers.

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

--- Called before a WebSocket is accepted; it may wait. Returns true and perhaps
--- a table of `protocol` (a string, or false for none) and `headers`; or nil and
--- perhaps a status (403), a message and headers. The request is later
--- ws.request, with the fields that were set on it.
---@alias weft.Upgrade fun(request: weft.Request): boolean?, any, string?, table?

--- Options that every connection has, whichever side opened it. Times are in
--- seconds; math.huge is no limit.
---@class weft.ConnectionOptions
---@field max_message? integer bytes of a message (1 MiB); past it the peer gets 1009
---@field max_frame? integer bytes of a frame (max_message)
---@field max_fragments? integer frames of a message (1024); empty ones count, but for a last one that only ends it
---@field max_header? integer bytes of a request or response head (16 KiB)
---@field max_headers? integer header fields of one (100)
---@field idle_timeout? number no message either way for so long ends it (no limit)
---@field close_timeout? number the whole closing (5)
---@field write_timeout? number no progress of waiting output (30); it ends with cause "slow"
---@field ping_interval? number|false between keepalive pings (20); false sends none
---@field ping_timeout? number silence after a ping (20)
---@field send_buffer? integer the high-water mark of ws:send, in bytes (64 KiB)
---@field receive_buffer? integer bytes read ahead of the handler (64 KiB)
---@field memory_limit? integer bytes that all connections of the instance hold together; past it the largest offender gets 1013 (no limit)
---@field nodelay? boolean TCP_NODELAY (true)
---@field protocols? string[] subprotocols, in order of preference
---@field compression? boolean|weft.Compression permessage-deflate: whether a client offers it (true), whether a server takes it (false)

--- How messages are compressed (RFC 7692): the option `compression`, where true
--- does not say enough; `{}` is the same as true. What it costs and saves is in
--- [a page of its own](compression.md).
---
--- A side with context takeover keeps its window from one message to the next, so
--- that they compress better, and keeps memory for it. On a server neither side
--- has it unless a field says `false`; a client demands nothing and keeps what the
--- server allows.
---
--- On a server the fields are what it keeps to, and what it asks of clients;
--- client_max_window_bits can be asked only of those that have offered it. A
--- client may ask for less in either direction, and gets it. On a client the
--- fields are what it asks for; a server that agrees on compression but not on
--- what was asked of itself fails the handshake.
---@class weft.Compression
---@field level? integer from 0, nothing but wrapped, over 1, fast, to 9, small (6)
---@field mem_level? integer zlib's memory for compressing, from 1 to 9 (8; with context takeover 5)
---@field threshold? integer messages shorter than so many bytes go as they are (512)
---@field server_no_context_takeover? boolean whether the server starts each message with an empty window (a server: true; a client: false, as the server likes)
---@field client_no_context_takeover? boolean whether the client does (the same)
---@field server_max_window_bits? integer the server's window is at most 2 to the power of so many bytes, from 8 to 15 (15; on a server that keeps it 12)
---@field client_max_window_bits? integer the client's (15; on a server that lets clients keep it 12; a client of its own accord keeps at most 12)

--- A certificate and its key, in PEM: names of files, or their text.
---@class weft.Identity
---@field cert string the certificate, after it the chain that leads to a root
---@field key? string its key, when it is not in `cert`
---@field passphrase? string what the key is encrypted with; no message shows it

--- A server's certificates, and whether clients need one: the option `tls` of
--- weft.listen. TLS 1.2 and 1.3 are spoken. A mistake in the table raises; a file
--- that is missing or no good makes weft.listen fail with "tls".
---@class weft.ServerTls: weft.Identity
---@field names? table<string, weft.Identity> more, by the name a client asks for: "b.example", "*.b.example" (any one label); others get the above
---@field client_cert? "none"|"optional"|"required" whether a client must show a certificate ("none"); one that it shows must be good
---@field ca? string who signs the clients' certificates, in PEM; goes with `client_cert`
---@field min_version? "1.2"|"1.3" ("1.2")

--- Options of weft.fallback. Times are in seconds; math.huge is no limit.
---@class weft.FallbackOptions
---@field upgrade? weft.Upgrade decides whether a session is opened, as a server's decides about a WebSocket
---@field origins? string|string[] origins whose pages may come, as for weft.listen (the server's own, and who names none)
---@field protocols? string[] subprotocols, in order of preference
---@field grace? number how long a session waits for a client whose stream has broken (15)
---@field ping_interval? number|false a comment on the stream after so long without an event, so that nobody takes it for dead (15)
---@field max_sessions? integer past it 503 (10000)
---@field window? integer bytes of events that are kept for a client until it says that it has seen them (256 KiB); then the handler's sends wait
---@field max_message? integer bytes of a message (1 MiB); past it the connection is closed with 1009
---@field max_frame? integer bytes of a piece of a message (max_message)
---@field max_fragments? integer pieces of a message (1024)
---@field idle_timeout? number no message either way for so long ends it (no limit)
---@field close_timeout? number the whole closing (5)
---@field write_timeout? number past `grace`: no progress of waiting output (30)
---@field send_buffer? integer the high-water mark of ws:send, in bytes (64 KiB)
---@field receive_buffer? integer bytes read ahead of the handler (64 KiB)

--- Options of weft.listen.
---@class weft.ListenOptions: weft.ConnectionOptions
---@field host? string an address or name ("127.0.0.1"); "*" is every interface, IPv4 and IPv6
---@field port? integer (8080); 0 picks a free one
---@field unix? string the path of a Unix-domain socket to listen on instead
---@field fd? integer a socket that listens already (see weft.listen_fds), instead of all these; the server closes it, and leaves its path
---@field websocket? weft.Handler|table<string, weft.Handler> or routes: "/chat", "/room/:name", "/files/*"; each segment exact, then :name, then *
---@field http? weft.Page|weft.Methods|table<string, weft.Page|weft.Methods> what answers plain HTTP, or routes; without it 426
---@field max_body? integer bytes of a plain request's body (1 MiB); past it 413
---@field tls? weft.ServerTls|"self-signed"|false speak TLS: wss:// and https://; "self-signed" makes a certificate for this run, for development (false)
---@field upgrade? weft.Upgrade decides whether a WebSocket is accepted
---@field origins? string|string[] whose pages may connect: "https://example.com", "https://*.example.com", "*"; unset: only the request's own Host
---@field max_connections? integer connections of all kinds; at so many no more are accepted until one has gone (no limit)
---@field max_connections_per_address? integer of one address, for IPv6 of one /64; past it 429 (no limit)
---@field rate? weft.Rate what each WebSocket's client may send in a time; past it close 1008 (no limit)
---@field hosts? string|string[] as which hosts it may be asked: "example.com", "example.com:8080", "*.example.com"; others get 421 (any)
---@field trusted_proxies? string[] whose X-Forwarded-For, X-Forwarded-Proto and Forwarded count: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "unix" (nobody's)
---@field proxy_protocol? boolean each connection begins with a head of the PROXY protocol, version 1 or 2; with `trusted_proxies` only theirs are taken (false)
---@field log? "text"|"json"|fun(event: weft.LogEvent) what happens, as lines on stderr or for a function; see [The log](operations.md#the-log) (nothing)
---@field handshake_timeout? number the whole handshake, the head of a plain request and the pause before the next, and any pause within its body (10)
---@field backlog? integer (511)
---@field reuse_port? boolean (false)

--- How much each WebSocket's client may send: the option `rate`, with `messages` or
--- `bytes` or both. After a pause it may send what `burst` seconds would have
--- let it, at once; see [Limits](guide.md#limits).
---@class weft.Rate
---@field messages? number messages, pings and pongs a second, fractions allowed (no limit)
---@field bytes? number bytes of their payload a second; compressed messages count inflated (no limit)
---@field burst? number seconds (5)

--- What happened to a server, for its option `log`. Which event has which fields
--- is in [The log](operations.md#the-log); what there is nothing to say of is nil.
---@class weft.LogEvent
---@field time number seconds since 1970, with fractions: when it happened
---@field event string "open", "close", "request", ...
---@field worker? integer which one it happened in, or happened to
---@field connection? integer its number, from 1, among those that this server or worker has accepted
---@field remote_address? string who is at the other end, as `ws.remote_address`
---@field method? string of a request
---@field path? string of a request, as it was sent, without the query
---@field kind? "websocket"|"events" what was opened
---@field protocol? string the subprotocol
---@field tls? string "TLSv1.3"
---@field status? integer of an answer; a worker's exit status
---@field code? integer as `ws.close_code`
---@field sent_code? integer as `ws.sent_code`
---@field reason? string as `ws.close_reason`
---@field cause? weft.Cause why it ended
---@field option? string the option that refuses or limits
---@field bytes? integer of an answer's body
---@field seconds? number how long it lasted
---@field message? string a sentence
---@field traceback? string of an error
---@field url? string where the server listens
---@field workers? integer how many there are to be
---@field connections? integer how many there are to be closed
---@field pid? integer of a worker
---@field signal? integer the one that killed a worker
---@field restarts? integer how often that worker was started again
---@field lost? integer events before this one that are missing, as memory was out

--- Options of weft.serve.
---@class weft.ServeOptions: weft.ListenOptions
---@field signals? boolean whether SIGINT and SIGTERM close the server, and SIGHUP reloads certificates or replaces workers (true)
---@field grace? number seconds that a signal or weft.stop waits for connections to end (10); as for server:close
---@field drain? number seconds over which it spreads telling them (0)
---@field workers? integer processes that share the port (1, this one alone); at most 1024
---@field on_worker? weft.OnWorker called in each worker, before its first connection

--- Called in each worker, with which one it is, from 1 to `workers`, its server,
--- and how often that worker was started again (0). It may make tasks and open
--- what the handlers need. An error in it ends the worker, to be started again a
--- while later; without workers weft.serve raises it.
---@alias weft.OnWorker fun(n: integer, server: weft.Server, restarts: integer)

--- Options of weft.static.
---@class weft.StaticOptions
---@field index? string|false the file sent for a directory ("index.html"); false sends none
---@field fallback? string the file sent, with 200, where there is none at the path: for applications that make their pages themselves
---@field max_age? integer seconds for which clients may keep a file without asking again, as Cache-Control (unset: clients guess)
---@field headers? table<string, string|string[]> further headers of answers with a file, "Cache-Control" for instance; weft.static's own raise
---@field types? table<string, string> content types by extension, besides the usual ones: { gmi = "text/gemini" }
---@field dotfiles? boolean whether names that begin with a dot are served (false)

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

--- Whom a client trusts, and who it is: the option `tls` of weft.connect. Files
--- are PEM, and may be given as their text instead of their names.
---@class weft.ClientTls
---@field verify? boolean whether the certificate must be signed by somebody trusted, be of today and name the host (true)
---@field ca? string who is trusted, instead of the system's store
---@field server_name? string whom the certificate must name, and who is asked for, instead of the URL's host
---@field cert? string a client certificate, leaf first, its chain after it
---@field key? string its key, when it is not in `cert`
---@field passphrase? string what the key is encrypted with
---@field pin? string "sha256//..." of the public key that the server must have, or several with ";" between; looked at without `verify` too
---@field min_version? "1.2"|"1.3" ("1.2")

--- Options of weft.connect.
---
--- User name and password also come from the URL, percent-encoded:
--- `wss://ana:sesame@example.com/`. An Authorization header beside them raises.
--- No message and no error shows them, nor a proxy's; `ws.request` does.
---
--- A proxy is asked to connect to the server's name, which it resolves itself. The
--- environment's is used as curl would: ws_proxy, http_proxy or all_proxy for
--- ws://, wss_proxy, https_proxy or all_proxy for wss://, but for the hosts in
--- no_proxy.
---
--- `redirects` follows 301, 302, 303, 307 and 308 with a Location, relative or
--- not, where http means ws and https wss. Past that number the refusal is the
--- result. Not followed, with a message that says so: from wss to ws; a Location
--- with a user name or password in it; with `unix`, to another scheme, host or
--- port. Headers, Origin and protocols are sent again; Authorization (Basic auth
--- too), Cookie and Proxy-Authorization only as long as scheme, host and port
--- stay what they were. Proxies are chosen anew. `tls` holds for every host, but
--- for its `server_name`.
---@class weft.ConnectOptions: weft.ConnectionOptions
---@field headers? table<string, string|string[]> further headers; the handshake's own raise
---@field origin? string the Origin header (none)
---@field user_agent? string the User-Agent header ("weft/1.0.0"); "" sends none
---@field username? string for Basic auth, instead of what the URL says; no ":" in it
---@field password? string with `username` or a user name in the URL ("")
---@field tls? weft.ClientTls for wss://, also where a redirect leads there; ws:// takes no notice of it
---@field proxy? string|false "http://user:password@host:port", "socks5://..." or false for none; unset: what the environment says
---@field unix? string the path of a Unix-domain socket to connect to, without a proxy; Host and path are still the URL's
---@field redirects? integer how many redirects to follow (0)
---@field timeout? number the whole opening: names, proxy, TLS, handshake, redirects (10)
---@field events? weft.Events return at once, and call these

--- Decides whether to go on after an attempt that failed for the `attempt`th
--- time since a connection was open. By default one does not after "url" and
--- "tls", nor after a status from 400 to 499 other than 408 and 429.
---@alias weft.Retry fun(message: string, code: string, attempt: integer, response: weft.Response?): boolean?

--- Options of weft.reconnecting.
---@class weft.ReconnectingOptions: weft.ConnectOptions
---@field min_delay? number the longest first delay, in seconds (0.25); doubled with each failure
---@field max_delay? number the longest delay (30)
---@field max_attempts? integer how many times in a row connecting may fail (no limit)
---@field retry? weft.Retry
---@field on_retry? fun(delay: number, message: string) called before each delay, with what went wrong

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

--- `weft.adapters`: weft in the loops of others, ready made. Reading one loads the
--- library that it is for, and raises where there is none. What they have in
--- common: `attach` takes [options](#weftattachoptions) and gives an
--- [attachment](#weftattachment); from then on weft turns in the host's loop
--- as soon as it has something to do. More in [a page of its own](embedding.md).
---
--- - `weft.adapters.cqueues.attach(controller [, options])`
--- - `weft.adapters.luv.attach([options])`
--- - `weft.adapters.copas.attach([options])` gives one with `step` and `loop`
--- - `weft.adapters.luasocket.attach([options])` gives one with `select`
---@class weft.Adapters
---@field cqueues { attach: fun(controller: any, options: weft.AttachOptions?): weft.Attachment }
---@field luv { attach: fun(options: weft.AttachOptions?): weft.Attachment }
---@field copas { attach: fun(options: weft.AttachOptions?): weft.CopasAttachment }
---@field luasocket { attach: fun(options: weft.AttachOptions?): weft.SelectAttachment }

--- How weft turns in the loop of a host.
---@class weft.AttachOptions
---@field messages? integer a turn's limit, as for weft.step (none)
---@field seconds? number a turn's limit, as for weft.step (none)
---@field interval? number where weft has no descriptor (poll(2)): seconds after which it turns, come what may (0.01)
---@field beside? weft.Attachment copas and luasocket: the one of another instance, whose `step` or `select` is called by that of the new one

--- weft in the loop of a host. While it is open, it keeps a loop running that ends
--- when nothing is left in it.
---@class weft.Attachment
local Attachment = {}

--- Takes weft out of the loop. What it has open stays open, but nothing happens
--- until something else turns it. Closing it again does nothing, and
--- `weft.close()` closes it too.
function Attachment:close() end

--- What `weft.adapters.copas.attach` gives.
---@class weft.CopasAttachment: weft.Attachment
local CopasAttachment = {}

--- In place of copas.step: it does not sleep longer than weft's timers may.
---@param timeout? number seconds to wait at most (no limit)
---@return boolean handled as copas.step
function CopasAttachment:step(timeout) end

--- In place of copas.loop; returns when the attachment is closed.
---@param timeout? number for each step
function CopasAttachment:loop(timeout) end

--- What `weft.adapters.luasocket.attach` gives.
---@class weft.SelectAttachment: weft.Attachment
local SelectAttachment = {}

--- As socket.select, and turns weft. It also returns, with "timeout", when weft has
--- done something and none of these sockets is ready: what a handler has changed
--- of the program may matter to the loop.
---@param reading? table sockets to read from
---@param writing? table sockets to write to
---@param timeout? number seconds to wait at most (no limit)
---@return table readable
---@return table writable
---@return string? err "timeout" when none of them is ready
function SelectAttachment:select(reading, writing, timeout) end

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
