--- pcall, inside which weft's calls may wait on plain Lua 5.1 too.  Internal.
---
--- There the function runs in a coroutine of its own, which an error ends.

local compat = require "weft.compat"
local core = require "weft.core"

if not compat.is_plain then
  return pcall
end

local function carry(co, what, ...)
  if what == "wait" then
    return carry(co, core.resume(co, coroutine.yield(core.mark)))
  elseif what == "yield" then
    return carry(co, core.resume(co, coroutine.yield(...)))
  end
  return what == "done", ...
end

return function(fn, ...)
  if compat.is_main() then -- where nothing is yielded
    return pcall(fn, ...)
  end
  local co = coroutine.create(function(...) -- 5.1 takes no function of C
    return fn(...)
  end)
  return carry(co, core.resume(co, ...))
end
