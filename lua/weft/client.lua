--- Clients: weft.connect, and what weft.reconnecting, weft.pair and
--- weft.protocol share with it.  Internal.

local core = require "weft.core"
local check = require "weft.check"
local credentials = require "weft.credentials"
local handlers = require "weft.handlers"
local http = require "weft.http"
local options = require "weft.options"
local proxy = require "weft.proxy"
local redirect = require "weft.redirect"
local tls = require "weft.tls"
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

-- The header lines of an option; raises for what cannot be sent.
local function header_lines(where, headers, level)
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
  local lines = header_lines(where, checked.headers, level + 1)
  return {
    target = target.target,
    host_header = target.host_header,
    origin = checked.origin,
    user_agent = checked.user_agent,
    protocols = checked.protocols,
    headers = lines .. credentials.line(where, checked, target, level + 1),
  }
end

--- A URL that can be connected to: its parts, or nil, message, code.  Raises
--- for what must never come into a request.
---@param where string
---@param text string
---@param level integer
---@return weft.Target|nil, string? message, string? code
function client.parse_url(where, text, level)
  check.argument(where, "url", check.string, text, nil, level + 1)
  if text:find("[\r\n%z]") then
    error(where .. ": argument 'url': expected a URL, got one with CR, LF or NUL",
          level + 1)
  end
  local parts, wrong = url.parse(text)
  if not parts then
    return nil, "bad URL: " .. wrong, "url"
  end
  return parts
end

--- What to connect to and how: a URL and options that hold no mistake.
---@class weft.ClientPlan
---@field target? weft.Target
---@field fault? string why the URL is no good; there is no target then
---@field checked table the options
---@field request table what the first request says
---@field public string its header lines that another origin may see
---@field config userdata
---@field events? table

--- Checks the arguments of weft.connect or weft.reconnecting; raises for a
--- mistake.
---@param where string
---@param spec table of options.lua
---@param given_url string
---@param given? table
---@param level integer
---@return weft.ClientPlan
function client.plan(where, spec, given_url, given, level)
  local target, fault = client.parse_url(where, given_url, level + 1)
  local checked = check.options(spec, where, given, level + 1)
  if checked.unix and checked.proxy then
    error(where .. ": the options 'unix' and 'proxy' exclude each other", level + 1)
  end
  local request = client.request(where, checked, target or {}, level + 1)
  local events = checked.events
    and handlers.events(where .. ": option 'events'", checked.events, level + 1)
  return {
    target = target,
    fault = fault,
    checked = checked,
    request = request,
    public = header_lines(where, redirect.public(checked.headers or {}), level + 1),
    config = core.config(options.settings(checked)),
    events = events,
  }
end

local function copy(from)
  local to = {}
  for name, value in pairs(from) do
    to[name] = value
  end
  return to
end

-- Completes a spec for core.connect with the way to a target: true, or nil,
-- message, code.
local function find_way(contexts, plan, target, spec)
  local checked = plan.checked
  local wrong
  spec.host, spec.port = target.host, target.port
  spec.unix = checked.unix
  if not checked.unix then
    spec.proxy, wrong = proxy.choose(checked.proxy, target.scheme, target.host)
    if wrong then
      return nil, wrong, "proxy"
    end
  end
  if target.scheme == "wss" then
    spec.tls, wrong = tls.client_context(contexts, checked.tls)
    if wrong then
      return nil, wrong, "tls"
    end
    if checked.tls and target.host:lower() == plan.target.host:lower() then
      spec.tls_name = checked.tls.server_name -- it is for that host alone
    end
  end
  return true
end

-- "handshake refused: 401", without the server's words.
local function refusal(response)
  return "handshake refused: " .. response.status
end

-- What core.connect calls with a connection that was refused.  What is for one
-- origin alone does not come back once another one has been asked; words that
-- repeat who the client is come into no message.
local function follower(contexts, plan)
  local target, headers = plan.target, plan.request.headers
  local left = plan.checked.redirects
  return function(ws)
    local response = core.head(ws, "response")
    local to, wrong = redirect.next(target, response, plan.checked.unix)
    local secret = credentials.repeated(response.reason, plan.checked, plan.target)
    if not to and not wrong or left == 0 then
      return nil, secret and refusal(response) or nil
    end
    local spec, found = copy(plan.request), nil
    if to then
      found, wrong = find_way(contexts, plan, to, spec)
    end
    if not found then
      local words = (secret or response.reason == "") and "" or " " .. response.reason
      return nil, refusal(response) .. words .. ": " .. wrong
    end
    headers = url.same_origin(target, to) and headers or plan.public
    spec.target, spec.host_header, spec.headers = to.target, to.host_header, headers
    target, left = to, left - 1
    return spec
  end
end

-- What core.connect takes, or nil, message, code.
local function spec_of(contexts, plan)
  if plan.fault then
    return nil, plan.fault, "url"
  end
  local spec = copy(plan.request)
  spec.timeout = plan.checked.timeout
  spec.config = plan.config
  if plan.checked.redirects > 0 or credentials.given(plan.checked, plan.target) then
    spec.redirect = follower(contexts, plan)
  end
  local found, message, code = find_way(contexts, plan, plan.target, spec)
  if not found then
    return nil, message, code
  end
  return spec
end

--- Connects as weft.connect does.
---@param loop weft.Loop
---@param contexts weft.TlsCache
---@param plan weft.ClientPlan
---@return weft.Connection|nil, string? message, string? code, weft.Response?
function client.open(loop, contexts, plan)
  local spec, message, code = spec_of(contexts, plan)
  if not spec then
    return nil, message, code
  end
  local ws
  ws, message, code = core.connect(loop, spec)
  if not ws then
    return nil, message, code
  elseif plan.events then
    core.set_events(ws, plan.events)
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

return client
