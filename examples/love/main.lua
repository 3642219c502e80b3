-- Dots: a field on which everybody who is connected moves and talks.
--
--   love examples/love [--server URL] [--name NAME] [--ca FILE] [--frames FILE]
--
-- Arrows or WASD move, Enter opens the line to talk.  --ca names the certificate
-- authority of a wss:// server that is your own; --frames logs how long each frame
-- took; --script runs a Lua file once the game stands (the tests' way in).

-- Shipped as one file, the game has its C module beside it: see docs/love.md.
package.cpath = love.filesystem.getSourceBaseDirectory() .. "/?.so;" .. package.cpath

local utf8 = require "utf8"
local weft = require "weft"
local connection = require "connection"
local frames = require "frames"
local protocol = require "protocol"
local world = require "world"

local game = { typing = nil } -- the text being typed, while there is one

local function options_of(arguments)
  local options = { server = "ws://127.0.0.1:8080", name = os.getenv "USER" or "somebody" }
  for i = 1, #arguments, 2 do
    options[arguments[i]:match "^%-%-(.*)" or ""] = arguments[i + 1]
  end
  return options
end

function love.load(arguments)
  local options = options_of(arguments)
  game.font = love.graphics.newFont(14)
  love.graphics.setFont(game.font)
  love.keyboard.setKeyRepeat(true)
  game.world = world.new()
  game.frames = frames.new(options.frames)
  game.connection = connection.open(options.server, options.name, game.world,
                                    options.ca and { ca = options.ca })
  if options.script then
    assert(loadfile(options.script))(game)
  end
end

-- Keys ------------------------------------------------------------------------

-- -1, 0 or 1 in each direction.
function game.direction()
  if game.typing then
    return 0, 0
  end
  local function axis(less, less_too, more, more_too)
    return (love.keyboard.isDown(more, more_too) and 1 or 0)
           - (love.keyboard.isDown(less, less_too) and 1 or 0)
  end
  return axis("left", "a", "right", "d"), axis("up", "w", "down", "s")
end

local function finish_typing()
  local text = protocol.clean(game.typing, protocol.TEXT)
  if text then
    game.connection:say("say", text)
  end
  game.typing = nil
end

function love.keypressed(key)
  if key == "return" or key == "kpenter" then
    if game.typing then
      finish_typing()
    else
      game.typing = ""
    end
  elseif key == "escape" then
    game.typing = nil
  elseif key == "backspace" and game.typing then
    local last = utf8.offset(game.typing, -1)
    game.typing = game.typing:sub(1, last and last - 1 or 0)
  end
end

function love.textinput(text)
  if game.typing and utf8.len(game.typing) < protocol.TEXT then
    game.typing = game.typing .. text
  end
end

-- Frames ----------------------------------------------------------------------

function love.update(dt)
  local began = love.timer.getTime()
  weft.step(0, { seconds = 0.004 }) -- whatever comes in: no more of this frame
  game.frames:add(dt, love.timer.getTime() - began)
  game.connection:steer(game.direction())
end

local function draw_player(id, player)
  local x, y = game.world:position(player)
  if not x then
    return
  end
  local red, green, blue = unpack(player.colour)
  love.graphics.setColor(red / 255, green / 255, blue / 255)
  love.graphics.circle("fill", x, y, protocol.RADIUS)
  if id == game.world.me then
    love.graphics.setColor(1, 1, 1)
    love.graphics.setLineWidth(2)
    love.graphics.circle("line", x, y, protocol.RADIUS + 3)
  end
  love.graphics.setColor(1, 1, 1, 0.8)
  local width = game.font:getWidth(player.name)
  local above = y - protocol.RADIUS - 22
  love.graphics.print(player.name,
    math.floor(math.max(2, math.min(x - width / 2, protocol.WIDTH - 2 - width))),
    math.floor(above < 2 and y + protocol.RADIUS + 5 or above))
end

local function draw_field()
  love.graphics.clear(0.09, 0.1, 0.13)
  love.graphics.setColor(1, 1, 1, 0.05)
  for x = 40, protocol.WIDTH - 1, 40 do
    love.graphics.line(x, 0, x, protocol.HEIGHT)
  end
  for y = 40, protocol.HEIGHT - 1, 40 do
    love.graphics.line(0, y, protocol.WIDTH, y)
  end
end

local function draw_chat()
  local lines = game.world:recent_chat()
  local y = protocol.HEIGHT - 36 - 20 * #lines
  for _, line in ipairs(lines) do
    love.graphics.setColor(1, 1, 1, 0.6)
    love.graphics.print(line.name .. ": " .. line.text, 12, y)
    y = y + 20
  end
  if game.typing then
    love.graphics.setColor(0, 0, 0, 0.6)
    love.graphics.rectangle("fill", 8, y + 2, protocol.WIDTH - 16, 24, 4)
    love.graphics.setColor(1, 1, 1)
    love.graphics.print("> " .. game.typing .. "_", 14, y + 5)
  else
    love.graphics.setColor(1, 1, 1, 0.35)
    love.graphics.print("arrows move, Enter talks", 12, y + 6)
  end
end

function love.draw()
  draw_field()
  for id, player in pairs(game.world.players) do
    draw_player(id, player)
  end
  draw_chat()
  if not game.connection.ws then
    love.graphics.setColor(0.97, 0.78, 0.28)
    love.graphics.printf(game.connection.status, 12, 200, protocol.WIDTH - 24, "center")
  end
end

function love.quit()
  game.connection:close()
  weft.step()
  game.frames:write()
end
