--- A server in a process of its own whose memory can be measured.
---
---     local server = memory.serve(t, [[compression = true, websocket = ...]])
---     server:reset()
---     t:upgrade(server.port, ...)
---     assert.is_true(server:peak() < 1024)
---
--- At /long and /written it has a page of four megabytes, as a string and as what a
--- function writes.
local child_process = require "support.child"
local handshake = require "support.handshake"

local memory = {}

--- Whether the peak of a process can be seen and reset here, and means anything:
--- not under a sanitizer, which keeps what was freed.
---@return boolean
function memory.is_known()
  local file = (os.getenv "SANITIZED" or "") == "" and io.open("/proc/self/clear_refs", "w")
  if not file then
    return false
  end
  file:close()
  file = io.open "/proc/self/status"
  local known = file ~= nil and file:read("*a"):find "VmHWM" ~= nil
  if file then
    file:close()
  end
  return known
end

local SCRIPT = [[
local weft = require "weft"
local gate = weft.queue()
local base
local long = ("x"):rep(4 * 1024 * 1024)

local function kilobytes(name)
  local file = assert(io.open "/proc/self/status")
  local size = file:read("*a"):match(name .. ":%%s+(%%d+)")
  file:close()
  return tonumber(size)
end

local server = assert(weft.listen {
  port = 0,
  http = {
    ["/reset"] = function()
      collectgarbage()
      local file = io.open("/proc/self/clear_refs", "w")
      if file then
        file:write "5"
        file:close()
      end
      base = kilobytes "VmRSS"
      return 200, nil, "reset"
    end,
    ["/long"] = function() return 200, nil, long end,
    ["/written"] = function() return 200, nil, function(write) write(long) end end,
    ["/peak"] = function() return 200, nil, tostring(kilobytes "VmHWM" - base) end,
    ["/go"] = function()
      gate:close()
      return 200, nil, "gone"
    end,
  },
  %s
})
print("port " .. server:port())
io.stdout:flush()
weft.serve(server)
]]

---@class MeasuredServer
---@field port integer
local methods = {}
methods.__index = methods

--- Starts one with these options, as Lua source; `gate:take()` in a handler waits
--- for go().
---@param t Case
---@param options string
---@return MeasuredServer
function memory.serve(t, options)
  local child = child_process.start(t.weft, SCRIPT:format(options))
  child:wait_for "\n"
  local port = math.tointeger(tonumber(child:output():match "^port (%d+)"))
  return setmetatable({ t = t, child = child, port = port }, methods)
end

-- The body of one of its pages.
local function ask(self, path)
  local raw = self.t:dial(self.port)
  raw:send(handshake.http { path = path })
  local body = raw:answer().body
  raw:close()
  return body
end

--- Measures from now on.
function methods:reset()
  assert(ask(self, "/reset") == "reset")
end

--- Kilobytes that it has grown by at most since then.
---@return integer
function methods:peak()
  local body = ask(self, "/peak")
  return assert(math.tointeger(tonumber(body)), body)
end

--- Opens the gate.
function methods:go()
  assert(ask(self, "/go") == "gone")
end

--- Ends it; it has to have run without an error.
function methods:close()
  self.child:signal "TERM"
  local output, status = self.child:wait()
  assert(output == "port " .. self.port .. "\n" and status == 0, output)
end

return memory
