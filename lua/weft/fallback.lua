--- weft.fallback: the handler of a WebSocket, for clients that cannot open one.
--- Internal; docs/fallback.md has the protocol.
---
--- What is here is the HTTP of it: who may come, and which session a request is
--- about; see fallback/session.lua for those.

local core = require "weft.core"
local check = require "weft.check"
local compat = require "weft.compat"
local handlers = require "weft.handlers"
local options = require "weft.options"
local records = require "weft.fallback.records"
local requests = require "weft.request"
local session = require "weft.fallback.session"
local upgrade = require "weft.upgrade"

local fallback = {}

-- What is posted is of a type that no form can send, so that a page of somebody
-- else's has to ask first (see preflight).
local TYPE = "application/x-weft"

local huge = math.huge

-- Answers --------------------------------------------------------------------

local function with(headers, more)
  for name, value in pairs(more) do
    headers[name] = value
  end
  return headers
end

-- What every answer carries; `origin` is nil or an origin that may come.
local function common(origin)
  local headers = {
    ["Cache-Control"] = "no-store",
    ["X-Content-Type-Options"] = "nosniff",
    ["Vary"] = "Origin",
  }
  if origin then
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
  end
  return headers
end

local function answer(origin, status, sentence, more)
  local headers = common(origin)
  headers["Content-Type"] = "text/plain; charset=utf-8"
  return status, with(headers, more or {}), sentence .. "\n"
end

-- Whether a page of the request's origin may use the fallback; the origin that
-- it may be told, when there is one.
local function admit(service, request)
  local origin = request.headers.origin
  if not origin then
    return true
  end
  local allowed = service.any_origin
    or core.origin_allowed(requests.connection(request), service.origins)
  return allowed, allowed and origin or nil
end

-- What a browser asks before it lets a page of another origin post.
local function preflight(origin)
  return 204, with(common(origin), {
    ["Access-Control-Allow-Methods"] = "GET, POST",
    ["Access-Control-Allow-Headers"] = "Content-Type",
    ["Access-Control-Max-Age"] = "7200",
  })
end

-- The client ------------------------------------------------------------------

local function read_file(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  local text = file:read "*a"
  file:close()
  return text
end

-- The JavaScript for browsers, which lies beside this file, or in the program
-- when that is where this module came from (csrc/capi/embed).
local function read_script(level)
  local embedded = package.preload["weft.weft.js"]
  if embedded then
    return embedded()
  end
  local here = debug.getinfo(1, "S").source:match("^@(.*)$")
    or compat.searchpath("weft.fallback", package.path) or ""
  local text, why = read_file(here:gsub("[^/\\]*$", "") .. "weft.js")
  if not text then
    error("weft.fallback: the client for browsers is missing: " .. why, level + 1)
  end
  return text
end

-- Whether a browser has the file already.
local function entity_tag(text)
  return '"' .. core.fingerprint(text) .. '"'
end

local function serve_script(service, request)
  local headers = {
    ["Content-Type"] = "text/javascript; charset=utf-8",
    ["Access-Control-Allow-Origin"] = "*", -- modules of other pages ask for it
    ["Cache-Control"] = "public, max-age=3600",
    ["X-Content-Type-Options"] = "nosniff",
    ["ETag"] = service.tag,
  }
  local known = request.headers["if-none-match"]
  if known and known:find(service.tag, 1, true) then
    return 304, headers
  end
  return 200, headers, service.script
end

-- Opening -----------------------------------------------------------------------

-- The subprotocols that a client offers: "weft.protocols=a,b", as a set. Who looks
-- for them finds them where a WebSocket has them.
local function offered(request)
  local list, set = {}, {}
  for protocol in (request.query["weft.protocols"] or ""):gmatch("[^,]+") do
    if check.token(protocol) then
      list[#list + 1] = protocol
      set[protocol] = true
    end
  end
  request.headers["sec-websocket-protocol"] = list[1] and table.concat(list, ", ")
  return set
end

local function choose(service, offer)
  for _, protocol in ipairs(service.protocols or {}) do
    if offer[protocol] then
      return protocol
    end
  end
end

-- Asks upgrade: a protocol and headers; or nil, nil and the answer that refuses.
local function consult(service, request, offer, origin)
  local lines, second, third, message = upgrade.ask(service.upgrade, request, function(protocol)
    return offer[protocol]
  end)
  if lines then
    return second, third
  end
  return nil, nil, function()
    return second, with(common(origin), third or {}), message
  end
end

local function refuse_new(service, plan, origin)
  if plan.closing then
    return answer(origin, 503, "The server is closing.")
  elseif service.count >= service.max_sessions then
    return answer(origin, 503, "There are too many sessions.", { ["Retry-After"] = "10" })
  end
end

local function open(service, request, origin)
  local plan = requests.plan(request)
  local offer = offered(request)
  local protocol, headers, refusal = nil, {}
  if request.query["weft.v"] ~= "1" then
    return answer(origin, 400, "This server speaks version 1 of weft's fallback.")
  elseif request.body ~= "" then -- it would be kept with the request
    return answer(origin, 400, "An opening has no body.")
  elseif refuse_new(service, plan, origin) then
    return refuse_new(service, plan, origin)
  elseif service.upgrade then
    protocol, headers, refusal = consult(service, request, offer, origin)
    if refusal then
      return refusal()
    elseif refuse_new(service, plan, origin) then -- while it was waiting
      return refuse_new(service, plan, origin)
    end
  end
  if protocol == nil then
    protocol = choose(service, offer)
  end
  local opened = session.open(service, plan, request, protocol or nil)
  return 200, with(common(origin), with(with({}, headers), { ["Content-Type"] = "application/json" })),
    ('{"weft":1,"id":"%s","protocol":"%s","ping":%.14g,"grace":%.14g,"window":%d}\n')
    :format(opened.id, protocol or "", math.min(service.ping_interval, 86400),
            math.min(service.grace, 86400), math.min(service.window, 2^53))
end

-- A session ----------------------------------------------------------------------

local function stream(found, request, origin)
  local after = request.headers["last-event-id"] or request.query["weft.after"] or "0"
  after = after:find("^%d+$") and #after <= 15 and tonumber(after)
  if not after then
    return answer(origin, 400, "weft.after: expected the number of an event.")
  elseif after < found.acked then
    return answer(origin, 410, "Events after this one are gone.")
  end
  found:start()
  if not found:acknowledge(after) then
    return answer(origin, 400, "There is no such event.")
  end
  return 200, with(common(origin), {
    ["Content-Type"] = "text/event-stream",
    ["Cache-Control"] = "no-store, no-transform",
    ["X-Accel-Buffering"] = "no", -- nginx hands it on as it comes
  }), found:follow(after, request.query["weft.poll"] ~= nil)
end

local function receive(found, request, origin)
  local first, seen, list = records.parse_post(request.body, found.service.pause)
  if not first or not list then
    return answer(origin, 400, "These are no records of weft's fallback.")
  elseif found.finished then -- while they were looked at
    return answer(origin, 404, "The session is over.")
  end
  found:start()
  if not found:acknowledge(seen) then
    return answer(origin, 400, "There is no such event.")
  end
  local ok, expected = found:receive(first, list)
  if ok then
    return 204, common(origin)
  elseif expected then
    return answer(origin, 409, tostring(expected))
  elseif ok == false then
    return answer(origin, 503, "A later POST has taken the place of this one.")
  end
  return answer(origin, 404, "The session is over.")
end

-- Which ----------------------------------------------------------------------------

local function is_typed(request)
  local kind = request.headers["content-type"] or ""
  return kind:match("^[^;%s]*"):lower() == TYPE
end

-- A request that names a session, or wants one.
local function about_session(service, request, id, origin)
  local posted = request.method == "POST"
  if not posted and request.method ~= "GET" then
    return answer(origin, 405, "GET or POST.", { ["Allow"] = "GET, POST, OPTIONS" })
  elseif posted and not is_typed(request) then
    return answer(origin, 415, "POST " .. TYPE .. ".")
  elseif posted and id == "open" then
    return open(service, request, origin)
  end
  local found = service.sessions[id]
  if not found and session.is_elsewhere(service, id) then
    return answer(origin, 421, "Another worker has this session.", { ["Connection"] = "close" })
  elseif not found then
    return answer(origin, 404, "There is no such session.")
  end
  return (posted and receive or stream)(found, request, origin)
end

local function respond(service, request)
  local query, method = request.query, request.method
  if query["weft.js"] and (method == "GET" or method == "HEAD") then
    return serve_script(service, request)
  end
  local allowed, origin = admit(service, request)
  if not allowed then
    return answer(nil, 403, "This origin may not connect: see the option 'origins'"
                            .. " of weft.fallback.")
  elseif method == "OPTIONS" then
    return preflight(origin)
  elseif query.weft then
    return about_session(service, request, query.weft, origin)
  end
  return answer(origin, 426, "This is a WebSocket, and what stands in for it.",
                { ["Upgrade"] = "websocket" })
end

-- Making one -------------------------------------------------------------------------

local function config(checked, more)
  local settings = with({}, checked)
  settings.compression = false
  settings.ping_interval = huge -- between the ends; the stream has its own
  return core.config(options.settings(with(settings, more)))
end

-- The function that makes the pair of a session: for the client no limits, what
-- it may send is for the handler's end to say.
local function pairing(loop, checked)
  local ours = config(checked, {
    max_message = huge, max_frame = huge, max_fragments = huge,
    idle_timeout = huge, write_timeout = huge,
  })
  local theirs = config(checked, {
    write_timeout = checked.write_timeout + checked.grace,
  })
  return function(protocol)
    local protocols = protocol and { protocol }
    return core.pair(loop, {
      target = "/", host_header = "localhost", origin = "", user_agent = "",
      headers = "", protocols = protocols, config = ours,
    }, { protocols = protocols, config = theirs })
  end
end

local function is_any(origins)
  for _, origin in ipairs(origins or {}) do
    if origin == "*" then
      return true
    end
  end
  return false
end

--- Makes the page that weft.fallback returns.
---@param loop weft.Loop
---@param handler weft.Handler
---@param given? weft.FallbackOptions
---@param worker fun(): integer|nil which one of several workers this process is
---@param level integer
---@return weft.Page
function fallback.new(loop, handler, given, worker, level)
  local where = "weft.fallback"
  if type(handler) == "table" then
    handler = handlers.events(where .. ": argument 'handler'", handler, level + 1)
  elseif type(handler) ~= "function" then
    check.fail(where, "argument 'handler'", "a function or a table of events", handler,
               level + 1)
  end
  local checked = check.options(options.fallback, where, given, level + 1)
  local script = read_script(level + 1)
  local service = {
    loop = loop,
    worker = worker,
    run = session.runner(handler),
    pair = pairing(loop, checked),
    pause = function()
      core.sleep(loop, 0)
    end,
    upgrade = checked.upgrade,
    origins = checked.origins,
    any_origin = is_any(checked.origins),
    protocols = checked.protocols,
    grace = checked.grace,
    ping_interval = checked.ping_interval,
    max_sessions = checked.max_sessions,
    window = checked.window,
    sessions = {},
    count = 0,
    script = script,
    tag = entity_tag(script),
  }
  return function(request)
    return respond(service, request)
  end
end

return fallback
