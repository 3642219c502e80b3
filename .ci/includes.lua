-- Checks the include rule: floors look down, and each library stays in its room.
--
--   lua5.4 .ci/includes.lua FILE...     paths from the root of the tree

-- what a floor may include besides its own headers: floors, or single headers
local below = {
  base = {},
  proto = { "base" },
  net = { "base" },
  loop = { "net", "proto", "base" },
  lua = { "loop", "net", "proto", "base" },
  capi = { "proto", "base", "lua/compat.h" },
  idn = { "lua/compat.h" }, -- modules of their own
  load = { "net", "proto", "base", "loop/poller.h", "lua/compat.h" },
}

-- which files a system header belongs to; nil: it is anybody's
local function rooms_of(header)
  if header:match("^lua[a-z]*%.h$") or header == "lauxlib.h" then
    return { "^csrc/lua/compat%.h$" }
  elseif header:match("^openssl/[dt]?tls1?%.h$") or header:match("^openssl/ssl[23]?%.h$") then
    return { "^csrc/net/tls[_%l]*%.[ch]$" }
  elseif header:match("^openssl/") then
    return { "^csrc/base/crypto_system%.c$", "^csrc/net/tls[_%l]*%.[ch]$" }
  elseif header == "idn2.h" then
    return { "^csrc/idn/" }
  elseif header == "zlib.h" or header == "zconf.h" then
    return { "^csrc/proto/deflate[_%l]*%.[ch]$", "^spec/c/deflate_test%.c$" }
  end
end

-- the floors and headers that a file may look into, as a set, or nil for any
local function floors_of(path)
  local floor = path:match("^csrc/([^/]+)/")
  if path:match("^spec/c/loop_") then
    floor = "loop"
  elseif path:match("^spec/c/load_") then
    floor = "load"
  elseif path:match("^spec/c/weft_") then
    floor = "capi"
  elseif path:match("^spec/c/") or path:match("^spec/fuzz/") then
    floor = "proto"
  end
  if not floor then
    return nil
  end
  local seen = { [floor] = true }
  for _, name in ipairs(assert(below[floor], path .. ": no such floor")) do
    seen[name] = true
  end
  return seen
end

local function any_match(path, patterns)
  for _, pattern in ipairs(patterns) do
    if path:match(pattern) then
      return true
    end
  end
  return false
end

local function complaint(path, floors, open, header)
  if open == '"' then
    local floor = header:match("^([^/]+)/")
    if header:match("%.%.") then
      return "includes are written from csrc/ down, not with \"..\""
    elseif floor and below[floor] and floors and not (floors[floor] or floors[header]) then
      return ("the floor %s is not below this one"):format(floor)
    end
  end
  local rooms = rooms_of(header)
  if rooms and not any_match(path, rooms) then
    return ("<%s> does not belong here"):format(header)
  end
end

local wrong = 0
for _, path in ipairs(arg) do
  local floors = floors_of(path)
  local number = 0
  for line in io.lines(path) do
    number = number + 1
    local open, header = line:match('^%s*#%s*include%s*([<"])([^>"]+)')
    local problem = header and complaint(path, floors, open, header)
    if problem then
      wrong = wrong + 1
      print(("%s:%d: %s"):format(path, number, problem))
    end
  end
end
os.exit(wrong == 0)
