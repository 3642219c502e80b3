--- Runs specs where busted cannot be had, and ends with a line that counts them:
--- "N passed, N failed".
---
---     lua.exe spec\windows\run.lua FILE...
---
--- Of what busted gives a spec, this has what those in spec/windows/specs use, and
--- the same luassert.  Of lfs and LuaSocket's Unix-domain sockets there is but the
--- name.

local groups -- the describes that are being read or run, the innermost last
local passed, failures, skipped = 0, {}, 0

-- How a case fails that tries what weft does not have on Windows.
local absent = { "^[^\n]*not supported on Windows", "^[^\n]*this build of weft has no TLS" }

-- What differs under Wine: it takes a reset for itself and tells of an end.
local under_wine = {
  ["is \"reset\" when the connection was reset"] = true,
  ["of a reset: 1006 and reset"] = true,
  ["is noticed by a send that waits for room"] = true,
}

local function is_absent(why)
  for _, pattern in ipairs(absent) do
    if why:find(pattern) then
      return true
    end
  end
  return false
end

-- What a file and a describe have: how they are called, and what comes around
-- each of their cases.
local function group(name)
  return { name = name, steps = {}, before_each = {}, after_each = {}, setup = {}, teardown = {} }
end

local function hook(kind)
  return function(fn)
    local list = groups[#groups][kind]
    list[#list + 1] = fn
  end
end

local function call_all(list)
  for _, fn in ipairs(list) do
    fn()
  end
end

local function placed(err)
  return debug.traceback(tostring(type(err) == "table" and err.message or err), 2)
end

local function full_name(chain, name)
  local words = {}
  for _, one in ipairs(chain) do
    words[#words + 1] = one.name
  end
  words[#words + 1] = name
  return table.concat(words, " ")
end

local function run_case(chain, step)
  local last = {}
  _G.finally = function(fn)
    last[#last + 1] = fn
  end
  local function whole()
    for _, one in ipairs(chain) do
      call_all(one.before_each)
    end
    step.fn()
  end
  local ok, why = xpcall(whole, placed)
  call_all(last)
  for i = #chain, 1, -1 do
    local tidy, because = xpcall(call_all, placed, chain[i].after_each)
    ok, why = ok and tidy, why or because
  end
  if ok then
    passed = passed + 1
  elseif under_wine[step.name] or is_absent(why) then
    skipped = skipped + 1
  else
    failures[#failures + 1] = full_name(chain, step.name) .. "\n" .. why
  end
end

local function run_group(chain)
  local this = chain[#chain]
  call_all(this.setup)
  for _, step in ipairs(this.steps) do
    if step.group then
      chain[#chain + 1] = step.group
      run_group(chain)
      chain[#chain] = nil
    else
      run_case(chain, step)
    end
  end
  call_all(this.teardown)
end

local function read(name, fn)
  groups[#groups + 1] = group(name)
  fn()
  return table.remove(groups)
end

function _G.describe(name, fn)
  local inner = read(name, fn)
  table.insert(groups[#groups].steps, { group = inner })
end

function _G.it(name, fn)
  table.insert(groups[#groups].steps, { name = name, fn = fn })
end

for _, kind in ipairs { "before_each", "after_each", "setup", "teardown" } do
  _G[kind] = hook(kind)
end

package.preload.lfs = function()
  return { attributes = function() end, dir = function() return function() end end }
end
package.preload["socket.unix"] = function()
  return {}
end
_G.assert = require "luassert"

for _, file in ipairs(arg) do
  groups = {}
  run_group { read(file .. ":", assert(loadfile(file))) }
end
for _, text in ipairs(failures) do
  print("failed: " .. text)
end
print(("%d passed, %d failed, %d skipped"):format(passed, #failures, skipped))
os.exit(#failures == 0 and passed > 0, true)
