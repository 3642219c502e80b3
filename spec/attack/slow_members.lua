-- Members of a room that never read, and some beside them that do and must miss
-- nothing, until the server has let all of the others go.
--
--     lua5.4 spec/attack/slow_members.lua ROOM COUNT PORT     ROOM: close or drop
local handshake = require "support.handshake"
local peer = require "support.peer"
local weft = require "weft"

local room, count, port = arg[1], math.tointeger(tonumber(arg[2])), math.tointeger(tonumber(arg[3]))
local HONEST = 5
local LONGEST = 60 -- seconds

-- How many members the server has dropped for being slow, as it says.
local function dropped()
  local raw = peer.connect(weft, port)
  raw:send(handshake.http { path = "/state" })
  local body = raw:answer().body
  raw:close()
  return math.tointeger(tonumber(body:match "slow (%d+)"))
end

-- One message after the other, as the server numbers them; how many they were.
local function hear_all(ws)
  local before, heard = nil, 0
  for message in ws:messages() do
    local number = math.tointeger(tonumber(message:sub(1, 8)))
    assert(not before or number == before + 1, ("message %d came after %s"):format(number, before))
    before, heard = number, heard + 1
  end
  assert(ws.sent_code == 1000, "a member that reads was closed: " .. tostring(ws.close_message))
  return heard
end

weft.run(function()
  local before, began = dropped(), weft.now()
  local honest, hearing, slow = {}, {}, {}
  for i = 1, HONEST do
    honest[i] = assert(weft.connect(("ws://127.0.0.1:%d/%s"):format(port, room)))
    hearing[i] = weft.spawn(hear_all, honest[i])
  end
  for i = 1, count do
    slow[i] = peer.connect(weft, port, { receive_buffer = 4096 })
    slow[i]:upgrade { path = "/" .. room }
  end
  local opened = weft.now() - began
  while dropped() < before + count do
    assert(weft.now() - began < LONGEST, "members that do not read are still there")
    weft.sleep(0.1)
  end
  print(("%d joined in %.2f s, the last let go after %.2f s"):format(count, opened, weft.now() - began))
  for i, ws in ipairs(honest) do
    assert(ws:close())
    local _, heard = assert(hearing[i]:join())
    print(("one that reads heard %d in a row"):format(heard))
  end
  for _, raw in ipairs(slow) do
    raw:close()
  end
end)
