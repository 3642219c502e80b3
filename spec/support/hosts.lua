--- The loops of others, the real ones, each driven in the same way:
---
---     local host = hosts.luv.new()
---     local attachment = host:attach(t.weft)
---     host:after(0.01, function() ... end)     -- a timer of the host's
---     host:turn(limit)                         -- one of the host's own turns
---     host:close()                             -- before or after the attachments
---
--- and a conversation to be had in any of them: hosts.converse(t, server).
local cqueues = require "cqueues"
local socket = require "socket"
local uv = require "luv"
local patience = require "support.patience"

if not pcall(require, "copas") then
  -- Debian has it for 5.1 and 5.2 only; it is the same file, and runs on any Lua
  package.path = package.path .. ";/usr/share/lua/5.1/?.lua"
end
local copas = require "copas"

uv.run "nowait" -- the descriptors of its loop are made once

local hosts = {}

--- A hundred echoes of a server's, in a task, and then a sleep: a timer of the
--- host's has ticked by its end. Gives two functions: how many there have been, and
--- whether it is over.
function hosts.converse(t, server)
  local echoes, over = 0, false
  t.weft.spawn(function()
    local ws = t:connect(server)
    for _ = 1, 100 do
      ws:send "hello"
      assert(ws:receive(patience(5)) == "hello", "no echo")
      echoes = echoes + 1
    end
    t.weft.sleep(0.005)
    over = ws:close()
  end)
  return function() return echoes end, function() return over end
end

local function class()
  local methods = {}
  methods.__index = methods
  return methods
end

-- cqueues ----------------------------------------------------------------------

local in_cqueues = class()

hosts.cqueues = { new = function()
  return setmetatable({ controller = cqueues.new() }, in_cqueues)
end }

function in_cqueues:attach(weft, options)
  return weft.adapters.cqueues.attach(self.controller, options)
end

function in_cqueues:after(seconds, fn)
  self.controller:wrap(function()
    cqueues.sleep(seconds)
    fn()
  end)
end

function in_cqueues:turn(limit)
  assert(self.controller:step(limit))
end

function in_cqueues:close()
  self.controller:close()
end

-- luv --------------------------------------------------------------------------

local in_luv = class()

hosts.luv = { new = function()
  return setmetatable({}, in_luv)
end }

function in_luv.attach(_, weft, options)
  return weft.adapters.luv.attach(options)
end

function in_luv.after(_, seconds, fn)
  local timer = uv.new_timer()
  timer:start(math.ceil(seconds * 1000), 0, function()
    timer:close()
    fn()
  end)
end

function in_luv.turn(_, limit)
  local guard = uv.new_timer()
  uv.update_time()
  guard:start(math.ceil(limit * 1000), 0, function() end)
  uv.run "once"
  guard:close()
end

function in_luv.close()
  uv.run "nowait" -- handles that were closed are, now
end

-- What has no timers of its own ------------------------------------------------

local without_timers = class()

function without_timers:after(seconds, fn)
  table.insert(self.timers, { at = socket.gettime() + seconds, fn = fn })
  table.sort(self.timers, function(a, b) return a.at < b.at end)
end

function without_timers:turn(limit)
  local first = self.timers[1]
  local left = first and math.max(0, first.at - socket.gettime())
  self:wait(left and math.min(left, limit) or limit)
  while self.timers[1] and self.timers[1].at <= socket.gettime() do
    table.remove(self.timers, 1).fn()
  end
end

local function subclass()
  return setmetatable(class(), without_timers)
end

-- copas ------------------------------------------------------------------------

local in_copas = subclass()

hosts.copas = { new = function()
  return setmetatable({ timers = {} }, in_copas)
end }

function in_copas:attach(weft, options)
  options = options or {}
  options.beside = self.last
  self.last = weft.adapters.copas.attach(options)
  return self.last
end

function in_copas:wait(limit)
  if self.last then
    self.last:step(limit)
  else
    copas.step(limit)
  end
end

function in_copas.close()
  copas.step(0) -- threads of closed attachments end
end

-- LuaSocket --------------------------------------------------------------------

local in_luasocket = subclass()

hosts.luasocket = { new = function()
  return setmetatable({ timers = {} }, in_luasocket)
end }

function in_luasocket:attach(weft, options)
  options = options or {}
  options.beside = self.last
  self.last = weft.adapters.luasocket.attach(options)
  return self.last
end

function in_luasocket:wait(limit)
  if self.last then
    self.last:select(nil, nil, limit)
  else
    socket.sleep(limit)
  end
end

function in_luasocket.close() end

return hosts
