-- weft in a program that draws frames, such as a game: sixty times a second it does
-- what has come up, for two milliseconds at most.  The connection comes back by
-- itself.  Try it beside examples/ticker.lua:
-- lua examples/hosts/frames.lua ws://127.0.0.1:8080
local weft = require "weft"

local url = arg[1] or "ws://127.0.0.1:8080"
local frame = 1 / 60
local inbox = {}
local ws -- while there is a connection

weft.spawn(function()
  for connection in weft.reconnecting(url, { max_delay = 5, retry = function() return true end }) do
    ws = connection
    for message in ws:messages() do
      table.insert(inbox, message)
    end
    ws = nil
  end
end)

local frames = 0

local function draw()
  frames = frames + 1
  for i, message in ipairs(inbox) do
    io.write("frame ", frames, ": ", message, "\n")
    io.stdout:flush()
    inbox[i] = nil
  end
  if ws and frames % 60 == 0 then
    ws:try_send("drew " .. frames .. " frames")
  end
end

local due = weft.now()
while true do
  weft.step(0, { seconds = 0.002 })
  draw()
  due = math.max(due + frame, weft.now())
  while weft.now() < due do
    weft.step(due - weft.now(), { seconds = 0.002 }) -- in the place of a sleep
  end
end
