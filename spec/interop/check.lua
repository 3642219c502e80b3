-- The smallest harness: checks by name, in order.
local checks = {}

local passed, failed = 0, 0

-- Runs body; goes on whether it held or not.
function checks.check(name, body)
  local good, message = xpcall(body, debug.traceback)
  if good then
    passed = passed + 1
    print("ok      " .. name)
  else
    failed = failed + 1
    print("FAILED  " .. name .. ": " .. tostring(message))
  end
  io.stdout:flush()
end

local function shown(value)
  value = tostring(value)
  return #value > 200 and ("%s... (%d bytes)"):format(value:sub(1, 200), #value) or value
end

function checks.equal(expected, got)
  if expected ~= got then
    error(("expected %s, got %s"):format(shown(expected), shown(got)), 2)
  end
end

-- That each of the patterns matches the text; gives the text back.
function checks.matches(text, ...)
  for _, pattern in ipairs { ... } do
    if not tostring(text):find(pattern) then
      error(("expected something like %q, got %s"):format(pattern, shown(text)), 2)
    end
  end
  return text
end

-- The line that counts; ends the process.
function checks.report()
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0 and passed > 0, true)
end

return checks
