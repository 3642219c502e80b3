--- Where errors go that nobody joins.  Internal.

local core = require "weft.core"

local errors = {}

local function show(err)
  local ok, text = pcall(tostring, err)
  return ok and text or "(an error that cannot be shown: a " .. type(err) .. ")"
end

-- The last error that was caught to be raised again, and where it came from.
local caught, origin

--- Keeps the traceback of an error that is raised again, from further out.
---@param err any
---@param traceback string of the stack below its words
function errors.keep(err, traceback)
  caught, origin = err, traceback
end

local function to_stderr(err, traceback)
  local text = show(err)
  traceback = traceback or ""
  if traceback:sub(1, #text) == text then -- it begins with the error
    text = traceback
  elseif traceback ~= "" then
    text = text .. "\n" .. traceback
  end
  io.stderr:write("weft: ", text, "\n")
end

-- Tells the log of a server, if it is about that or one of its connections: whether
-- it stands on stderr then.
local function tell_log(err, traceback, about)
  if type(about) ~= "userdata" then
    return false
  end
  local text = show(err)
  if traceback and traceback:sub(1, #text + 1) == text .. "\n" then
    traceback = traceback:sub(#text + 2)
  end
  local log = core.say(about, { event = "error", message = text, traceback = traceback })
  return log and log.lines
end

--- One instance's: `set` is weft.on_error, `report` the core's error hook.  An
--- error of the user's function is written to stderr with the one it was for.  What a
--- log writes there is not written twice.  `about` is a server's listener.
function errors.new()
  local current = to_stderr
  return {
    set = function(fn)
      current = fn or to_stderr
    end,
    report = function(err, traceback, subject, about)
      if origin and rawequal(err, caught) then
        traceback = show(err) .. "\n" .. origin
      end
      caught, origin = nil, nil
      local told, is_there = pcall(tell_log, err, traceback, about or subject)
      if told and is_there and current == to_stderr then
        return
      end
      local ok, second = pcall(current, err, traceback, subject)
      if not ok then
        to_stderr(err, traceback)
        to_stderr("error in the function given to weft.on_error: " .. show(second))
      end
    end,
  }
end

return errors
