-- What steers the game in the suite: --script of examples/love/main.lua.  Runs the
-- Lua code that the connection to DRIVE (in the environment) brings, with the
-- game, and says what came of it.  Inside a frame, as one of weft's tasks.
local game = ...
local weft = require "weft"

-- On a screen there are sixty frames a second; here there would be as many as the
-- processor can do.
local FRAME = 1 / 60
local draw, due = love.draw, love.timer.getTime()

function love.draw()
  draw()
  due = math.max(due + FRAME, love.timer.getTime())
  love.timer.sleep(due - love.timer.getTime())
end

-- Writes a screenshot as a picture to look at, and its bytes for the checks.
local function screenshot(path)
  local taken = weft.queue()
  love.graphics.captureScreenshot(function(image)
    for ending, bytes in pairs { png = image:encode "png":getString(), rgba = image:getString() } do
      local file = assert(io.open(path .. "." .. ending, "wb"))
      file:write(bytes)
      file:close()
    end
    taken:put(true)
  end)
  return taken:take()
end

local environment = setmetatable({ game = game, weft = weft, screenshot = screenshot }, { __index = _G })

weft.spawn(function()
  local ws = assert(weft.connect(os.getenv "DRIVE"))
  for code in ws:messages() do
    local result = setfenv(assert(loadstring(code)), environment)()
    ws:send(tostring(result))
  end
  love.event.quit() -- nobody drives any more
end)
