-- The game's server against clients that are not the game.
local weft = require "weft"
local checks = require "check"
local field = require "field"
local player = require "player"
local protocol = require "protocol"

local check, equal = checks.check, checks.equal
local base = player.home .. "/server-alone"

player.run(base, { os.getenv "LUA", "examples/love/server.lua", "0" })
local url = player.wait_for(base, "listening on (%S+)")
local onlooker = field.watch(url)

-- A client that says these lines; what closes it, or nil when nothing does.
local function refusal(...)
  local ws = assert(weft.connect(url))
  for _, line in ipairs { ... } do
    ws:send(line)
  end
  local _, code = ws:wait_closed(0.5)
  local reason = ws.close_reason
  ws:close()
  return type(code) == "number" and code .. " " .. reason or nil
end

check("server: what makes no sense ends a connection", function()
  for _, lines in ipairs {
    { "" }, { "dance" }, { "join" }, { "join\t \r\n" }, { "say\thello" }, { "steer\t1\t0" },
    { "join\tAna", "join\tAna" }, { "join\tAna", "steer\t5\t0" }, { "join\tAna", "steer\t1" },
    { "join\tAna", "say\t\1\2" },
  } do
    equal("1008 not understood", refusal(table.unpack(lines)))
  end
end)

check("server: names and lines are cut, and hold no control characters", function()
  local ws = assert(weft.connect(url))
  ws:send("join\t" .. ("ä"):rep(40))
  ws:send("say\tone\rtwo" .. (" and"):rep(60))
  local name = ("ä"):rep(protocol.NAME)
  onlooker:look(function()
    return onlooker:named(name)
  end, "the name")
  local said
  repeat
    said = ws:receive(5)
  until not said or said:find "^said"
  equal(protocol.line("said", name, ("one two" .. (" and"):rep(60)):sub(1, protocol.TEXT)), said)
  ws:close()
  onlooker:look(function()
    return not onlooker:named(name)
  end, "the player's leaving")
end)

check("server: nobody is faster than the others, nor leaves the field", function()
  local ws = assert(weft.connect(url))
  ws:send "join\tAna"
  local ana = onlooker:look(function()
    local one = onlooker:named "Ana"
    return one and one.x and one
  end, "Ana")
  local began, x, y = weft.now(), ana.x, ana.y
  for _ = 1, 40 do
    ws:send "steer\t-1\t-1"
  end
  onlooker:look(function()
    local way = math.sqrt((ana.x - x) ^ 2 + (ana.y - y) ^ 2)
    assert(way <= protocol.SPEED * (weft.now() - began + 2 / protocol.RATE), way)
    return ana.x == protocol.RADIUS and ana.y == protocol.RADIUS
  end, "the corner")
  ws:close()
end)

check("server: a flood ends a connection", function()
  local lines = { "join\tAna" }
  for i = 2, 400 do
    lines[i] = "say\tspam"
  end
  checks.matches(refusal(table.unpack(lines)), "^1008")
end)

onlooker.ws:close()
player.kill(base)
check("server: it had nothing to complain of", function()
  local log = assert(io.open(base .. ".log")):read "a"
  equal("listening on " .. url .. "\n", log)
end)
