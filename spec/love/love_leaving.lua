-- Quitting in the middle of things: the Lua state closes with names that are being
-- looked up, handshakes half done, messages under way.
local weft = require "weft"
local checks = require "check"
local player = require "player"
local slow = require "slow"

local server = assert(weft.listen { port = 0, websocket = function(ws)
  while ws:send(("at\t1\t2\t3"):rep(2000)) do
    weft.sleep(0)
  end
end })

local ways = {
  { "while a name is looked up", slow.name },
  { "in a silent TLS handshake", slow.silent },
  { "in one that goes on", slow.chain },
  { "while messages come in", server:url() },
}
local ROUNDS = 5

for _, way in ipairs(ways) do
  checks.check(("leaving: %s, %d times"):format(way[1], ROUNDS), function()
    local games = {}
    for i = 1, ROUNDS do
      games[i] = player.start("leaving-" .. i, way[2])
    end
    for i, game in ipairs(games) do
      game:ready()
      weft.sleep(i * 0.03) -- each at another moment
      local status, log = game:quit()
      checks.equal("", log)
      checks.equal(0, status)
    end
  end)
end
server:close(0)
