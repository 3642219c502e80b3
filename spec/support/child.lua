--- A script in an interpreter of its own, for what would end or upset this one:
--- signals, exits, a state closed in mid-connection.
---
---     local child = child_process.start(t.weft, [[print "hello"]])
---     child:signal "INT"
---     local output, status = child:wait()
local patience = require "support.patience"

local LUA = os.getenv "LUA" or "lua5.4"

local child_process = {}

---@class Child
---@field weft table the instance whose loop it is waited for in
---@field arguments any[]
local methods = {}
methods.__index = methods

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path, "r")
  if not file then
    return nil
  end
  local text = file:read "*a"
  file:close()
  return text
end

local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

--- Starts `script` (Lua source) once the shell has run `prelude` ("ulimit -n
--- 40"); further arguments are its `arg`.  A child that runs for more than 20 s
--- is killed.
---@param weft table
---@param prelude string
---@param script string
---@return Child
function child_process.start_after(weft, prelude, script, ...)
  local base = os.tmpname()
  local self = setmetatable({ weft = weft, base = base, arguments = { ... } }, methods)
  local older = package.loaded["support.older"] -- on a Lua before 5.4
  write(base .. ".lua", older and older.translate(script) or script)
  local arguments = {}
  for index, argument in ipairs { ... } do
    arguments[index] = quote(tostring(argument))
  end
  -- A shell's background jobs ignore SIGINT, what a test runner starts may
  -- ignore SIGPIPE; an interpreter at a prompt does neither.
  local inner = ("%s; echo $$ >%s.pid; exec %s %s.lua %s"):format(prelude, base, LUA, base, table.concat(arguments, " "))
  local limited = ("timeout -s KILL %d env --default-signal=INT,QUIT,PIPE sh -c %s"):format(patience(20), quote(inner))
  os.execute(("( %s >%s.out 2>&1 </dev/null; echo $? >%s.part; mv %s.part %s.status ) >/dev/null 2>&1 &"):format(
    limited, base, base, base, base))
  return self
end

--- Starts `script` with nothing before it.
---@param weft table
---@param script string
---@return Child
function child_process.start(weft, script, ...)
  return child_process.start_after(weft, ":", script, ...)
end

--- What it has printed so far, both streams.
---@return string
function methods:output()
  return read(self.base .. ".out") or ""
end

--- Waits, turning the loop, until it has printed `text` (plain).
function methods:wait_for(text)
  local deadline = self.weft.now() + patience(10)
  while not self:output():find(text, 1, true) do
    if self.weft.now() > deadline or read(self.base .. ".status") then
      error(("the child never printed %q but:\n%s"):format(text, self:output()), 2)
    end
    self.weft.sleep(0.005)
  end
end

--- Sends it a signal: "INT", "TERM", "KILL".
---@param name string
function methods:signal(name)
  local pid = assert(read(self.base .. ".pid"), "the child has not started")
  os.execute(("kill -%s %d"):format(name, math.tointeger(tonumber(pid))))
end

--- Waits, turning the loop, until it has ended: its output and exit status
--- (128 and more: killed by a signal).
---@return string output, integer status
function methods:wait()
  local deadline = self.weft.now() + patience(20) + 1
  local status
  repeat
    self.weft.sleep(0.005)
    status = read(self.base .. ".status")
    if not status and self.weft.now() > deadline then
      error("the child never ended", 2)
    end
  until status
  local output = self:output()
  for _, ending in ipairs { "", ".lua", ".pid", ".out", ".status" } do
    os.remove(self.base .. ending)
  end
  return output, math.tointeger(tonumber(status))
end

return child_process
