-- What stands in for busted where busted does not run yet: Lua 5.5, whose loop
-- variables are constants.  It takes one file of specs, as .ci/test calls it, and
-- prints what busted prints of a count; the assertions are luassert's.
local luassert = require "luassert"

local counts = { success = 0, failure = 0, pending = 0 }
local failed = {}

-- Blocks that are open, the file first: name, and lists of functions by kind.
local blocks = {}

local function full_name(name)
  local words = {}
  for i = 2, #blocks do
    words[#words + 1] = blocks[i].name
  end
  words[#words + 1] = name
  return table.concat(words, " ")
end

local function hook(kind)
  return function(fn)
    local block = blocks[#blocks]
    block[kind] = block[kind] or {}
    table.insert(block[kind], fn)
  end
end

local function call_all(kind, block)
  for _, fn in ipairs(block[kind] or {}) do
    fn()
  end
end

local function message_of(err)
  if type(err) == "table" and err.message ~= nil then
    return tostring(err.message)
  end
  return tostring(err)
end

local function record(name, ok, err)
  local outcome = ok and "success" or "failure"
  counts[outcome] = counts[outcome] + 1
  io.write(ok and "+" or "-")
  if not ok then
    failed[#failed + 1] = ("Failure -> %s\n%s\n"):format(name, message_of(err))
  end
end

local function run(name, fn)
  record(full_name(name), xpcall(function()
    for _, block in ipairs(blocks) do
      call_all("before_each", block)
    end
    fn()
    for i = #blocks, 1, -1 do
      call_all("after_each", blocks[i])
    end
  end, function(err)
    return type(err) == "string" and debug.traceback(err, 2) or err
  end))
end

-- The specs of a block run once it is known what goes before them.
local function describe(name, fn)
  local block = { name = name, specs = {} }
  blocks[#blocks + 1] = block
  local ok, err = pcall(function()
    fn()
    call_all("setup", block)
    for _, spec in ipairs(block.specs) do
      spec()
    end
    call_all("teardown", block)
  end)
  if not ok then
    record(full_name "outside its specs", false, err)
  end
  blocks[#blocks] = nil
end

-- What is inside a block runs in its turn.
local function later(action)
  return function(name, fn)
    table.insert(blocks[#blocks].specs, function()
      action(name, fn)
    end)
  end
end

local function pending()
  counts.pending = counts.pending + 1
  io.write(".")
end

assert = luassert -- luacheck: ignore
for name, value in pairs {
  describe = later(describe), it = later(run), pending = pending,
  setup = hook "setup", teardown = hook "teardown",
  before_each = hook "before_each", after_each = hook "after_each",
} do
  _G[name] = value
end

local begin = os.time()
describe(arg[#arg], function()
  dofile(arg[#arg])
end)
io.write("\n", ("%d successes / %d failures / 0 errors / %d pending : %d seconds\n"):format(
  counts.success, counts.failure, counts.pending, os.time() - begin), "\n", table.concat(failed, "\n"))
os.exit(#failed == 0, true)
