--- A busted helper for Luas before 5.4: gives the specs, and nothing else, what
--- they use of 5.4's library.  As they are loaded they are written anew: escapes
--- such as "\x81" or "\u{FC}" where Lua does not know them, and on plain Lua 5.1
--- what waits where it cannot, in a generic for or in pcall.

local compiler = rawget(_G, "jit") -- LuaJIT's
local plain = _VERSION == "Lua 5.1" and not compiler

local older = {}

-- The library ----------------------------------------------------------------

local function pack_integer(value, size, little)
  local bytes = {}
  for i = 1, size do
    bytes[little and i or size + 1 - i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(bytes)
end

local function unpack_integer(text, at, size, little)
  local value = 0
  for i = 0, size - 1 do
    value = value * 256 + text:byte(little and at + size - 1 - i or at + i)
  end
  return value
end

-- "B", "I4", "i8" (what the specs write is not negative), "s2" and blanks.
local function each_item(format)
  return format:gmatch "([<>BIis])(%d*)"
end

local function pack(format, ...)
  local parts, little, n = {}, false, 0
  for letter, size in each_item(format) do
    size = tonumber(size) or 1
    if letter == "<" or letter == ">" then
      little = letter == "<"
    else
      n = n + 1
      local value = (select(n, ...))
      local text = letter == "s" and value or ""
      parts[#parts + 1] = pack_integer(letter == "s" and #text or value, size, little) .. text
    end
  end
  return table.concat(parts)
end

local function unpack_from(format, text, at)
  local values, n, little = {}, 0, false
  at = at or 1
  for letter, size in each_item(format) do
    size = tonumber(size) or 1
    if letter == "<" or letter == ">" then
      little = letter == "<"
    else
      n = n + 1
      values[n] = unpack_integer(text, at, size, little)
      at = at + size
      if letter == "s" then
        values[n], at = text:sub(at, at + values[n] - 1), at + values[n]
      end
    end
  end
  values[n + 1] = at
  return (table.unpack or unpack)(values, 1, n + 1)
end

local function format(text, ...)
  local values, n = { ... }, 0
  for letter in text:gsub("%%%%", ""):gmatch "%%[-+ #0-9.]*(%a)" do
    n = n + 1
    if letter == "s" then
      values[n] = tostring(values[n])
    end
  end
  return string.format(text, unpack(values, 1, n))
end

-- A library with more functions, and some instead of its own.
local function extended(library, more, instead)
  for key, value in pairs(more) do
    instead[key] = library[key] or value
  end
  return setmetatable(instead, { __index = library, __newindex = library })
end

local compat = require "weft.compat"
local core = require "weft.core"
local protected = require "weft.protected"

local function settle(handler, ok, err, ...)
  if ok then
    return true, err, ...
  end
  return false, handler(err)
end

local function utf8_of(code)
  local bytes, most = "", 0x80
  if code < most then
    return string.char(code)
  end
  most = 0x40
  repeat
    bytes = string.char(0x80 + code % 64) .. bytes
    code, most = math.floor(code / 64), most / 2
  until code < most
  return string.char(256 - 2 * most + code) .. bytes
end

-- Tables have no finalizers before 5.2: a userdata in them has it.
local function with_finalizer(object, metatable)
  setmetatable(object, metatable)
  local finalize = metatable and metatable.__gc
  if finalize and newproxy then
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
      finalize(object)
    end
    rawset(object, proxy, true)
  end
  return object
end

older.library = {
  table = extended(table, {
    pack = function(...)
      return { n = select("#", ...), ... }
    end,
    unpack = compat.unpack,
    move = compat.move,
  }, {}),
  math = extended(math, {
    tointeger = function(value)
      return compat.tointeger(tonumber(value))
    end,
    type = function(value)
      return type(value) == "number" and (compat.is_integer(value) and "integer" or "float") or nil
    end,
    maxinteger = 2 ^ 53,
    mininteger = -2 ^ 53,
  }, {
    random = function(...)
      if select("#", ...) == 1 and ... == 0 then -- any integer
        return math.random(2 ^ 31 - 1)
      end
      return math.random(...)
    end,
  }),
  string = extended(string, { pack = pack, unpack = unpack_from }, { format = plain and format or nil }),
  coroutine = extended(coroutine, {}, {
    running = function()
      local running, is_main = coroutine.running()
      return running, running == nil or is_main == true
    end,
  }),
  os = extended(os, {}, {
    exit = function(code, close)
      os.exit(code == true and 0 or code == false and 1 or code, close)
    end,
    execute = function(command)
      local status, how, code = os.execute(command)
      if type(status) ~= "number" then
        return status, how, code
      end
      return status == 0 or nil, "exit", math.floor(status / 256)
    end,
  }),
  collectgarbage = function(what, pause, step)
    if compiler and (what or "collect") == "collect" then
      compiler.flush() -- what LuaJIT has compiled holds what it has met
    end
    if what ~= "incremental" then
      return collectgarbage(what, pause)
    elseif pause then
      collectgarbage("setpause", pause)
      collectgarbage("setstepmul", step)
    end
    return what -- they have no other mode, or need none
  end,
  utf8 = rawget(_G, "utf8") or {
    char = utf8_of,
    len = function(text) -- or nil
      return core.is_utf8(text) and select(2, text:gsub("[^\128-\191]", "")) or nil
    end,
  },
  load = loadstring or load,
  pcall = plain and protected or pcall,
  setmetatable = with_finalizer,
  xpcall = plain and function(fn, handler, ...)
    return settle(handler, protected(fn, ...))
  end or xpcall,
}

-- The specs ------------------------------------------------------------------

local names = {}
for name in pairs(older.library) do
  names[#names + 1] = name
end
table.sort(names)
local words = table.concat(names, ", ")
local prefix = ("local %s = (function(l) return l.%s end)(require 'support.older'.library); ")
  :format(words, (words:gsub(", ", ", l.")))

-- for NAMES in ITERATOR do
local function loop(variables, iterator)
  local first = variables:match "^[%w_]+"
  return ("local next_, of_ = %s while true do local %s = next_(of_) if %s == nil then break end"):format(
    iterator, variables, first)
end

--- Source in Lua 5.4, for this Lua: its lines are where they were.
---@param source string
---@return string
function older.translate(source)
  if plain or _VERSION == "Lua 5.2" then
    source = source:gsub("\\(.)(%x?%x?)", function(letter, digits)
      if letter == "x" and #digits == 2 then
        return ("\\%03d"):format(tonumber(digits, 16))
      end
    end):gsub("\\u{(%x+)}", function(digits)
      return utf8_of(tonumber(digits, 16)):gsub(".", function(byte)
        return ("\\%03d"):format(byte:byte())
      end)
    end)
  end
  if plain then
    for _, waiting in ipairs { "[^\n]-:messages%(%)", "[^\n]-:chunks%(%)", "[^\n]-reconnecting%b()" } do
      source = source:gsub("for ([%w_, ]-) in (" .. waiting .. ") do", loop)
    end
  end
  return prefix .. source
end

local function load_translated(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  local source = file:read "*a"
  file:close()
  return (loadstring or load)(older.translate(source), "@" .. path)
end

local function search(name)
  local path = "spec/" .. name:gsub("%.", "/") .. ".lua"
  local file = name:find "^support%." and io.open(path, "rb")
  if not file then
    return nil
  end
  file:close()
  return assert(load_translated(path))
end

-- From 5.2 on print() flushes.  Not "no": who asks for lines after that has them
-- written byte by byte by some C libraries, in the midst of what others write.
io.stdout:setvbuf "line"
package.loaded["support.older"] = older
table.insert(package.searchers or package.loaders, 2, search)

local loadfile_as_it_is = loadfile
_G.loadfile = function(path, ...) -- as busted calls it
  if type(path) == "string" and path:find "_spec%.lua$" then
    return load_translated(path)
  end
  return loadfile_as_it_is(path, ...)
end

return older
