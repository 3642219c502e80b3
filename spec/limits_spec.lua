-- max_connections, max_connections_per_address and rate: what the core refuses
-- before any Lua runs.
local case = require "support.case"
local certificates = require "support.certificates"
local deflate = require "support.deflate"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"
local socket = require "socket"
local tls_peer = require "support.tls_peer"

local client = frame.client

--- A raw client that has sent its opening handshake.
local function ask(t, server)
  local raw = t:dial(server)
  raw:send(handshake.request())
  return raw
end

--- The handler waits until the connection ends, and the server has nothing to say.
local function quiet(ws)
  ws:wait_closed()
end

--- Waits until the server has so many connections of any kind.
local function has(t, server, count)
  t:wait_until(function()
    return server:stats().connections == count
  end, count .. " connections")
end

describe("max_connections", function()
  it("lets so many in, and the next when one has gone", case(function(t)
    local server = t:server { max_connections = 2, websocket = case.echo }
    local first, second = t:upgrade(server), t:upgrade(server)
    local third, fourth = ask(t, server), ask(t, server)
    assert.is_true(third:is_silent(0.05))
    assert.equal(2, server:stats().accepted)
    first:send(client.text "one" .. client.close(1000))
    assert.equal("one", (first:message()))
    assert.equal(1000, (first:close_frame()))
    assert.equal(101, third:parsed_head().status)
    assert.is_true(fourth:is_silent(0.05))
    second:reset()
    assert.equal(101, fourth:parsed_head().status)
    assert.equal(0, server:stats().refused)
  end))

  it("counts connections of every kind", case(function(t)
    local server = t:server {
      max_connections = 2, websocket = quiet, http = function() return 200, nil, "page" end,
    }
    local kept, silent = t:dial(server), t:dial(server)
    kept:send(handshake.http { keep = true })
    assert.equal(200, kept:parsed_head().status)
    assert.equal("page", kept:receive(4))
    has(t, server, 2)
    local late = ask(t, server)
    assert.is_true(late:is_silent(0.05))
    silent:close()
    assert.equal(101, late:parsed_head().status)
  end))

  it("serves any number, one after the other", case(function(t)
    local server = t:server { max_connections = 1, websocket = case.echo }
    local all = {}
    for i = 1, 20 do
      all[i] = ask(t, server)
    end
    for i, raw in ipairs(all) do
      assert.equal(101, raw:parsed_head().status)
      raw:send(client.text("number " .. i))
      assert.equal("number " .. i, (raw:message()))
      raw:close()
    end
    has(t, server, 0)
    assert.equal(20, server:stats().upgraded)
  end))

  it("does not keep a full server from closing", case(function(t)
    local server = t:server { max_connections = 1, websocket = quiet }
    local one = t:upgrade(server)
    local waiting = ask(t, server)
    assert.is_true(waiting:is_silent(0.05))
    t:spawn(function()
      assert.equal(1001, (one:close_frame()))
      one:send(client.close(1001))
    end)
    assert.is_true((server:close(5)))
    assert.not_equal("timeout", select(2, waiting:read_until_closed()))
  end))

  it("is each server's own", case(function(t)
    local one, other = t:server { max_connections = 1 }, t:server { max_connections = 1 }
    t:upgrade(one)
    assert.equal(101, t:upgrade(other).response.status)
  end))
end)

describe("max_connections_per_address", function()
  it("answers what comes past it with 429, whatever it asks for, before any Lua runs", case(function(t)
    local calls = 0
    local server = t:server {
      max_connections_per_address = 1, websocket = quiet,
      upgrade = function() calls = calls + 1 return true end,
      http = function() calls = calls + 1 return 200 end,
    }
    t:upgrade(server)
    for _, request in ipairs { handshake.request(), handshake.http(), ("x"):rep(100000) } do
      local answer = t:ask(server, request)
      assert.equal(429, answer.status)
      assert.equal("There are too many connections from this address.\n", answer.body)
      assert.equal("fin", answer.ending)
      assert.equal("close", answer.headers.connection)
      assert.equal("10", answer.headers["retry-after"])
    end
    assert.equal(1, calls)
    assert.same({ 4, 1, 3, 3 }, {
      server:stats().accepted, server:stats().upgraded, server:stats().refused, server:stats().over_address,
    })
  end))

  it("does not wait for the request", case(function(t)
    local server = t:server { max_connections_per_address = 1 }
    t:dial(server)
    local answer = t:dial(server):answer()
    assert.same({ 429, "fin" }, { answer.status, answer.ending })
  end))

  -- Behind a proxy that tells of them all clients would be one, and shut each other out.
  it("counts the client that a PROXY head names", case(function(t)
    local server = t:server { max_connections_per_address = 1, proxy_protocol = true, websocket = quiet }
    local function dial(head)
      local raw = t:dial(server)
      raw:send(head .. "\r\n" .. handshake.request())
      return raw
    end
    local function from(address)
      return ("PROXY TCP4 %s 127.0.0.1 56324 443"):format(address)
    end
    local first = dial(from "192.0.2.7")
    assert.equal(101, first:parsed_head().status)
    local again = dial(from "192.0.2.7")
    assert.same({ 429, "fin" }, { again:parsed_head().status, (select(2, again:read_until_closed())) })
    again:close()
    local second = dial(from "192.0.2.8")
    assert.equal(101, second:parsed_head().status)
    local own = dial "PROXY UNKNOWN"
    assert.equal(101, own:parsed_head().status)
    assert.equal(429, dial("PROXY UNKNOWN"):parsed_head().status)
    assert.equal(101, dial("PROXY TCP6 2001:db8::7 ::1 1 2"):parsed_head().status)
    assert.equal(429, dial("PROXY TCP6 2001:db8::8 ::1 1 2"):parsed_head().status)
    assert.equal(3, server:stats().over_address)
    first:reset()
    has(t, server, 3)
    assert.equal(101, dial(from "192.0.2.7"):parsed_head().status)
  end))

  it("drops them, too, when a crowd is told so, and says that once", case(function(t)
    local told = {}
    local server = t:server {
      max_connections_per_address = 1, proxy_protocol = true, websocket = quiet,
      log = function(event)
        local what = event.event .. (event.status or "")
        told[what] = (told[what] or 0) + 1
      end,
    }
    local head = "PROXY TCP4 192.0.2.7 127.0.0.1 56324 443\r\n" .. handshake.request()
    local crowd = {}
    for i = 0, 8 do
      crowd[i] = t:dial(server)
      crowd[i]:send(head)
      assert.equal(i == 0 and 101 or 429, crowd[i]:parsed_head().status) -- and stays
    end
    for i = 1, 3 do
      local raw = t:dial(server)
      pcall(raw.send, raw, head)
      assert.equal("", (raw:read_until_closed()))
      assert.equal(8 + i, server:stats().over_address)
    end
    assert.equal(9, server:stats().connections)
    assert.same({ listening = 1, open = 1, limit429 = 8, limit = 1 }, told)
  end))

  it("is a refused handshake to a client, which may come back", case(function(t)
    local server = t:server { max_connections_per_address = 2, websocket = case.echo }
    local first = t:connect(server)
    t:connect(server)
    local ws, message, code, response = t.weft.connect(t:url(server))
    assert.same({ "handshake refused: 429 Too Many Requests", "handshake", 429 }, { message, code, response.status })
    assert.is_nil(ws)
    assert.is_true(first:close())
    has(t, server, 1)
    assert.is_true(t:connect(server):send "back")
  end))

  it("has places again for every one that has gone, however it went", case(function(t)
    local server = t:server { max_connections_per_address = 3, websocket = quiet, handshake_timeout = 0.05 }
    for _ = 1, 3 do
      local one, two, three = t:upgrade(server), t:upgrade(server), t:dial(server)
      local late = t:dial(server)
      assert.equal(429, late:answer().status)
      late:close()
      one:reset()
      two:send(client.close(1000))
      two:read_until_closed()
      three:read_until_closed() -- it has taken too long
      three:close()
      has(t, server, 0)
    end
  end))

  it("drops more that come while a crowd of that address is told so", case(function(t)
    local server = t:server { max_connections_per_address = 1, websocket = quiet }
    t:upgrade(server)
    local told = {}
    for i = 1, 8 do
      told[i] = t:dial(server)
      assert.equal(429, told[i]:parsed_head().status) -- and it does not go away
    end
    local came, raw = pcall(t.dial, t, server) -- it may hear of its end at once
    assert.equal("", came and raw:read_until_closed() or "")
    t:wait_until(function()
      return server:stats().over_address == 9
    end, "the drop")
    assert.equal(9, server:stats().connections)
    told[1]:close()
    has(t, server, 8)
    assert.equal(429, t:dial(server):answer().status)
    assert.equal(10, server:stats().over_address)
  end))

  it("counts each address by itself", case(function(t)
    local server, port = t:listen { max_connections_per_address = 1, host = "0.0.0.0", websocket = quiet }
    t:upgrade(server)
    assert.equal(429, t:ask(server, handshake.request()).status)
    local other = socket.tcp4()
    if not other:bind("127.0.0.2", 0) then
      other:close()
      return -- a system with one address of its own
    end
    other:settimeout(5)
    assert(other:connect("127.0.0.1", port))
    other:send(handshake.request())
    other:settimeout(0)
    t.weft.wait(other, "r", 5)
    assert.equal("HTTP/1.1 101 Switching Protocols", (other:receive "*l"))
    other:close()
  end))

  it("counts IPv4 and IPv6 on one socket apart", case(function(t)
    local server, port = t:listen { max_connections_per_address = 1, host = "*" }
    t:connect(server)
    local status = select(4, t.weft.connect(t:url(server))).status
    assert.equal(429, status)
    local six = t.weft.connect(("ws://[::1]:%d/"):format(port))
    if six then -- a system with IPv6
      assert.equal(429, select(4, t.weft.connect(("ws://[::1]:%d/"):format(port))).status)
      six:abort()
    end
  end))

  it("answers over TLS, behind the handshake", case(function(t)
    local server = t:server {
      max_connections_per_address = 1, tls = certificates.with(certificates.server), websocket = case.echo,
    }
    local ws = t:connect(tls_peer.url(server), tls_peer.trusting())
    for _ = 1, 3 do
      local refused, message, code, response = t.weft.connect(tls_peer.url(server), tls_peer.trusting())
      assert.is_nil(refused)
      assert.same({ "handshake refused: 429 Too Many Requests", "handshake" }, { message, code })
      assert.equal("There are too many connections from this address.\n", response.body)
    end
    assert.is_true(ws:send "still")
    assert.equal("still", ws:receive(5))
    assert.is_true(ws:close())
    has(t, server, 0)
    assert.equal("open", t:connect(tls_peer.url(server), tls_peer.trusting()).state)
  end))

  it("is not for Unix-domain sockets", case(function(t)
    local path = os.tmpname()
    os.remove(path)
    local server = t:server { unix = path, max_connections_per_address = 1, websocket = quiet }
    for _ = 1, 3 do
      t:upgrade(path)
    end
    assert.equal(3, server:count())
  end))
end)

-- Small rates with a long burst: what time adds during a case does not count.
local function messages(count)
  return { messages = count / 1000, burst = 1000 }
end

local function bytes(count)
  return { bytes = count / 1000, burst = 1000 }
end

--- The server's end is over because of its rate.
local function check_over(t, ws, what)
  t:wait_until(function()
    return ws.state == "closed"
  end, "the end")
  assert.same({ "too_big", 1008 }, { ws.close_cause, ws.sent_code })
  assert.equal(("the peer sent more %s than the option rate lets it (RFC 6455, 10.4)"):format(what), ws.close_message)
end

--- A raw client, and the server's end once there is one.
local function limited(t, options, request)
  local ws
  options.websocket = options.websocket or case.echo
  local inner = options.websocket
  options.websocket = function(connection)
    ws = connection
    inner(connection)
  end
  local server = t:server(options)
  return t:upgrade(server, request), function() return ws end, server
end

describe("a rate", function()
  it("of messages: what is within it is delivered and answered, then 1008", case(function(t)
    local raw, ws, server = limited(t, { rate = messages(3) })
    raw:send(client.text "1" .. client.text "2" .. client.text "3" .. client.text "4" .. client.text "5")
    for i = 1, 3 do
      assert.equal(tostring(i), (raw:message()))
    end
    assert.equal(1008, (raw:close_frame()))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    raw:close()
    check_over(t, ws(), "messages")
    assert.equal(1, server:stats().over_rate)
  end))

  it("fills up as time goes by, and no further than the burst", case(function(t)
    local raw, ws = limited(t, { rate = { messages = 50, burst = 0.1 } })
    for _ = 1, 3 do
      for i = 1, 5 do
        raw:send(client.text("message " .. i))
        assert.equal("message " .. i, (raw:message()))
      end
      t.weft.sleep(0.12)
    end
    t.weft.sleep(0.2)
    raw:send(client.text("x"):rep(30))
    for _ = 1, 5 do
      assert.equal("x", (raw:message()))
    end
    local last
    repeat
      last = raw:frame()
    until last.opcode ~= frame.TEXT
    assert.same({ frame.CLOSE, 1008 }, { last.opcode, last.code })
    raw:close()
    check_over(t, ws(), "messages")
  end))

  it("counts a message once, however many its pieces are", case(function(t)
    local raw = limited(t, { rate = messages(2) })
    local pieces = client.text("a", { fin = false }) .. client.continuation("b", { fin = false }):rep(50)
      .. client.continuation "c"
    raw:send(pieces:rep(3))
    for _ = 1, 2 do
      assert.equal("a" .. ("b"):rep(50) .. "c", (raw:message()))
    end
    assert.equal(1008, (raw:close_frame()))
  end))

  for _, kind in ipairs { "ping", "pong" } do
    it("counts every " .. kind, case(function(t)
      local raw, ws = limited(t, { rate = messages(4) })
      raw:send(client.text "1" .. client[kind] "?":rep(3))
      assert.equal("1", (raw:message()))
      assert.equal("open", ws().state)
      raw:send(client[kind] "?")
      local got
      repeat
        got = raw:frame()
      until got.opcode ~= frame.PONG
      assert.equal(1008, got.code)
      raw:close()
      check_over(t, ws(), "messages")
    end))
  end

  it("lets the peer answer pings of ours", case(function(t)
    local raw, ws = limited(t, { rate = { messages = 1 / 1000, bytes = 8 / 1000, burst = 1000 }, ping_interval = 0.02 })
    for _ = 1, 4 do -- the keepalive's
      local ping = raw:frame()
      assert.equal(frame.PING, ping.opcode)
      raw:send(client.pong(ping.payload))
    end
    raw:send(client.text "allowed")
    local got
    repeat
      got = raw:frame()
      if got.opcode == frame.PING then
        raw:send(client.pong(got.payload))
      end
    until got.opcode ~= frame.PING
    assert.equal("allowed", got.payload)
    assert.equal("open", ws().state)
  end))

  it("lets the peer close whenever it likes", case(function(t)
    local raw, ws = limited(t, { rate = messages(1) })
    raw:send(client.text "1" .. client.close(1000, "bye"))
    assert.equal("1", (raw:message()))
    assert.equal(1000, (raw:close_frame()))
    t:wait_until(function() return ws().state == "closed" end)
    assert.equal("peer", ws().close_cause)
  end))

  it("of messages alone leaves their size alone, and one of bytes their number", case(function(t)
    local raw = limited(t, { rate = messages(1) })
    raw:send(client.binary(("x"):rep(300000)))
    assert.equal(300000, #raw:message())
    raw = limited(t, { rate = bytes(100) })
    raw:send(client.text "":rep(200))
    for _ = 1, 200 do
      assert.equal("", (raw:message()))
    end
  end))

  it("of bytes: counts payload as it arrives", case(function(t)
    local raw, ws = limited(t, { rate = bytes(1000) })
    raw:send(client.text(("x"):rep(600)) .. client.text(("y"):rep(400)))
    assert.equal(600, #raw:message())
    assert.equal(400, #raw:message())
    raw:send(client.text("", { announce = 100 })) -- of which none has come
    assert.is_true(raw:is_silent(0.02))
    raw:send "12"
    assert.equal(1008, (raw:close_frame()))
    raw:close()
    check_over(t, ws(), "bytes")
  end))

  it("of bytes: stops a long message on its way, however it comes", case(function(t)
    for _, size in ipairs { 100, 10000, 300000 } do
      local raw, ws = limited(t, { rate = bytes(50000) })
      t:spawn(function()
        raw:send_in_pieces(client.binary(("x"):rep(300000)), size)
      end)
      assert.equal(1008, (raw:close_frame()))
      raw:close()
      check_over(t, ws(), "bytes")
    end
  end))

  it("of bytes: counts pings too", case(function(t)
    local raw = limited(t, { rate = bytes(250) })
    raw:send(client.ping(("?"):rep(125)):rep(2))
    for _ = 1, 2 do
      assert.equal(frame.PONG, raw:frame().opcode)
    end
    raw:send(client.ping "?")
    assert.equal(1008, (raw:close_frame()))
  end))

  it("holds in ws:chunks()", case(function(t)
    local got = 0
    local raw, ws = limited(t, { rate = bytes(1000), websocket = function(ws)
      for chunk in ws:chunks() do
        got = got + #chunk
      end
    end })
    raw:send(client.binary(("x"):rep(400), { announce = 2000 }))
    for piece = 1, 2 do
      t:wait_until(function() return got == 400 * piece end)
      raw:send(("x"):rep(400)) -- of the same frame
    end
    assert.equal(1008, (raw:close_frame()))
    raw:close()
    check_over(t, ws(), "bytes")
    assert.equal(800, got)
  end))

  it("does not wait for a handler that does not receive", case(function(t)
    local raw, ws = limited(t, { rate = messages(3), close_timeout = 0.05, websocket = quiet })
    raw:send(client.text "x":rep(10))
    assert.equal(1008, (raw:close_frame()))
    raw:close()
    check_over(t, ws(), "messages")
  end))

  it("counts the time in which the server does not read", case(function(t)
    local raw, ws = limited(t, { rate = { messages = 100, burst = 0.05 }, receive_buffer = 100, websocket = function(ws)
      ws:send(ws:receive())
      ws:wait_closed(0.5) -- what comes stays in the kernel
      case.echo(ws)
    end })
    raw:send(client.text "first")
    raw:message()
    raw:send(client.text(("x"):rep(90)):rep(30))
    for _ = 1, 30 do
      assert.equal(90, #raw:message())
    end
    assert.equal("open", ws().state)
  end))

  it("is for WebSockets only", case(function(t)
    local server = t:server { rate = messages(1), http = function() return 200, nil, "page" end }
    local raw = t:dial(server)
    for _ = 1, 10 do
      raw:send(handshake.http { keep = true })
      assert.equal(200, raw:parsed_head().status)
      assert.equal("page", raw:receive(4))
    end
  end))

  it("is each connection's own", case(function(t)
    local server = t:server { rate = messages(1), websocket = case.echo }
    for _ = 1, 3 do
      local ws = t:connect(server)
      assert.is_true(ws:send "one")
      assert.equal("one", ws:receive(5))
    end
    assert.equal(3, server:count())
  end))

  it("holds on when the connection has rested", case(function(t)
    local server = t:server { rate = messages(2), websocket = case.echo }
    local raw = t:upgrade(server)
    raw:send(client.text "1")
    assert.equal("1", (raw:message()))
    local crowd = {}
    for i = 1, 300 do -- more than keep what they move bytes with
      crowd[i] = t.weft.pair()
    end
    t.weft.sleep(0.01)
    t.weft.sleep(0.01)
    raw:send(client.text "2")
    assert.equal("2", (raw:message()))
    raw:send(client.text "3")
    assert.equal(1008, (raw:close_frame()))
    for _, ws in ipairs(crowd) do
      ws:abort()
    end
  end))

  if deflate.available then
    it("of bytes: counts what comes out of compressed messages", case(function(t)
      local raw, ws = limited(t, { rate = bytes(100000), compression = true }, deflate.offering())
      raw:send(deflate.client.text(deflate.compress(("x"):rep(60000))))
      assert.equal(frame.TEXT, raw:frame().opcode)
      raw:send(deflate.client.text(deflate.compress(("x"):rep(60000))))
      assert.equal(1008, (raw:close_frame()))
      raw:close()
      check_over(t, ws(), "bytes")
    end))

    it("of bytes: or what goes in, if that is more", case(function(t)
      local raw, ws = limited(t, { rate = bytes(1000), compression = true }, deflate.offering())
      local nothing = deflate.client.text(("\0\0\0\xFF\xFF"):rep(90) .. "\0") -- empty blocks
      raw:send(nothing:rep(2))
      for _ = 1, 2 do
        assert.equal("", (raw:message()))
      end
      raw:send(nothing)
      assert.equal(1008, (raw:close_frame()))
      raw:close()
      check_over(t, ws(), "bytes")
    end))
  end
end)

describe("the options of limits", function()
  it("are checked", case(function(t)
    local function refused(options, ...)
      options.port, options.websocket = 0, quiet
      raises(function() t.weft.listen(options) end, "weft.listen: option '", ...)
    end
    for _, name in ipairs { "max_connections", "max_connections_per_address" } do
      for _, value in ipairs { 0, -1, 1.5, 0 / 0, "10", true } do
        refused({ [name] = value }, name, "a whole number, 1 or more")
      end
    end
    refused({ rate = 5 }, "rate'", "a table of messages, bytes and burst", "got 5")
    refused({ rate = {} }, "rate'", "'messages' or 'bytes'")
    refused({ rate = { burst = 5 } }, "rate'", "'messages' or 'bytes'")
    refused({ rate = { mesages = 5 } }, "rate.mesages'", "did you mean 'messages'?")
    for _, name in ipairs { "messages", "bytes" } do
      for _, value in ipairs { 0, -1, 0 / 0, "10", true } do
        refused({ rate = { [name] = value } }, "rate." .. name .. "'", "a number above 0")
      end
    end
    for _, value in ipairs { 0, -1, 0 / 0, math.huge, "10" } do
      refused({ rate = { messages = 1, burst = value } }, "rate.burst'", "seconds (a number above 0)")
    end
  end))

  it("may be what limits nothing", case(function(t)
    local server = t:server {
      max_connections = math.huge, max_connections_per_address = math.huge,
      rate = { messages = math.huge, bytes = math.huge }, websocket = case.echo,
    }
    local raw = t:upgrade(server)
    t:upgrade(server)
    raw:send(client.text "x":rep(1000))
    for _ = 1, 1000 do
      assert.equal("x", (raw:message()))
    end
  end))

  it("are a server's: a client has none", case(function(t)
    for _, name in ipairs { "max_connections", "max_connections_per_address", "rate" } do
      raises(function() t.weft.connect("ws://127.0.0.1:9/", { [name] = 5 }) end, "weft.connect", "unknown option '" .. name .. "'")
    end
  end))
end)
