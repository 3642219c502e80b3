-- A client: sends one message to a server and prints what comes back.
--
--   lua5.4 examples/client.lua ws://127.0.0.1:8080 "hello"
--
-- There is no loop to start: outside a task, calls block.
local weft = require "weft"

local ws = assert(weft.connect(arg[1] or "ws://127.0.0.1:8080"))
ws:send(arg[2] or "hello")
local answer, why, code = ws:receive(5)
if answer then
  print("answer: " .. answer)
else
  print("no answer: " .. why, code or "")
end
ws:close()
