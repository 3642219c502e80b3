--- Event streams over real sockets: servers that open them, and raw readers.
local assert = require "luassert"
local handshake = require "support.handshake"

local event_streams = {}

--- A server whose requests `fn(stream, request)` gets as event streams; it keeps
--- them open until the client goes, unless fn is done with them.
function event_streams.streams(t, options, fn)
  local merged = {
    http = function(request)
      local stream = assert(request:event_stream(options.stream))
      t.arrived[#t.arrived + 1] = stream
      if fn then
        return fn(stream, request)
      end
      stream:wait_closed()
    end,
  }
  for name, value in pairs(options) do
    if name ~= "stream" then
      merged[name] = value
    end
  end
  return t:server(merged)
end

--- A raw client that has had the head: it, and the head.
function event_streams.reader(t, server, options)
  local raw = t:dial(server, options)
  raw:send(handshake.http(options))
  return raw, raw:parsed_head()
end

--- The stream of a server without a function of its own, and its reader.
function event_streams.open(t, options)
  local raw, head = event_streams.reader(t, event_streams.streams(t, options or {}))
  return t:accepted(), raw, head
end

--- Fails unless exactly that comes next.
function event_streams.comes(raw, want)
  local got, why = raw:receive(#want)
  assert.equal(want, got, why)
end

--- All there is: what came, and how it ended.
function event_streams.check_ends(raw, want)
  local got, ending = raw:read_until_closed()
  assert.same({ want, "fin" }, { got, ending })
end

return event_streams
