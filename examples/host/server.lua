-- What the host's first world runs: a server whose room hears of each frame.
-- Gives the host a function to call once a frame, and the port.
local weft = require "weft"

local players = weft.room()
local heard = 0

local server = assert(weft.listen {
  port = 0,
  websocket = function(ws)
    players:join(ws)
    while ws:receive() do
      heard = heard + 1
    end
  end,
})

local budget = { messages = 1000, seconds = 0.004 } -- of the frame's 16 ms

return function(number)
  players:send(("frame %d"):format(number))
  weft.step(0, budget)
  return heard
end, server:port()
