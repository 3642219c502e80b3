--- A session of weft.fallback: a connection of a client that has no WebSocket.
--- Internal.
---
--- It is a pair. One end, `ws`, is what the user's handler is given; what the
--- other one, `client`, receives becomes numbered events, which are kept until
--- the client has acknowledged them, and what the client posts is sent by it. So
--- rooms, limits, back-pressure and the closing handshake are those of any
--- connection. Requests come and go meanwhile; once none has been there for
--- `grace` seconds, the client is taken for lost.

local core = require "weft.core"
local guarded = require "weft.guarded"
local incoming = require "weft.fallback.incoming"
local records = require "weft.fallback.records"

-- What an event weighs besides its text, in the window.
local WEIGHT = 64
-- Events are written in pieces of about so many bytes.
local BATCH = 65536

--- What the sessions of one weft.fallback have in common.
---@class weft.FallbackService
---@field loop weft.Loop
---@field run fun(ws: weft.Connection) the handler
---@field worker fun(): integer|nil which one of several workers this process is
---@field pair fun(protocol: string|nil): weft.Connection, weft.Connection
---@field pause function lets other tasks have their turn
---@field upgrade? function
---@field origins? string[]
---@field any_origin boolean
---@field protocols? string[]
---@field grace number
---@field ping_interval number
---@field max_sessions number
---@field window number
---@field script string the client for browsers
---@field tag string its ETag
---@field sessions table<string, weft.FallbackSession>
---@field count integer of them

---@class weft.FallbackSession
---@field id string
---@field service weft.FallbackService
---@field plan weft.Plan of the server that opened it
---@field request weft.Request that opened it
---@field peer table fields of ws
---@field protocol? string
---@field client? weft.Connection the end that the client stands behind
---@field ws? weft.Connection the handler's; both once the client has come
---@field events table<integer, string> not acknowledged yet
---@field acked integer the last event that was
---@field last integer the last event
---@field held integer bytes of events
---@field received integer the last record that was taken
---@field writer? table of a message that comes in pieces: its kind and writer
---@field stream? weft.Queue told of new events; closed when another stream came
---@field back? weft.Queue closed when the client is back in time
---@field busy boolean somebody hands on records
---@field turn? weft.Queue of who does so next; closed when another came
---@field acks weft.Queue told of acknowledged events
---@field handled weft.Queue closed when the handler is through
---@field through boolean it is
---@field closed boolean the last event is the close
---@field deaf boolean the server is closing, and nobody is there to be told
---@field finished boolean
local Session = {}
Session.__index = Session

-- By the end that a handler has: what notes that it is through.
local owners = setmetatable({}, { __mode = "k" })

local Leaving = {
  __close = function(leaving)
    local self = leaving.session
    self.through = true
    self.handled:close()
    if self.finished then
      self.plan.attached[self] = nil
    end
  end,
}

local session = {}

--- The handler as a function that also tells when it is through: a function, or
--- a table of events that was checked.
---@param handler function|table
---@return fun(ws: weft.Connection)
function session.runner(handler)
  if type(handler) == "function" then
    return function(ws)
      guarded(owners[ws], function()
        handler(ws)
      end)
    end
  end
  local on_close = handler.close
  handler.close = function(ws, code, reason)
    guarded(owners[ws], function()
      if on_close then
        on_close(ws, code, reason)
      end
    end)
  end
  return function(ws)
    core.set_events(ws, handler)
  end
end

-- What nobody guesses, and before it which worker has the session.
local function new_id(loop, worker)
  local id = core.base64(core.random_bytes(loop, 24))
  id = id:gsub("[+/]", { ["+"] = "-", ["/"] = "_" })
  return worker and worker .. "." .. id or id
end

--- Whether a session that is not here is one of another worker's.
---@param service weft.FallbackService
---@param id string
---@return boolean
function session.is_elsewhere(service, id)
  local worker, named = service.worker(), id:match("^(%d+)%.")
  return worker ~= nil and named ~= nil and named ~= tostring(worker)
end

--- Opens a session; its handler runs once the client comes with its id.
---@param service weft.FallbackService
---@param plan weft.Plan
---@param request weft.Request
---@param protocol? string
---@return weft.FallbackSession
function session.open(service, plan, request, protocol)
  local loop = service.loop
  local self = setmetatable({
    id = new_id(loop, service.worker()),
    service = service,
    plan = plan,
    request = request,
    peer = { -- of the request's connection, which will be another's
      remote_address = request.remote_address,
      remote_port = request.remote_port,
      tls = request.tls,
    },
    protocol = protocol,
    events = {},
    acked = 0,
    last = 0,
    held = 0,
    received = 0,
    busy = false,
    acks = core.queue(loop, 1),
    handled = core.queue(loop, 1),
    through = false,
    closed = false,
    deaf = false,
    finished = false,
  }, Session)
  service.sessions[self.id] = self
  service.count = service.count + 1
  plan.attached[self] = true
  self:expect()
  return self
end

--- Waits for the client, and gives it up when it has not come in time.
---@private
function Session:expect()
  local back = core.queue(self.service.loop, 1)
  self.back = back
  core.spawn(self.service.loop, function()
    local _, why = back:take(self.service.grace)
    if why == "timeout" and self.back == back then
      self:finish()
    end
  end)
end

--- Forgets the session. Its handler, if it still runs, sees the connection end.
function Session:finish()
  if self.finished then
    return
  end
  self.finished = true
  self.service.sessions[self.id] = nil
  self.service.count = self.service.count - 1
  if not self.ws or self.through then
    self.plan.attached[self] = nil
  end
  for _, queue in pairs { self.acks, self.back or self.acks, self.stream or self.acks } do
    queue:close()
  end
  if self.client and not self.closed then
    self.client:abort()
  end
end

--- Makes the pair and starts the handler, if that has not been done.
function Session:start()
  if self.client then
    return
  end
  local client, ws = self.service.pair(self.protocol)
  self.client, self.ws = client, ws
  core.set_field(ws, "request", self.request)
  for name, value in pairs(self.peer) do
    core.set_field(ws, name, value)
  end
  owners[ws] = setmetatable({ session = self }, Leaving)
  core.handle(ws, self.service.run)
  core.spawn(self.service.loop, self.collect, self)
end

-- Down ----------------------------------------------------------------------

---@private
---@param record string
function Session:add(record)
  local n = self.last + 1
  local event = "id: " .. n .. "\ndata: " .. record .. "\n\n"
  self.events[n], self.last = event, n
  self.held = self.held + #event + WEIGHT
  if self.stream then
    self.stream:try_put(true)
  end
end

--- Makes events of what the client is sent, as long as it keeps up.
---@private
function Session:collect()
  local client, window = self.client, self.service.window
  local message, kind = client:receive()
  while message do
    if not self.deaf then
      self:add(records.message(message, kind))
    end
    while self.held >= window and not self.deaf do
      if not self.acks:take() then
        return
      end
    end
    message, kind = client:receive()
  end
  if self.finished then
    return
  end
  self.closed = true -- or is closing: the two ends see to that themselves
  self:add(records.close(client.close_code or 1006, client.close_reason or ""))
  if self.deaf then
    self:finish()
  end
end

--- The client has seen the events up to a number: false when there are no such.
---@param n integer
---@return boolean
function Session:acknowledge(n)
  if n > self.last then
    return false
  end
  for i = self.acked + 1, n do
    self.held = self.held - #self.events[i] - WEIGHT
    self.events[i] = nil
    self.acked = i
  end
  self.acks:try_put(true)
  if self.closed and self.acked == self.last then
    self:finish()
  end
  return true
end

-- Events after one, as many as make a batch, and the number of the last.
local function batch(events, sent, last)
  local list, size = {}, 0
  while sent < last and size < BATCH do
    sent = sent + 1
    list[#list + 1] = events[sent]
    size = size + #events[sent]
  end
  return table.concat(list), sent
end

--- Writes one batch of events, or when there is none for a while a comment: the
--- number of the last event, or nil when the stream is to end.
---@private
function Session:write(write, stream, sent, once)
  sent = math.max(sent, self.acked)
  if sent < self.last then
    local text, now = batch(self.events, sent, self.last)
    return write(text) and not once and now or nil
  elseif self.closed or self.deaf then
    return nil
  end
  local _, why = stream:take(self.service.ping_interval)
  if why == "timeout" then
    return not once and write(":\n\n") and sent or nil
  end
  return not why and sent or nil
end

---@private
function Session:serve(write, stream, after, once)
  if self.stream then
    self.stream:close()
  elseif self.back then
    self.back:close()
    self.back = nil
  end
  self.stream = stream
  local sent = write(": weft\n\n") and after
  while sent and self.stream == stream do
    sent = self:write(write, stream, sent, once)
  end
end

local Following = {
  __close = function(following)
    following.session:leave(following.stream)
  end,
}

--- The body of a stream of the events after a number; one that begins ends the
--- one before it. With `once` it ends after what is there, or comes next.
---@param after integer
---@param once boolean
---@return fun(write: fun(bytes: string): boolean?)
function Session:follow(after, once)
  return function(write)
    if self.finished then
      return
    end
    local stream = core.queue(self.service.loop, 1)
    guarded(setmetatable({ session = self, stream = stream }, Following), function()
      self:serve(write, stream, after, once)
    end)
  end
end

--- A stream has ended.
---@private
---@param stream weft.Queue
function Session:leave(stream)
  if self.stream ~= stream or self.finished then
    return
  end
  self.stream = nil
  if self.deaf or self.plan.closing then
    self:finish()
  else
    self:expect()
  end
end

-- Up ------------------------------------------------------------------------

--- Hands records on to the handler's end: see incoming.receive.
---@param first integer the number of the first
---@param list string their lines, which are well-formed
---@return boolean|nil ok
---@return integer? expected
function Session:receive(first, list)
  return incoming.receive(self, first, list)
end

-- When the server closes ----------------------------------------------------

--- The connection that the handler has, while it is open.
---@return weft.Connection|nil
function Session:connection()
  if self.ws and self.ws.state ~= "closed" then
    return self.ws
  end
end

--- Closes the connection with 1001, without waiting.
function Session:shutdown()
  if not self.ws or self.closed and not self.stream then
    return self:finish()
  end
  core.shutdown(self.ws)
  if not self.stream then
    self.deaf = true
    self.acks:try_put(true)
  end
end

--- Whether the running task is the handler.
---@return boolean
function Session:is_own()
  return self.ws ~= nil and core.is_own_handler(self.ws)
end

--- Waits until the handler is through.
---@param seconds number
---@return boolean ok
---@return string? word "timeout" or "cancelled"
function Session:wait(seconds)
  if not self.ws then
    return true
  end
  local _, why = self.handled:take(seconds)
  return why == "closed", why
end

--- Drops what is left, and cancels the handler.
function Session:drop()
  if self.ws then
    self.ws:abort()
    core.cancel_handler(self.ws)
  end
  self:finish()
end

return session
