-- server:stats(): everything is refused here that can be, and connections end in
-- every way, and that is seen in it.
local case = require "support.case"
local certificates = require "support.certificates"
local frame = require "support.frame"
local handshake = require "support.handshake"
local seen = require "support.stats"
local tls_peer = require "support.tls_peer"

local client = frame.client
local counted, ended = seen.counted, seen.ended

-- What is refused, by what for: options of the server, what a raw client sends,
-- and the status of the answer (nil: none).
local refusals = {
  { "request", "no request at all", {}, "hello\r\n\r\n", 400 },
  { "request", "an old version", {}, handshake.request { headers = { ["Sec-WebSocket-Version"] = "12" } }, 426 },
  { "request", "TLS where there is none", {}, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 400 },
  { "header", "a long head", { max_header = 1000 }, handshake.request { lines = { "X: " .. ("x"):rep(2000) } }, 431 },
  { "body", "a long body", { max_body = 10, http = function() return 200 end },
    handshake.http { method = "POST", headers = { ["Content-Length"] = "11" } }, 413 },
  { "timeout", "half a request", { handshake_timeout = 0.05 }, "GET / HTTP/1.1\r\n", 408 },
  { "timeout", "silence", { handshake_timeout = 0.05 }, "" },
  { "proxy", "no head of the PROXY protocol", { proxy_protocol = true }, handshake.request() },
  { "proxy", "one of somebody's", { proxy_protocol = true, trusted_proxies = { "192.0.2.1" } },
    "PROXY UNKNOWN\r\n" .. handshake.request() },
  { "host", "another host", { hosts = { "example.com" } }, handshake.request(), 421 },
  { "host", "another host's page", { hosts = { "example.com" }, http = print }, handshake.http(), 421 },
  { "origin", "another origin", {}, handshake.request { headers = { Origin = "http://example.com" } }, 403 },
  { "route", "another path", { websocket = { ["/chat"] = print } }, handshake.request(), 404 },
  { "upgrade", "whom upgrade refuses", { upgrade = function() return nil, 401 end }, handshake.request(), 401 },
}

describe("what is refused", function()
  for _, each in ipairs(refusals) do
    local reason, what, options, bytes, status = table.unpack(each, 1, 5)
    it(("is counted as %s: %s"):format(reason, what), case(function(t)
      local server = t:server(options)
      local raw = t:dial(server)
      raw:send(bytes)
      if status then
        assert.equal(status, raw:parsed_head().status)
      else
        assert.equal("", (raw:read_until_closed()))
      end
      local stats = server:stats()
      assert.same({ [reason] = 1 }, counted(stats.refused_by))
      assert.same({ 1, 0 }, { stats.refused, stats.upgraded })
    end))
  end

  it("is counted as address: one connection too many", case(function(t)
    local server = t:server { max_connections_per_address = 1 }
    t:upgrade(server)
    assert.equal(429, t:ask(server, handshake.request()).status)
    assert.same({ address = 1 }, counted(server:stats().refused_by))
    assert.equal(1, server:stats().over_address)
  end))

  it("is counted as tls, or as a request where it is no TLS", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server) }
    local raw = t:dial(server)
    raw:send "\x16\x03\x01\x00\x05\xFF\x00\x00\x01\x00"
    raw:read_until_closed()
    assert.same({ tls = 1 }, counted(server:stats().refused_by))
    assert.equal(400, t:http(server).status)
    assert.same({ tls = 1, request = 1 }, counted(server:stats().refused_by))
  end))

  it("is counted as error: an upgrade that raises", case(function(t)
    local server = t:server { upgrade = function() error("oh dear", 0) end }
    assert.equal(500, t:ask(server, handshake.request()).status)
    assert.equal("oh dear", t:reports()[1].error)
    assert.same({ error = 1 }, counted(server:stats().refused_by))
  end))

  it("is counted once: an upgrade that refuses with what is no answer", case(function(t)
    local server = t:server { upgrade = function() return nil, 401, "", { ["no token"] = "" } end }
    assert.equal(500, t:ask(server, handshake.request()).status)
    assert.matches("header", t:reports()[1].error)
    assert.same({ error = 1 }, counted(server:stats().refused_by))
  end))

  it("is counted once: an upgrade that refuses with a body that fails", case(function(t)
    local server = t:server { upgrade = function() return nil, 401, function() error("oh dear", 0) end end }
    assert.equal(500, t:ask(server, handshake.request()).status)
    assert.equal("oh dear", t:reports()[1].error)
    assert.same({ error = 1 }, counted(server:stats().refused_by))
    assert.equal(1, server:stats().refused)
  end))

  it("is not who only looks whether a port of TLS is there", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server) }
    t:dial(server):close()
    t:wait_until(function()
      local stats = server:stats()
      return stats.accepted == 1 and stats.connections == 0
    end)
    assert.equal(0, server:stats().refused)
  end))

  it("is counted as closing: an upgrade that outlives its server", case(function(t)
    local asked, answer = t.weft.queue(), t.weft.queue()
    local server = t:server { upgrade = function()
      asked:put(true)
      return answer:take()
    end }
    local raw = t:dial(server)
    raw:send(handshake.request())
    asked:take(5)
    local closing = t:spawn(function() return (server:close(5)) end)
    t.weft.sleep(0)
    answer:put(true)
    assert.equal(503, raw:parsed_head().status)
    raw:close()
    closing:join(5)
    assert.same({ closing = 1 }, counted(server:stats().refused_by))
  end))

  it("is counted as timeout: an upgrade that takes too long", case(function(t)
    local server = t:server { handshake_timeout = 0.05, upgrade = function()
      t.weft.queue():take()
    end }
    local raw = t:dial(server)
    raw:send(handshake.request())
    raw:read_until_closed()
    assert.same({ timeout = 1 }, counted(server:stats().refused_by))
  end))

  it("is not who has had an answer and asks no more, nor a page that is not there", case(function(t)
    local server = t:server { handshake_timeout = 0.05, http = { ["/"] = function() return 200 end } }
    local raw = t:dial(server)
    raw:send(handshake.http { keep = true })
    assert.equal(200, raw:parsed_head().status)
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.equal(404, t:http(server, { path = "/else" }).status)
    assert.equal(0, server:stats().refused)
  end))
end)

local function echo_close(code)
  return function(raw)
    raw:close_frame()
    raw:send(client.close(code))
  end
end

-- Ends, by their cause: the code, options of the server, and what a raw client does
-- once it has been let in.
local ends = {
  { "peer", 1001, {}, function(raw) raw:send(client.close(1001)) end },
  { "peer", 1005, {}, function(raw) raw:send(client.close()) end },
  { "peer", "3xxx", {}, function(raw) raw:send(client.close(3999)) end },
  { "local", "4xxx", { websocket = function(ws) ws:close(4000) end }, echo_close(1000) },
  { "local", 1006, { websocket = function(ws) ws:receive() ws:abort() end }, function(raw)
    raw:send(client.text "go")
  end },
  { "handler", 1000, { websocket = function() end }, echo_close(1000) },
  { "protocol", 1002, {}, function(raw) raw:send(client.build(3, "")) end },
  { "protocol", 1007, {}, function(raw) raw:send(client.text "\xFF") end },
  { "too_big", 1009, { max_message = 10 }, function(raw) raw:send(client.text(("x"):rep(11))) end },
  { "too_big", 1008, { rate = { messages = 1, burst = 1 }, websocket = case.echo }, function(raw)
    raw:send(client.text "1" .. client.text "2")
  end },
  { "ping_timeout", 1006, { ping_interval = 0.02, ping_timeout = 0.02 }, function() end },
  { "idle", 1000, { idle_timeout = 0.02 }, echo_close(1000) },
  { "timeout", 1000, { close_timeout = 0.02, websocket = function(ws) ws:close() end }, function() end },
  { "slow", 1006, { ping_interval = false, write_timeout = 0.02, websocket = function(ws)
    ws:try_send(("x"):rep(16 * 1024 * 1024), "binary")
    ws:wait_closed()
  end }, function() end },
  { "reset", 1006, {}, function(raw) raw:reset() end },
  { "eof", 1006, {}, function(raw) raw:shutdown() end },
}

describe("what ends", function()
  for _, each in ipairs(ends) do
    local cause, code, options, act = table.unpack(each)
    it(("is counted by its cause and its code: %s, %s"):format(cause, code), case(function(t)
      local server = t:server(options)
      local raw = t:upgrade(server, { receive_buffer = 4096 })
      t:spawn(function()
        act(raw)
        if cause ~= "slow" then
          raw:read_until_closed()
        end
        if raw.socket then
          raw:close()
        end
      end)
      local stats = ended(t, server)
      assert.same({ [cause] = 1 }, counted(stats.closed_by_cause))
      assert.same({ [code] = 1 }, stats.closed_by_code)
      assert.equal(code == 1008 and 1 or 0, stats.over_rate)
    end))
  end

  it("is counted as error: a handler that raises", case(function(t)
    local server = t:server { websocket = function() error("oh dear", 0) end }
    echo_close(1011)(t:upgrade(server))
    assert.same({ error = 1 }, counted(ended(t, server).closed_by_cause))
    assert.same({ [1011] = 1 }, server:stats().closed_by_code)
    assert.equal(1, #t:reports())
  end))

  it("is counted as tls: a stream that is cut off", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server) }
    local relay = tls_peer.relay(t, server)
    t:connect(tls_peer.url(relay.port), tls_peer.trusting())
    relay:cut()
    local stats = ended(t, server)
    assert.same({ tls = 1 }, counted(stats.closed_by_cause))
    assert.same({ [1006] = 1 }, stats.closed_by_code)
    assert.is_true(stats.bytes_received >= #handshake.request())
  end))

  it("is counted as shutdown when the server closes", case(function(t)
    local server = t:server()
    local ws = t:connect(server)
    assert.is_true(server:close(5))
    assert.equal(1001, ws.close_code)
    assert.same({ shutdown = 1 }, counted(server:stats().closed_by_cause))
    assert.same({ [1001] = 1 }, server:stats().closed_by_code)
  end))

  it("is an event stream by its cause alone, and a plain request not at all", case(function(t)
    local server = t:server { http = { ["/page"] = function() return 200 end, ["/events"] = function(request)
      request:event_stream():send "x"
    end } }
    t:http(server, { path = "/page" })
    local raw = t:dial(server)
    raw:send(handshake.http { path = "/events" })
    raw:read_until_closed()
    raw:close()
    local stats = ended(t, server)
    assert.same({ handler = 1 }, counted(stats.closed_by_cause))
    assert.same({}, stats.closed_by_code)
  end))
end)
