--- Requests as tables: what a server's functions get, and `ws.request`.
--- Internal; the tables it makes are public.

local core = require "weft.core"
local http = require "weft.http"

local requests = {}

--- The head of an opening handshake or of a plain HTTP request: what a
--- server's `upgrade` and `http` functions get, and what `ws.request` is.
--- Fields that `upgrade` sets on it are there in `ws.request` too.
---@class weft.Request
---@field method string "GET", "HEAD", ...
---@field target string as it was sent: "/room/a%20b?x=1"
---@field path string percent-decoded: "/room/a b"
---@field query table<string, string> decoded; of a repeated name the first
---@field query_string string as it was sent, without the "?": "x=1"
---@field params table<string, string> what the route's `:name` and `*` stand for
---@field headers table<string, string> looked up whatever the case of the name; a repeated one's values are joined with ", "
---@field host string whom it asks, as the Host header or an absolute target has it: "example.com:8080"
---@field body string of a plain request, at most `max_body` bytes; else ""
---@field remote_address string|nil on a server: who asks, as `ws.remote_address`
---@field remote_port integer|nil
---@field tls weft.Tls|nil as `ws.tls`
---@field server weft.Server|nil on a server: the one that it came to
---@field secure boolean whether it came by TLS, to here or, as a trusted proxy or a PROXY head says, to the proxy
local Request = {}

--- Answers a plain request with a stream of events (Server-Sent Events), which
--- then is a connection like a WebSocket: it sends, joins rooms and closes.
---@param options? weft.EventStreamOptions
---@return weft.EventStream|nil stream
---@return string? word "closed", when nobody is there any more
---@return integer? code
---@return string? reason
function Request:event_stream(options)
  if not requests.is(self) then
    error("request:event_stream: argument 'self': expected a weft.Request, got "
          .. type(self) .. " (call it with a colon)", 2)
  end
  local events = require "weft.event_stream"
  local stream, word, code, reason = events.open(self, requests.connection(self),
                                                 options, 2)
  return stream, word, code, reason -- no tail call: the level counts this frame
end

-- What a request is about, while it is there: its connection, and the plan of
-- its server.
local about = setmetatable({}, { __mode = "k" })

-- What the connection knows is asked for seldom.
local of_connection = {
  remote_address = function(ws) return ws.remote_address end,
  remote_port = function(ws) return ws.remote_port end,
  tls = function(ws) return ws.tls end,
  secure = function(ws) return ws.tls ~= nil or core.was_secure(ws) end,
}

local function server_of(request)
  local plan = requests.plan(request)
  return plan and plan.server
end

local metatable = {
  __name = "weft.Request",
  __index = function(request, name)
    if name == "server" then
      return server_of(request)
    end
    local ask = of_connection[name]
    local known = ask and about[request]
    if known and known.connection and not (known.told and name ~= "tls") then
      return ask(known.connection)
    end
    return Request[name]
  end,
}

-- Behind the answer, the connection may be another request's.
local answering = {
  __close = function(known)
    known.answered = true
  end,
}

-- "a=1&b=%20" as a table; "+" is a space here, as in forms.
local function parse_query(text)
  local query = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name = http.decode((name:gsub("%+", " ")))
    if query[name] == nil then
      query[name] = http.decode((value:gsub("%+", " ")))
    end
  end
  return query
end

--- Makes the table of a request from its head as the core gives it.
---@param head table method, target, headers
---@param ws? weft.Connection whose request it is, on a server
---@param plan? weft.Plan of that server
---@return weft.Request
function requests.new(head, ws, plan)
  local path, query = http.split(head.target)
  local request = setmetatable({
    method = head.method,
    target = head.target,
    path = http.decode(path),
    query = query and parse_query(query) or {},
    query_string = query or "",
    params = {},
    headers = head.headers,
    -- (RFC 9112, section 3.2.2)
    host = head.target:match("^%a[%w+.-]*://([^/?]+)") or head.headers.host or "",
    body = "",
  }, metatable)
  about[request] = { connection = ws, plan = plan }
  return request
end

--- Notes what a trusted proxy says of a request: who asks, and whether by TLS.
---@param request weft.Request
---@param told weft.Forwarded
function requests.tell(request, told)
  local known = about[request]
  local ws = known.connection
  core.set_field(ws, "remote_address", told.address) -- nil: it is the peer
  core.set_field(ws, "remote_port", told.port)
  core.note_client(ws, told.address)
  request.remote_address, request.remote_port = ws.remote_address, ws.remote_port
  request.secure = told.secure or of_connection.secure(ws)
  known.told = true -- the connection's next request may be somebody else's
end

--- What to close when a plain request's handler ends, however it does.
---@param request weft.Request
---@return table
function requests.answering(request)
  return setmetatable(about[request], answering)
end

--- The connection whose request it is, while it is being answered, or nil.
---@param request weft.Request
---@return weft.Connection|nil
function requests.connection(request)
  local known = about[request]
  return known and not known.answered and known.connection or nil
end

--- The plan of the server that got it, or nil.
---@param request weft.Request
---@return weft.Plan|nil
function requests.plan(request)
  local known = about[request]
  return known and known.plan
end

--- Whether a value is a request.
---@param value any
---@return boolean
function requests.is(value)
  return getmetatable(value) == metatable
end

return requests
