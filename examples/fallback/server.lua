-- The chat for clients that cannot open a WebSocket: one handler, two ways to it.
--
--   lua5.4 examples/fallback/server.lua [PORT]
--
-- To show it this server refuses every WebSocket, as a proxy on the way might,
-- unless WEBSOCKET=1 is in the environment.  The page does not know: WeftSocket
-- tries one, and falls back.
local weft = require "weft"

local folder = arg[0]:match "^(.*)/" or "."
local file = assert(io.open(folder .. "/index.html", "rb"))
local page = file:read "a"
file:close()

local room = weft.room()

local function tell_members()
  local names = {}
  for _, ws in ipairs(room:members()) do
    names[#names + 1] = ws.name
  end
  table.sort(names)
  room:send("members\t" .. table.concat(names, "\t"))
end

-- The first message is a name, the others are what is said under it.
local function chat(ws)
  local name = ws:receive(60)
  if not name then
    return ws:close(4000, "no name in a minute")
  end
  ws.name = name:gsub("%c", " ")
  room:join(ws)
  tell_members()
  for text in ws:messages() do
    room:send("said\t" .. ws.name .. "\t" .. text)
  end
  tell_members() -- it has left the room by itself
end

local server = assert(weft.listen {
  host = os.getenv "HOST" or "127.0.0.1",
  port = tonumber(arg[1] or os.getenv "PORT" or 8080),
  upgrade = function() -- asked about WebSockets alone; weft.fallback has its own
    if os.getenv "WEBSOCKET" == "1" then
      return true
    end
    return nil, 403, "no WebSockets here"
  end,
  websocket = { ["/chat"] = chat },
  http = {
    ["/chat"] = weft.fallback(chat),
    ["/"] = function()
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, page
    end,
  },
})
print("open " .. server:url():gsub("^ws", "http"))
io.stdout:flush()
weft.serve(server)
