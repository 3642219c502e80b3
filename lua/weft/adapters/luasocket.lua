--- weft beside LuaSocket's sockets: a `select` that waits for both.
local socket = require "socket"
local check = require "weft.check"

local CALL = "attached:select"

local function sockets(value)
  if value == nil or type(value) == "table" then
    return value or {}
  end
  return nil, "a table of sockets, or nil"
end

--- Without the object that stands for weft, as socket.select returns a list: items
--- by number, and their numbers by item.
local function without(list, pollable)
  local rest = {}
  for _, item in ipairs(list) do
    if item ~= pollable then
      rest[#rest + 1] = item
      rest[item] = #rest
    end
  end
  return rest
end

return function(_, attachment)
  local adapter = {}

  --- Gives an attachment that has the method `select`.
  ---@param options? weft.AttachOptions
  ---@return weft.SelectAttachment
  function adapter.attach(options)
    local attached = attachment("weft.adapters.luasocket.attach", options, 2, "select")
    local beside = attached.beside
    local pollable = { getfd = function() return attached.fd end }

    local function select(...)
      if beside then
        return beside:select(...)
      end
      return socket.select(...)
    end

    function attached:select(reading, writing, timeout)
      check.argument(CALL, "reading", sockets, reading, nil, 2)
      check.argument(CALL, "writing", sockets, writing, nil, 2)
      timeout = self:limit(CALL, timeout)
      if self.closed then
        return select(reading, writing, timeout)
      end
      local all = { self.fd and pollable or nil }
      for _, item in ipairs(reading or {}) do
        all[#all + 1] = item
      end
      local readable, writable, err = select(all, writing, self:pause(timeout))
      readable = without(readable, pollable)
      self:turn()
      if not err and not readable[1] and not writable[1] then
        err = "timeout"
      end
      return readable, writable, err
    end

    return attached
  end

  return adapter
end
