--- What a client without a WebSocket has posted, sent on to its handler's end.
--- Internal.  It may wait: the handler takes its time.

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

--- Hands on one record: whether it fits to those before it. What comes when the
--- connection has closed is dropped.
---@param self weft.FallbackSession
---@param record weft.Record
---@return boolean
function incoming.take(self, record)
  if record.what == "close" then
    if record.code then
      self.client:close(record.code, record.reason, 0)
    else
      self.client:close(nil, nil, 0)
    end
  elseif record.what == "piece" or self.writer then
    return take_piece(self, record, record.what == "message")
  else
    self.client:send(record.data, record.kind)
  end
  return true
end

return incoming
