-- A weft server behind a proxy that it trusts.  Prints where it listens.
--
--   lua5.4 spec/interop/proxied_server.lua headers|heads [DIRECTORY]
--
-- The proxy speaks of its clients in headers, or by the PROXY protocol; with
-- the DIRECTORY of the certificates the server speaks TLS.
local weft = require "weft"

local heads, directory = arg[1] == "heads", arg[2]

local function who(request)
  return ("%s %s %s"):format(request.remote_address, math.type(request.remote_port) or "none", request.secure)
end

local server = assert(weft.listen {
  port = 0,
  trusted_proxies = { "127.0.0.1" },
  proxy_protocol = heads,
  tls = directory and { cert = directory .. "/server.pem", key = directory .. "/server.key" },
  websocket = {
    ["/who"] = function(ws) ws:send(who(ws.request)) end,
    ["/echo"] = function(ws)
      for message, kind in ws:messages() do
        ws:send(message, kind)
      end
    end,
  },
  http = function(request)
    return 200, { ["Content-Type"] = "text/plain" }, who(request)
  end,
})

print("listening on " .. server:url())
io.stdout:flush()
weft.run()
