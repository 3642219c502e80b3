-- A clock in a room that WebSockets and event streams share.  Open the page, or:
--
--   curl -N http://127.0.0.1:8080/events
--   ./bin/weft connect ws://127.0.0.1:8080
local weft = require "weft"

local page = [[
<!doctype html>
<title>A clock, twice</title>
<p>EventSource: <b id="events">?</b>
<p>WebSocket: <b id="messages">?</b>
<script>
  new EventSource("/events").onmessage = e => events.textContent = e.data
  new WebSocket("ws://" + location.host).onmessage = e => messages.textContent = e.data
</script>
]]

local readers = weft.room { on_full = "drop" } -- who is slow misses some

weft.spawn(function()
  while weft.sleep(1) do
    readers:send(os.date "%H:%M:%S")
  end
end)

local server = assert(weft.listen {
  port = tonumber(os.getenv "PORT") or 8080,
  websocket = function(ws)
    readers:join(ws)
    ws:wait_closed()
  end,
  http = {
    ["/"] = function()
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, page
    end,
    ["/events"] = function(request)
      local stream = request:event_stream()
      readers:join(stream)
      stream:wait_closed()
    end,
  },
})
io.write("listening on ", server:url(), "\n")
io.stdout:flush()
weft.serve(server)
