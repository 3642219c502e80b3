--- Where errors go that nobody joins.  Internal.

local errors = {}

local function show(err)
  local ok, text = pcall(tostring, err)
  return ok and text or "(an error that cannot be shown: a " .. type(err) .. ")"
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

--- One instance's: `set` is weft.on_error, `report` the core's error hook.  An
--- error of the user's function is written to stderr with the one it was for.
function errors.new()
  local current = to_stderr
  return {
    set = function(fn)
      current = fn or to_stderr
    end,
    report = function(err, traceback, subject)
      local ok, second = pcall(current, err, traceback, subject)
      if not ok then
        to_stderr(err, traceback)
        to_stderr("error in the function given to weft.on_error: " .. show(second))
      end
    end,
  }
end

return errors
