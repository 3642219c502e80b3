-- Messages over TLS: what works over TCP works the same.
local case = require "support.case"
local certificates = require "support.certificates"
local frame = require "support.frame"
local patience = require "support.patience"
local tls_peer = require "support.tls_peer"

local url, trusting = tls_peer.url, tls_peer.trusting

local MIB = 1024 * 1024

--- A server's options, with TLS.
local function secured(options)
  local all = { tls = certificates.with(certificates.server), max_message = 20 * MIB }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return all
end

--- A client of a server or port, with TLS.
local function connect(t, to, options)
  local all = trusting(nil, options)
  all.max_message = 20 * MIB
  return t:connect(url(to), all)
end

--- Both ends of one connection: client, server.
local function both(t, client_options, server_options)
  local server = t:server(secured(server_options))
  local client = connect(t, server, client_options)
  return client, t:accepted()
end

-- No two stretches of it are the same.
local noise = (function()
  local parts, state = {}, 12345
  for i = 1, 3 * MIB / 8 + 1 do
    state = state * 16807 % 2147483647 -- of Park and Miller
    parts[i] = string.pack("<I4I4", state, i)
  end
  return table.concat(parts)
end)()

--- A message of this size: binary noise, or text.
local function message_of(kind, size)
  local bytes = noise:sub(1, size)
  return kind == "text" and bytes:gsub("[^%w]", "x") or bytes
end

describe("an echo over TLS", function()
  for _, kind in ipairs { "text", "binary" } do
    it("is true at every size, " .. kind, case(function(t)
      local ws = connect(t, t:server(secured { websocket = case.echo }))
      for _, size in ipairs {
        0, 1, 125, 126, 4096, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 100000, MIB, 3 * MIB,
      } do
        local message = message_of(kind, size)
        assert.is_true(ws:send(message, kind))
        local got, got_kind, code = ws:receive(10)
        assert.is_true(got == message, ("%d bytes: %s"):format(size, got and #got or tostring(code)))
        assert.equal(kind, got_kind)
      end
      assert.is_true(ws:close())
    end))
  end

  it("works in both directions at once", case(function(t)
    local client, server = both(t)
    local tasks = {}
    for name, ends in pairs { down = { server, client }, up = { client, server } } do
      tasks[#tasks + 1] = t:spawn(function()
        for i = 1, 200 do
          assert.is_true(ends[1]:send(name .. i .. noise:sub(i, i * 100), "binary"))
        end
      end)
      tasks[#tasks + 1] = t:spawn(function()
        for i = 1, 200 do
          assert.is_true(ends[2]:receive(patience(10)) == name .. i .. noise:sub(i, i * 100), name .. i)
        end
      end)
    end
    for _, task in ipairs(tasks) do
      assert.is_true(task:join(patience(30)))
    end
    assert.is_true(client:close())
  end))

  it("works on many connections at once", case(function(t)
    local server = t:server(secured { websocket = case.echo })
    local tasks = {}
    for i = 1, 40 do
      tasks[i] = t:spawn(function()
        local ws = connect(t, server)
        for round = 1, 10 do
          local message = ("client %d round %d "):format(i, round) .. noise:sub(1, i * round):gsub("[^%w]", "")
          assert.is_true(ws:send(message))
          assert.equal(message, (ws:receive(10)))
        end
        assert.is_true(ws:close())
      end)
    end
    for _, task in ipairs(tasks) do
      assert.is_true(task:join(10))
    end
  end))

  it("works with a thousand small messages at once", case(function(t)
    local ws = connect(t, t:server(secured { websocket = case.echo }))
    t:spawn(function()
      for i = 1, 1000 do
        assert.is_true(ws:send("message " .. i))
      end
    end)
    for i = 1, 1000 do
      assert.equal("message " .. i, (ws:receive(5)))
    end
    assert.is_true(ws:close())
  end))

  it("works on the main thread", case.blocking(function(t)
    local ws = connect(t, t:server(secured { websocket = case.echo }))
    for _, size in ipairs { 1, 70000, MIB } do
      assert.is_true(ws:send(noise:sub(1, size), "binary"))
      assert.is_true(ws:receive(10) == noise:sub(1, size))
    end
    assert.is_true(ws:close())
  end))

  it("works with events at both ends", case(function(t)
    local got, closed = {}, nil
    local server = t:server(secured { websocket = {
      message = function(ws, message, kind) ws:send(message, kind) end,
    } })
    local ws = t.weft.connect(url(server), trusting(nil, { events = {
      open = function(ws) ws:send "one" ws:send "two" end,
      message = function(ws, message)
        got[#got + 1] = message
        if #got == 2 then
          ws:close(4001, "enough")
        end
      end,
      close = function(_, code) closed = code end,
    } }))
    t:wait_until(function() return closed end, "the close")
    assert.same({ "one", "two" }, got)
    assert.equal(4001, closed)
    assert.equal("closed", ws.state)
  end))

  for _, piece in ipairs { 1, 5, 1000 } do
    it(("goes through a network that passes %d bytes at a time"):format(piece), case(function(t)
      local relay = tls_peer.relay(t, t:server(secured { websocket = case.echo }))
      relay.piece = piece
      local ws = connect(t, relay.port)
      for _, size in ipairs { 0, 1, 300, piece * 100 } do
        assert.is_true(ws:send(noise:sub(1, size), "binary"))
        assert.is_true(ws:receive(10) == noise:sub(1, size))
      end
      assert.is_true(ws:close())
    end, 20))
  end
end)

describe("a slow reader over TLS", function()
  it("gets sixteen mebibytes in order, and send waits meanwhile", case(function(t)
    local sent, most, relay = 0, 0, nil
    local server = t:server(secured { websocket = function(ws)
      t:wait_until(function() return relay.held end, "the relay to be held")
      for i = 1, 16 do
        assert(ws:send(noise:sub(i, i + MIB - 1), "binary"))
        sent = i
        most = math.max(most, ws.buffered)
      end
    end })
    relay = tls_peer.relay(t, server)
    local ws = connect(t, relay.port)
    relay.held = true
    t:wait_until(function() return most > 0 end, "the first message")
    t.weft.sleep(0.05)
    assert.is_true(sent < 16, "nothing waited for the reader")
    relay.held, relay.pause = false, 0.0005
    for i = 1, 16 do
      assert.is_true(ws:receive(10) == noise:sub(i, i + MIB - 1), "message " .. i)
    end
    assert.is_true(most <= 2 * MIB + 65536, most .. " bytes were queued")
    assert.is_true((ws:wait_closed(5)))
    assert.same({ 1000, "peer" }, { ws.close_code, ws.close_cause })
  end, 20))

  it("gets one message of sixteen mebibytes", case(function(t)
    local message = noise:rep(6):sub(1, 16 * MIB)
    local relay = tls_peer.relay(t, t:server(secured { websocket = function(ws)
      assert(ws:send(message, "binary"))
    end }))
    relay.pause = 0.0005
    local ws = connect(t, relay.port)
    assert.is_true(ws:receive(15) == message)
    assert.is_true((ws:wait_closed(5)))
  end, 20))

  it("that reads no more ends as \"slow\"", case(function(t)
    local ended
    local relay = tls_peer.relay(t, t:server(secured {
      write_timeout = 0.2, ping_interval = false,
      websocket = function(ws)
        while ws:send(noise:sub(1, MIB), "binary") do end
        ended = ws
      end,
    }))
    connect(t, relay.port, { ping_interval = false })
    relay.held = true
    t:wait_until(function() return ended end, "the end")
    assert.same({ 1006, "slow" }, { ended.close_code, ended.close_cause })
  end))
end)

describe("the other calls over TLS", function()
  it("measure a round trip", case(function(t)
    local client, server = both(t)
    t:spawn(function() server:receive() end)
    t:spawn(function() client:receive() end)
    assert.is_true(client:ping() > 0)
    assert.is_true(server:ping("payload", 5) > 0)
    assert.is_true(client:close())
  end))

  it("keep an idle connection alive", case(function(t)
    local client, server = both(t, { ping_interval = 0.02, ping_timeout = patience(2) },
      { ping_interval = 0.02, ping_timeout = patience(2) })
    t:wait_until(function() return client.latency and server.latency end, "pongs both ways")
    assert.same({ "open", "open" }, { client.state, server.state })
    assert.is_true(client:close())
  end))

  it("notice a peer that has gone without a word", case(function(t)
    local server = t:server(secured { ping_interval = 0.05, ping_timeout = 0.1 })
    local relay = tls_peer.relay(t, server)
    connect(t, relay.port, { ping_interval = false })
    local ws = t:accepted()
    relay.held = true
    assert.is_true((ws:wait_closed(5)))
    assert.same({ 1006, "ping_timeout" }, { ws.close_code, ws.close_cause })
  end))

  it("send and receive one message piece by piece", case(function(t)
    local client, server = both(t)
    t:spawn(function()
      local writer = client:writer "binary"
      for at = 1, 3 * MIB, 50000 do
        assert.is_true(writer:write(noise:sub(at, math.min(at + 49999, 3 * MIB))))
      end
      assert.is_true(writer:close())
    end)
    local parts = {}
    for chunk in server:chunks() do
      parts[#parts + 1] = chunk
    end
    assert.is_true(table.concat(parts) == noise:sub(1, 3 * MIB))
    assert.is_true(client:close())
  end))

  it("reach everyone in a room", case(function(t)
    local room = t.weft.room()
    local server = t:server(secured { websocket = function(ws)
      room:join(ws)
      ws:wait_closed()
    end })
    local members = { t:connect(t:server { websocket = function(ws)
      room:join(ws)
      ws:wait_closed()
    end }) } -- one of them without TLS
    for i = 2, 12 do
      members[i] = connect(t, server)
    end
    t:wait_until(function() return room:count() == 12 end, "the members")
    for _, message in ipairs { "to all", noise:sub(1, 200000) } do
      assert.equal(12, (room:send(message, "binary")))
      for _, ws in ipairs(members) do
        assert.is_true(ws:receive(5) == message)
      end
    end
    for _, ws in ipairs(members) do
      assert.is_true(ws:close())
    end
  end))

  it("flush, and count what the kernel has not taken", case(function(t)
    local client, server = both(t)
    assert.is_true(client:send(noise:sub(1, 500000), "binary"))
    t:spawn(function() server:receive(5) end)
    assert.is_true(client:flush(5))
    assert.equal(0, client.buffered)
    assert.is_true(client:close())
  end))
end)

describe("the openssl command", function()
  it("as a client is echoed to", case(function(t)
    local openssl = tls_peer.s_client(t, t:server(secured { websocket = case.echo }), { "-quiet" })
    openssl:upgrade()
    for _, message in ipairs { "hello", ("x"):rep(70000) } do
      openssl:write(frame.client.text(message))
      openssl:expect(frame.server.text(message))
    end
    openssl:write(frame.client.close(1000))
    openssl:expect(frame.server.close(1000))
    local _, errors, status = openssl:finish()
    assert.equal(0, status)
    assert.is_nil(errors:find "unexpected eof", "the stream ends with close_notify")
  end))

  for _, version in ipairs { "-tls1_2", "-tls1_3" } do
    it("as a client is echoed to: " .. version, case(function(t)
      local openssl = tls_peer.s_client(t, t:server(secured { websocket = case.echo }), { "-quiet", version })
      openssl:upgrade()
      openssl:write(frame.client.text "hello")
      openssl:expect(frame.server.text "hello")
      openssl:write(frame.client.close(1000))
      assert.equal(0, select(3, openssl:finish()))
    end))

    it("as a server is spoken to: " .. version, case(function(t)
      local port, openssl = tls_peer.s_server(t, certificates.server, { version })
      t:spawn(function()
        openssl:accept_upgrade()
        openssl:write(frame.server.text "hello")
      end)
      local ws = connect(t, port)
      assert.equal("hello", (ws:receive(5)))
      local long = noise:sub(1, 40000):gsub("[^%w]", "x")
      assert.is_true(ws:send(long))
      t:wait_until(function()
        local got = frame.parse((openssl:output():match "\r\n\r\n(.*)"))[1]
        return got and got.payload == long
      end, "the message")
      openssl:write(frame.server.close(4000, "bye"))
      t:wait_until(function() return ws.state == "closing" end, "the close frame")
      openssl:close() -- not in order, but what matters has been said
      assert.is_true((ws:wait_closed(5)))
      assert.same({ 4000, "bye", "peer" }, { ws.close_code, ws.close_reason, ws.close_cause })
    end))
  end

  it("may change its keys on the way", case(function(t)
    local openssl = tls_peer.s_client(t, t:server(secured { websocket = case.echo }), { "-tls1_3" })
    openssl:upgrade()
    for i, letter in ipairs { "k", "K", "K" } do -- its own alone; both sides'
      openssl:write(letter .. "\n")
      t:wait_until(function()
        local _, errors = openssl:output()
        return select(2, errors:gsub("KEYUPDATE", "")) == i
      end, "the new keys")
      openssl:write(frame.client.text("after " .. letter .. i))
      openssl:expect(frame.server.text("after " .. letter .. i))
    end
    openssl:write(frame.client.close(1000))
    openssl:finish()
  end))

  it("cannot renegotiate", case(function(t)
    local server = t:server(secured { websocket = case.echo })
    local openssl = tls_peer.s_client(t, server, { "-tls1_2" })
    openssl:upgrade()
    openssl:write "R\n"
    local _, errors = openssl:finish()
    assert.matches("no renegotiation", errors)
    t:wait_until(function() return server:count() == 0 end, "the end")
  end))
end)
