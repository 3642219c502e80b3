-- The same echo as in echo.lua with events instead of a coroutine: a
-- connection that is idle holds no coroutine.
local weft = require "weft"

local server = assert(weft.listen { port = 8080, websocket = {
  open = function(ws)
    print(ws.remote_address .. " has come")
  end,
  message = function(ws, message, kind)
    ws:send(message, kind)
  end,
  close = function(ws, code)
    print(ws.remote_address .. " has gone", code)
  end,
} })
io.write("listening on ", server:url(), "\n")
io.stdout:flush()
weft.serve(server)
