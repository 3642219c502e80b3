-- A room for all who come, as it goes into service: by systemd (room.service, or
-- room.socket as well) or in a container (Containerfile).  docs/operations.md says
-- what it is all for.
--
--   curl http://127.0.0.1:8080/health      whether it serves, and whom
local weft = require "weft"

local room = weft.room()

local options = {
  drain = 2, -- at SIGTERM: who is here is told in the course of this time,
  grace = 5, -- and the last ones have this one to say goodbye
  websocket = {
    open = function(ws)
      room:join(ws)
    end,
    message = function(_, message, kind)
      room:send(message, kind)
    end,
  },
  http = {
    ["/health"] = function()
      return 200, { ["Cache-Control"] = "no-store" }, ("%d here\n"):format(room:count())
    end,
  },
}

local handed_over = weft.listen_fds()[1]
if handed_over then
  options.fd = handed_over
else
  options.host, options.port = "*", 8080
end
weft.serve(options)
