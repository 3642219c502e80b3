-- Two games, one server: each shows both players where the server has them.
local checks = require "check"
local field = require "field"
local player = require "player"
local protocol = require "protocol"

local check, equal = checks.check, checks.equal
local base = player.home .. "/server"

local function serve(port)
  player.run(base, { os.getenv "LUA", "examples/love/server.lua", port })
  return player.wait_for(base, "listening on (%S+)")
end

local url = serve "0"
local ana, ben = player.start("Ana", url), player.start("Ben", url)
local onlooker

-- A screenshot: its colour at a place, as "r g b".
local function screenshot(of, name)
  local path = player.home .. "/" .. name
  of:ask(("return screenshot %q"):format(path))
  local file = assert(io.open(path .. ".rgba", "rb"))
  local bytes = file:read "a"
  file:close()
  equal(protocol.WIDTH * protocol.HEIGHT * 4, #bytes)
  return function(x, y)
    local at = (math.floor(y) * protocol.WIDTH + math.floor(x)) * 4
    return ("%d %d %d"):format(bytes:byte(at + 1, at + 3))
  end
end

-- That a player is drawn there: its colour within the dot, another around it.
local function assert_drawn(pixel, one)
  local colour, inside, outside = table.concat(one.colour, " "), protocol.RADIUS - 4, protocol.RADIUS + 6
  for _, direction in ipairs { { 0, 0 }, { 1, 0 }, { -1, 0 }, { 0, 1 }, { 0, -1 } } do
    local dx, dy = direction[1], direction[2]
    equal(colour, pixel(one.x + inside * dx, one.y + inside * dy))
    if dx ~= 0 then
      assert(pixel(one.x + outside * dx, one.y) ~= colour, "the dot has no end")
    end
  end
end

local function steer(who, dx, dy)
  who:ask(("game.direction = function() return %d, %d end"):format(dx, dy))
end

-- Both, once they have stood still where they are to be, and so on the screens.
local function both_at_rest(condition)
  local one, other
  onlooker:look(function()
    one, other = onlooker:named "Ana", onlooker:named "Ben"
    return one and other and one.still and other.still and condition(one, other)
  end, "both players at rest")
  for _, of in ipairs { ana, ben } do
    for _, who in ipairs { one, other } do
      player.wait_until(function()
        return of:ask(([[
          local one = game.world.players[%q]
          local x, y = game.world:position(one)
          return x == %s and y == %s
        ]]):format(who.id, who.x, who.y)) == "true"
      end, "the place of " .. who.name)
    end
  end
  return one, other
end

local function assert_both_shown(name, one, other)
  for _, of in ipairs { ana, ben } do
    local pixel = screenshot(of, ("%s-%s"):format(of.name, name))
    assert_drawn(pixel, one)
    assert_drawn(pixel, other)
  end
end

ana:ready()
ben:ready()
onlooker = field.watch(url)

check("players: both are on the field, in colours of their own", function()
  onlooker:look(function()
    return onlooker:named "Ana" and onlooker:named "Ben"
  end, "both players")
  assert(onlooker:named("Ana").colour ~= onlooker:named("Ben").colour)
end)

-- As far apart as can be, wherever the server has put them.
local function assert_shown_in_corners(name)
  steer(ana, -1, -1)
  steer(ben, 1, -1)
  assert_both_shown(name, both_at_rest(function(one, other)
    return one.x == protocol.RADIUS and one.y == protocol.RADIUS
           and other.x == protocol.WIDTH - protocol.RADIUS and other.y == protocol.RADIUS
  end))
end

check("players: each screenshot has both at their places, in corners", function()
  assert_shown_in_corners "corners"
end)

check("players: and in the open, with what they say", function()
  steer(ana, 1, 1)
  steer(ben, -1, 1)
  onlooker:look(function()
    return onlooker:named("Ana").x > 180 and onlooker:named("Ben").x < 500
  end, "a walk")
  steer(ana, 0, 0)
  steer(ben, 0, 1)
  onlooker:look(function()
    return onlooker:named("Ben").y > 260
  end, "Ben's walk")
  steer(ben, 0, 0)
  for _, key in ipairs { "return", "backspace" } do
    ana:ask(("love.keypressed %q"):format(key))
  end
  ana:ask "for letter in ('Over here, Ben!x'):gmatch '.' do love.textinput(letter) end"
  ana:ask "love.keypressed 'backspace' love.keypressed 'return'"
  player.wait_until(function()
    return ben:ask "local line = game.world.chat[1] return line and line.name .. ': ' .. line.text" == "Ana: Over here, Ben!"
  end, "what Ana says")
  ben:ask "love.keypressed 'return' love.textinput 'On my wäy'"
  assert_both_shown("open", both_at_rest(function()
    return true
  end))
  equal("On my wä", ben:ask "love.keypressed 'backspace' return game.typing")
end)

check("players: they come back by themselves after the server has", function()
  player.kill(base)
  player.wait_until(function()
    return ana:ask "return game.connection.status":find "refused"
  end, "words about it")
  screenshot(ana, "Ana-alone")
  equal(url, serve(url:match "%d+$"))
  onlooker = field.watch(url)
  assert_shown_in_corners "again"
end)

check("players: they leave as they should", function()
  for _, who in ipairs { ana, ben } do
    local status, log = who:quit()
    equal("", log)
    equal(0, status)
    onlooker:look(function()
      return not onlooker:named(who.name)
    end, who.name .. "'s leaving")
  end
end)

player.kill(base)
