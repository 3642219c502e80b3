-- The client that the Autobahn suite's fuzzing server tests: an echo.
--
--   lua5.4 spec/conformance/client.lua ws://127.0.0.1:9001
--   lua5.4 spec/conformance/client.lua wss://127.0.0.1:9001 CERTIFICATE
--
-- CERTIFICATE is the server's, which is trusted as it is.
local weft = require "weft"

local url = assert(arg[1], "usage: client.lua URL [CERTIFICATE]")
local options = {
  max_message = 16777216,
  max_fragments = 65536,
  ping_interval = false,
  tls = arg[2] and { ca = arg[2] },
}

local function open(path)
  return assert(weft.connect(url .. path, options))
end

local count = assert(tonumber((open("/getCaseCount"):receive())))
for case = 1, count do
  local ws = open("/runCase?agent=weft&case=" .. case)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end
open("/updateReports?agent=weft"):wait_closed()
