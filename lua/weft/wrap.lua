--- weft.wrap: coroutines inside which weft's calls still work.  Internal.

local compat = require "weft.compat"
local core = require "weft.core"

--- Like coroutine.wrap.
---@param loop weft.Loop
---@param fn function
---@return function
return function(loop, fn)
  local co = coroutine.create(fn)
  local busy = false -- perhaps parked in a wait, which others must not end

  -- Hands on what core.resume returned; a wait is passed to whoever resumed us.
  local function carry(what, ...)
    if what == "wait" then
      return carry(core.resume(co, coroutine.yield(core.mark)))
    end
    busy = false
    if what == "error" then
      error((...), 0)
    end
    return ... -- "yield" or "done"
  end

  local function step(...)
    busy = true
    return carry(core.resume(co, ...))
  end

  return function(...)
    local status = busy and "non-suspended" or coroutine.status(co)
    if status ~= "suspended" then
      error("cannot resume " .. status .. " coroutine", 2)
    end
    if compat.is_main() then -- no task that could park
      return core.run(loop, step, ...)
    end
    return step(...)
  end
end
