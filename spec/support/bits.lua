--- Bits of whole numbers below 2^32, on every Lua: band, bor, bxor, bnot.

--- Lua 5.3 and later have operators, which others cannot read.
local operators = [[return {
  band = function(a, b) return math.tointeger(a) & math.tointeger(b) end,
  bor = function(a, b) return math.tointeger(a) | math.tointeger(b) end,
  bxor = function(a, b) return math.tointeger(a) ~ math.tointeger(b) end,
}]]

--- Lua 5.1 has nothing: bit by bit.
local function by_hand(rule)
  return function(a, b)
    local result, value = 0, 1
    while a > 0 or b > 0 do
      local one, other = a % 2, b % 2
      if rule(one, other) then
        result = result + value
      end
      a, b, value = (a - one) / 2, (b - other) / 2, value * 2
    end
    return result
  end
end

local function library()
  local chunk = (loadstring or load)(operators)
  local found, bit = pcall(require, "bit") -- LuaJIT's
  if chunk then
    return chunk()
  elseif bit32 then
    return bit32 -- 5.2's
  elseif found then
    local unsigned = {}
    for _, name in ipairs { "band", "bor", "bxor" } do
      unsigned[name] = function(a, b)
        return bit[name](a, b) % 2 ^ 32
      end
    end
    return unsigned
  end
  return {
    band = by_hand(function(one, other) return one + other == 2 end),
    bor = by_hand(function(one, other) return one + other > 0 end),
    bxor = by_hand(function(one, other) return one ~= other end),
  }
end

local bits = {}
for _, name in ipairs { "band", "bor", "bxor" } do
  bits[name] = library()[name]
end

function bits.bnot(a)
  return 2 ^ 32 - 1 - a
end

return bits
