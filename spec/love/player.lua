-- A game that runs under LÖVE, and is told what to do (drive.lua at its end).
--
--     local ana = player.start("Ana", url, "--ca", "ca.pem")
--     local x = ana:ask "return game.world.me"
--     local status, log = ana:quit()
local weft = require "weft"

local PATIENCE = 30 -- seconds

local player = { home = arg[1] }
player.__index = player

local arrived = {} -- connections of those that were started, by name

local control = assert(weft.listen { port = 0, websocket = { ["/:name"] = function(ws)
  arrived[ws.request.params.name] = ws
  ws:wait_closed()
end } })

--- Waits until a condition holds; gives what that gave.
function player.wait_until(condition, what)
  local deadline = weft.now() + PATIENCE
  while true do
    local result = condition()
    if result then
      return result
    elseif weft.now() > deadline then
      error("waited in vain for " .. what, 2)
    end
    weft.sleep(0.01)
  end
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a"
  if file then
    file:close()
  end
  return text
end

--- Runs a command beside us; output and, once it has ended, status go to files
--- whose names begin with base.
function player.run(base, words)
  for i, word in ipairs(words) do
    words[i] = "'" .. word:gsub("'", [['\'']]) .. "'"
  end
  os.remove(base .. ".status")
  os.remove(base .. ".log")
  os.execute(("{ %s >%s.log 2>&1 & echo $! >%s.pid; wait $!; echo $? >%s.status; } >/dev/null 2>&1 &")
    :format(table.concat(words, " "), base, base, base))
end

--- Waits for a line of output, and gives what its pattern captures.
function player.wait_for(base, pattern)
  return player.wait_until(function()
    return (read(base .. ".log") or ""):match(pattern)
  end, pattern .. " in " .. base .. ".log")
end

function player.kill(base)
  os.execute("kill $(cat " .. base .. ".pid)")
  return player.wait_until(function()
    return read(base .. ".status")
  end, "the end of " .. base)
end

--- Starts a game; it is being driven once ready() returns.
function player.start(name, url, ...)
  local base = player.home .. "/" .. name
  local self = setmetatable({ name = name, base = base }, player)
  arrived[name] = nil
  player.run(base, {
    "env", "DRIVE=" .. control:url() .. "/" .. name, "timeout", "-s", "KILL", "120",
    "love", "examples/love", "--server", url, "--name", name, "--script", "spec/love/drive.lua",
    "--frames", base .. ".frames", ...,
  })
  return self
end

function player:ready()
  self.ws = player.wait_until(function()
    return arrived[self.name] or read(self.base .. ".status") and error(read(self.base .. ".log"), 0)
  end, self.name)
  return self
end

--- What some Lua code returns in the game, as text.
function player:ask(code)
  assert(self.ws:send(code))
  return (assert(self.ws:receive(PATIENCE)))
end

--- Ends the game: its exit status, and what it has said.
function player:quit()
  assert(self.ws:send "love.event.quit()")
  local status = player.wait_until(function()
    return (read(self.base .. ".status") or ""):match "%d+"
  end, "the end of " .. self.name)
  return tonumber(status), read(self.base .. ".log")
end

--- The frames of a game that has quit, in order: milliseconds each, and of that
--- in weft.step().
function player:frames()
  local frames = {}
  for line in io.lines(self.base .. ".frames") do
    local frame, step = line:match "(%S+)\t(%S+)"
    frames[#frames + 1] = { frame = tonumber(frame), step = tonumber(step) }
  end
  return frames
end

return player
