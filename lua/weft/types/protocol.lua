---@meta
--- What weft.protocol.client() and weft.protocol.server() return.

--- One end of a WebSocket connection without a socket: what has arrived goes
--- into `feed`, what it means comes out of `events`, and what is to be sent out
--- of `output`.
---
---     p:feed(bytes)
---     for event in p:events() do
---       if event.type == "text" then p:send("you said " .. event.data) end
---     end
---     socket:write(p:output())
---
---@class weft.Protocol
---@field state "connecting"|"open"|"closing"|"closed"
---@field protocol? string the subprotocol agreed on
---@field extensions string those agreed on, as ws.extensions; "" for none
---@field close_code? integer once closed, the peer's: 1005 if it gave none, 1006 if no close frame came
---@field close_reason? string once closed, the peer's
local Protocol = {}

--- `type` says what it is:
---   "open"    the handshake is complete: `protocol`, `extensions`, `headers`,
---             and `method` and `target` of the request or `status` and
---             `reason` of the response
---   "text", "binary"  a message: `data`
---   "ping", "pong"    a ping was answered already: `data`
---   "close"   the peer's close frame, answered already: `code` (1005 if it
---             gave none) and `reason`
---   "error"   the end: `message`, a sentence, and `code`: the close code that
---             `output` now sends, or the HTTP status, if there is one, of a
---             handshake that was refused
---@class weft.ProtocolEvent
---@field type "open"|"text"|"binary"|"ping"|"pong"|"close"|"error"
---@field data? string
---@field code? integer
---@field reason? string
---@field message? string
---@field protocol? string
---@field extensions? string
---@field method? string
---@field target? string as it was sent
---@field status? integer
---@field headers? table<string, string> looked up whatever the case of the name; a repeated one's values are joined with ", "

--- Takes bytes that have arrived, in whatever pieces. They are looked at when
--- `events` or `output` is called.
---@param bytes string
---@return boolean|nil ok
---@return "closed"|nil word the bytes are thrown away then
---@return integer? code with "closed"
---@return string? reason with "closed"
function Protocol:feed(bytes) end

--- Iterates over what the bytes mean; ends when they are used up.
---@return fun(): weft.ProtocolEvent?
function Protocol:events() end

--- The bytes to send, "" when there are none; they are given once. What was fed
--- is worked through first, up to the next event.
---@return string
function Protocol:output() end

--- Queues a message. Text must be UTF-8.
---@param message string
---@param kind? "text"|"binary"|weft.SendOptions "text"; of the options, kind and compress
---@return boolean|nil ok
---@return "closed"|"connecting"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Protocol:send(message, kind) end

--- Queues a ping; the answer is an event.
---@param payload? string at most 125 bytes
---@return boolean|nil ok
---@return "closed"|"connecting"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Protocol:ping(payload) end

--- Queues a pong that nobody asked for.
---@param payload? string at most 125 bytes
---@return boolean|nil ok
---@return "closed"|"connecting"|nil word
---@return integer? code with "closed"
---@return string? reason with "closed"
function Protocol:pong(payload) end

--- Queues the close frame, after which nothing can be sent. True also when it
--- is closed already.
---@param code? integer 1000; or 1001-1003, 1007-1014, 3000-4999
---@param reason? string at most 123 bytes of UTF-8
---@return boolean|nil ok
---@return "connecting"|nil word
function Protocol:close(code, reason) end
