--- What the commands that connect have in common.  Internal.

local protected = require "weft.protected"
local terminal = require "weft.cli.terminal"

local common = {}

--- The exit status after a signal.
common.signal_status = { SIGINT = 130, SIGTERM = 143 }

--- Writes one line to stderr, in which whoever is quoted cannot change the
--- state of a terminal.
---@param name string the command's
---@param ... string|number
function common.complain(name, ...)
  local line = terminal.harmless(table.concat { name, ": ", ... })
  io.stderr:write((line:gsub("\n", "\\n")), "\n")
end

-- The results of a protected call.
local function judge(ok, err, ...)
  if ok then
    return true, err, ...
  end
  local mistake = tostring(err):match("^weft%.connect: (.*)$")
  if not mistake then
    error(err, 0)
  end
  return nil, mistake
end

--- Calls weft.connect: true and its results; or nil and what is wrong with the
--- command line, where it raises that.
---@param weft weft
---@param url string
---@param request table
---@return true|nil, any ...
function common.connect(weft, url, request)
  return judge(protected(weft.connect, url, request))
end

--- For an option's value: a text that is not empty, or nil.
---@param value string
---@return string|nil
function common.text(value)
  return value ~= "" and value or nil
end

--- From a text to a whole number within bounds, or nil.
---@param low integer
---@param high integer
---@return fun(text: string): integer|nil
function common.whole(low, high)
  return function(text)
    local number = text:find("^%d+$") and tonumber(text)
    return number and number >= low and number <= high and number or nil
  end
end

return common
