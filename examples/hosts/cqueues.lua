-- weft in a controller of cqueues: a coroutine of cqueues' tells everybody the time,
-- another one waits for what weft's handlers have heard.  Try it with:
-- ./bin/weft connect ws://127.0.0.1:8080
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local weft = require "weft"

local room = weft.room()
local heard, news = {}, condition.new()

local server = assert(weft.listen { port = tonumber(arg[1]) or 8080, websocket = function(ws)
  room:join(ws)
  for message in ws:messages() do
    table.insert(heard, message)
    news:signal() -- it never waits, so a handler may call it
  end
end })

local controller = cqueues.new()
weft.adapters.cqueues.attach(controller)

controller:wrap(function()
  while true do
    cqueues.sleep(1)
    room:send(os.date "%H:%M:%S")
  end
end)

controller:wrap(function()
  while true do
    while #heard == 0 do
      news:wait()
    end
    room:send(table.remove(heard, 1))
  end
end)

io.write("listening on ", server:url(), "\n")
io.stdout:flush()
assert(controller:loop())
