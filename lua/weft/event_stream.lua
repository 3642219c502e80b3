--- Server-Sent Events: what request:event_stream() does.  Internal.

local core = require "weft.core"
local check = require "weft.check"
local http = require "weft.http"

local event_stream = {}

local function retry(value)
  if type(value) == "number" and value >= 0 and value <= 1e9 then
    return value
  end
  return nil, "seconds (a number from 0 to 1e9)"
end

local options = {
  retry = { kind = retry },
  headers = { kind = check.headers },
}

local own = {
  ["content-type"] = true,
  ["cache-control"] = true,
  ["x-accel-buffering"] = true,
  ["connection"] = true,
  ["content-length"] = true,
  ["transfer-encoding"] = true,
}

local function objection(name)
  if own[name] then
    return "is the event stream's own"
  end
end

--- Answers the request with an event stream, which is its connection from then
--- on; nil, "closed", code, reason when the client has gone.
---@param request weft.Request
---@param ws weft.Connection|nil
---@param given? weft.EventStreamOptions
---@param level integer
---@return weft.EventStream|nil, string?, integer?, string?
function event_stream.open(request, ws, given, level)
  local where = "request:event_stream"
  if not ws then
    error(where .. ": the request is not one that a server is answering", level + 1)
  end
  local checked = check.options(options, where, given, level + 1)
  local lines, wrong = http.header_lines(checked.headers or {}, objection)
  if not lines then
    error(where .. ": option 'headers': " .. wrong, level + 1)
  end
  local milliseconds = checked.retry and math.floor(checked.retry * 1000 + 0.5)
  local ok, word, code, reason = core.event_stream(ws, lines, milliseconds)
  if not ok and ws.state == "open" then
    error(where .. ": the request has been answered already", level + 1)
  elseif not ok then
    return nil, word, code, reason
  end
  core.set_field(ws, "request", request)
  ws.last_event_id = request.headers["last-event-id"]
  return ws
end

return event_stream
