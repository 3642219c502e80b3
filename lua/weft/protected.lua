--- pcall, inside which weft's calls may wait on plain Lua 5.1 too, and which keeps
--- the traceback of an error for its being raised again.  Internal.
---
--- On plain 5.1 the function runs in a coroutine of its own, which an error ends.

local compat = require "weft.compat"
local core = require "weft.core"
local errors = require "weft.errors"

local function note(err)
  errors.keep(err, debug.traceback("", 2):sub(2))
  return err
end

local function carry(co, what, ...)
  if what == "wait" then
    return carry(co, core.resume(co, coroutine.yield(core.mark)))
  elseif what == "yield" then
    return carry(co, core.resume(co, coroutine.yield(...)))
  elseif what == "error" then
    errors.keep((...), debug.traceback(co, ""):sub(2))
  end
  return what == "done", ...
end

return function(fn, ...)
  if not compat.is_plain then
    return xpcall(fn, note, ...)
  elseif compat.is_main() then -- where nothing is yielded
    return pcall(fn, ...)
  end
  local co = coroutine.create(function(...) -- 5.1 takes no function of C
    return fn(...)
  end)
  return carry(co, core.resume(co, ...))
end
