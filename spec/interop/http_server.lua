-- A weft server with pages, events and a room, for Node's fetch and Chromium's
-- EventSource.
--
--   lua5.4 spec/interop/http_server.lua FOLDER
local weft = require "weft"

local room = weft.room()
local folder = arg[1]
local gone = 0 -- downloads that the client broke off

local function json(status, text)
  return status, { ["Content-Type"] = "application/json" }, text
end

local page = [[<!doctype html><meta charset="utf-8"><title>events</title>
<body style="font: 20px sans-serif"><h1>Events and messages</h1><ol id="log"></ol>
<script>
const seen = [];
function note(what) {
  seen.push(what);
  const line = document.createElement('li');
  line.textContent = what;
  document.getElementById('log').append(line);
}
const source = new EventSource('/events');
source.onopen = () => note('open');
source.onerror = () => note(source.readyState === EventSource.CLOSED ? 'closed' : 'again');
source.onmessage = (event) => note(`message ${event.lastEventId}: ${JSON.stringify(event.data)}`);
source.addEventListener('tick', (event) => note(`tick ${event.lastEventId}: ${event.data}`));
source.addEventListener('binary', (event) => note(`binary: ${event.data}`));
</script>]]

-- A stream that ends after its events, and goes on behind the last one that the
-- client has seen.
local function events(request)
  local last = request.headers["last-event-id"]
  local stream = request:event_stream { retry = 0.1 }
  if last == "2" then
    stream:send("and again", { id = "3" })
    room:join(stream)
    stream:wait_closed()
    return
  elseif last then
    return
  end
  stream:comment "nobody sees this"
  stream:send("one\ntwo\r\nthree: é", { id = "1" })
  stream:send("tock", { event = "tick", id = "2" })
end

local function countdown(request)
  local n = tonumber(request.query.from)
  return 200, { ["Content-Type"] = "text/plain" }, function(write)
    for i = n, 1, -1 do
      weft.sleep(0.01)
      if not write(i .. "\n") then
        gone = gone + 1
        return
      end
    end
  end
end

local server = assert(weft.listen {
  port = 0,
  max_body = 1000000,
  websocket = { ["/room"] = function(ws)
    room:join(ws)
    for message, kind in ws:messages() do
      room:send(message, kind)
    end
  end },
  http = {
    ["/"] = { GET = function()
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, page
    end },
    ["/events"] = events,
    ["/say"] = { POST = function(request)
      return json(200, tostring(room:send(request.body)))
    end },
    ["/echo/:name"] = {
      POST = function(request)
        return 200, { ["X-Name"] = request.params.name, ["X-Type"] = request.headers["content-type"] or "none" },
               request.body
      end,
      PUT = function(request) return json(201, ("%d"):format(#request.body)) end,
    },
    ["/countdown"] = countdown,
    ["/gone"] = function() return json(200, tostring(gone)) end,
    ["/connections"] = function() return json(200, tostring(_G.server:stats().accepted)) end,
    ["/bad"] = function() error("this is told to the log alone", 0) end,
    ["/files/*"] = weft.static(folder),
  },
})
_G.server = server
weft.on_error(function(err)
  assert(err == "this is told to the log alone", err)
end)
io.write("listening on ", server:url():gsub("^ws", "http"), "\n")
io.flush()
weft.serve(server)
