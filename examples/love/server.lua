-- The server of the game, and the authority in it: players say where they want
-- to go, it decides where they are.
--
--   lua5.4 examples/love/server.lua [PORT [CERTIFICATE KEY]]
local weft = require "weft"

local folder = arg[0]:match "^(.*)/" or "."
package.path = folder .. "/?.lua;" .. package.path
local protocol = require "protocol"

local room = weft.room() -- all connections; who has not joined looks on
local players = {} -- by id
local last_id = 0

local function describe(player)
  return protocol.line("player", player.id, player.colour, player.name)
end

-- The colour that the fewest have.
local function choose_colour()
  local count = {}
  for _, player in pairs(players) do
    count[player.colour] = (count[player.colour] or 0) + 1
  end
  local best = 1
  for colour = 2, #protocol.COLOURS do
    if (count[colour] or 0) < (count[best] or 0) then
      best = colour
    end
  end
  return best
end

-- What a connection may ask for: true when it made sense.
local asks = {}

function asks.join(ws, name)
  name = name and protocol.clean(name, protocol.NAME)
  if ws.player or not name then
    return false
  end
  last_id = last_id + 1
  ws.player = {
    id = last_id, name = name, colour = choose_colour(),
    x = math.random(protocol.RADIUS, protocol.WIDTH - protocol.RADIUS),
    y = math.random(protocol.RADIUS, protocol.HEIGHT - protocol.RADIUS),
    dx = 0, dy = 0,
  }
  players[last_id] = ws.player
  ws:send(protocol.line("welcome", last_id))
  room:send(describe(ws.player))
  return true
end

local steps = { ["-1"] = -1, ["0"] = 0, ["1"] = 1 }

function asks.steer(ws, dx, dy)
  dx, dy = steps[dx], steps[dy]
  if not ws.player or not dx or not dy then
    return false
  end
  local length = math.max(1, math.sqrt(dx * dx + dy * dy)) -- no faster aslant
  ws.player.dx, ws.player.dy = dx / length, dy / length
  return true
end

function asks.say(ws, text)
  text = text and protocol.clean(text, protocol.TEXT)
  if not ws.player or not text then
    return false
  end
  room:send(protocol.line("said", ws.player.name, text))
  return true
end

local events = {}

function events.open(ws)
  room:join(ws)
  for _, player in pairs(players) do
    ws:send(describe(player))
  end
end

function events.message(ws, message, kind)
  local words = protocol.words(message)
  local ask = kind == "text" and asks[words[1]]
  if not ask or not ask(ws, words[2], words[3]) then
    ws:close(1008, "not understood")
  end
end

function events.close(ws)
  if ws.player then
    players[ws.player.id] = nil
    room:send(protocol.line("left", ws.player.id))
  end
end

local function clamp(value, least, most)
  return math.max(least, math.min(value, most))
end

local function move_all(seconds)
  local way, edge = protocol.SPEED * seconds, protocol.RADIUS
  local where = { "at" }
  for id, player in pairs(players) do
    player.x = clamp(player.x + player.dx * way, edge, protocol.WIDTH - edge)
    player.y = clamp(player.y + player.dy * way, edge, protocol.HEIGHT - edge)
    where[#where + 1] = ("%d\t%.1f\t%.1f"):format(id, player.x, player.y)
  end
  room:send(table.concat(where, "\t"))
end

-- By the clock: a turn that comes late moves everybody further.
local function keep_moving()
  local before = weft.now()
  while weft.sleep(1 / protocol.RATE) do
    local now = weft.now()
    move_all(math.min(now - before, 0.25))
    before = now
  end
end

local server = assert(weft.listen {
  host = os.getenv "HOST" or "127.0.0.1",
  port = tonumber(arg[1] or 8080),
  tls = arg[2] and { cert = arg[2], key = arg[3] },
  max_message = 1024,
  rate = { messages = 30, bytes = 4096, burst = 3 },
  ping_interval = 5, ping_timeout = 5, -- who has lost the network leaves the field
  websocket = events,
})
weft.spawn(keep_moving)
print("listening on " .. server:url())
io.stdout:flush()
weft.serve(server)
