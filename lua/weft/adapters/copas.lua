--- weft in the loop of copas 1.x: a thread of its own that "receives" from an object
--- which stands for weft, and a `step` and `loop` that know its timers, of which
--- copas has none.
local socket = require "socket"
local copas = require "copas"

-- LuaSocket 3 makes the descriptor of a `socket.udp()` when it is used
local unused_socket = socket.udp4 or socket.udp

--- What copas selects and receives from. Where weft has no descriptor, with poll(2)
--- or after the attachment was closed, an unused socket lends its own, and the
--- object says itself that it is due.
local function pollable(attached, weft)
  local unused = not attached.fd and assert(unused_socket())
  local turned -- when
  local object = { settimeout = function() end, close = function() end }

  function object.getfd()
    return unused and unused:getfd() or attached.fd
  end

  -- select calls this before it waits
  function object.dirty()
    return attached.closed or weft.timeout() == 0
           or unused and weft.now() - turned >= attached.interval
  end

  function object.receive()
    if turned and not attached:turn() then
      unused:close()
      return nil, "closed"
    end
    turned = weft.now() -- the first time copas only learns to wait for it
    return nil, "timeout"
  end

  function attached.detach()
    unused = unused or assert(unused_socket())
  end

  return object
end

return function(weft, attachment)
  local adapter = {}

  --- Has copas turn weft, until the attachment is closed: in its `step` and
  --- `loop`, which stand in for those of copas.
  ---@param options? weft.AttachOptions
  ---@return weft.CopasAttachment
  function adapter.attach(options)
    local attached = attachment("weft.adapters.copas.attach", options, 2, "step")
    local object = pollable(attached, weft)

    local function step(self, timeout)
      if not self.closed then
        timeout = self:pause(timeout)
      end
      if self.beside then
        return self.beside:step(timeout)
      end
      return copas.step(timeout)
    end

    function attached:step(timeout)
      return step(self, self:limit("attached:step", timeout))
    end

    function attached:loop(timeout)
      timeout = self:limit("attached:loop", timeout)
      while not self.closed do
        step(self, timeout)
      end
    end

    copas.addthread(function()
      repeat
        local _, err = copas.receive(object)
      until err == "closed"
    end)
    return attached
  end

  return adapter
end
