-- weft's other servers: an echo by events instead of a coroutine, as
-- examples/events.lua writes one, and a room in which each member hears what
-- any of them says, the speaker included.  Messages up to 16 MiB, no compression.
--
--   MODE=events lua5.4 weft.lua PORT        on 127.0.0.1, until a signal comes
--   MODE=broadcast lua5.4 weft.lua PORT
local weft = require "weft"

local function events()
  return {
    message = function(ws, message, kind)
      ws:send(message, kind)
    end,
  }
end

local function broadcast()
  local room = weft.room()
  return {
    open = function(ws)
      room:join(ws)
    end,
    message = function(_, message, kind)
      room:send(message, kind)
    end,
  }
end

local handlers = { events = events, broadcast = broadcast }

assert(weft.serve {
  host = "127.0.0.1",
  port = tonumber(arg[#arg]),
  max_message = 16 * 1024 * 1024,
  websocket = handlers[os.getenv "MODE"](),
})
