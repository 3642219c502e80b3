--- Where errors go that nobody joins.  Internal.

local errors = {}

local function to_stderr(err, traceback)
  local ok, text = pcall(tostring, err)
  text = ok and text or "(an error that cannot be shown: " .. type(err) .. ")"
  traceback = tostring(traceback or "")
  if traceback:sub(1, #text) == text then
    text = ""
  elseif traceback ~= "" then
    text = text .. "\n"
  end
  io.stderr:write("weft: ", text, traceback, "\n")
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
        to_stderr("error in the function given to weft.on_error: "
                  .. tostring(second), "")
      end
    end,
  }
end

return errors
