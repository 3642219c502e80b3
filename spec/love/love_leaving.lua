-- Quitting in the middle of things: the Lua state closes with names that are being
-- looked up, handshakes half done, messages under way.
local weft = require "weft"
local checks = require "check"
local player = require "player"
local slow = require "slow"

-- What no game of this version understands, between what it does.
local odd = {
  "", "dance", "welcome", "player\t1", "player\t1\t99\tAna", "left", "said\tAna", "at\t1", "at\t1\there\tthere",
  "at\t2\t30\t30", "at" .. ("\t1\t40\t40"):rep(2000),
}

local server = assert(weft.listen { port = 0, websocket = function(ws)
  repeat
    for _, line in ipairs(odd) do
      ws:send(line)
    end
    weft.sleep(0)
  until not ws:send("at\t1\t40\t40\0", "binary")
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
