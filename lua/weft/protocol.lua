--- weft.protocol: the protocol without I/O.

local core = require "weft.core"
local check = require "weft.check"
local client = require "weft.client"
local http = require "weft.http"
local specs = require "weft.options"

--- The same state machine that connections use, with no socket: bytes in,
--- events out, and back.
---@class weft.protocol
local protocol = {}

-- What core.protocol takes: the limits, and what is given.
local function complete(checked, more)
  local all = specs.settings(checked)
  for name, value in pairs(more) do
    all[name] = value
  end
  return all
end

--- A client's side. Its opening request is in `output()` at once.
---@param options? weft.ProtocolClientOptions
---@return weft.Protocol
function protocol.client(options)
  local where = "weft.protocol.client"
  local checked = check.options(specs.protocol_client, where, options, 2)
  local target, message = client.parse_url(where, checked.url, 2)
  if not target then
    error(where .. ": option 'url': " .. message, 2)
  end
  local request = client.request(where, checked, target, 2)
  return core.protocol("client", complete(checked, request))
end

--- A server's side. It answers a good opening by itself.
---@param options? weft.ProtocolServerOptions
---@return weft.Protocol
function protocol.server(options)
  local where = "weft.protocol.server"
  local checked = check.options(specs.protocol_server, where, options, 2)
  local lines, wrong = http.header_lines(checked.headers or {}, http.handshake_own)
  if not lines then
    error(where .. ": option 'headers': " .. wrong, 2)
  end
  return core.protocol("server", complete(checked, {
    protocols = checked.protocols,
    origins = checked.origins,
    headers = lines,
  }))
end

return protocol
