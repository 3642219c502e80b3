-- What is attacked: an echo server that also serves files and sends to two rooms
-- all the time.  It listens twice, the second time with TLS, and tells of itself
-- at /state.  Nobody is waited for longer than PATIENCE seconds.
--
--     lua5.4 spec/attack/server.lua FILES CERTIFICATE KEY PATIENCE
local lfs = require "lfs"
local trim = require "trim"
local weft = require "weft"

local files, certificate, key, patience = table.unpack(arg)
patience = tonumber(patience)

local servers = {}
local slow = 0 -- members that were dropped for being so

-- A room that hears its own sequence of numbers, 16 KiB each, 200 a second.
local function busy_room(on_full)
  local room = weft.room { on_full = on_full }
  weft.spawn(function()
    local number = 0
    while true do
      if room:count() > 0 then
        number = number + 1
        room:send(("%08d"):format(number):rep(2048))
      end
      weft.sleep(0.005)
    end
  end)
  return function(ws)
    room:join(ws)
    ws:wait_closed()
    slow = slow + (ws.close_cause == "slow" and 1 or 0)
  end
end

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

local function count_descriptors()
  local count = 0
  for _ in lfs.dir "/proc/self/fd" do
    count = count + 1
  end
  return count
end

local function resident_kilobytes()
  local file = assert(io.open "/proc/self/status")
  local size = file:read("a"):match "VmRSS:%s+(%d+)"
  file:close()
  return math.tointeger(tonumber(size))
end

-- A line each; whoever asks is one of the connections.
local function state()
  collectgarbage()
  trim()
  local connections = 0
  for _, server in ipairs(servers) do
    connections = connections + server:stats().connections
  end
  return 200, nil, ("connections %d\ndescriptors %d\nkilobytes %d\nslow %d\n"):format(
    connections, count_descriptors(), resident_kilobytes(), slow)
end

local function listen(tls)
  local server = assert(weft.listen {
    port = 0,
    tls = tls,
    handshake_timeout = patience, write_timeout = patience,
    websocket = { ["/"] = echo, ["/close"] = busy_room "close", ["/drop"] = busy_room "drop" },
    http = {
      ["/state"] = state,
      ["/post"] = function(request) return 200, nil, #request.body .. " bytes" end,
      ["/*"] = weft.static(files),
    },
  })
  servers[#servers + 1] = server
  print("listening on " .. server:url())
  io.stdout:flush()
end

listen()
listen { cert = certificate, key = key }
weft.run()
