-- How connections over TLS end, well and badly.
local bits = require "support.bits"
local case = require "support.case"
local certificates = require "support.certificates"
local frame = require "support.frame"
local patience = require "support.patience"
local tls_peer = require "support.tls_peer"

local url, trusting = tls_peer.url, tls_peer.trusting

--- A server with TLS; without a handler its connections are t:accepted().
local function serve(t, options)
  local all = { tls = certificates.with(certificates.server) }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return t:server(all)
end

--- Both ends of a connection through a relay: client, server, relay.
local function relayed(t, client_options, server_options)
  local relay = tls_peer.relay(t, serve(t, server_options))
  local client = t:connect(url(relay.port), trusting(nil, client_options))
  return client, t:accepted(), relay
end

--- Waits for the end, which is a failure of this cause.
local function check_failed(ws, cause)
  assert.is_true((ws:wait_closed(5)))
  assert.same({ "closed", 1006, "", cause }, { ws.state, ws.close_code, ws.close_reason, ws.close_cause },
    ws.close_message)
  assert.same({ nil, "closed", 1006, "" }, { ws:receive(5) })
  assert.same({ nil, "closed", 1006, "" }, { ws:send "too late" })
  assert.equal("string", type(ws.close_message))
  return ws.close_message
end

describe("a TLS stream that is cut off", function()
  it("is a failure at both ends, no clean close", case(function(t)
    local client, server, relay = relayed(t)
    relay:cut()
    for _, ws in ipairs { client, server } do
      assert.matches("TLS", check_failed(ws, "tls"))
    end
  end))

  it("is one in the middle of a message too", case(function(t)
    local client, server, relay = relayed(t)
    local passed = 0
    relay.change = function(bytes, direction)
      passed = passed + (direction == "down" and #bytes or 0)
      relay.held = passed > 100000
      return bytes
    end
    t:spawn(function() server:send(("x"):rep(500000), "binary", 5) end)
    t:spawn(function()
      t:wait_until(function() return relay.held end, "half of the message")
      relay:cut()
    end)
    assert.same({ nil, "closed", 1006, "" }, { client:receive(5) })
    check_failed(client, "tls")
    check_failed(server, "tls")
  end))

  it("gives what came before", case(function(t)
    local client, server, relay = relayed(t)
    local passed
    relay.change = function(bytes, direction)
      passed = passed or direction == "down"
      return bytes
    end
    assert.is_true(server:send "last words")
    t:wait_until(function() return passed end, "the words")
    relay:cut()
    t:wait_until(function() return client.state == "closed" end, "the end")
    assert.same({ "last words", "text" }, { client:receive(5) })
    check_failed(client, "tls")
  end))

  it("is one in the closing handshake as well", case(function(t)
    local client, server, relay = relayed(t)
    relay.change = function()
      relay.held = true
      return ""
    end
    local closing = t:spawn(function() return client:close(1000, "bye", 5) end)
    t:wait_until(function() return relay.held end, "the close frame")
    relay:cut()
    assert.is_true((closing:join(5)))
    assert.same({ "closed", 1006, 1000 }, { client.state, client.close_code, client.sent_code })
    check_failed(server, "tls")
  end))

  it("is one for whoever waits: messages, send, ping, flush", case(function(t)
    local client, server, relay = relayed(t)
    local results = {}
    t:spawn(function()
      for _ in client:messages() do end
      results.messages = true
    end)
    t:spawn(function() results.ping = { client:ping("", 5) } end)
    relay.held = true
    t:spawn(function()
      repeat
        results.send = { server:send(("x"):rep(1000000), "binary") }
      until not results.send[1]
    end)
    t:spawn(function()
      repeat -- until it is the one that waits for the end
        t.weft.sleep(0)
        results.flush = { server:flush() }
      until not results.flush[1]
    end)
    t.weft.sleep(0.02)
    t:wait_until(function() return server.buffered > 0 end, "a full socket")
    relay:cut()
    t:wait_until(function()
      return results.messages and results.ping and results.send and not results.send[1]
        and results.flush and not results.flush[1]
    end, "the end of all four")
    assert.same({ nil, "closed", 1006, "" }, results.ping)
    assert.same({ nil, "closed", 1006, "" }, results.send)
    assert.same({ nil, "closed", 1006, "" }, results.flush)
    assert.equal("tls", client.close_cause)
  end))
end)

describe("a TLS stream that ends properly without a close frame", function()
  it('is "eof" at a server', case(function(t)
    local openssl = tls_peer.s_client(t, serve(t))
    openssl:upgrade()
    local ws = t:accepted()
    openssl:end_input()
    check_failed(ws, "eof")
    openssl:finish()
  end))

  it('is "eof" at a client', case(function(t)
    local port = t:free_port()
    local openssl = tls_peer.openssl(t, {
      "s_server", "-quiet", "-accept", "127.0.0.1:" .. port,
      "-cert", certificates.server.cert, "-key", certificates.server.key,
    })
    t:spawn(function()
      openssl:accept_upgrade()
      openssl:end_input()
    end)
    local ws
    t:wait_until(function()
      local got, message, code = t.weft.connect(url(port), trusting())
      assert.is_true(got ~= nil or code == "refused", message)
      ws = got
      return got
    end, "a server that listens")
    check_failed(ws, "eof")
  end))
end)

describe("bytes that are not what the other end sent", function()
  local nonsense = {
    ["a text"] = "HTTP/1.1 500 Oops\r\n\r\n",
    ["zeros"] = ("\0"):rep(64),
    ["a record that no key opens"] = "\x17\x03\x03\0\x40" .. ("\xa5"):rep(64),
    ["an empty record"] = "\x17\x03\x03\0\0",
    ["a record that is too long"] = "\x17\x03\x03\xff\xff" .. ("x"):rep(70000),
    ["a plain alert"] = "\x15\x03\x03\0\2\2\40",
    ["a new hello"] = "\x16\x03\x03\0\4\1\0\0\0",
  }
  for what, bytes in pairs(nonsense) do
    it('end a client with "tls": ' .. what, case(function(t)
      local client, server, relay = relayed(t)
      relay:inject("down", bytes)
      check_failed(client, "tls")
      assert.is_true((server:wait_closed(5)))
      assert.equal(1006, server.close_code)
    end))

    it('end a server\'s connection with "tls": ' .. what, case(function(t)
      local client, server, relay = relayed(t)
      relay:inject("up", bytes)
      check_failed(server, "tls")
      assert.is_true((client:wait_closed(5)))
      assert.equal(1006, client.close_code)
    end))
  end

  --- The next bytes in this direction become something else.
  local function once(relay, wanted, change)
    relay.change = function(bytes, direction)
      if direction ~= wanted then
        return bytes
      end
      relay.change = nil
      return change(bytes)
    end
  end

  local wrong = {
    ["one bit flipped"] = function(bytes)
      return bytes:sub(1, -2) .. string.char(bits.bxor(bytes:byte(-1), 1))
    end,
    ["one byte left out"] = function(bytes)
      return bytes:sub(1, -2)
    end,
    ["a record that comes twice"] = function(bytes)
      return bytes .. bytes
    end,
  }
  for what, change in pairs(wrong) do
    it('end with "tls": ' .. what, case(function(t)
      for _, up in ipairs { true, false } do
        local client, server, relay = relayed(t)
        local from, to = client, server
        if not up then
          from, to = server, client
        end
        once(relay, up and "up" or "down", change)
        assert.is_true(from:send "mind the gap")
        t.weft.sleep(0.01) -- what comes after shows the gap
        from:try_send "another"
        assert.is_true((to:wait_closed(5)))
        assert.same({ 1006, "tls" }, { to.close_code, to.close_cause })
        assert.is_true((from:wait_closed(5)))
        assert.equal(1006, from.close_code)
      end
    end))
  end

  it("are told to the other end, which knows then why", case(function(t)
    local client, server, relay = relayed(t)
    relay:inject("down", "\x17\x03\x03\0\x40" .. ("\xa5"):rep(64))
    check_failed(client, "tls")
    assert.matches("record", check_failed(server, "tls"))
  end))
end)

describe("a reset", function()
  it("of the TCP connection is a reset", case(function(t)
    local client, server, relay = relayed(t)
    relay:reset()
    check_failed(client, "reset")
    check_failed(server, "reset")
  end))

  it("of a peer that aborts is a failure here and an end there", case(function(t)
    local client, server = relayed(t)
    client:abort()
    assert.same({ "closed", 1006 }, { client.state, client.close_code })
    assert.is_true((server:wait_closed(5)))
    assert.equal(1006, server.close_code)
    assert.is_true(server.close_cause == "tls" or server.close_cause == "reset", server.close_cause)
  end))

  it("comes when the last reference is lost", case(function(t)
    local server = serve(t)
    do
      assert(t.weft.connect(url(server), trusting()))
    end
    local ws = t:accepted()
    collectgarbage()
    collectgarbage()
    assert.is_true((ws:wait_closed(5)))
    assert.equal(1006, ws.close_code)
  end))
end)

describe("the closing handshake over TLS", function()
  it("is clean when the client begins, and when the server does", case(function(t)
    for _, by_client in ipairs { true, false } do
      local client, server = relayed(t)
      local first, second = client, server
      if not by_client then
        first, second = server, client
      end
      local other = t:spawn(function() return second:wait_closed(5) end)
      assert.is_true(first:close(4001, "enough"))
      assert.is_true((other:join(5)))
      assert.same({ 4001, "local", 4001 }, { first.close_code, first.close_cause, first.sent_code })
      assert.same({ 4001, "enough", "peer" }, { second.close_code, second.close_reason, second.close_cause })
    end
  end))

  it("is clean when both begin", case(function(t)
    local client, server = relayed(t)
    local task = t:spawn(function() return server:close(4002) end)
    assert.is_true(client:close(4001))
    assert.same({ true, true }, { task:join(5) })
    assert.same({ 4002, 4001 }, { client.close_code, server.close_code })
  end))

  it("brings all that was queued first", case(function(t)
    local client, server = relayed(t)
    local message = ("x"):rep(1000000)
    t:spawn(function()
      assert.is_true(server:send(message))
      assert.is_true(server:close())
    end)
    assert.is_true(client:receive(5) == message)
    assert.same({ nil, "closed", 1000, "" }, { client:receive(5) })
  end))

  it("ends the stream for openssl's client", case(function(t)
    local openssl = tls_peer.s_client(t, serve(t), { "-quiet" })
    openssl:upgrade()
    local ws = t:accepted()
    local closing = t:spawn(function() return ws:close(1000) end)
    openssl:expect(frame.server.close(1000))
    openssl:write(frame.client.close(1000))
    local _, errors, status = openssl:finish()
    assert.same({ true, true }, { closing:join(5) })
    assert.equal(0, status)
    assert.is_nil(errors:find "unexpected eof", errors)
  end))

  it("ends the stream for openssl's server", case(function(t)
    local port, openssl = tls_peer.s_server(t, certificates.server, { "-naccept", "1" })
    t:spawn(function()
      openssl:accept_upgrade()
      openssl:expect(frame.client.build(frame.CLOSE, "", { mask = false }):sub(1, 1))
      openssl:write(frame.server.close(1000))
    end)
    local ws = t:connect(url(port), trusting(nil, { close_timeout = patience(0.3) })) -- it never ends first
    assert.is_true(ws:close(1000))
    openssl:end_input()
    local output, errors = openssl:finish()
    assert.matches("DONE", output)
    assert.is_nil((output .. errors):find "unexpected eof", errors)
  end))

  it("with a peer that says nothing more ends in time", case(function(t)
    local client, _, relay = relayed(t, { close_timeout = 0.1 })
    relay.held = true
    local began = t.weft.now()
    assert.same({ nil, "timeout" }, { client:close() })
    assert.is_true(t.weft.now() - began < patience(2))
    assert.same({ 1006, "timeout" }, { client.close_code, client.close_cause })
  end))

  it("with a handler that returns, and one that fails", case(function(t)
    local server = serve(t, { websocket = function(ws)
      if ws.request.path == "/fail" then
        error "as asked"
      end
      ws:send "done"
    end })
    local ws = t:connect(url(server), trusting())
    assert.equal("done", (ws:receive(5)))
    assert.same({ nil, "closed", 1000, "" }, { ws:receive(5) })
    ws = t:connect(url(server, nil, "/fail"), trusting())
    assert.same({ nil, "closed", 1011, "" }, { ws:receive(5) })
    assert.equal(1, #t:reports())
  end))

  it("by a server that closes tells everyone", case(function(t)
    local server = serve(t)
    local clients = {}
    for i = 1, 10 do
      clients[i] = t:connect(url(server), trusting())
    end
    assert.is_true(server:close(5))
    for _, ws in ipairs(clients) do
      assert.is_true((ws:wait_closed(5)))
      assert.same({ 1001, "peer" }, { ws.close_code, ws.close_cause })
    end
  end))
end)

describe("a protocol error over TLS", function()
  it("is answered with its close frame, and the stream ends properly", case(function(t)
    local openssl = tls_peer.s_client(t, serve(t), { "-quiet" })
    openssl:upgrade()
    local ws = t:accepted()
    openssl:write(frame.client.text "before" .. frame.server.text "not masked")
    assert.equal("before", (ws:receive(5)))
    assert.same({ nil, "closed", 1006, "" }, { ws:receive(5) })
    assert.equal("protocol", ws.close_cause)
    local output, errors = openssl:finish()
    local frames = frame.parse((output:match "\r\n\r\n(.*)"))
    assert.equal(1002, frames[#frames].code)
    assert.is_nil(errors:find "unexpected eof", errors)
  end))
end)
