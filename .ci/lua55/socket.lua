-- What the specs ask of LuaSocket, for a Lua that has none; see sockets.c.
local core = require "weft.core"
local sockets = require "sockets"

local stream = sockets.stream

local socket = { gettime = os.time }

function socket.tcp4()
  return stream(false)
end

socket.tcp = socket.tcp4

function socket.tcp6() end

function socket.connect(host, port)
  local connected = assert(stream(false, true))
  local ok, why = connected:connect(host, port)
  if not ok then
    connected:close()
    return nil, why
  end
  return connected
end

function socket.bind(host, port, backlog)
  local bound = assert(stream(false))
  local ok, why = bound:bind(host, port)
  if not ok then
    bound:close()
    return nil, why
  end
  assert(bound:listen(backlog))
  return bound
end

-- The first that can be read from.
function socket.select(readers, _, seconds)
  for _, one in ipairs(readers) do
    if sockets.readable(one:getfd(), seconds) then
      return { one, [one] = 1 }
    end
  end
  return {}
end

function socket.sleep(seconds)
  local deadline = core.now() + seconds
  repeat until core.now() >= deadline
end

return socket
