-- weft beside a socket of LuaSocket's: lines that come over plain TCP, on the port
-- after weft's, go to everybody who has a WebSocket.  Try it with:
-- ./bin/weft connect ws://127.0.0.1:8080     and     nc 127.0.0.1 8081
local socket = require "socket"
local weft = require "weft"

local port = tonumber(arg[1]) or 8080
local room = weft.room()

local server = assert(weft.listen { port = port, websocket = function(ws)
  room:join(ws)
  ws:wait_closed()
end })
local listener = assert(socket.bind("127.0.0.1", port > 0 and port + 1 or 0))

local attached = weft.adapters.luasocket.attach()
local reading = { listener }

local function accept()
  local sock = assert(listener:accept())
  sock:settimeout(0)
  table.insert(reading, sock)
end

-- whole lines only, in an example
local function relay(sock)
  local line, why = sock:receive "*l"
  if line then
    room:send(line)
  elseif why == "closed" then
    for i, each in ipairs(reading) do
      if each == sock then
        table.remove(reading, i)
      end
    end
    sock:close()
  end
end

local _, lines = listener:getsockname()
io.write("listening on ", server:url(), " and for lines on ", lines, "\n")
io.stdout:flush()
while true do
  for _, sock in ipairs((attached:select(reading, nil))) do
    if sock == listener then
      accept()
    else
      relay(sock)
    end
  end
end
