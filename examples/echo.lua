-- An echo server.  Try it with: ./bin/weft connect ws://127.0.0.1:8080
local weft = require "weft"

local server = assert(weft.listen { port = 8080, websocket = function(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end })
io.write("listening on ", server:url(), "\n")
io.stdout:flush()
weft.serve(server)
