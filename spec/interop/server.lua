-- The weft server that the peers' clients talk to.  Prints where it listens.
--
--   lua5.4 spec/interop/server.lua
local weft = require "weft"

-- how the last connection to /echo ended, as this side saw it
local last = "none"

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
  last = ("%s %s %s"):format(ws.close_code, ws.close_reason, ws.close_cause)
end

-- answers each message in pieces of at most a thousand bytes
local function fragments(ws)
  for message, kind in ws:messages() do
    local writer = ws:writer(kind)
    for at = 1, #message, 1000 do
      writer:write(message:sub(at, at + 999))
    end
    writer:close()
  end
end

local function ping(ws)
  local seconds, why = ws:ping("are you there?")
  ws:send(seconds and seconds >= 0 and "answered" or tostring(why))
end

local function close(ws)
  ws:close(tonumber(ws.request.params.code), "because")
end

local function authorize(request)
  if request.path == "/secret" and request.headers.authorization ~= "Basic YW5hOnNlc2FtZQ==" then
    return nil, 401, "who are you?", { ["WWW-Authenticate"] = "Basic realm=\"weft\"" }
  end
  return true
end

local server = assert(weft.listen {
  port = 0,
  max_message = 2 * 1024 * 1024,
  protocols = { "chat.v2", "chat.v1" },
  upgrade = authorize,
  websocket = {
    ["/echo"] = echo,
    ["/secret"] = echo,
    ["/fragments"] = fragments,
    ["/ping"] = ping,
    ["/close/:code"] = close,
    ["/last"] = function(ws) ws:send(last) end,
  },
  http = function(request)
    if request.path == "/" then
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, "<!doctype html><title>weft</title>"
    end
    return 404, { ["Content-Type"] = "text/plain" }, "not here\n"
  end,
})

print("listening on " .. server:url())
io.stdout:flush()
weft.run()
