--- What commands have in common: those that connect, and those that serve.
--- Internal.

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

--- Calls weft.connect: true and its results; or nil and what is wrong with the
--- command line, where it raises that.
---@param weft weft
---@param url string
---@param request table
---@return true|nil, any ...
function common.connect(weft, url, request)
  local results = table.pack(pcall(weft.connect, url, request))
  if results[1] then
    return true, table.unpack(results, 2, results.n)
  end
  local mistake = tostring(results[2]):match("^weft%.connect: (.*)$")
  if not mistake then
    error(results[2], 0)
  end
  return nil, mistake
end

--- weft.serve, until a signal comes; prints the URL once, when signals are seen
--- to.  True; or nil and why it does not serve.
---@param weft weft
---@param options table of weft.serve, but for on_worker
---@return true|nil, string?
function common.serve(weft, options)
  function options.on_worker(n, server, restarts)
    if n == 1 and restarts == 0 then
      io.stdout:write("listening on ", server:url(), "\n")
      io.stdout:flush()
    end
  end
  local ok, err = pcall(weft.serve, options)
  if ok then
    return true
  end
  local message = tostring(err):match("^weft%.serve: (.*)$")
  if not message then
    error(err, 0)
  end
  return nil, message
end

--- From a text to a whole number within bounds, or nil.
---@param low integer
---@param high integer
---@return fun(text: string): integer|nil
function common.whole(low, high)
  return function(text)
    local number = text:find("^%d+$") and math.tointeger(tonumber(text))
    return number and number >= low and number <= high and number or nil
  end
end

--- The option of the commands that serve, and what --help says of it.
common.workers = {
  key = "workers", value = common.whole(1, 1024), expected = "a number from 1 to 1024",
}
common.workers_usage = [[
  --workers N          processes that share the port (1)
]]

return common
