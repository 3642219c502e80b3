--- Servers: weft.listen and what it returns.

local core = require "weft.core"
local check = require "weft.check"
local closing = require "weft.closing"
local compat = require "weft.compat"
local handlers = require "weft.handlers"
local log = require "weft.log"
local opening = require "weft.opening"
local options = require "weft.options"
local protected = require "weft.protected"
local tls = require "weft.tls"

--- A listening socket and its connections: what `weft.listen` returns.
---@class weft.Server
---@field private listener weft.Listener
---@field private plan weft.Plan
---@field private done weft.Queue closed once the server has
---@field private host string
---@field private number? integer the port
---@field private secured table|"self-signed"|false|nil the `tls` option, checked
---@field private context? userdata what is made of it: for new connections
---@field private loop weft.Loop
---@field private spec table what the listener was made of
---@field private succeeded boolean whether its socket outlives it, for others to accept from
---@field private grace? number what weft.serve closes it with
---@field private drain? number the same
---@field private divided? boolean whether the kernel deals connections out
---@field private leaves? fun() in a worker: called once it accepts no more, if that is its own doing
---@field private parts? table<integer, weft.Listener> in the parent of workers: theirs
local Server = {}
Server.__index = Server
Server.__name = "weft.Server"

-- The open connections that weft.fallback has made for a server's clients.
local function sessions_of(plan)
  local list = {}
  for session in pairs(plan.attached) do
    list[#list + 1] = session:connection()
  end
  return list
end

-- Raises, at the line of the method's caller, when it was called with a dot.
local function check_self(self, name)
  if getmetatable(self) ~= Server then
    error(("server:%s: argument 'self': expected a weft.Server, got %s"
           .. " (call it with a colon)"):format(name, type(self)), 3)
  end
end

--- The port it listens on, which says what port 0 became. Nil on a Unix-domain
--- socket.
---@return integer|nil
function Server:port()
  check_self(self, "port")
  return self.number
end

--- The address it listens on: "127.0.0.1", and the port; a Unix-domain socket's
--- path.
---@return string address
---@return integer? port
function Server:address()
  check_self(self, "address")
  if self.number then
    return self.host, self.number
  end
  return self.host
end

--- The URL for a client on this machine: "ws://127.0.0.1:8080", with TLS
--- "wss://127.0.0.1:8443"; of a Unix-domain socket "ws+unix:" or "wss+unix:" and
--- its path.
---@return string
function Server:url()
  check_self(self, "url")
  local scheme = self.context and "wss" or "ws"
  if not self.number then
    return scheme .. "+unix:" .. self.host
  end
  local host = self.host
  if host == "0.0.0.0" or host == "::" then
    host = host == "::" and not self.plan.dual and "[::1]" or "127.0.0.1"
  elseif host:find(":", 1, true) then
    host = "[" .. host .. "]"
  end
  return scheme .. "://" .. host .. ":" .. self.number
end

--- How many connections it has: WebSockets, event streams, and sessions of
--- weft.fallback.
---@return integer
function Server:count()
  check_self(self, "count")
  return self.listener:count() + #sessions_of(self.plan)
end

--- Iterates over the connections there are now: `for ws in server:connections()`.
---@return fun(): weft.Connection?
function Server:connections()
  check_self(self, "connections")
  local list, i = self.listener:connections(), 0
  local sessions = sessions_of(self.plan)
  compat.move(sessions, 1, #sessions, #list + 1, list)
  return function()
    i = i + 1
    return list[i]
  end
end

--- What it has counted since it began to listen, and what there is now. Nothing
--- is added up until this is called. With workers each answers for itself.
---@return weft.Stats
function Server:stats()
  check_self(self, "stats")
  local stats = self.listener:stats()
  stats.fallback_sessions = #sessions_of(self.plan)
  return stats
end

--- For weft.metrics: how many round trips or turns took at most as long as each of
--- the bounds, how many there were, and how long all of them took.
---@private
---@param what "round_trip"|"turn"
---@param bounds number[] seconds
---@return integer[] within, integer count, number sum
function Server:spread(what, bounds)
  return self.listener:spread(what, bounds)
end

--- Reads the files of the `tls` option again, as after a renewal. New
--- connections get the new certificates, those that are open stay as they are,
--- and sessions can still be resumed. When a file is no good, everything stays as
--- it was. True as well where there is nothing to read: without TLS, with
--- "self-signed", on a closed server.
---@return boolean|nil ok
---@return string? message a sentence that names the option and the file
---@return string? code "tls"
function Server:reload()
  check_self(self, "reload")
  if not self.context or self.secured == "self-signed" or self.plan.closing then
    return true
  end
  local context, message = tls.server_context(self.secured, nil, self.context)
  if not context then
    return nil, message, "tls"
  end
  for _, part in pairs(self.parts or { self.listener }) do
    part:set_tls(context)
  end
  self.context, self.spec.tls = context, context
  return true
end

-- Server:close(), which may fail on the way.
local function stop_and_close(self, grace, drain)
  for _, part in pairs(self.parts or { self.listener }) do
    part:stop()
  end
  if self.leaves then
    self.leaves()
  end
  self:say { event = "closing", connections = not self.parts and self:count() or nil }
  local began = core.now()
  local ok, why = closing.run(self, grace, drain)
  if not self.parts then -- else workers are yet to
    self:say { event = "closed", seconds = core.now() - began }
  end
  return ok, why
end

--- Stops accepting, closes every connection with 1001, waits at most `grace`
--- seconds until they have ended, then drops what is left and cancels its
--- handlers. Plain HTTP requests that are being answered may end as well.
--- Called from one of its own handlers it does not wait for that one. Called
--- again, it returns true. Where it would have to wait and cannot, as in a log's
--- function, it raises and has changed nothing.
---
--- With `drain` the connections are not closed all at once, but one after the
--- other, evenly and in random order, so that their clients do not all come back
--- together; the grace begins after that. Connections of HTTP between two
--- requests are closed at once. It is over early when nobody is left.
---@param grace? number seconds (10); 0 does not wait
---@param more? { drain: number } seconds (0)
---@return boolean|nil ok
---@return string? word "cancelled", when the task that waits is; what is left is dropped
function Server:close(grace, more)
  check_self(self, "close")
  grace = check.argument("server:close", "grace", check.seconds, grace, 10, 2)
  local drain = check.options(options.close, "server:close", more, 2).drain
  if self.plan.closing then
    return true
  end
  if grace > 0 or drain > 0 then
    local has_sessions = next(self.plan.attached) ~= nil
    self.listener:check_wait(has_sessions) -- before anything has changed
  end
  self.plan.closing = true
  local ran, ok, why = protected(stop_and_close, self, grace, drain)
  if not ran then -- out of memory: it can be called again
    self.plan.closing, self.plan.draining = false, false
    error(ok, 0)
  end
  if not core.in_turn(self.loop) then
    core.tell_log(self.loop) -- perhaps no turn comes any more
  end
  self.done:close()
  return ok, why
end

--- Closes as weft.serve was told to.
---@private
---@return boolean|nil ok
---@return string? word
function Server:finish()
  return self:close(self.grace, { drain = self.drain })
end

--- The same, where another process accepts the connections that come: those that
--- have are let in before they are told to come again.
---@private
---@return boolean|nil ok
---@return string? word
function Server:give_way()
  self.succeeded = true
  return self:finish()
end

--- Tells its log, if it has one: whether that writes to stderr.
---@private
---@param event table
---@return boolean|nil
function Server:say(event)
  local told_to = core.say(self.listener, event)
  return told_to and told_to.lines
end

--- Accepts nothing until Server:wake().
---@private
function Server:rest()
  self.listener:rest()
end

---@private
function Server:wake()
  self.listener:wake()
end

--- For workers: accepts nothing from now on, and has a socket for each of them
--- where the kernel deals connections out among those.
---
--- One socket for all works everywhere, but whoever wakes up first takes what
--- there is: of 64 connections to four idle workers on two cores one got 30 to
--- 40, and another none, where by sockets of their own each got 8 to 24; the
--- slowest hundredth of echoed messages took half as long.
---@private
---@param count integer
function Server:divide(count)
  self.parts = { self.listener }
  self.listener:rest()
  if self.number and not self.spec.fd and self.listener:share() then
    self.divided = true
    self.spec.port, self.spec.reuse_port = self.number, true
    for n = 2, count do
      self:add_part(n)
    end
  end
end

--- Where the worker with that number has no socket of its own, but could.
---@private
---@param number integer
function Server:add_part(number)
  local parts = self.parts
  if self.divided and not parts[number] then
    parts[number] = core.listen(self.loop, self.spec)
    if parts[number] then
      parts[number]:rest()
    end
  end
end

--- When that worker is gone for a while, connections are dealt to the others;
--- the last socket stays.
---@private
---@param number integer
function Server:drop_part(number)
  local parts = self.parts
  local mine = parts[number]
  parts[number] = nil
  if not next(parts) then
    parts[number] = mine
  elseif mine then
    mine:stop()
  end
end

--- In the worker with that number, one of those it was divided among: what there
--- is one of for all stays its parent's.
---@private
---@param number integer
function Server:take_part(number)
  local mine = self.parts[number] or select(2, next(self.parts))
  for _, part in pairs(self.parts) do
    part:disown()
    if part ~= mine then
      part:stop()
    end
  end
  self.listener, self.parts = mine, nil
  if self.spec.log then
    self.spec.log:take_part(number)
  end
end

--- Waits until the server has closed.
---@private
---@return nil, string word "closed" or "cancelled"
function Server:wait()
  return self.done:take()
end

local server = {}

--- Checks the options of a server: returns them complete, with a plan for
--- opening.handler.
---@param spec table options.listen or options.serve
---@param where string
---@param given table
---@param level integer
---@return table
function server.check(spec, where, given, level)
  if type(given) ~= "table" then
    check.fail(where, "argument 'options'", "a table", given, level + 1)
  end
  local checked = check.options(spec, where, given, level + 1)
  if checked.fd and (given.host or given.port or given.unix) then
    error(where .. ": expected either 'fd' or where to listen, got both", level + 1)
  elseif checked.unix and (given.host or given.port) then
    error(where .. ": expected either 'unix' or 'host' and 'port', got both",
          level + 1)
  elseif not (checked.websocket or checked.http) then
    error(where .. ": expected the option 'websocket' or 'http', got neither",
          level + 1)
  end
  local plan = {
    closing = false,
    draining = false,
    upgrade = checked.upgrade,
    origins = checked.origins,
    protocols = checked.protocols,
    any_origin = false,
    hosts = checked.hosts,
    trusted = checked.trusted_proxies and core.ranges(checked.trusted_proxies),
    attached = {},
  }
  for _, origin in ipairs(checked.origins or {}) do
    plan.any_origin = plan.any_origin or origin == "*"
  end
  if checked.websocket then
    plan.run, plan.route = handlers.websocket(where .. ": option 'websocket'",
                                              checked.websocket, level + 1)
  end
  if checked.http then
    plan.page = handlers.http(where .. ": option 'http'", checked.http, level + 1)
  end
  checked.plan = plan
  return checked
end

-- The server around a listener.
local function make(loop, checked, spec, listener)
  local plan = checked.plan
  plan.dual = spec.dual
  local host, port = listener:address()
  plan.port = port
  local self = setmetatable({
    listener = listener,
    plan = plan,
    done = core.queue(loop, math.huge),
    host = host,
    number = port,
    secured = checked.tls,
    context = spec.tls,
    loop = loop,
    spec = spec,
    succeeded = checked.fd ~= nil,
    grace = checked.grace,
    drain = checked.drain,
  }, Server)
  plan.server = self
  self:say { event = "listening", url = self:url(), workers = checked.workers }
  core.tell_log(loop)
  return self
end

--- Listens as the checked options say: the server, or nil, message, code.
---@param loop weft.Loop
---@param checked table
---@return weft.Server|nil, string? message, string? code
function server.open(loop, checked)
  local plan = checked.plan
  local context, why = tls.server_context(checked.tls, checked.host)
  if why then
    return nil, why, "tls"
  end
  local spec = {
    fd = checked.fd,
    host = not (checked.unix or checked.fd) and checked.host or nil,
    port = not (checked.unix or checked.fd) and checked.port or nil,
    unix = checked.unix,
    backlog = checked.backlog,
    reuse_port = checked.reuse_port,
    config = core.config(options.settings(checked)),
    max_connections = checked.max_connections,
    max_connections_per_address = checked.max_connections_per_address,
    tls = context,
    handler = opening.handler(plan),
    plan = plan,
    trusted = plan.trusted,
    proxy_protocol = checked.proxy_protocol,
    log = checked.log and log.new(checked.log, function(err, traceback)
      core.report(loop, err, traceback)
    end),
  }
  if spec.host == "*" then
    spec.host, spec.dual = "::", true
  end
  local listener, message, code = core.listen(loop, spec)
  if not listener and spec.dual and code ~= "in_use" and code ~= "permission" then
    spec.host, spec.dual = "0.0.0.0", false -- a system without IPv6
    listener, message, code = core.listen(loop, spec)
  end
  if not listener then
    return nil, message, code
  end
  local made, result = pcall(make, loop, checked, spec, listener)
  if not made then -- out of memory; and nobody else could stop it
    listener:stop()
    error(result, 0)
  end
  return result
end

--- Whether a value is a server.
---@param value any
---@return boolean
function server.is(value)
  return getmetatable(value) == Server
end

return server
