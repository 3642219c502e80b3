--- What the adapters share: a weft instance that is in somebody else's loop.
--- How the loop is told when to turn is each adapter's own.  Internal.
local check = require "weft.check"
local specs = require "weft.options"

local attachment = {}

local seconds_or_none = check.number(-math.huge, math.huge, "seconds (a number), or nil")

---@class weft.Attached: weft.Attachment what the adapters make
local methods = {}
methods.__index = methods

--- Does one turn, within the bounds it was attached with.
---@return boolean open false: it is closed, before or in this turn
function methods:turn()
  if not self.closed then
    self.weft.step(0, self.bounds)
  end
  return not self.closed
end

--- How long the loop may do without a turn if the descriptor stays silent.
---@param most? number at most these seconds
---@return number|nil seconds nil: no limit
function methods:pause(most)
  local seconds = self.weft.timeout()
  if not self.fd and not (seconds and seconds < self.interval) then
    seconds = self.interval
  end
  if most and not (seconds and seconds < most) then
    seconds = most
  end
  return seconds
end

--- Checks the timeout of a call that turns the host's loop as well.
---@param call string
---@param timeout? number
---@return number|nil seconds nil: no limit, for which LuaSocket has negative ones too
function methods.limit(_, call, timeout)
  if timeout ~= nil then
    check.argument(call, "timeout", seconds_or_none, timeout, nil, 3)
  end
  return timeout and timeout >= 0 and timeout or nil
end

function methods:close()
  if not self.closed then
    self.closed = true
    self.attached[self] = nil
    if self.detach then
      self:detach()
    end
  end
end

--- What makes the attachments of an instance. Each has `fd`, false with poll(2),
--- and calls `detach` once, if it has that, when it is closed; `method` is one
--- that another attachment may lend it, as `beside`.
---@param weft weft
---@param attached table<weft.Attachment, boolean>
---@return fun(call: string, options: weft.AttachOptions?, level: integer, method: string?): weft.Attached
function attachment.maker(weft, attached)
  return function(call, options, level, method)
    local spec = method and specs.attach_beside(method) or specs.attach
    local checked = check.options(spec, call, options, level + 1)
    local self = setmetatable({
      weft = weft,
      attached = attached,
      bounds = { messages = checked.messages, seconds = checked.seconds },
      interval = checked.interval,
      beside = checked.beside,
      fd = weft.fd() or false,
      closed = false,
    }, methods)
    attached[self] = true
    return self
  end
end

return attachment
