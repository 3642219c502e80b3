--- Clients outside the loop, sockets of LuaSocket's: what they ask for lies in the
--- kernel until the loop is turned, however long that takes.
---
---     local socks = outside.dial_all(server, 20, function(i) return handshake.http() end)
---     ...
---     outside.close_all(socks)
local socket = require "socket"

local outside = {}

--- A socket connected to a server; it has sent the request, if there is one.
function outside.dial(server, request)
  local sock = assert(socket.connect("127.0.0.1", server:port()))
  if request then
    assert(sock:send(request))
  end
  return sock
end

--- `count` of them; `request(i)`, if there is one, gives what the i-th sends.
function outside.dial_all(server, count, request)
  local socks = {}
  for i = 1, count do
    socks[i] = outside.dial(server, request and request(i))
  end
  return socks
end

function outside.close_all(socks)
  for _, sock in ipairs(socks) do
    sock:close()
  end
end

return outside
