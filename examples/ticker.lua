-- A server that pushes: one task makes the news, a room brings it to everyone
-- who is connected.  Try it with: ./bin/weft connect ws://127.0.0.1:8080
local weft = require "weft"

local readers = weft.room { on_full = "drop" } -- who is slow misses some

weft.spawn(function()
  while weft.sleep(1) do
    readers:send(os.date "%H:%M:%S", "text")
  end
end)

local server = assert(weft.listen { port = 8080, websocket = function(ws)
  readers:join(ws)
  ws:wait_closed()
end })
io.write("listening on ", server:url(), "\n")
io.stdout:flush()
weft.serve(server)
