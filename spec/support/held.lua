--- What the connections of an instance hold, as memory_limit counts it.
local core = require "weft.core"

local held = {}

---@param t Case
---@return integer bytes
function held.bytes(t)
  return core.held(t.weft.loop)
end

--- Waits until nothing is held any more.
---@param t Case
function held.wait_until_none(t)
  t:wait_until(function()
    return held.bytes(t) == 0
  end, "an empty account")
end

return held
