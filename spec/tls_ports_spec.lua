-- What comes to a TLS port, or goes to one that is none: other protocols, plain
-- HTTP, nonsense.
local bits = require "support.bits"
local case = require "support.case"
local certificates = require "support.certificates"
local handshake = require "support.handshake"
local patience = require "support.patience"
local tls_peer = require "support.tls_peer"

local url, trusting = tls_peer.url, tls_peer.trusting

--- A server with TLS that echoes.
local function serve(t, options)
  local all = { tls = certificates.with(certificates.server), websocket = case.echo }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return t:server(all)
end

--- One message there and back, and a clean end.
local function check_serves(t, server)
  local ws = t:connect(url(server), trusting())
  assert.is_true(ws:send "hello")
  assert.equal("hello", (ws:receive(5)))
  assert.is_true(ws:close())
end

local the_hello

--- A ClientHello as openssl sends it.
local function client_hello(t)
  if the_hello then
    return the_hello
  end
  local bytes
  local port = t:serve_raw(function(raw)
    local head = raw:receive(5)
    bytes = head .. raw:receive((string.unpack(">I2", head, 4)))
    raw:close()
  end)
  tls_peer.s_client(t, port, { "-quiet" }):finish()
  the_hello = bytes
  return bytes
end

describe("the protocol within (ALPN)", function()
  for words, agreed in pairs {
    ["http/1.1"] = "ALPN protocol: http/1.1", ["h2,http/1.1"] = "ALPN protocol: http/1.1",
    [false] = "No ALPN negotiated",
  } do
    it("is http/1.1 for a client that offers " .. tostring(words or "none"), case(function(t)
      local openssl = tls_peer.s_client(t, serve(t), words and { "-alpn", words } or {})
      openssl:upgrade()
      openssl:end_input()
      assert.is_truthy(openssl:finish():find(agreed, 1, true))
    end))
  end

  for _, words in ipairs { "h2", "h2,spdy/3" } do
    it("is refused when it is only " .. words, case(function(t)
      local server = serve(t)
      local _, errors, status = tls_peer.s_client(t, server, { "-quiet", "-alpn", words }):finish()
      assert.matches("no application protocol", errors)
      assert.not_equal(0, status)
      check_serves(t, server)
    end))
  end

  it("is what a client tells openssl", case(function(t)
    local port, openssl = tls_peer.s_server(t, certificates.server, { "-alpn", "http/1.1" })
    t:spawn(function() openssl:accept_upgrade() end)
    local ws = t:connect(url(port), trusting())
    assert.is_truthy(openssl:output():find("ALPN protocols selected: http/1.1", 1, true))
    ws:abort()
  end))

  it("is refused by a server that speaks h2 alone: the client says so", case(function(t)
    local port = tls_peer.s_server(t, certificates.server, { "-alpn", "h2" })
    local ws, message, code = t.weft.connect(url(port), trusting())
    assert.same({ nil, "tls" }, { ws, code })
    assert.matches("protocol", message)
  end))
end)

describe("plain HTTP at a TLS port", function()
  for what, request in pairs {
    ["a request"] = handshake.http(), ["a handshake"] = handshake.request(),
    ["a request with a body"] = handshake.http { method = "POST", headers = { ["Content-Length"] = "5" } } .. "hello",
    ["a head that never ends"] = "GET / HTTP/1.1\r\nHost: x\r\n",
  } do
    it("gets a 400 in plain text that says what the port speaks: " .. what, case(function(t)
      local server = serve(t)
      local answer = t:ask(server, request)
      assert.equal(400, answer.status)
      assert.matches("^text/plain", answer.headers["content-type"])
      assert.equal("close", answer.headers.connection:lower())
      assert.equal(tonumber(answer.headers["content-length"]), #answer.body)
      assert.matches("TLS", answer.body)
      assert.matches("wss://", answer.body)
      assert.equal("fin", answer.ending)
      check_serves(t, server)
    end))
  end

  it("gets it though the bytes come one at a time", case(function(t)
    local raw = t:dial(serve(t))
    raw:send_in_pieces(handshake.http(), 1)
    assert.equal(400, raw:answer().status)
  end))

  it("is a refused handshake to a client that forgot the s", case(function(t)
    local ws, message, code, response = t.weft.connect(t:url(serve(t)))
    assert.is_nil(ws)
    assert.equal("handshake refused: 400 Bad Request", message)
    assert.same({ "handshake", 400 }, { code, response.status })
    assert.matches("TLS", response.body)
  end))
end)

describe("TLS at a plain port", function()
  it("gets an answer that can be read on the wire", case(function(t)
    local server = t:server { websocket = case.echo }
    local raw = t:dial(server)
    raw:send(client_hello(t))
    local answer = raw:answer()
    assert.equal(400, answer.status)
    assert.matches("does not speak TLS", answer.body)
    assert.equal("fin", answer.ending)
    local ws = t:connect(server)
    assert.is_true(ws:close())
  end))

  it("is told by openssl at once", case(function(t)
    local _, errors, status = tls_peer.s_client(t, t:server { websocket = case.echo }, { "-quiet" }):finish()
    assert.matches("wrong version number", errors)
    assert.not_equal(0, status)
  end))

  it("is told by the client in words", case(function(t)
    local server = t:server { websocket = case.echo }
    local ws, message, code = t.weft.connect(url(server), trusting())
    assert.same({ nil, "tls" }, { ws, code })
    assert.matches("does not speak TLS", message)
    assert.is_truthy(message:find(":" .. server:port(), 1, true), message)
  end))

  for what, answer in pairs {
    ["answers in HTTP"] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ["greets before it is asked"] = "220 mail.example.com ESMTP\r\n",
    ["sends zeros"] = ("\0"):rep(100),
  } do
    it("is told so of a server that " .. what, case(function(t)
      local port = t:serve_raw(function(raw)
        if answer:sub(1, 4) == "HTTP" then
          raw:receive(5)
        end
        raw:send(answer)
        raw:read_until_closed()
      end)
      local ws, message, code = t.weft.connect(url(port), trusting())
      assert.same({ nil, "tls" }, { ws, code })
      assert.matches("does not speak TLS", message)
    end))
  end
end)

describe("nonsense at a TLS port", function()
  for what, bytes in pairs {
    ["no bytes at all"] = "", ["one byte"] = "\x16", ["zeros"] = ("\0"):rep(1000), ["a text"] = "hello?\r\n\r\n",
    ["a record that is too long"] = "\x16\x03\x01\xff\xff" .. ("x"):rep(1000),
    ["an alert"] = "\x15\x03\x03\0\2\2\40", ["application data"] = "\x17\x03\x03\0\5hello",
    ["a hello of nothing"] = "\x16\x03\x01\0\4\1\0\0\0",
    ["a hello of rubbish"] = "\x16\x03\x01\0\x40\1\0\0\x3c" .. ("\xa5"):rep(0x3c),
  } do
    it("ends, and nothing else happens: " .. what, case(function(t)
      local server = serve(t)
      local raw = t:dial(server)
      raw:send(bytes)
      raw:shutdown()
      assert.not_equal("timeout", select(2, raw:read_until_closed()))
      check_serves(t, server)
      assert.equal(0, #t:reports())
    end))
  end

  it("ends after a hello, byte by byte cut short", case(function(t)
    local server = serve(t)
    local hello = client_hello(t)
    for at = 1, #hello, 23 do
      local raw = t:dial(server)
      raw:send(hello:sub(1, at))
      raw:shutdown()
      assert.not_equal("timeout", select(2, raw:read_until_closed()))
    end
    check_serves(t, server)
  end))

  it("ends after a hello, one byte of it changed", case(function(t)
    local server = serve(t)
    local hello = client_hello(t)
    for at = 1, #hello, 7 do
      local raw = t:dial(server)
      raw:send(hello:sub(1, at - 1) .. string.char(bits.bxor(hello:byte(at), 0x55)) .. hello:sub(at + 1))
      raw:shutdown()
      assert.not_equal("timeout", select(2, raw:read_until_closed()), "byte " .. at)
    end
    check_serves(t, server)
  end))
end)

describe("plain HTTP inside TLS", function()
  --- The whole answer to a request, sent through openssl.
  local function ask(t, server, request)
    local openssl = tls_peer.s_client(t, server, { "-quiet" })
    openssl:write(request)
    local output, errors = openssl:finish()
    assert.is_nil(errors:find "unexpected eof", "the stream ends with close_notify")
    local head, body = output:match "^(.-\r\n\r\n)(.*)$"
    return handshake.parse(head), body
  end

  it("is answered by the http handler", case(function(t)
    local page = ("A long page. "):rep(50000)
    local server = serve(t, { http = function(request)
      return 200, { ["X-Path"] = request.path }, page
    end })
    local head, body = ask(t, server, handshake.http { path = "/page?x=1" })
    assert.same({ 200, "/page" }, { head.status, head.headers["x-path"] })
    assert.is_true(body == page)
    check_serves(t, server)
  end))

  it("is told to upgrade without one", case(function(t)
    local head, body = ask(t, serve(t), handshake.http())
    assert.equal(426, head.status)
    assert.is_true(#body > 0)
  end))

  it("that is malformed gets its 400", case(function(t)
    assert.equal(400, ask(t, serve(t), "GET / HTTP/1.1\r\nHost x\r\n\r\n").status)
  end))

  it("is refused by upgrade, and the client reads why", case(function(t)
    local server = serve(t, { upgrade = function() return nil, 401, "who, you?" end })
    local ws, message, code, response = t.weft.connect(url(server), trusting())
    assert.is_nil(ws)
    assert.equal("handshake refused: 401 Unauthorized", message)
    assert.same({ "handshake", "who, you?" }, { code, response.body })
  end))
end)

describe("a handshake that stalls", function()
  for what, bytes in pairs {
    ["before the first byte"] = "", ["in its hello"] = "\x16\x03\x01\2\0\1\0\1\xfc\3\3", ["in one byte"] = "\x16",
  } do
    it("is ended after handshake_timeout: " .. what, case(function(t)
      local server = serve(t, { handshake_timeout = 0.1 })
      local raw = t:dial(server)
      raw:send(bytes)
      local began = t.weft.now()
      assert.not_equal("timeout", select(2, raw:read_until_closed(5)))
      assert.is_true(t.weft.now() - began < patience(2))
      assert.equal(0, server:count())
    end))
  end

  it("is ended after handshake_timeout: after its hello", case(function(t)
    local hello = client_hello(t)
    local server = serve(t, { handshake_timeout = 0.1 })
    local raw = t:dial(server)
    raw:send(hello)
    local bytes, ending = raw:read_until_closed(5)
    assert.equal(0x16, bytes:byte(1))
    assert.not_equal("timeout", ending)
    assert.equal(0, server:count())
  end))

  it("is ended after handshake_timeout: with TLS done and no request", case(function(t)
    local server = serve(t, { handshake_timeout = 0.1 })
    local openssl = tls_peer.s_client(t, server, { "-quiet" })
    local began = t.weft.now()
    openssl:finish()
    assert.is_true(t.weft.now() - began < patience(5))
    assert.equal(0, server:count())
  end))

  it("is ended after handshake_timeout though bytes trickle in", case(function(t)
    local hello = client_hello(t)
    local raw = t:dial(serve(t, { handshake_timeout = 0.1 }))
    local began = t.weft.now()
    for byte in hello:gmatch "." do
      if not raw:send(byte) or t.weft.now() - began > patience(3) then
        break
      end
      t.weft.sleep(0.02)
    end
    assert.is_true(t.weft.now() - began < patience(3))
  end))

  it("does not hold up a server's close", case(function(t)
    local server = serve(t, { handshake_timeout = 60 })
    local waiting = {}
    for i, bytes in ipairs { "", "\x16\x03\x01\2\0", client_hello(t) } do
      waiting[i] = t:dial(server)
      waiting[i]:send(bytes)
    end
    assert.equal("\x16", (waiting[3]:receive(1)))
    local began = t.weft.now()
    assert.is_true(server:close(5))
    assert.is_true(t.weft.now() - began < patience(2))
    for _, raw in ipairs(waiting) do
      assert.not_equal("timeout", select(2, raw:read_until_closed(5)))
    end
  end))
end)
