-- An echo server.  Try it with: ./bin/weft connect ws://127.0.0.1:8080
local weft = require "weft"

print("listening on ws://127.0.0.1:8080")
weft.serve(8080, function(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end)
