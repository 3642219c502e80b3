--- The end under Wine of across.lua: a server that echoes, keeps a room, serves
--- a folder's files and connects to where it is told to.
---
---     lua.exe spec\windows\serve.lua FOLDER
local weft = require "weft"

local room = weft.room()
local server

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

-- Joins whoever comes, and tells everybody what each one says.
local function meet(ws)
  room:join(ws)
  for message in ws:messages() do
    room:send(message)
  end
end

-- Says what comes of connecting to each URL that it is sent.
local function reach(ws)
  for url in ws:messages() do
    local there, why = weft.connect(url, { proxy = false })
    if there then
      there:send "from Windows"
      why = there:receive(5)
      there:close()
    end
    ws:send(why)
  end
end

local function count()
  return 200, nil, tostring(server:count())
end

local function stop()
  weft.spawn(server.close, server, 1)
  return 200, nil, "closing"
end

server = assert(weft.listen {
  port = 0, compression = true,
  websocket = { ["/echo"] = echo, ["/meet"] = meet, ["/reach"] = reach },
  http = {
    ["/files/*"] = weft.static(arg[1]), ["/count"] = count, ["/stop"] = stop,
    ["/hello"] = function() return 200, nil, "hello" end,
  },
})
print("listening on " .. server:url())
io.stdout:flush()
weft.run()
