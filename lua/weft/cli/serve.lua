--- `weft serve DIR`: the files of a directory, and a room.  Internal.

local serving = require "weft.cli.serving"

local serve = {}

serve.usage = [[
usage: weft serve DIR [OPTION]...
Serves the files of a directory and, at one path, a room: what one WebSocket
there says, all the others hear. It prints the URL it listens on, and SIGINT or
SIGTERM ends it. With workers, each has a room of its own.

]] .. serving.usage .. [[
  --room PATH          where the room is (/ws)
]]

local function room_path(value)
  return value:find("^/[^*:?#%s]+$") and value or nil
end

serve.arguments = 1
serve.expected = "a directory"
serve.options = serving.options {
  ["--room"] = { key = "room", value = room_path, expected = "a path, such as /ws" },
}

-- What the members of a room say to each other.
local function relay(weft)
  local room = weft.room()
  return function(ws)
    room:join(ws)
    local message, kind = ws:receive()
    while message do
      room:send(message, kind, ws)
      message, kind = ws:receive()
    end
  end
end

--- Serves until a signal comes.
---@param weft weft
---@param options table for weft.serve
---@param directory string
---@return integer status
function serve.run(weft, options, directory)
  local mistake = serving.take(weft, options)
  if mistake then
    io.stderr:write("weft serve: ", mistake, " (see weft serve --help)\n")
    return 2
  end
  local ok, page = pcall(weft.static, directory)
  if not ok then
    io.stderr:write("weft serve: ", (tostring(page):gsub("^weft%.static: ", "")), "\n")
    return 1
  end
  local room, handler = options.room or "/ws", relay(weft)
  options.room = nil
  options.websocket = { [room] = handler }
  options.http = { [room] = weft.fallback(handler), ["/*"] = page }
  return serving.run(weft, "weft serve", options)
end

return serve
