--- Clients: weft.connect, and what weft.pair and weft.protocol share with it.
--- Internal.

local core = require "weft.core"
local check = require "weft.check"
local handlers = require "weft.handlers"
local http = require "weft.http"
local options = require "weft.options"
local url = require "weft.url"

local client = {}

local function own(name)
  if name == "origin" then
    return "is set by the option 'origin'"
  elseif name == "user-agent" then
    return "is set by the option 'user_agent'"
  end
  return http.handshake_own(name)
end

--- The header lines of an option; raises for what cannot be sent.
---@param where string
---@param headers? table
---@param level integer
---@return string
function client.header_lines(where, headers, level)
  local lines, wrong = http.header_lines(headers or {}, own)
  if not lines then
    error(where .. ": option 'headers': " .. wrong, level + 1)
  end
  return lines
end

--- What a request says, for the core, from a checked table of options.
---@param where string
---@param checked table
---@param target table from url.parse
---@param level integer
---@return table
function client.request(where, checked, target, level)
  return {
    target = target.target,
    host_header = target.host_header,
    origin = checked.origin,
    user_agent = checked.user_agent,
    protocols = checked.protocols,
    headers = client.header_lines(where, checked.headers, level + 1),
  }
end

--- A URL that can be connected to: its parts, or nil, message, code.  Raises
--- for what must never come into a request.
---@param where string
---@param text string
---@param level integer
---@return table|nil, string? message, string? code
function client.parse_url(where, text, level)
  check.argument(where, "url", check.string, text, nil, level + 1)
  if text:find("[\r\n%z]") then
    error(where .. ": argument 'url': expected a URL, got one with CR, LF or NUL",
          level + 1)
  end
  local parts, wrong = url.parse(text)
  if not parts then
    return nil, "bad URL: " .. wrong, "url"
  elseif parts.credentials then
    return nil, "user name and password in a URL are not supported yet", "url"
  elseif parts.scheme == "wss" then
    return nil, "wss:// is not supported yet", "tls"
  end
  return parts
end

--- Connects as weft.connect does, with options that were checked.
---@param loop weft.Loop
---@param spec table
---@return weft.Connection|nil, string? message, string? code, weft.Response?
function client.open(loop, spec)
  local ws, message, code = core.connect(loop, spec)
  if not ws then
    return nil, message, code
  elseif spec.events then
    core.set_events(ws, spec.events)
    return ws
  end
  local ok
  ok, message, code = core.wait_open(ws)
  if ok then
    return ws
  end
  ws:abort() -- nobody else can reach it, should it be half open
  if code == "handshake" then
    return nil, message, code, ws.response
  elseif code == "cancelled" then
    message = "connect to " .. spec.host_header .. ": cancelled"
  end
  return nil, message, code
end

--- Checks weft.connect's arguments: the spec for client.open, or nil, message,
--- code for a URL that is no good.
---@param given_url string
---@param given? table
---@param level integer
---@return table|nil, string? message, string? code
function client.check(given_url, given, level)
  local where = "weft.connect"
  local target, message, code = client.parse_url(where, given_url, level + 1)
  local checked = check.options(options.connect, where, given, level + 1)
  local spec = client.request(where, checked, target or {}, level + 1)
  spec.events = checked.events
    and handlers.events(where .. ": option 'events'", checked.events, level + 1)
  if not target then -- after all that can raise: a mistake shows at once
    return nil, message, code
  end
  spec.host, spec.port = target.host, target.port
  spec.timeout = checked.timeout
  spec.config = core.config(options.settings(checked))
  return spec
end

return client
