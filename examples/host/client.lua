-- What the host's second world runs: a player who answers each frame.
local weft = require "weft"

local port = ...
local heard = 0

weft.spawn(function()
  local ws = assert(weft.connect(("ws://127.0.0.1:%d/"):format(port)))
  local message = ws:receive()
  while message do
    heard = heard + 1
    ws:send("seen " .. message)
    message = ws:receive()
  end
end)

local budget = { messages = 1000, seconds = 0.004 }

return function()
  weft.step(0, budget)
  return heard
end
