--- `weft serve DIR`: the files of a directory, and a room.  Internal.

local serving = require "weft.cli.serving"
local terminal = require "weft.cli.terminal"

local serve = {}

serve.usage = [[
usage: weft serve DIR [OPTION]...
Serves the files of a directory and, at one path, a room: what one WebSocket
there says, all the others hear. It prints the URL it listens on, and SIGINT or
SIGTERM ends it. With workers, each has a room of its own.

]] .. serving.usage .. [[
  --room PATH          where the room is (/ws)
  --log                a line on stderr for each request for a file, and for the
                       beginning and end of each connection to the room
]]

local function room_path(value)
  return value:find("^/[^*:?#%s]+$") and value or nil
end

serve.arguments = 1
serve.expected = "a directory"
serve.options = serving.options {
  ["--room"] = { key = "room", value = room_path, expected = "a path, such as /ws" },
  ["--log"] = { key = "log" },
}

-- What the members of a room say to each other.
local function relay(weft)
  local room = weft.room()
  return function(ws)
    room:join(ws)
    for message, kind in ws:messages() do
      room:send(message, kind, ws)
    end
  end
end

-- Written at once: other workers write there too.
local function log(...)
  local words = { os.date "!%Y-%m-%dT%H:%M:%SZ", ... }
  local line = terminal.harmless(table.concat(words, " "))
  io.stderr:write((line:gsub("[\n\t]", " ")) .. "\n")
end

local function logged_page(page)
  return function(request)
    local status, headers, body = page(request)
    log(request.remote_address or "-", request.method, request.target, status)
    return status, headers, body
  end
end

local function logged_handler(handler)
  return function(ws)
    local who, where = ws.remote_address or "-", ws.request.target:match "^[^?]*"
    local what = ws.request.headers.upgrade and "WebSocket" or "fallback"
    log(who, what, where, "opened")
    handler(ws)
    log(who, what, where, "closed:", ws.close_code, ws.close_cause)
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
  if options.log then
    page, handler = logged_page(page), logged_handler(handler)
  end
  options.room, options.log = nil, nil
  options.websocket = { [room] = handler }
  options.http = { [room] = weft.fallback(handler), ["/*"] = page }
  return serving.run(weft, "weft serve", options)
end

return serve
