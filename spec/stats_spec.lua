-- server:stats(): connections, messages, bytes, pings and turns happen, and are seen
-- in it.
local case = require "support.case"
local fallback = require "support.fallback"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"
local seen = require "support.stats"

local client = frame.client
local counted, ended = seen.counted, seen.ended

describe("a server's stats", function()
  it("are all there, and nothing, before anybody came", case(function(t)
    local stats = t:server():stats()
    for name, value in pairs(stats) do
      if name == "round_trip" or name == "turn" then
        assert.same({ count = 0, mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0 }, value)
      else
        assert.same(type(value) == "table" and {} or 0, type(value) == "table" and counted(value) or value, name)
      end
    end
    assert.equal(0, stats.refused_by.upgrade)
    assert.equal(0, stats.closed_by_cause.collected)
  end))

  it("tell the kinds of connections that there are and were", case(function(t)
    local server = t:server {
      websocket = case.echo,
      http = { ["/events"] = function(request)
        assert(request:event_stream()):wait_closed()
      end, ["/page"] = function() return 200, {}, "here" end },
    }
    t:dial(server):send "GET / HTTP/1.1\r\n"
    local idle = t:dial(server)
    idle:send(handshake.http { path = "/page", keep = true })
    assert.equal(200, idle:parsed_head().status)
    local ws = t:upgrade(server)
    local events = t:dial(server)
    events:send(handshake.http { path = "/events" })
    assert.equal(200, events:parsed_head().status)
    local stats = server:stats()
    assert.same({ 4, 1, 1, 1 }, { stats.connections, stats.websockets, stats.event_streams, stats.opening })
    assert.same({ 4, 1, 1, 2 }, { stats.accepted, stats.upgraded, stats.event_streams_begun, stats.requests })
    events:close()
    ws:close()
    stats = ended(t, server, 2)
    assert.same({ 2, 0, 0, 1 }, { stats.connections, stats.websockets, stats.event_streams, stats.opening })
    assert.same({ 4, 1, 1, 2 }, { stats.accepted, stats.upgraded, stats.event_streams_begun, stats.requests })
  end))

  it("count messages and bytes both ways", case(function(t)
    local server = t:server { websocket = case.echo }
    local raw = t:upgrade(server)
    local before = server:stats()
    assert.same({ 0, 0 }, { before.messages_received, before.messages_sent })
    raw:send(client.text "hello" .. client.text("Hel", { fin = false }) .. client.continuation "lo"
             .. client.binary(("x"):rep(100000)))
    for _ = 1, 3 do
      assert.is_truthy(raw:message())
    end
    local stats = server:stats()
    assert.same({ 3, 3 }, { stats.messages_received, stats.messages_sent })
    assert.equal(11 + 9 + 8 + 100014, stats.bytes_received - before.bytes_received)
    assert.equal(7 + 7 + 100010, stats.bytes_sent - before.bytes_sent)
    assert.is_true(before.bytes_received >= #handshake.request() and before.bytes_sent > 100)
  end))

  it("count what goes in pieces once, when it is whole", case(function(t)
    local server = t:server()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    local writer = ws:writer()
    writer:write "Hel"
    assert.equal(0, server:stats().messages_sent)
    writer:write "lo"
    writer:close()
    assert.equal(1, server:stats().messages_sent)
    raw:send(client.text("a", { fin = false }))
    local pieces = {}
    for chunk in ws:chunks() do
      pieces[#pieces + 1] = chunk ~= "" and chunk or nil
      if #pieces == 1 then
        assert.equal(0, server:stats().messages_received)
        raw:send(client.continuation "b")
      end
    end
    assert.same({ { "a", "b" }, 1 }, { pieces, server:stats().messages_received })
  end))

  it("count compressed messages, and bytes as they are on the way", case(function(t)
    local server = t:server { websocket = case.echo, compression = true }
    local ws = t:connect(server)
    local before = server:stats()
    ws:send(("x"):rep(10000))
    assert.equal(10000, #ws:receive(5))
    local stats = server:stats()
    assert.same({ 1, 1 }, { stats.messages_received, stats.messages_sent })
    assert.is_true(stats.bytes_received - before.bytes_received < 1000)
    assert.is_true(stats.bytes_sent - before.bytes_sent < 1000)
  end))

  it("count a room's message once a member, at the server whose it is", case(function(t)
    local one, other = t:server(), t:server()
    local room = t.weft.room()
    local raws = { t:upgrade(one), t:upgrade(one), t:upgrade(other) }
    for _ = 1, 3 do
      room:join(t:accepted())
    end
    for _, message in ipairs { "a", "b", ("c"):rep(20000) } do
      room:send(message)
    end
    for _, raw in ipairs(raws) do
      assert.same({ "a", "b", 20000 }, { (raw:message()), (raw:message()), #raw:message() })
    end
    assert.same({ 6, 3 }, { one:stats().messages_sent, other:stats().messages_sent })
    assert.is_true(one:stats().bytes_sent > 40000)
  end))

  it("count events as messages", case(function(t)
    local server = t:server { http = function(request)
      local stream = request:event_stream()
      stream:send "one"
      stream:send("x", { event = "two" })
    end }
    local raw = t:dial(server)
    raw:send(handshake.http())
    raw:read_until_closed()
    raw:close()
    assert.same({ 2, 0 }, { ended(t, server).messages_sent, server:stats().messages_received })
  end))

  it("tell what waits to be sent, and what nobody has taken", case(function(t)
    local server = t:server { ping_interval = false }
    local raw = t:upgrade(server, { receive_buffer = 4096 })
    local ws = t:accepted()
    assert(ws:try_send(("x"):rep(16 * 1024 * 1024), "binary"))
    raw:send(client.text(("y"):rep(1000)))
    t:wait_until(function()
      return server:stats().unread >= 1000 and server:stats().bytes_sent > 1000
    end, "what comes")
    assert.equal(ws.buffered, server:stats().queued)
    assert.is_true(ws.buffered > 1024 * 1024)
    assert.equal(1000, #ws:receive(5))
    assert.equal(0, server:stats().unread)
    ws:abort()
    assert.equal(0, server:stats().queued)
  end))

  it("count pings and time their answers", case(function(t)
    local server = t:server { ping_interval = 0.01, ping_timeout = patience(5) }
    local ws = t:connect(server)
    t:wait_until(function() return server:stats().round_trip.count >= 2 end, "pings of the keepalive")
    local before = server:stats().pings
    assert.is_number(t:accepted():ping())
    local stats = server:stats()
    local times = stats.round_trip
    assert.is_true(stats.pings > before and times.count <= stats.pings)
    assert.is_true(0 < times.mean and times.mean <= times.max)
    assert.is_true(0 <= times.p50 and times.p50 <= times.p90 and times.p90 <= times.p99 and times.p99 <= times.max)
    assert.is_true(ws:close())
  end))

  it("time the turns of the loop, once they have been asked for", case(function(t)
    local server = t:server()
    assert.equal(0, server:stats().turn.count)
    t.weft.sleep(0)
    local begin = t.weft.now()
    repeat until t.weft.now() - begin > 0.05
    t.weft.sleep(0)
    local turn = server:stats().turn
    assert.is_true(turn.count >= 2 and turn.max >= 0.05 and turn.mean > 0)
    assert.same(turn.max, t:server():stats().turn.max)
  end))

  it("time a log, too, which everybody waits for", case(function(t)
    local over
    local server = t:server { log = function(event)
      local began = t.weft.now()
      while event.event == "open" and t.weft.now() - began < 0.02 do
        over = true
      end
    end }
    server:stats()
    t:upgrade(server)
    t:wait_until(function() return over end)
    assert.is_true(server:stats().turn.max >= 0.02)
  end))

  it("are each server's own", case(function(t)
    local one, other = t:server { websocket = case.echo }, t:server { websocket = case.echo }
    local ws = t:connect(one)
    ws:send "x"
    assert.equal("x", (ws:receive(5)))
    local stats = other:stats()
    assert.same({ 0, 0, 0, 0 }, { stats.accepted, stats.messages_sent, stats.bytes_received, stats.upgraded })
  end))

  it("count what goes by weft.fallback as requests, and its sessions", case(function(t)
    local server = t:server {
      http = { ["/chat"] = t.weft.fallback(function(ws) ws:send(ws:receive()) ws:receive() end) },
    }
    local session = fallback.open(t, server, "/chat")
    session:post { "tHello" }
    local stats = server:stats()
    assert.equal(1, stats.fallback_sessions)
    assert.is_true(stats.requests >= 2)
    assert.same({ 0, 0, 0 }, { stats.upgraded, stats.messages_received, stats.closed })
  end))

  it("stay when the server has closed", case(function(t)
    local server = t:server { websocket = case.echo }
    local ws = t:connect(server)
    ws:send "x"
    ws:receive(5)
    assert.is_true(server:close(5))
    local stats = server:stats()
    assert.same({ 1, 0, 1 }, { stats.upgraded, stats.connections, stats.messages_sent })
  end))
end)
