-- Event streams among WebSockets in a room, over TLS, and the collector.
local case = require "support.case"
local certificates = require "support.certificates"
local event_streams = require "support.event_stream"
local handshake = require "support.handshake"
local patience = require "support.patience"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

local streams, reader, comes = event_streams.streams, event_streams.reader, event_streams.comes
local check_ends = event_streams.check_ends

describe("a room of WebSockets and event streams", function()
  --- A server of both; the room, a raw WebSocket, a raw reader, and their
  --- server's ends.
  local function party(t, options, room_options)
    local room = t.weft.room(room_options)
    local ends = {}
    local merged = {
      websocket = function(ws)
        ends.ws = ws
        room:join(ws)
        ws:wait_closed()
      end,
      http = function(request)
        local stream = assert(request:event_stream())
        ends.stream = stream
        room:join(stream)
        stream:wait_closed()
      end,
    }
    for name, value in pairs(options or {}) do
      merged[name] = value
    end
    local server = t:server(merged)
    local wire, raw = t:upgrade(server), reader(t, server)
    t:wait_until(function() return room:count() == 2 end)
    return room, wire, raw, ends
  end

  it("tells both the same", case(function(t)
    local room, wire, raw = party(t)
    assert.same({ 2, 0 }, { room:send "to\nboth" })
    assert.same({ 2, 0 }, { room:send("\0\1\2", "binary") })
    assert.equal("to\nboth", (wire:message()))
    assert.same({ "\0\1\2", "binary" }, { wire:message() })
    comes(raw, "data: to\ndata: both\n\nevent: binary\ndata: AAEC\n\n")
  end))

  it("tells streams a name, an id and when to come again, too", case(function(t)
    local room, wire, raw = party(t)
    assert.same({ 2, 0 }, { room:send("12", { event = "price", id = 7, retry = 0.5 }) })
    assert.same({ 2, 0 }, { room:send("\255", { kind = "binary", id = "" }) })
    assert.equal("12", (wire:message()))
    assert.same({ "\255", "binary" }, { wire:message() })
    comes(raw, "event: price\nid: 7\nretry: 500\ndata: 12\n\nevent: binary\nid: \ndata: /w==\n\n")
    raises(function() room:send("x", { event = "a\nb" }) end, "room:send", "event")
    raises(function() room:send("x", { id = "a\0b" }) end, "room:send", "id")
    raises(function() room:send("x", { retry = -1 }) end, "room:send", "retry")
    raises(function() room:send("x", { timeout = 1 }) end, "room:send", "timeout", "event, id, retry")
  end))

  it("leaves either out", case(function(t)
    local room, wire, raw, ends = party(t)
    assert.same({ 1, 0 }, { room:send("for the stream", "text", ends.ws) })
    assert.same({ 1, 0 }, { room:send("for the WebSocket", "text", ends.stream) })
    assert.same({ 2, 0 }, { room:send "for both" })
    assert.equal("for the WebSocket", (wire:message()))
    assert.equal("for both", (wire:message()))
    comes(raw, "data: for the stream\n\ndata: for both\n\n")
  end))

  it("keeps the order of what is said to one", case(function(t)
    local room, wire, raw, ends = party(t)
    local said = {}
    for i = 1, 300 do
      if i % 3 == 0 then
        ends.stream:send(tostring(i))
        ends.ws:send(tostring(i))
      else
        room:send(tostring(i))
      end
      said[i] = ("data: %d\n\n"):format(i)
    end
    for i = 1, 300 do
      assert.equal(tostring(i), (wire:message()))
    end
    comes(raw, table.concat(said))
  end))

  it("carries long messages", case(function(t)
    local room, wire, raw = party(t)
    local text = ("y"):rep(200000)
    assert.same({ 2, 0 }, { room:send(text) })
    assert.equal(text, (wire:message()))
    comes(raw, "data: " .. text .. "\n\n")
  end))

  it("compresses for those who agreed on it alone", case(function(t)
    local room, wire, raw = party(t, { compression = true })
    wire:close()
    t:wait_until(function() return room:count() == 1 end)
    room:send(("z"):rep(2000))
    comes(raw, "data: " .. ("z"):rep(2000) .. "\n\n")
  end))

  it("is left by a stream that ends", case(function(t)
    local room, wire, raw, ends = party(t)
    raw:close()
    t:wait_until(function() return room:count() == 1 end)
    assert.same({ 1, 0 }, { room:send "one left" })
    assert.equal("one left", (wire:message()))
    assert.same({ nil, "closed", 1005, "" }, { room:join(ends.stream) })
  end))

  for _, on_full in ipairs { "close", "drop" } do
    it("goes on without a slow stream: on_full = " .. on_full, case(function(t)
      local room, wire, raw, ends = party(t, { send_buffer = 100000 }, { on_full = on_full })
      local text, heard = ("x"):rep(50000), 0
      local listener = t:spawn(function()
        while wire:message() ~= "over" do
          heard = heard + 1
        end
      end)
      local sent, queued, dropped = 0, nil, 0
      while dropped == 0 do
        queued, dropped = room:send(text)
        sent = sent + 1
        t.weft.sleep(0)
        t:wait_until(function() return heard == sent end)
      end
      assert.same({ 1, 1 }, { queued, dropped })
      if on_full == "close" then
        assert.same({ 1, "slow" }, { room:count(), ends.stream.close_cause })
        raw:close()
      else
        assert.same({ 2, "open" }, { room:count(), ends.stream.state })
        comes(raw, ("data: " .. text .. "\n\n"):rep(sent - 1))
        assert.same({ 2, 0 }, { room:send "again" })
        comes(raw, "data: again\n\n")
        sent = sent + 1
      end
      room:send "over"
      assert.is_true(listener:join(patience(5)))
      assert.equal(sent, heard)
    end))
  end
end)

describe("an event stream over TLS", function()
  it("is the same", case(function(t)
    local stream
    local server = streams(t, { tls = certificates.with(certificates.server) }, function(one)
      stream = one
      one:send("over TLS", { id = 1 })
      one:send(("x"):rep(100000))
    end)
    local openssl = tls_peer.s_client(t, server, { "-quiet" })
    openssl:write(handshake.http())
    openssl:expect "x\n\n"
    local got = openssl:output()
    assert.matches("^HTTP/1.1 200 OK\r\n", got)
    assert.equal("id: 1\ndata: over TLS\n\ndata: " .. ("x"):rep(100000) .. "\n\n", got:match "\r\n\r\n(.*)$")
    stream:wait_closed(patience(5))
    assert.same({ "handler", 1005 }, { stream.close_cause, stream.close_code })
    openssl:finish()
  end))

  it("may be left without a close_notify: nothing is missed", case(function(t)
    local server = streams(t, { tls = certificates.with(certificates.server) })
    local relay = tls_peer.relay(t, server)
    local openssl = tls_peer.s_client(t, relay.port, { "-quiet" })
    openssl:write(handshake.http())
    local stream = t:accepted()
    relay:cut()
    stream:wait_closed(patience(5))
    assert.same({ "peer", 1005 }, { stream.close_cause, stream.close_code })
    openssl:finish()
  end))
end)

describe("the collector and event streams", function()
  it("leaves one alone that only a room and its handler know", case(function(t)
    local room = t.weft.room()
    local server = t:server { http = function(request)
      local stream = assert(request:event_stream())
      room:join(stream)
      return stream:wait_closed()
    end }
    local raw = reader(t, server)
    t:wait_until(function() return room:count() == 1 end)
    for i = 1, 5 do
      collectgarbage()
      t.weft.sleep(0)
      room:send(tostring(i))
    end
    comes(raw, "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\ndata: 5\n\n")
  end))

  it("lets many come and go", case(function(t)
    local server = streams(t, {}, function(stream)
      for i = 1, 3 do
        stream:send(("%d"):format(i), { id = i })
      end
    end)
    for _ = 1, 100 do
      local raw = reader(t, server)
      check_ends(raw, "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n")
      raw:close()
    end
    t:wait_until(function() return server:count() == 0 end)
  end))
end)
