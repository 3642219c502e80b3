-- Files of a directory over HTTP: what bench/static measures.
--
--   lua5.4 static.lua FOLDER PORT        on 127.0.0.1, until a signal comes
local weft = require "weft"

assert(weft.serve {
  host = "127.0.0.1",
  port = tonumber(arg[2]),
  http = weft.static(arg[1]),
})
