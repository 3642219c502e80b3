-- A log of one's own: what is asked for over HTTP goes to a file in the format that
-- web servers have in common, all else to stderr in short.
--
--   lua5.4 examples/access_log.lua access.log
--
-- Then `curl http://127.0.0.1:8080/`. The function is called behind all that a turn
-- of the loop does, so what it takes, everybody waits for: a line into a file is
-- fine, a database is not.
local weft = require "weft"

local file = assert(io.open(arg[1] or "access.log", "a"))
file:setvbuf "line"

-- What a client says may hold quotes, by which its line would say something else; and
-- what a handler raises, all that it has got from one.
local function harmless(text)
  return (text:gsub('[%c"\\]', function(byte)
    return ("\\x%02X"):format(byte:byte())
  end))
end

local function note_request(event)
  file:write(('%s - - [%s] "%s %s HTTP/1.1" %s %s\n'):format(
    event.remote_address or "-", os.date("!%d/%b/%Y:%H:%M:%S +0000", math.floor(event.time)),
    event.method, harmless(event.path), event.status or "-", event.bytes or "-"))
end

weft.serve {
  port = 8080,
  log = function(event)
    if event.event == "request" then
      note_request(event)
    else
      io.stderr:write(event.event, " ", harmless(event.cause or event.message or ""), "\n")
    end
  end,
  http = function(request)
    return 200, { ["Content-Type"] = "text/plain" }, "You asked for " .. request.path .. "\n"
  end,
  websocket = function(ws)
    for message, kind in ws:messages() do
      ws:send(message, kind)
    end
  end,
}
