-- weft in the loop of luv: a timer of luv's tells everybody the time, weft's
-- connections tell each other what they like.  Try it with:
-- ./bin/weft connect ws://127.0.0.1:8080
local uv = require "luv"
local weft = require "weft"

local room = weft.room()

local server = assert(weft.listen { port = tonumber(arg[1]) or 8080, websocket = function(ws)
  room:join(ws)
  for message in ws:messages() do
    room:send(message)
  end
end })

weft.adapters.luv.attach()

local timer = uv.new_timer()
timer:start(1000, 1000, function()
  room:send(os.date "%H:%M:%S")
end)

io.write("listening on ", server:url(), "\n")
io.stdout:flush()
uv.run()
