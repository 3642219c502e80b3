--- A raw peer: a LuaSocket socket whose waits are weft's, so that hand-made
--- clients and servers run as tasks beside the library under test.
---
--- No call raises for what the other side does; they say what came and why no
--- more did: "timeout", "fin" (an orderly end) or "reset".
local socket = require "socket"
local unix = require "socket.unix"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"

local peer = {}

---@class Peer
---@field socket table
---@field weft table the instance whose loop it waits in
local methods = {}
methods.__index = methods

--- Takes over a connected socket.
local function adopt(weft, sock)
  sock:settimeout(0)
  if sock.setoption then
    pcall(sock.setoption, sock, "tcp-nodelay", true)
  end
  return setmetatable({ weft = weft, socket = sock }, methods)
end

--- Connects to a port of 127.0.0.1, or to a Unix-domain socket when `to` is a
--- path. Options: receive_buffer and send_buffer, bytes in the kernel.
---@param weft table
---@param to integer|string
---@param options? table
---@return Peer
function peer.connect(weft, to, options)
  options = options or {}
  local sock = type(to) == "string" and unix.stream() or socket.tcp4()
  if options.receive_buffer then
    assert(sock:setoption("recv-buffer-size", options.receive_buffer))
  end
  if options.send_buffer then
    assert(sock:setoption("send-buffer-size", options.send_buffer))
  end
  sock:settimeout(0)
  local ok, why
  if type(to) == "string" then
    ok, why = sock:connect(to)
  else
    ok, why = sock:connect("127.0.0.1", to)
  end
  if not ok and why ~= "timeout" and why ~= "Operation already in progress" then
    sock:close()
    error("the raw peer cannot connect: " .. why, 2)
  end
  if not ok then
    assert(weft.wait(sock, "w", patience(5)), "the raw peer cannot connect in time")
    assert(not sock:getoption "error", "the raw peer was refused")
  end
  return adopt(weft, sock)
end

---@class PeerListener
local listener = {}
listener.__index = listener

--- A raw server's socket on a free port of 127.0.0.1; see port and accept.
---@return PeerListener
function peer.listen(weft)
  local sock = assert(socket.bind("127.0.0.1", 0, 64))
  sock:settimeout(0)
  local _, port = sock:getsockname()
  return setmetatable({ weft = weft, socket = sock, port = math.tointeger(tonumber(port)) }, listener)
end

--- A port of 127.0.0.1 on which nobody listens, and that the system gives to
--- nobody who asks for any: what runs beside this does not get it meanwhile.
---@return integer
function peer.free_port()
  local port, free
  repeat
    local any = assert(socket.bind("127.0.0.1", 0))
    port = 10000 + tonumber((select(2, any:getsockname()))) % 22000
    any:close()
    free = socket.bind("127.0.0.1", port)
  until free
  free:close()
  return math.tointeger(port)
end

--- The next connection, or nil, why.
---@return Peer?, string?
function listener:accept(timeout)
  local sock = self.socket:accept()
  if not sock then
    local ready, why = self.weft.wait(self.socket, "r", timeout or patience(5))
    if not ready then
      return nil, why
    end
    sock = assert(self.socket:accept())
  end
  return adopt(self.weft, sock)
end

function listener:close()
  self.socket:close()
end

--- Sends everything, waiting as long as it takes; true, or nil, why and how
--- many bytes were taken.
---@param bytes string
---@param timeout? number seconds without progress (5)
function methods:send(bytes, timeout)
  local at = 1
  while at <= #bytes do
    local last, why, partial = self.socket:send(bytes, at)
    at = (last or partial) + 1
    if at <= #bytes then
      if why ~= "timeout" then
        return nil, why, at - 1
      end
      if not self.weft.wait(self.socket, "w", timeout or patience(5)) then
        return nil, "timeout", at - 1
      end
    end
  end
  return true
end

--- Sends in pieces of `size` bytes, each on its own: the loop turns in between.
---@param bytes string
---@param size integer
function methods:send_in_pieces(bytes, size)
  for at = 1, #bytes, size do
    local ok, why = self:send(bytes:sub(at, at + size - 1))
    if not ok then
      return nil, why
    end
    self.weft.sleep(0)
  end
  return true
end

--- Exactly n bytes, or what came of them and "timeout", "fin" or "reset".
---@param n integer
---@param timeout? number seconds without progress (5)
---@return string bytes, string? why
function methods:receive(n, timeout)
  local parts, got = {}, 0
  while got < n do
    if self.socket.getoption and self.socket:getoption "error" then
      self.was_reset = true -- LuaSocket itself calls both ends "closed"
    end
    local all, why, partial = self.socket:receive(n - got)
    local piece = all or partial
    parts[#parts + 1] = piece
    got = got + #piece
    if got == n then
      break
    elseif why ~= "timeout" then
      return table.concat(parts), self.was_reset and "reset" or "fin"
    elseif not self.weft.wait(self.socket, "r", timeout or patience(5)) then
      return table.concat(parts), "timeout"
    end
  end
  return table.concat(parts)
end

--- Everything until the connection ends, and how: "fin", "reset", or
--- "timeout" when it did not.
---@param timeout? number seconds without progress (5)
---@return string bytes, string ending
function methods:read_until_closed(timeout)
  local parts = {}
  while true do
    local piece, why = self:receive(65536, timeout)
    parts[#parts + 1] = piece
    if why then
      return table.concat(parts), why
    end
  end
end

--- Whether nothing comes within so many seconds (and the connection stands).
function methods:is_silent(seconds)
  local bytes, why = self:receive(1, seconds)
  return bytes == "" and why == "timeout"
end

--- The next frame (see frame.read), or nil, why.
---@return table?, string?
function methods:frame(timeout)
  return frame.read(function(n)
    return self:receive(n, timeout)
  end)
end

--- The next frame, which has to be a text or binary message in one piece.
---@return string message, string kind
function methods:message(timeout)
  local got, why = self:frame(timeout)
  if not got then
    error("no message came: " .. why, 2)
  elseif not got.fin or got.opcode ~= 1 and got.opcode ~= 2 then
    error(("no whole message but opcode %d with %q"):format(got.opcode, got.payload:sub(1, 80)), 2)
  end
  return got.payload, got.opcode == 1 and "text" or "binary"
end

--- The next frame, which has to be a close: its code (1005 without one) and
--- reason.
---@return integer code, string reason
function methods:close_frame(timeout)
  local got, why = self:frame(timeout)
  if not got then
    error("no close frame came: " .. why, 2)
  elseif got.opcode ~= frame.CLOSE then
    error(("no close frame but opcode %d with %q"):format(got.opcode, got.payload:sub(1, 80)), 2)
  end
  return got.code or 1005, got.reason or ""
end

--- The next HTTP head, blank line included, or what came of it and why.
---@return string head, string? why
function methods:head(timeout)
  local bytes = {}
  while true do
    local byte, why = self:receive(1, timeout)
    if why then
      return table.concat(bytes), why
    end
    bytes[#bytes + 1] = byte
    if byte == "\n" and #bytes >= 4 and table.concat(bytes, "", #bytes - 3) == "\r\n\r\n" then
      return table.concat(bytes)
    end
  end
end

--- The next HTTP head, taken apart (see handshake.parse).
---@return table
function methods:parsed_head(timeout)
  local head, why = self:head(timeout)
  if why then
    error(("no HTTP head came but %q: %s"):format(head, why), 2)
  end
  return handshake.parse(head)
end

--- The whole HTTP answer on a connection that then ends: a parsed head with
--- `body` and `ending`.
---@return table
function methods:answer(timeout)
  local answer = self:parsed_head(timeout)
  answer.body, answer.ending = self:read_until_closed(timeout)
  return answer
end

--- A client's handshake (see handshake.request): the parsed answer.
---@return table
function methods:upgrade(options)
  self:send(handshake.request(options))
  local answer = self:parsed_head()
  if answer.status ~= 101 then
    error("not upgraded: " .. answer.text, 2)
  end
  self.response = answer
  return answer
end

--- A server's side of it (see handshake.response): the parsed request.
---@return table
function methods:accept_upgrade(options)
  local request = self:parsed_head()
  self:send(handshake.response(request.headers["sec-websocket-key"], options))
  self.request = request
  return request
end

--- Ends our direction; the other one stays open.
function methods:shutdown()
  self.socket:shutdown "send"
end

--- Drops the connection with a reset.
function methods:reset()
  self.socket:setoption("linger", { on = true, timeout = 0 })
  self.socket:close()
end

function methods:close()
  self.socket:close()
end

return peer
