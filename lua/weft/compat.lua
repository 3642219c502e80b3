--- What the Luas do not have in common: 5.4 and what stands in for it on 5.1, 5.2,
--- 5.3 and LuaJIT.  Internal.

local compat = {}

--- Plain Lua 5.1, not LuaJIT: no task can wait inside a pcall, a generic for or a
--- metamethod.
compat.is_plain = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

--- A generic for closes its fourth value.
compat.closes = tonumber(_VERSION:match("[%d.]+")) >= 5.4

--- pairs() asks __pairs.
compat.asks_pairs = pairs(setmetatable({}, {
  __pairs = function() return "asked" end,
})) == "asked"

compat.unpack = table.unpack or unpack

compat.move = table.move or function(from, first, last, at, to)
  for i = 0, last - first do
    to[at + i] = from[first + i]
  end
  return to
end

--- Plain Lua 5.1 does not tell.
compat.searchpath = package.searchpath or function() end

--- A whole number that can be told from its neighbours.
compat.tointeger = math.tointeger or function(number)
  return type(number) == "number" and number % 1 == 0
         and number >= -2 ^ 53 and number <= 2 ^ 53 and number or nil
end

compat.is_integer = math.type and function(value)
  return math.type(value) == "integer"
end or function(value)
  return compat.tointeger(value) ~= nil
end

--- Whether no coroutine is running.
---@return boolean
function compat.is_main()
  local running, is_main = coroutine.running()
  return running == nil or is_main == true
end

--- Whether a shell command succeeds.
---@param command string
---@return boolean
function compat.execute(command)
  local status = os.execute(command)
  return status == true or status == 0
end

return compat
