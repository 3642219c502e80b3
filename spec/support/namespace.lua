--- A network of one's own: a script in a network and a mount namespace with
--- its own loopback, hosts, resolv.conf and name server, so that addresses may
--- be dead and names slow.  Nothing of the machine is touched, and nothing is
--- left when the script has ended.
---
---     local seen = namespace.run(t, { setup = "ip addr add ...", hosts = "..." }, [[
---       local ws, why = weft.connect "ws://dual.test:80/"
---       report("why", why)
---     ]])
---     assert.equal("...", seen.why)
---
--- The script has `weft`, `inside` (support/inside.lua) and `report(name,
--- value)`; it runs as a task.
local lfs = require "lfs"
local child_process = require "support.child"
local patience = require "support.patience"

local LUA = os.getenv "LUA" or "lua5.4"

local namespace = {}

-- Who is not root may be it inside, where the system lets users do that.
local function unshare(root)
  return ("unshare %s--net --mount"):format(root and "" or "--map-root-user ")
end

local function works(command)
  return (os.execute(("LD_PRELOAD= %s -- sh -c 'ip link set lo up && mount -t tmpfs none /mnt' >/dev/null 2>&1"):format(command)))
end

local enter, reason

--- Whether there can be namespaces here; if not, why.
---@return boolean, string? reason
function namespace.available()
  if enter == nil then
    enter = works(unshare(true)) and unshare(true) or works(unshare(false)) and unshare(false) or false
    reason = not enter and "needs network namespaces: Linux, ip, unshare and root or user namespaces" or nil
  end
  return enter ~= false, reason
end

--- An `it` that is skipped with its reason where there are no namespaces; not
--- in CI, where it fails.
---@param it function
---@param pending function
---@return function
function namespace.only(it, pending)
  local able, why = namespace.available()
  if able then
    return it
  end
  return function(name)
    if (os.getenv "CI" or "") == "" then
      pending(("%s (%s)"):format(name, why))
    else
      it(name, function()
        error(why, 0)
      end)
    end
  end
end

local before = [[
local weft = require "weft"
local inside = require "support.inside"
local function report(name, value)
  print(name .. " " .. tostring(value))
end
weft.run(function()
]]

local after = [[

end)
os.exit(0) -- at once, whatever a thread still looks up
]]

local shell = [[
set -e
ip link set lo up
for name in hosts resolv.conf nsswitch.conf; do
  mount --bind %s/$name /etc/$name
done
if [ -d /run/nscd ]; then mount -t tmpfs none /run/nscd; fi
%s
if [ -n "$KEPT_PRELOAD" ]; then export LD_PRELOAD="$KEPT_PRELOAD"; fi
exec %s %s/script.lua
]]

-- A folder with what the namespace needs.
local function folder(options, script)
  local path = os.tmpname()
  os.remove(path)
  assert(lfs.mkdir(path))
  local older = package.loaded["support.older"] -- on a Lua before 5.4
  local source = before .. script .. after
  local files = {
    hosts = "127.0.0.1 localhost\n::1 localhost\n" .. (options.hosts or ""),
    ["resolv.conf"] = "nameserver 127.0.0.1\n",
    ["nsswitch.conf"] = "hosts: files dns\n",
    ["script.lua"] = older and older.translate(source) or source,
    ["enter.sh"] = shell:format(path, options.setup or "", LUA, path),
  }
  for name, text in pairs(files) do
    local file = assert(io.open(path .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end
  return path, files
end

--- Runs the script and gives what it has reported, by name; numbers as such.
---@param t Case
---@param options { setup?: string, hosts?: string, first?: boolean, status?: integer }
---  shell lines; lines of hosts; whether it is process 1, as in a container; how
---  it is to end (0)
---@param script string
---@return table
function namespace.run(t, options, script)
  assert(namespace.available())
  local path, files = folder(options, script)
  -- a sanitizer is for the interpreter, not for the tools
  local command = ("export KEPT_PRELOAD=\"$LD_PRELOAD\"; unset LD_PRELOAD; %s%s -- sh %s/enter.sh; exit $?"):format(
    enter, options.first and " --pid --fork --kill-child" or "", path)
  local output, status = child_process.start_after(t.weft, command, ""):wait()
  for name in pairs(files) do
    os.remove(path .. "/" .. name)
  end
  lfs.rmdir(path)
  assert(status == (options.status or 0), ("the script ended with status %d:\n%s"):format(status, output))
  local seen = {}
  for name, value in output:gmatch("([%w_]+) ([^\n]*)\n") do
    seen[name] = tonumber(value) or value
  end
  return seen
end

--- How long something may take that has to wait `seconds` for nothing else.
---@param seconds number
---@return number
function namespace.soon_after(seconds)
  return seconds + patience(0.7)
end

return namespace
