--- weft in the loop of luv: a poll handle on `weft.fd()` and a timer.
local uv = require "luv"

return function(_, attachment)
  local adapter = {}

  --- Has luv's loop turn weft, until the attachment is closed.
  ---@param options? weft.AttachOptions
  ---@return weft.Attachment
  function adapter.attach(options)
    local attached = attachment("weft.adapters.luv.attach", options, 2)
    local poll = attached.fd and uv.new_poll(attached.fd) or nil
    local timer = uv.new_timer()

    -- A timer of no time at all would be due again at once, in the same round of
    -- libuv's: what can be done now, the descriptor says too, and once a round.
    local function turn()
      local seconds = attached:turn() and attached:pause()
      if seconds then
        uv.update_time() -- a timer counts from when its loop last looked
        timer:start(math.max(1, math.ceil(seconds * 1000)), 0, turn)
      elseif not attached.closed then
        timer:stop()
      end
    end

    function attached:detach()
      for _, handle in ipairs { timer, poll } do
        if not handle:is_closing() then -- by the host, who may close all there are
          handle:stop() -- the descriptor may be closed right after this
          handle:close()
        end
      end
    end

    if poll then
      poll:start("r", turn)
    end
    timer:start(0, 0, turn)
    return attached
  end

  return adapter
end
