-- The checks: lua5.4 spec/love/game.lua DIRECTORY, from spec/love/run.
local checks = require "check"

for _, part in ipairs { "server", "players", "loops", "frames", "leaving" } do
  require("love_" .. part)
end
checks.report()
