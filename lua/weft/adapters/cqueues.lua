--- weft in a controller of cqueues: a coroutine of the controller's turns it, and
--- polls `weft.loop` in between.
local cqueues = require "cqueues"
local check = require "weft.check"

local function controller_kind(value)
  if cqueues.type(value) == "controller" then
    return value
  end
  return nil, "a controller (what cqueues.new() returns)"
end

return function(weft, attachment)
  local adapter = {}

  --- Has the controller turn weft, until the attachment is closed.
  ---@param controller any what cqueues.new() returned
  ---@param options? weft.AttachOptions
  ---@return weft.Attachment
  function adapter.attach(controller, options)
    local call = "weft.adapters.cqueues.attach"
    check.argument(call, "controller", controller_kind, controller, nil, 2)
    local attached = attachment(call, options, 2)

    function attached:detach()
      if self.fd then
        cqueues.cancel(self.fd) -- which resumes whoever polls it
      end
    end

    controller:wrap(function()
      while attached:turn() do
        cqueues.poll(attached.fd and weft.loop or attached:pause())
      end
    end)
    return attached
  end

  return adapter
end
