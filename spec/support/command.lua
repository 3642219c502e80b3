--- The command line as a child process, with a stdin to write to.
---
---     local echo = command.start(t.weft, { "echo", "--port", "0" })
---     local url = echo:wait_for "listening on (%S+)"
---     echo:signal "TERM"
---     local output, errors, status = echo:wait()
local lfs = require "lfs"
local patience = require "support.patience"

local LUA = os.getenv "LUA" or "lua5.4"
local ROOT = lfs.currentdir()

local command = { root = ROOT }

---@class Command
---@field weft table the instance whose loop it is waited for in
---@field private base string what the names of its files begin with
---@field private input file*? the pipe that is its stdin
local methods = {}
methods.__index = methods

local function read(path)
  local file = io.open(path, "r")
  if not file then
    return nil
  end
  local text = file:read "*a"
  file:close()
  return text
end

local function quoted(words)
  local list = {}
  for i, word in ipairs(words) do
    list[i] = "'" .. tostring(word):gsub("'", [['\'']]) .. "'"
  end
  return table.concat(list, " ")
end

--- What runs `weft` with these arguments on a terminal of its own: a `program`.
---@param arguments string[]
---@return string[]
function command.at_terminal(arguments)
  return { "script", "-qec", quoted { LUA, ROOT .. "/bin/weft", table.unpack(arguments) }, "/dev/null" }
end

--- Starts `weft` with these arguments; a child that runs for more than 20 s is
--- killed.  Options: `directory` to run in; `program`, words that replace the
--- interpreter and bin/weft; `environment`, words for env; `variables`, more of
--- these.
---@param weft table
---@param arguments string[]
---@param options? table
---@return Command
function command.start(weft, arguments, options)
  options = options or {}
  local base = os.tmpname()
  assert(os.execute("mkfifo " .. base .. ".in"))
  local self = setmetatable({ weft = weft, base = base }, methods)
  local program = options.program or { LUA, ROOT .. "/bin/weft" }
  local environment = options.environment or {
    "-u", "LUA_PATH", "-u", "WEFT_PASSWORD", "-u", "WEFT_PASSPHRASE", ("LUA_CPATH=%s/%s/?.so;;"):format(ROOT, os.getenv "BUILD" or "build"),
  }
  local inner = ("echo $$ >%s.pid; exec env %s %s %s %s"):format(
    base, quoted(environment), quoted(options.variables or {}), quoted(program), quoted(arguments))
  -- a shell's background jobs ignore SIGINT; a program at a prompt does not
  local limited = ("timeout -s KILL %d env --default-signal=INT,QUIT sh -c %s"):format(patience(20), quoted { inner })
  os.execute(("( cd %s && { %s >%s.out 2>%s.err <%s.in; echo $? >%s.part; mv %s.part %s.status; } ) >/dev/null 2>&1 &")
    :format(quoted { options.directory or ROOT }, limited, base, base, base, base, base, base))
  -- opened last, and it waits for the child's end: a child that inherited ours
  -- would never see its input end
  self.input = assert(io.open(base .. ".in", "w"))
  self.input:setvbuf "no"
  return self
end

--- What it has written so far.
---@return string output, string errors
function methods:output()
  return read(self.base .. ".out") or "", read(self.base .. ".err") or ""
end

--- Waits, turning the loop, until its output has the pattern; gives what that
--- captures.
---@param pattern string
function methods:wait_for(pattern)
  local deadline = self.weft.now() + patience(10)
  while true do
    local output, errors = self:output()
    local found = table.pack(output:match(pattern))
    if found[1] then
      return table.unpack(found, 1, found.n)
    elseif self.weft.now() > deadline or read(self.base .. ".status") then
      error(("the command never wrote %q but:\n%s%s"):format(pattern, output, errors), 2)
    end
    self.weft.sleep(0.005)
  end
end

--- Writes to its stdin.
---@param text string
function methods:write(text)
  assert(self.input:write(text))
end

--- Ends its stdin.
function methods:end_input()
  if self.input then
    self.input:close()
    self.input = nil
  end
end

--- Sends it a signal: "INT", "TERM", "KILL".
---@param name string
function methods:signal(name)
  local pid = assert(read(self.base .. ".pid"), "the command has not started")
  os.execute(("kill -%s %d"):format(name, math.tointeger(tonumber(pid))))
end

--- Waits, turning the loop, until it has ended: what it wrote and its exit
--- status (128 and more: killed by a signal).
---@return string output, string errors, integer status
function methods:wait()
  local deadline = self.weft.now() + patience(20) + 1
  local status
  repeat
    self.weft.sleep(0.005)
    status = read(self.base .. ".status")
    assert(status or self.weft.now() < deadline, "the command never ended")
  until status
  local output, errors = self:output()
  self:end_input()
  for _, ending in ipairs { "", ".in", ".pid", ".out", ".err", ".status" } do
    os.remove(self.base .. ending)
  end
  return output, errors, math.tointeger(tonumber(status))
end

return command
