--- weft in the loop of luv: a poll handle on `weft.fd()` and a timer.
local uv = require "luv"

return function(_, attachment)
  local adapter = {}

  -- libuv tells one handle only of what a descriptor has: it is that of all
  -- attachments, and there as long as one of them is.
  local poll
  local turns = {} -- theirs

  -- Backwards, since they may close and so leave the list. One that joins it has
  -- its timer.
  local function turn_all()
    for i = #turns, 1, -1 do
      local turn = turns[i]
      if turn then
        turn()
      end
    end
  end

  local function join(turn, fd)
    turns[#turns + 1] = turn
    if not poll or poll:is_closing() then -- by the host, who may close all there are
      poll = assert(uv.new_poll(fd))
      poll:start("r", turn_all)
    end
  end

  local function close(handle)
    if not handle:is_closing() then
      handle:stop() -- the descriptor may be closed right after this
      handle:close()
    end
  end

  local function leave(turn)
    for i, other in ipairs(turns) do
      if other == turn then
        table.remove(turns, i)
        break
      end
    end
    if poll and not turns[1] then
      close(poll)
      poll = nil
    end
  end

  --- Has luv's loop turn weft, until the attachment is closed.
  ---@param options? weft.AttachOptions
  ---@return weft.Attachment
  function adapter.attach(options)
    local attached = attachment("weft.adapters.luv.attach", options, 2)
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
      close(timer)
      leave(turn)
    end

    if attached.fd then
      join(turn, attached.fd)
    end
    timer:start(0, 0, turn)
    return attached
  end

  return adapter
end
