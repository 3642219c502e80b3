--- curl as a client beside the loop: what came back, as it would print it.
local command = require "support.command"

--- Runs curl with these arguments (it is silent already) and waits, turning the
--- loop; its output, errors and exit status.
---@param weft table
---@param arguments string[]
---@return string output
---@return string errors
---@return integer status
return function(weft, arguments)
  local words = { "-s", "--max-time", "10", "--noproxy", "*", table.unpack(arguments) }
  return command.start(weft, words, { program = { "curl" }, environment = { "-u", "LD_PRELOAD" } }):wait()
end
