--- Calls a function, and closes a value once it has ended: with results, with an
--- error, or, from Lua 5.4 on, with its task where it waits.  Internal.
---
--- So does `local guard <close>`, which Lua 5.1 and LuaJIT cannot read; here it is
--- the fourth value of a for, which they can, and which Lua 5.4 closes as well.

local compat = require "weft.compat"
local protected = require "weft.protected"

local function closing(guard, fn)
  local first, second
  local function call()
    first, second = fn()
  end
  for _ in call, nil, nil, guard do end -- it gives nothing: there is no second time
  return first, second
end

local function catching(guard, fn)
  local ok, first, second = protected(fn)
  if guard then
    getmetatable(guard).__close(guard)
  end
  if not ok then
    error(first, 0)
  end
  return first, second
end

---@param guard table|nil with __close
---@param fn function called without arguments
---@return any first, any second what it returned
return compat.closes and closing or catching
