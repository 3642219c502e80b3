--- `weft echo`: an echo server.  Internal.

local common = require "weft.cli.common"
local compat = require "weft.compat"
local serving = require "weft.cli.serving"

local echo = {}

echo.usage = [[
usage: weft echo [OPTION]...
An echo server; it prints the URL it listens on. SIGINT or SIGTERM ends it.

]] .. serving.usage .. [[
  --compression        compress messages (permessage-deflate) for clients that
                       offer it, each message by itself
  --sliding            with it: keep the window from one message to the next
  --max-message BYTES  the longest message (1048576)
  --max-fragments N    the most frames of a message (1024)
  --ping-interval S    seconds between keepalive pings (20), or off
]]

local function interval(value)
  local number = tonumber(value)
  if value == "off" then
    return false
  end
  return number and number > 0 and number or nil
end

echo.arguments = 0
echo.expected = "no arguments"
echo.options = serving.options {
  ["--max-message"] = { key = "max_message", value = common.whole(1, 2 ^ 53),
                        expected = "bytes" },
  ["--max-fragments"] = { key = "max_fragments", value = common.whole(1, 2 ^ 53),
                          expected = "a number" },
  ["--ping-interval"] = { key = "ping_interval", value = interval,
                          expected = "seconds or off" },
  ["--compression"] = { key = "compression" },
  ["--sliding"] = { key = "sliding" },
}

-- Turns the options of compression into the one of weft.serve; or what is wrong.
local function take_compression(options)
  local sliding = options.sliding
  options.sliding = nil
  if sliding and not options.compression then
    return "--sliding goes with --compression"
  elseif sliding then
    options.compression = {
      server_no_context_takeover = false, client_no_context_takeover = false,
    }
  end
end

local function send(ws, message, kind)
  ws:send(message, kind)
end

--- Serves until a signal comes.
---@param weft weft
---@param options table for weft.serve
---@return integer status
function echo.run(weft, options)
  local mistake = serving.take(weft, options) or take_compression(options)
  if mistake then
    io.stderr:write("weft echo: ", mistake, " (see weft echo --help)\n")
    return 2
  end
  options.origins = "*" -- an echo tells nobody anything
  options.websocket = compat.is_plain and { message = send } or function(ws)
    for message, kind in ws:messages() do
      ws:send(message, kind)
    end
  end
  return serving.run(weft, "weft echo", options)
end

return echo
