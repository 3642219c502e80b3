--- Peers for TLS that are not weft: the `openssl` command at either end, and a
--- relay in between that passes on what it gets, or does worse.
---
---     local port, openssl = tls_peer.s_server(t, certificates.server)
---     local openssl = tls_peer.s_client(t, server, { "-quiet" })
---     local relay = tls_peer.relay(t, server)
---     local ws = t:connect(tls_peer.url(relay.port), ...)
---     relay:cut()
---
--- The case that made them ends them.
local certificates = require "support.certificates"
local command = require "support.command"
local handshake = require "support.handshake"
local peer = require "support.peer"
local socket = require "socket"

local tls_peer = {}

--- The hosts of a URL that are this machine: those that it has.
---@return string[]
function tls_peer.local_hosts()
  local hosts = { "localhost", "LocalHost", "127.0.0.1" }
  local sock = socket.tcp6()
  if sock and sock:bind("::1", 0) then
    hosts[#hosts + 1] = "[::1]"
  end
  if sock then
    sock:close()
  end
  return hosts
end

--- Where a server or a port is for a client that speaks TLS.
---@param to weft.Server|integer
---@param host? string "127.0.0.1", for which nobody need be asked
---@param path? string "/"
---@return string
function tls_peer.url(to, host, path)
  local port = type(to) == "number" and to or to:port()
  return ("wss://%s:%d%s"):format(host or "127.0.0.1", port, path or "/")
end

--- A client's options: it trusts the CA that the certificates are from.
---@param tls? table more options of `tls`
---@param options? table more options
---@return table
function tls_peer.trusting(tls, options)
  local all = { tls = { ca = certificates.ca } }
  for name, value in pairs(tls or {}) do
    all.tls[name] = value
  end
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return all
end

--- A running `openssl`.
---@class OpenSSL
---@field private t Case
---@field private command Command
---@field private ended? boolean
local openssl = {}
openssl.__index = openssl

--- Starts `openssl` with these words.
---@param t Case
---@param words string[]
---@return OpenSSL
function tls_peer.openssl(t, words)
  local self = setmetatable({
    t = t,
    command = command.start(t.weft, words, { program = { "openssl" }, environment = { "-u", "LD_PRELOAD" } }),
  }, openssl)
  t.peers[#t.peers + 1] = self
  return self
end

--- A client of a server or port of 127.0.0.1; with "-quiet" among the words
--- its output is what it received and nothing else.
---@param t Case
---@param to weft.Server|integer
---@param words? string[]
---@return OpenSSL
function tls_peer.s_client(t, to, words)
  local port = type(to) == "number" and to or to:port()
  local all = { "s_client", "-connect", "127.0.0.1:" .. port, "-CAfile", certificates.ca }
  return tls_peer.openssl(t, table.move(words or {}, 1, #(words or {}), #all + 1, all))
end

--- A server on a free port of 127.0.0.1.  What it is given to write in one
--- piece must not begin with the letter of a command (q, r, P, S, B, k, c).
---@param t Case
---@param certificate Certificate
---@param words? string[]
---@return integer port, OpenSSL
function tls_peer.s_server(t, certificate, words)
  local all = { "s_server", "-accept", "127.0.0.1:0", "-cert", certificate.cert, "-key", certificate.key }
  local self = tls_peer.openssl(t, table.move(words or {}, 1, #(words or {}), #all + 1, all))
  local port = self:wait_for "ACCEPT [%d.]+:(%d+)"
  return math.tointeger(tonumber(port)), self
end

--- Writes bytes to be sent.
---@param bytes string
function openssl:write(bytes)
  self.command:write(bytes)
end

--- Ends its input: it ends the TLS stream, then itself.
function openssl:end_input()
  self.command:end_input()
end

--- What it has written so far.
---@return string output, string errors
function openssl:output()
  return self.command:output()
end

--- Waits until its output has a pattern; gives what that captures.
---@param pattern string
function openssl:wait_for(pattern)
  return self.command:wait_for(pattern)
end

--- Waits until its output has these bytes.
---@param bytes string
function openssl:expect(bytes)
  self.t:wait_until(function()
    return self:output():find(bytes, 1, true)
  end, ("openssl's %q"):format(bytes:sub(1, 80)))
end

--- As a client: goes through the opening handshake.
function openssl:upgrade()
  self:write(handshake.request())
  self:expect(handshake.accept(handshake.KEY))
  self:expect "\r\n\r\n"
end

--- As a server: waits for the opening handshake and answers it.
function openssl:accept_upgrade()
  self:write(handshake.response(self:wait_for "Sec%-WebSocket%-Key: (%S+)"))
end

--- Waits until it has ended by itself.
---@return string output, string errors, integer status
function openssl:finish()
  self.ended = true
  return self.command:wait()
end

--- Ends it.
function openssl:close()
  if self.ended then
    return
  end
  while not pcall(self.command.signal, self.command, "KILL") do
    self.t.weft.sleep(0.002) -- it has yet to write down its process id
  end
  self:finish()
end

--- The common name of the certificate that a server shows to who has never
--- been there; "weft server" for certificates.server.
---@param t Case
---@param to weft.Server|integer
---@param server_name? string
---@return string
function tls_peer.shown(t, to, server_name)
  local client = tls_peer.s_client(t, to, server_name and { "-servername", server_name })
  local name = client:wait_for "\nsubject=CN = ([^\n]+)\n"
  client:close()
  return name
end

--- A relay between one client and a server.
---@class Relay
---@field port integer where the client connects
---@field change? fun(bytes: string, direction: "up"|"down"): string
---  what becomes of bytes on their way; "up" is to the server
---@field held? boolean nothing is passed on
---@field piece? integer bytes that are passed on at once
---@field pause? number seconds after every 64 KiB
---@field client? Peer
---@field server? Peer
---@field private t Case
---@field private pumps integer
---@field private over? boolean
local relay = {}
relay.__index = relay

--- Some bytes off a peer; nil when there will be none or the relay is over.
local function some(self, raw)
  while not self.over do
    if not self.held then
      local all, why, partial = raw.socket:receive(65536)
      local bytes = all or partial
      if #bytes > 0 then
        return bytes
      elseif why ~= "timeout" then
        return nil
      end
    end
    local _, why
    if self.held then
      _, why = self.t.weft.sleep(0.002)
    else
      _, why = self.t.weft.wait(raw.socket, "r", 0.005)
    end
    if why == "cancelled" then
      return nil
    end
  end
end

--- Passes on in one direction until the source ends, then ends the other.
local function pump(self, from, to, direction)
  while true do
    local bytes = some(self, from)
    if not bytes then
      break
    end
    if self.change then
      bytes = self.change(bytes, direction)
    end
    if not to:send_in_pieces(bytes, self.piece or math.max(1, #bytes)) then
      break
    end
    if self.pause then
      self.t.weft.sleep(self.pause)
    end
  end
  if not self.over then
    to:shutdown()
  end
  self.pumps = self.pumps - 1
end

--- A task of the case's, cancelled when the case is over.
local function beside(t, fn, ...)
  t.acceptors[#t.acceptors + 1] = t.weft.spawn(fn, ...)
end

--- A relay to a server or a port of 127.0.0.1, for one connection at a time.
---@param t Case
---@param to weft.Server|integer
---@return Relay
function tls_peer.relay(t, to)
  local listener = peer.listen(t.weft)
  t.listeners[#t.listeners + 1] = listener
  local self = setmetatable({ t = t, port = listener.port, pumps = 0 }, relay)
  beside(t, function()
    while true do
      local client = listener:accept(math.huge)
      if not client then
        return
      end
      t.peers[#t.peers + 1] = client
      self.client, self.server, self.pumps = client, t:dial(to), 2
      beside(t, pump, self, client, self.server, "up")
      beside(t, pump, self, self.server, client, "down")
    end
  end)
  return self
end

--- Puts bytes of its own on the wire, "up" to the server or "down".
---@param direction "up"|"down"
---@param bytes string
function relay:inject(direction, bytes)
  assert(self[direction == "up" and "server" or "client"]:send(bytes))
end

--- Passes nothing on any more; both TCP connections stand.
function relay:stop()
  self.over = true
  self.t:wait_until(function()
    return self.pumps == 0
  end, "the relay's end")
end

--- Ends both TCP connections in order, as if nothing more were to come.
function relay:cut()
  self:stop()
  self.client:shutdown()
  self.server:shutdown()
end

--- Drops both TCP connections with resets.
function relay:reset()
  self:stop()
  self.client:reset()
  self.server:reset()
end

return tls_peer
