-- weft.step() in a loop that LuaJIT compiles, with the collector at work, while
-- messages come in as fast as they can.
local weft = require "weft"
local checks = require "check"
local player = require "player"

local equal = checks.equal
local MESSAGES, STEPS = 20000, 300 -- altogether; turns a frame

local server = assert(weft.listen { port = 0, websocket = function(ws)
  for i = 1, MESSAGES do
    ws:send("number\t" .. i)
  end
  ws:wait_closed()
end })

checks.check("loops: compiled ones get every message, in order", function()
  local game = player.start("loops", "none"):ready()
  equal("true", game:ask(([[
    local hear, update = game.world.hear, love.update
    game.heard, game.order, game.steps = 0, true, 0
    function game.world:hear(message)
      game.heard = game.heard + 1
      game.order = game.order and message == "number\t" .. game.heard
      hear(self, message)
    end
    function love.update(dt)
      for _ = 1, %d do
        weft.step(0)
        game.steps = game.steps + 1
      end
      collectgarbage "step"
      update(dt)
    end
    return jit.status()
  ]]):format(STEPS)))
  game:ask(([[
    game.connection = require "connection".open(%q, "Ana", game.world)
  ]]):format(server:url()))
  player.wait_until(function()
    return game:ask "return game.heard" == tostring(MESSAGES)
           and tonumber(game:ask "return game.steps") > 20 * STEPS
  end, "all messages")
  equal("true", game:ask "return game.order")
  local status, log = game:quit()
  equal("", log)
  equal(0, status)
end)
server:close(0)
