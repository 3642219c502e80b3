-- Connections that never get to a WebSocket, held until the server lets them go.
--
--     lua5.4 spec/attack/half_open.lua KIND ENDING COUNT PORT
--
-- KIND:
--   silent   say nothing
--   head     send the first half of an opening handshake
--   record   send the first half of a ClientHello
--   hello    send a ClientHello, and nothing after it
--
-- ENDING, of all of them: what the answer was, "nothing", "TLS" or a status of
-- HTTP, and how the connection ended, as in "408, fin".
local handshake = require "support.handshake"
local peer = require "support.peer"
local weft = require "weft"

local kind, expected = arg[1], arg[2]
local count, port = math.tointeger(tonumber(arg[3])), math.tointeger(tonumber(arg[4]))
local LONGEST = 60 -- seconds without a word before one counts as forgotten

-- The record with which weft's own client begins TLS.
local function client_hello()
  local listener = peer.listen(weft)
  local client = weft.spawn(weft.connect, ("wss://127.0.0.1:%d"):format(listener.port))
  local raw = assert(listener:accept())
  local head = raw:receive(5)
  local hello = head .. raw:receive((string.unpack(">I2", head, 4)))
  raw:close()
  listener:close()
  client:join()
  return hello
end

local function half(text)
  return text:sub(1, math.floor(#text / 2))
end

local beginnings = {
  silent = function() return "" end,
  head = function() return half(handshake.request()) end,
  record = function() return half(client_hello()) end,
  hello = client_hello,
}

local function ending(raw)
  local bytes, why = raw:read_until_closed(LONGEST)
  local status = bytes:match "^HTTP/1%.1 (%d+)"
  return (status or bytes == "" and "nothing" or "TLS") .. ", " .. why
end

weft.run(function()
  local beginning = beginnings[kind]()
  local endings, tasks = {}, {}
  local began = weft.now()
  for i = 1, count do
    local raw = peer.connect(weft, port)
    raw:send(beginning)
    tasks[i] = weft.spawn(function()
      local how = ending(raw)
      endings[how] = (endings[how] or 0) + 1
      raw:close()
    end)
  end
  local opened = weft.now() - began
  for _, task in ipairs(tasks) do
    assert(task:join())
  end
  print(("%d opened in %.2f s, the last let go after %.2f s"):format(count, opened, weft.now() - began))
  for how, times in pairs(endings) do
    print(("%d: %s"):format(times, how))
  end
  assert(endings[expected] == count, "not all of them ended as expected: " .. expected)
end)
