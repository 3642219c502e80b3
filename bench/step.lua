-- What weft costs a program that draws frames: microseconds of a `weft.step` that
-- finds nothing to do, with a client and without, and of one with 60 messages; and
-- what a client takes of memory.  `make bench-step` runs it.
--
--   lua5.4 bench/step.lua [CLIENTS]     clients for the memory (500)
local weft = require "weft"

local STEPS, FRAMES, PER_FRAME = 200000, 2000, 60
local clients = tonumber(arg[1]) or 500

local function report(what, value, unit)
  print(("%-56s %8.2f %s"):format(what, value, unit))
end

-- An echo server in a process of its own; its URL, and what ends it.
local function start_server()
  local pipe = assert(io.popen("echo $$; exec bin/weft echo --port 0 2>&1", "r"))
  local pid = assert(pipe:read "l")
  local url = assert(pipe:read "l"):match "listening on (%S+)"
  return assert(url), function()
    os.execute("kill " .. pid)
    pipe:close()
  end
end

-- The best of five rounds, in microseconds a call: what disturbs only adds.
local function time(count, fn)
  local best = math.huge
  for _ = 1, 5 do
    local began = os.clock()
    for _ = 1, count do
      fn()
    end
    best = math.min(best, (os.clock() - began) / count * 1e6)
  end
  return best
end

local function idle(what)
  local limits = { seconds = 0.002 }
  report(what .. ", weft.step()", time(STEPS, function() weft.step() end), "us")
  report(what .. ", weft.step(0, { seconds = 0.002 })", time(STEPS, function()
    weft.step(0, limits)
  end), "us")
end

-- Frames in which 60 messages have come: what the steps take that hear them.  They
-- are from an instance that is turned outside the measured time.
local function busy()
  local elsewhere = weft.new()
  local peer
  local server = assert(elsewhere.listen { port = 0, websocket = function(ws)
    peer = ws
    ws:wait_closed()
  end })
  local heard, steps, spent = 0, 0, 0
  weft.connect(server:url(), { events = { message = function()
    heard = heard + 1
  end } })
  while not peer do
    weft.step()
    elsewhere.step()
  end
  local limits = { seconds = 0.002 }
  for frame = 1, FRAMES do
    for _ = 1, PER_FRAME do
      peer:try_send "sixty-four bytes of text, as much as a game says at a time......"
    end
    elsewhere.step()
    local began = os.clock()
    repeat
      weft.step(0, limits)
      steps = steps + 1
    until heard == PER_FRAME * frame
    spent = spent + os.clock() - began
  end
  elsewhere.close()
  report(("a frame with %d messages of 64 bytes"):format(PER_FRAME), spent / FRAMES * 1e6, "us")
  report("  for which it took", steps / FRAMES, "steps")
end

-- Bytes of memory that the kernel counts as this process's, where it tells.
local function resident()
  local file = io.open "/proc/self/statm"
  if not file then
    return nil
  end
  local pages = file:read("a"):match "%d+ (%d+)"
  file:close()
  return tonumber(pages) * 4096
end

local function lua_bytes()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count" * 1024
end

-- Measured first, while nothing that was freed can be used again.
local function memory(url)
  local connections, opened = {}, 0
  local options = { events = {
    open = function() opened = opened + 1 end,
    message = function() end,
  } }
  local function connect(count)
    for _ = 1, count do
      connections[#connections + 1] = assert(weft.connect(url, options))
    end
    while opened < #connections do
      weft.step(0.01)
    end
  end
  connect(1)
  local lua, process = lua_bytes(), resident()
  connect(clients)
  report("a client with events, in Lua", (lua_bytes() - lua) / clients, "bytes")
  if process then
    report("a client with events, C and Lua", (resident() - process) / clients, "bytes")
  end
  for _, ws in ipairs(connections) do
    ws:abort()
  end
  weft.step()
end

local url, stop = start_server()
memory(url)
idle "nothing open"
local ws = assert(weft.connect(url))
weft.step()
idle "a client that is idle"
ws:abort()
stop()
busy()
