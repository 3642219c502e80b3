-- The weft server that WeftSocket talks to.  Prints where it listens.
--
--   lua5.4 spec/interop/fallback_server.lua [WORKERS]
local weft = require "weft"

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

-- Says how the last connection to /watched ended.
local last = "none"

local handlers = {
  ["/echo"] = echo,
  ["/close"] = function(ws) ws:close(4001, "because\nof that") end,
  ["/return"] = function(ws) ws:send "bye" end,
  ["/protocol"] = function(ws) ws:send(tostring(ws.protocol)) end,
  ["/error"] = function(ws)
    ws:receive()
    error("as the check wants it", 0)
  end,
  ["/watched"] = function(ws)
    local bytes = 0
    for message in ws:messages() do
      bytes = bytes + #message
    end
    last = ("%d %s %s %s"):format(bytes, ws.close_code, ws.close_reason, ws.close_cause)
  end,
  ["/last"] = function(ws) ws:send(last) end,
  ["/slow"] = function(ws)
    weft.sleep(7)
    for message in ws:messages() do
      ws:send(tostring(#message))
    end
  end,
  ["/amplify"] = function(ws)
    for _ in ws:messages() do
      ws:send(("x"):rep(50000))
    end
  end,
  ["/flood"] = function(ws) -- more than any window
    for i = 1, 2000 do
      ws:send(("%d "):format(i) .. ("x"):rep(1000))
    end
    ws:receive()
  end,
}

weft.on_error(function(err)
  assert(err == "as the check wants it", err)
end)

local options = {
  protocols = { "chat.v2", "chat.v1" },
  max_message = 4 * 1024 * 1024,
  grace = 3,
  ping_interval = 0.5,
  upgrade = function(request)
    if request.query.refuse then
      return nil, 401, "who are you?"
    end
    return true
  end,
}

local pages = {}
for path, handler in pairs(handlers) do
  pages[path] = weft.fallback(handler, options)
end

local workers = math.tointeger(tonumber(arg[1] or 1))

weft.serve {
  port = 0,
  workers = workers,
  max_body = 600000, -- less than a message may have
  protocols = options.protocols,
  max_message = options.max_message,
  upgrade = options.upgrade,
  websocket = handlers,
  http = pages,
  on_worker = function(n, server)
    if n == 1 then
      print("listening on " .. server:url())
      io.stdout:flush()
    end
  end,
}
