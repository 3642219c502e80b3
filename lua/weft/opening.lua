--- What a server does with a request: accepts a WebSocket, refuses it, or
--- answers plain HTTP.  Internal.

local core = require "weft.core"
local forwarded = require "weft.forwarded"
local guarded = require "weft.guarded"
local http = require "weft.http"
local requests = require "weft.request"
local response = require "weft.response"
local upgrade = require "weft.upgrade"

local opening = {}

--- How a server answers requests, compiled from its options.
---@class weft.Plan
---@field server weft.Server whose plan it is
---@field closing boolean the server accepts nothing any more
---@field draining boolean but lets in those who are there already
---@field run? function the handler of every WebSocket
---@field route? function from path to handler and parameters
---@field page? fun(request: weft.Request): function?, integer?, string? the handler of a plain request; or nil, a status and the methods that are allowed
---@field upgrade? function
---@field origins? string[]
---@field any_origin boolean
---@field protocols? string[]
---@field hosts? string[]
---@field port? integer that it listens on
---@field trusted? userdata the ranges of trusted proxies, as of core.ranges
---@field attached table<weft.FallbackSession, boolean> what weft.fallback has opened for its clients

local function refuse(ws, status, sentence)
  core.respond(ws, status, "", sentence .. "\n")
end

-- A handshake, or a request for somebody else; counted by what it is refused for.
local function refuse_for(ws, reason, status, sentence)
  core.refuses(ws, reason)
  refuse(ws, status, sentence)
end

-- Without pages, and where a WebSocket is: what is there instead
-- (RFC 9110, 15.5.22).
local function upgrade_required(ws, sentence)
  core.respond(ws, 426, "Upgrade: websocket\r\n", sentence .. "\n")
end

local function make_request(plan, ws)
  local request = requests.new(core.head(ws, "request"), ws, plan)
  if plan.trusted then
    local told = core.ranges_hold_peer(plan.trusted, ws)
                 and forwarded.read(request.headers, plan.trusted)
    requests.tell(request, told or {})
  end
  return request
end

-- The handler of a plain request; or nil, and it is answered.
local function find_page(plan, ws, request)
  local page, status, allow = plan.page(request)
  if page then
    return page
  elseif status == 405 then
    core.respond(ws, 405, "Allow: " .. allow .. "\r\n",
                 "This path does not know the method " .. request.method .. ".\n")
  elseif status == 204 then
    core.respond(ws, 204, "Allow: " .. allow .. "\r\n", "")
  elseif request.target == "*" then -- OPTIONS about no path (RFC 9110, 9.3.7)
    core.respond(ws, 204, "", "")
  elseif plan.route and plan.route((http.split(request.target))) then
    upgrade_required(ws, "There is a WebSocket at this path, and no page.")
  else
    refuse(ws, 404, "There is nothing at this path.")
  end
end

local function answer_request(plan, ws, request)
  local page = find_page(plan, ws, request)
  if not page then
    return
  end
  local body = core.read_body(ws)
  if not body then -- nobody is there any more, or it was refused
    return
  end
  request.body = body
  local status, headers, content = page(request)
  if ws.state == "connecting" then -- else it is an event stream, or has ended
    response.send(ws, "http", request.method, status, headers, content)
  end
end

local function answer(plan, ws)
  if not plan.page then
    upgrade_required(ws, "This is a WebSocket server; it has no pages.")
    return
  end
  local request = make_request(plan, ws)
  guarded(requests.answering(request), function()
    answer_request(plan, ws, request)
  end)
end

-- Asks upgrade: header lines and the protocol; or nil when it refused and that
-- is answered.
local function consult(plan, ws, request)
  local lines, second, headers, message = upgrade.ask(plan.upgrade, request, function(protocol)
    return core.choose_protocol(ws, { protocol })
  end)
  if lines then
    return lines, second
  end
  core.refuses(ws, "upgrade")
  response.send(ws, "upgrade", request.method, second, headers, message)
end

local function accept(plan, ws)
  if not plan.any_origin and not core.origin_allowed(ws, plan.origins) then
    return refuse_for(ws, "origin", 403, "This origin may not connect: see the server's"
                                         .. " option 'origins'.")
  end
  local run, lines, protocol = plan.run, "", nil
  if plan.route or plan.upgrade or plan.trusted then
    local request = make_request(plan, ws) -- else when ws.request is read
    core.set_field(ws, "request", request)
    if plan.route then
      local params
      run, params = plan.route((http.split(request.target)))
      request.params = params or request.params
    end
    if run and plan.upgrade then
      lines, protocol = consult(plan, ws, request)
      if not lines then
        return
      end
    end
  end
  if not run then
    return refuse_for(ws, "route", 404, "There is no WebSocket at this path.")
  end
  if protocol == nil and plan.protocols then
    protocol = core.choose_protocol(ws, plan.protocols)
  end
  if plan.closing and not plan.draining then -- perhaps while upgrade was waiting
    return refuse_for(ws, "closing", 503, "The server is closing.")
  end
  if core.accept(ws, protocol or nil, lines) then
    return run(ws)
  end
end

--- The function that the core calls, as a task, with each connection whose
--- request has come; it carries on as the connection's handler.
---@param plan weft.Plan
---@return fun(ws: weft.Connection)
function opening.handler(plan)
  return function(ws)
    if plan.hosts and not core.host_allowed(ws, plan.hosts, plan.port) then
      return refuse_for(ws, "host", 421, "This server does not answer for this host: see"
                                         .. " its option 'hosts'.") -- RFC 9110, 15.5.20
    elseif core.request_kind(ws) == "http" then
      return answer(plan, ws)
    end
    return accept(plan, ws)
  end
end

return opening
