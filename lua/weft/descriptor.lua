--- The descriptor of what weft.wait is given.  Internal.

local check = require "weft.check"

local descriptor = check.whole(0, 2147483647, "a descriptor (a whole number, 0 or more)")

local function method(object, name)
  local ok, value = pcall(function()
    return object[name]
  end)
  return ok and type(value) == "function" and value or nil
end

--- A number as it is, or what an object's getfd or pollfd says.
---@param given any
---@return integer|nil, string? expected
return function(given)
  if type(given) == "table" or type(given) == "userdata" then
    local get = method(given, "getfd") or method(given, "pollfd")
    if not get then
      return nil, "a descriptor or an object with getfd or pollfd"
    end
    given = get(given)
  end
  if given == math.huge or not descriptor(given) then
    return nil, "a descriptor (a whole number, 0 or more)"
  end
  return given
end
