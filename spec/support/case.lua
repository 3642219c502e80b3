--- A spec body in a world of its own: a fresh weft instance, a deadline, and
--- the certainty that nothing is left open.
---
---     it("echoes", case(function(t)
---       local raw = t:upgrade(t:server { websocket = case.echo })  -- a raw client
---       raw:send(frame.client.text "hi")
---       assert.equal("hi", raw:message())
---     end))
---
--- The body runs as a task of `t.weft`; `case.blocking(fn)` runs it on the main
--- thread instead.  When it has returned, everything it opened through `t` is
--- closed and the case fails on whatever is left: tasks, connections, servers,
--- timers, descriptors, errors that were reported and not expected.
local lfs = require "lfs"
local socket = require "socket"
local weft = require "weft"
local handshake = require "support.handshake"
local patience = require "support.patience"
local peer = require "support.peer"

---@class Case
---@field weft table the instance
local methods = {}
methods.__index = methods

--- Sleeps in short steps until the condition holds, and gives what it gave;
--- raises when it does not in time.
---@param condition fun(): any
---@param what? string how the failure reads: "... never happened"
---@param seconds? number
function methods:wait_until(condition, what, seconds)
  local deadline = weft.now() + patience(seconds or 5)
  while true do
    local value = condition()
    if value then
      return value
    end
    if weft.now() > deadline then
      error((what or "what the spec waits for") .. " never happened", 2)
    end
    self.weft.sleep(0.002)
  end
end

--- Runs beside the body; joined when it has returned, and its error is the
--- case's.
---@return weft.Task
function methods:spawn(fn, ...)
  local task = self.weft.spawn(fn, ...)
  self.tasks[#self.tasks + 1] = task
  return task
end

--- A server on a free port of 127.0.0.1 (or options.unix), closed after the
--- case.  Without a handler its connections stay open, for `t:accepted()`.
---@return weft.Server server
---@return integer port
function methods:listen(options)
  local merged = { port = not (options and options.unix) and 0 or nil }
  for name, value in pairs(options or {}) do
    merged[name] = value
  end
  merged.websocket = merged.websocket or function(ws)
    self.arrived[#self.arrived + 1] = ws
    ws:wait_closed()
  end
  local server = assert(self.weft.listen(merged))
  self.servers[#self.servers + 1] = server
  return server, server:port()
end

--- The same without its port: t:upgrade(t:server { ... }).
---@return weft.Server
function methods:server(options)
  return (self:listen(options))
end

--- The next connection of a server that has no handler.
---@return weft.Connection
function methods:accepted()
  self:wait_until(function()
    return #self.arrived > 0
  end, "a connection to accept")
  return table.remove(self.arrived, 1)
end

--- A weft client, connected to a server, a port or a URL.
---@return weft.Connection
function methods:connect(to, options)
  local ws, why = self.weft.connect(self:url(to), options)
  if not ws then
    error("cannot connect: " .. why, 2)
  end
  self.connections[#self.connections + 1] = ws
  return ws
end

--- Both ends of one connection over TCP: client, server.
---@return weft.Connection, weft.Connection
function methods:both(client_options, server_options)
  local server = self:listen(server_options)
  local client = self:connect(server, client_options)
  return client, self:accepted()
end

--- Where a server, a port or a URL is.
---@return string
function methods:url(to, path)
  if type(to) == "string" then
    return to
  end
  local port = type(to) == "number" and to or to:port()
  return ("ws://127.0.0.1:%d%s"):format(port, path or "/")
end

--- A raw TCP client of a server, a port or a Unix path; see peer.connect.
---@return Peer
function methods:dial(to, options)
  if type(to) ~= "number" and type(to) ~= "string" then
    to = to:port()
  end
  local raw = peer.connect(self.weft, to, options)
  self.peers[#self.peers + 1] = raw
  return raw
end

--- A raw client that has been through the opening handshake; options as for
--- handshake.request and peer.connect.
---@return Peer
function methods:upgrade(to, options)
  local raw = self:dial(to, options)
  raw:upgrade(options)
  return raw
end

--- The answer to one request on a connection of its own: a parsed head with
--- `body` and `ending`.
---@return table
function methods:ask(to, bytes)
  local raw = self:dial(to)
  raw:send(bytes)
  return raw:answer()
end

--- The same for a plain HTTP request; options as for handshake.http.
---@return table
function methods:http(to, options)
  return self:ask(to, handshake.http(options))
end

--- A raw TCP server: `fn(peer)` runs as a task for each connection; gives the
--- port.
---@return integer
function methods:serve_raw(fn)
  local listener = peer.listen(self.weft)
  self.listeners[#self.listeners + 1] = listener
  self.acceptors[#self.acceptors + 1] = self.weft.spawn(function()
    while true do
      local raw, why = listener:accept(math.huge)
      if not raw then
        return why
      end
      self.peers[#self.peers + 1] = raw
      self:spawn(fn, raw)
    end
  end)
  return listener.port
end

--- A raw server that upgrades (see handshake.response), then runs fn(peer).
---@return integer port
function methods:serve_upgraded(fn, options)
  return self:serve_raw(function(raw)
    raw:accept_upgrade(options)
    if fn then
      fn(raw)
    end
  end)
end

--- A port of 127.0.0.1 on which nobody listens.
---@return integer
function methods.free_port()
  return peer.free_port()
end

--- The errors reported so far, each { error, traceback, subject }, now expected.
---@return table[]
function methods:reports()
  local reported = self.reported
  self.reported = {}
  return reported
end

--- How many descriptors this process has open, where that can be known.
---@return integer
local function descriptors()
  local count = 0
  if lfs.attributes "/proc/self/fd" then
    for _ in lfs.dir "/proc/self/fd" do
      count = count + 1
    end
  end
  return count
end

--- The same once there are no more than expected, or a while later: what was
--- closed by the collector takes two rounds, and a helper thread that has
--- resolved a name may hold its pipe a moment longer.
---@return integer
local function settled_descriptors(expected)
  local deadline = weft.now() + patience(1)
  local count = descriptors()
  while count > expected and weft.now() < deadline do
    collectgarbage()
    socket.sleep(0.005)
    count = descriptors()
  end
  return count
end

--- Closes what the body left open.  On the main thread, outside a turn.
local function tidy(t)
  for _, task in ipairs(t.acceptors) do
    task:cancel()
  end
  for _, list in ipairs { t.peers, t.listeners } do
    for _, raw in ipairs(list) do
      raw:close()
    end
  end
  for _, ws in ipairs(t.connections) do
    ws:abort()
  end
  for _, server in ipairs(t.servers) do
    server:close(0)
  end
end

--- Turns the loop until it has nothing left to do, or says what is left.
local function drain(t)
  local deadline = weft.now() + patience(3)
  while t.weft.step(0) do
    t.weft.step(0.01)
    if weft.now() > deadline then
      error("something is left open in the loop: a task, a connection, a server or a close", 0)
    end
  end
  local timer = t.weft.timeout()
  if timer then
    error(("a timer is left in the loop, due in %g s"):format(timer), 0)
  end
end

--- An error of the body's, with the place it came from: busted would look for
--- it where the error is raised again.
local function placed(err)
  local trace = debug.traceback("", 2):gsub("\n[^\n]*/busted/[^\n]*", "")
  if type(err) == "table" and type(err.message) == "string" then
    err.message = err.message .. "\n" .. trace
    return err
  elseif type(err) == "string" then
    return err .. "\n" .. trace
  end
  return err
end

--- The body and, after it, the tasks beside it; ok, error.
local function perform(t, fn)
  local ok, err = xpcall(fn, placed, t)
  for _, task in ipairs(t.tasks) do
    if ok then
      local joined, why = task:join(patience(5))
      if not joined then
        ok, err = false, why == "timeout" and "a task of the case never ended" or why
      end
    end
    task:cancel()
  end
  return ok, err
end

--- Runs the body as a task; ok, error.
local function run_as_task(t, fn, seconds)
  return t.weft.run(function()
    local thread
    local task = t.weft.spawn(function()
      thread = coroutine.running()
      return perform(t, fn)
    end)
    local joined, ok, err = task:join(seconds)
    if joined then
      return ok, err
    elseif ok ~= "timeout" then
      return false, ok
    end
    local trace = debug.traceback(thread, ("the spec hung for %g s"):format(seconds))
    task:cancel()
    task:join(patience(1))
    return false, trace
  end)
end

local function new_case()
  local t = setmetatable({
    weft = weft.new(),
    tasks = {}, acceptors = {}, servers = {}, connections = {}, peers = {}, listeners = {},
    arrived = {}, reported = {},
  }, methods)
  t.weft.on_error(function(err, traceback, subject)
    t.reported[#t.reported + 1] = { error = err, traceback = traceback, subject = subject }
  end)
  return t
end

local function message_of(err)
  return type(err) == "table" and err.message or tostring(err)
end

--- Runs the body, closes everything and gives the errors, in the order in
--- which they tell most.
local function failures(runner, fn)
  local t = new_case()
  local found = {}
  local function note(ok, err)
    if not ok then
      found[#found + 1] = err or "failed without a word"
    end
  end
  local ran, ok, err = pcall(runner, t, fn)
  note(ran and ok, ran and err or ok)
  note(pcall(tidy, t))
  note(pcall(drain, t))
  note(pcall(t.weft.close))
  for _, report in ipairs(t.reported) do
    note(false, ("an error was reported: %s\n%s"):format(message_of(report.error), report.traceback))
  end
  return found
end

--- What `it` is given: the body by `runner`, and the checks.
local function checked(runner, fn)
  return function()
    local before = descriptors()
    local found = failures(runner, fn)
    collectgarbage()
    local after = settled_descriptors(before)
    if after > before then
      found[#found + 1] = ("%d descriptors were open before and %d after"):format(before, after)
    end
    if #found > 0 then
      error(found[1], 0)
    end
  end
end

local case = {}

--- The handler of an echo server.
function case.echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

--- A body on the main thread, where calls block and turn the loop.
---@param fn fun(t: Case)
---@return function
function case.blocking(fn)
  return checked(perform, fn)
end

--- A body as a task, which has `seconds` (10).
---@param fn fun(t: Case)
---@param seconds? number
---@return function
function case.task(fn, seconds)
  return checked(function(t, body)
    return run_as_task(t, body, patience(seconds or 10))
  end, fn)
end

return setmetatable(case, {
  __call = function(_, fn, seconds)
    return case.task(fn, seconds)
  end,
})
