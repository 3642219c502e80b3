--- What a client without a WebSocket has posted, sent on to its handler's end.
--- Internal.  It may wait: the handler takes its time.

local core = require "weft.core"
local guarded = require "weft.guarded"
local records = require "weft.fallback.records"

local incoming = {}

-- Hands on a piece of a message, perhaps the last: whether it fits to those
-- before it.
local function take_piece(self, record, last)
  local writer = self.writer
  if not writer then
    writer = { kind = record.kind, pieces = self.client:writer(record.kind) }
    if not writer.pieces then
      return true -- it is closed; nobody wants it
    end
    self.writer = writer
  end
  if writer.kind ~= record.kind then
    return false
  end
  if writer.pieces:write(record.data) and last then
    writer.pieces:close()
  end
  self.writer = not last and writer or nil
  return true
end

-- Hands on one record: whether it fits to those before it. What comes when the
-- connection has closed is dropped.
local function take(self, record)
  if record.what == "close" then
    if record.code then
      self.client:close(record.code, record.reason, 0)
    else
      core.close_without_code(self.client)
    end
  elseif record.what == "piece" or self.writer then
    return take_piece(self, record, record.what == "message")
  else
    self.client:send(record.data, record.kind)
  end
  return true
end

-- Waits until nobody else hands on records: whether it may. Of those that wait
-- only the last one goes on, since a client asks again when it has lost the
-- answer; the others would keep what they have for as long as the handler likes.
local function enter(self)
  if not self.busy then
    self.busy = true
    return true
  elseif self.turn then
    self.turn:close()
  end
  local turn = core.queue(self.service.loop, 1)
  self.turn = turn
  return turn:take()
end

local Handing = {
  __close = function(handing)
    local self = handing.session
    local turn = self.turn
    self.turn, self.busy = nil, turn ~= nil
    if turn then
      turn:try_put(true)
    end
  end,
}

local function hand_on(self, first, list)
  if first > self.received + 1 then
    return false, self.received + 1
  end
  local n = first
  local next_record = records.each(list, self.service.pause)
  local record = next_record()
  while record do
    if n > self.received then
      if not take(self, record) then
        self:finish()
        return nil
      end
      self.received = n
    end
    n, record = n + 1, next_record()
  end
  return true
end

--- Hands records on to the handler's end, which may take its time; those that
--- it had before are left out. True; or false and what it expects when some are
--- missing; or false when another call took its place; or nil when they make no
--- sense, and the session is over.
---@param self weft.FallbackSession
---@param first integer the number of the first
---@param list string their lines, which are well-formed
---@return boolean|nil ok
---@return integer? expected
function incoming.receive(self, first, list)
  if list == "" then
    return true -- it may be for this that the handler waits
  elseif not enter(self) then
    return false
  end
  return guarded(setmetatable({ session = self }, Handing), function()
    return hand_on(self, first, list)
  end)
end

return incoming
