-- An echo server over TLS.
--
--   lua5.4 examples/secure.lua                             with a certificate for this run
--   lua5.4 examples/secure.lua fullchain.pem privkey.pem   with yours
--
-- Try it with: ./bin/weft connect --insecure wss://127.0.0.1:8443
-- (with yours, and the name that it is for, without --insecure).
local weft = require "weft"

local tls = arg[1] and { cert = arg[1], key = arg[2] } or "self-signed"
local server = assert(weft.listen { port = 8443, tls = tls, websocket = function(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end })

weft.spawn(function() -- a renewed certificate is in use within the hour
  while weft.sleep(3600) do
    local ok, message = server:reload()
    if not ok then
      io.stderr:write(message, "\n")
    end
  end
end)

io.write("listening on ", server:url(), "\n")
io.stdout:flush()
weft.serve(server)
