-- The option `proxy_protocol`: each connection begins with a head that says on
-- whose behalf a proxy has made it (versions 1 and 2), before TLS and HTTP.
local case = require "support.case"
local certificates = require "support.certificates"
local exchange = require "support.exchange"
local handshake = require "support.handshake"
local peer = require "support.peer"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

local V1 = "PROXY TCP4 192.0.2.7 127.0.0.1 56324 443\r\n"
local SIGNATURE = "\r\n\r\n\0\r\nQUIT\n"

-- A head of version 2: command and version, family, and what it says.
local function binary(command, family, block)
  return SIGNATURE .. string.char(command, family) .. string.pack(">s2", block)
end

local V2 = binary(0x21, 0x11, "\192\0\2\8\127\0\0\1\1\0\1\187")
-- The same with what it says of TLS, and other extensions before and behind that.
local function tls_said(of_tls, before, behind)
  return binary(0x21, 0x11, "\192\0\2\8\127\0\0\1\1\0\1\187" .. (before or "") .. "\x20"
                            .. string.pack(">s2", of_tls) .. (behind or ""))
end

local V6 = "\x20\x01\x0d\xb8" .. ("\0"):rep(11)

local function serve(t, more)
  local options = {
    proxy_protocol = true,
    websocket = function(ws)
      ws:send(ws.remote_address .. " " .. tostring(ws.remote_port))
      for message in ws:messages() do
        ws:send(message)
      end
    end,
    http = function(request)
      return 200, {}, ("%s %s %s"):format(
        tostring(request.remote_address), tostring(request.remote_port), tostring(request.secure))
    end,
  }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return (t:listen(options))
end

-- What a server says to a head with a request behind it.
local function told(t, server, head, lines)
  return t:ask(server, head .. handshake.http { lines = lines }).body
end

local taken = {
  { "version 1, IPv4", V1, "192.0.2.7 56324 false" },
  { "version 1, IPv6", "PROXY TCP6 2001:DB8:0::7 ::1 1 2\r\n", "2001:db8::7 1 false" },
  { "version 1, an IPv4 address in IPv6", "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7 1 false" },
  { "version 2, IPv4", V2, "192.0.2.8 256 false" },
  { "version 2, IPv6", binary(0x21, 0x21, V6 .. "\9" .. V6 .. "\1\0\80\0\81"), "2001:db8::9 80 false" },
  { "version 2, extensions", binary(0x21, 0x11, "\192\0\2\8\127\0\0\1\1\0\1\187" .. ("\4\0\1x"):rep(900)),
    "192.0.2.8 256 false" },
  { "version 2, TLS to the proxy", tls_said "\1\0\0\0\0", "192.0.2.8 256 true" },
  { "version 2, TLS and more", tls_said("\7\0\0\0\0\33\0\7TLSv1.3", "\2\0\1x", "\4\0\2\0\0"), "192.0.2.8 256 true" },
  { "version 2, no TLS to the proxy", tls_said "\0\0\0\0\0", "192.0.2.8 256 false" },
  { "version 2, a certificate without TLS", tls_said "\6\0\0\0\0", "192.0.2.8 256 false" },
  { "version 2, TLS without a word", tls_said "", "192.0.2.8 256 false" },
  { "version 2, TLS inside of something else", tls_said("\0\0\0\0\0", "\4\0\5\x20\0\2\1\0"), "192.0.2.8 256 false" },
  { "version 2, more than there is", binary(0x21, 0x11, "\192\0\2\8\127\0\0\1\1\0\1\187\4\1\0\x20\0\1\1"),
    "192.0.2.8 256 false" },
  { "version 2, IPv6 and TLS", binary(0x21, 0x21, V6 .. "\9" .. V6 .. "\1\0\80\0\81\x20\0\5\1\0\0\0\0"),
    "2001:db8::9 80 true" },
  { "version 2, a Unix-domain socket", binary(0x21, 0x31, "/run/a.sock" .. ("\0"):rep(205)), "/run/a.sock nil false" },
  { "version 2, one without a path", binary(0x21, 0x31, ("\0"):rep(216)), "unix nil false" },
}
local untold = {
  { "version 1, UNKNOWN", "PROXY UNKNOWN\r\n" },
  { "version 1, UNKNOWN and more", "PROXY UNKNOWN 192.0.2.7 x\r\n" },
  { "version 2, LOCAL", binary(0x20, 0x00, "") },
  { "version 2, LOCAL with TLS", binary(0x20, 0x00, "\x20\0\5\1\0\0\0\0") },
  { "version 2, TLS of nobody", binary(0x21, 0x00, "\x20\0\5\1\0\0\0\0") },
  { "version 2, LOCAL with an address", binary(0x20, 0x11, "\192\0\2\8\127\0\0\1\1\0\1\187") },
  { "version 2, no family", binary(0x21, 0x00, "") },
}
local wrong = {
  { "none", "" },
  { "a ClientHello", "\x16\x03\1\2\0\1\0\1\xfc\3\3" .. ("x"):rep(64) },
  { "version 1 in small letters", (V1:gsub("PROXY", "proxy")) },
  { "version 1 with a bare LF", (V1:gsub("\r", "")) },
  { "version 1 with blanks", (V1:gsub(" ", "  ")) },
  { "version 1, another protocol", (V1:gsub("TCP4", "UDP4")) },
  { "version 1, the wrong family", (V1:gsub("TCP4", "TCP6")) },
  { "version 1, a bad address", (V1:gsub("192", "392")) },
  { "version 1, a bad port", (V1:gsub("443", "65536")) },
  { "version 1, too long", "PROXY UNKNOWN " .. ("x"):rep(94) .. "\r\n" },
  { "version 1 that does not end", "PROXY UNKNOWN " .. ("x"):rep(4000) },
  { "version 2, a bad signature", (V2:gsub("QUIT", "QUIX")) },
  { "version 2, version 3", binary(0x31, 0x11, "\192\0\2\8\127\0\0\1\1\0\1\187") },
  { "version 2, a command", binary(0x22, 0x11, "\192\0\2\8\127\0\0\1\1\0\1\187") },
  { "version 2, a family", binary(0x21, 0x41, "\192\0\2\8\127\0\0\1\1\0\1\187") },
  { "version 2, too little", binary(0x21, 0x11, "\192\0\2\8\127\0\0\1\1\0\1") },
  { "version 2, too much", binary(0x20, 0x00, ("x"):rep(20000)) },
}

-- Passes one connection on: behind a head, in one piece with the first bytes of the
-- ClientHello or alone.
local function pass_on(t, near, server, head, together)
  local function pass(from, to)
    while true do
      local piece, why = from:receive(1)
      if why then
        return to.socket:shutdown "send"
      end
      to:send(piece)
    end
  end
  local far = t:dial(server)
  far:send(head .. (together and near:receive(200) or ""))
  local back = t.weft.spawn(pass, far, near)
  pass(near, far)
  back:join()
  far:close()
  near:close()
end

-- A proxy for so many connections: its port, and a function that waits until they
-- have ended.
local function relay(t, server, head, together, count)
  local listener, tasks = peer.listen(t.weft), {}
  local accepting = t:spawn(function()
    for i = 1, count do
      tasks[i] = t.weft.spawn(pass_on, t, listener:accept(), server, head, together)
    end
  end)
  return listener.port, function()
    assert.is_true(accepting:join(5))
    for _, task in ipairs(tasks) do
      assert.is_true(task:join(5))
    end
    listener:close()
  end
end

describe("a server that expects the PROXY protocol", function()
  for _, each in ipairs(taken) do
    it("takes " .. each[1], case(function(t)
      local server = serve(t)
      assert.equal(each[3], told(t, server, each[2]))
      local raw = t:dial(server)
      raw:send_in_pieces(each[2] .. handshake.request(), #each[2] > 500 and 100 or 1)
      assert.equal(101, raw:parsed_head().status)
      assert.equal(each[3]:gsub(" %l+$", ""), (raw:message()))
    end))
  end

  for _, each in ipairs(untold) do
    it("keeps the peer's address after " .. each[1], case(function(t)
      local server = serve(t)
      local raw = t:dial(server)
      local _, port = raw.socket:getsockname()
      raw:send(each[2] .. handshake.http())
      assert.equal("127.0.0.1 " .. port .. " false", raw:answer().body)
    end))
  end

  for _, each in ipairs(wrong) do
    for _, tls in ipairs { false, true } do
      it("closes without a word after " .. each[1] .. (tls and " where TLS is spoken" or ""), case(function(t)
        local called
        local server = serve(t, {
          http = function() called = true end, tls = tls and certificates.with(certificates.server) or nil,
        })
        local raw = t:dial(server)
        raw:send(each[2] .. handshake.http())
        assert.equal("", (raw:read_until_closed()))
        assert.is_nil(called)
        local stats = server:stats()
        assert.same({ 1, 1, 0 }, { stats.accepted, stats.refused, stats.connections })
      end))
    end
  end

  it("takes one head a connection, not one a request", case(function(t)
    local raw = t:dial(serve(t))
    raw:send(V1 .. exchange.get "/a" .. exchange.get "/b")
    assert.equal("192.0.2.7 56324 false", exchange.next_answer(raw).body)
    assert.equal("192.0.2.7 56324 false", exchange.next_answer(raw).body)
    raw:send(V2 .. exchange.get "/c")
    assert.equal(400, exchange.next_answer(raw).status)
  end))

  for _, state in ipairs { "", "PROXY TCP4 ", SIGNATURE .. "\x21" } do
    it(("gives up whoever says no more than %q"):format(state), case(function(t)
      local server = serve(t, { handshake_timeout = 0.1 })
      local raw = t:dial(server)
      raw:send(state)
      assert.equal("", (raw:read_until_closed()))
      assert.equal(0, server:stats().connections)
    end))
  end

  it("does not mind who goes in the middle of it, or is still there at its end", case(function(t)
    local server = serve(t)
    local raw = t:dial(server)
    raw:send "PROXY TC"
    raw:close()
    raw = t:dial(server)
    raw:send "PROXY TC"
    t:wait_until(function() return server:stats().accepted == 2 and server:stats().connections == 1 end)
    server:close(0)
    assert.equal("", (raw:read_until_closed()))
  end))

  it("says what was sent in answer to a plain request where TLS is spoken, behind the head", case(function(t)
    local server = serve(t, { tls = certificates.with(certificates.server) })
    local raw = t:dial(server)
    raw:send(V1 .. handshake.http())
    assert.equal(400, raw:answer().status)
    server = serve(t)
    raw = t:dial(server)
    raw:send(V1 .. "\x16\x03\1\2\0\1\0\1\xfc\3\3" .. ("x"):rep(64))
    assert.equal(400, raw:answer().status)
  end))

  -- the head, alone or with the first bytes of the ClientHello in one piece
  for _, together in ipairs { false, true } do
    for name, head in pairs { ["version 1"] = V1, ["version 2"] = V2 } do
      it(("reads %s before TLS%s"):format(name, together and ", with what follows" or ""), case(function(t)
        local server = serve(t, { tls = certificates.with(certificates.server) })
        local port, ended = relay(t, server, head, together, 1)
        local ws = t:connect(tls_peer.url(port), tls_peer.trusting())
        assert.equal(head == V1 and "192.0.2.7 56324" or "192.0.2.8 256", ws:receive(5))
        ws:send(("x"):rep(3000))
        assert.equal(3000, #ws:receive(5))
        assert.is_true(ws:close())
        ended()
      end))

      it(("turns away by the client's address behind %s and TLS%s"):format(
           name, together and ", with what follows" or ""), case(function(t)
        local server = serve(t, {
          tls = certificates.with(certificates.server), max_connections_per_address = 1,
        })
        local port, ended = relay(t, server, head, together, 4)
        local url = tls_peer.url(port)
        local ws = t:connect(url, tls_peer.trusting())
        assert.is_string(ws:receive(5))
        for _ = 1, 2 do
          local message, _, response = select(2, t.weft.connect(url, tls_peer.trusting()))
          assert.equal("handshake refused: 429 Too Many Requests", message)
          assert.equal(429, response.status)
        end
        assert.is_true(ws:close())
        t:wait_until(function() return server:stats().connections == 0 end)
        ws = t:connect(url, tls_peer.trusting())
        assert.is_string(ws:receive(5))
        assert.is_true(ws:close())
        assert.equal(2, server:stats().over_address)
        ended()
      end))
    end
  end

  it("lets only those speak it that are trusted", case(function(t)
    local server = serve(t, { trusted_proxies = { "192.0.2.0/24", "unix" } })
    local raw = t:dial(server)
    raw:send(V1 .. handshake.http())
    assert.equal("", (raw:read_until_closed()))
    assert.same({ 1, 1 }, { server:stats().accepted, server:stats().refused })
    server = serve(t, { trusted_proxies = { "127.0.0.0/8" } })
    assert.equal("192.0.2.7 56324 false", told(t, server, V1))
    server = serve(t, { trusted_proxies = {} }) -- which is nobody
    assert.equal("", t:dial(server):read_until_closed())
  end))

  it("and believes in headers only whom it tells of", case(function(t)
    local lines = { "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: https" }
    local server = serve(t, { trusted_proxies = { "127.0.0.1" } })
    assert.equal("192.0.2.7 56324 false", told(t, server, V1, lines))
    assert.equal("198.51.100.1 nil true", told(t, server, "PROXY UNKNOWN\r\n", lines))
    server = serve(t, { trusted_proxies = { "127.0.0.1", "192.0.2.7" } })
    assert.equal("198.51.100.1 nil true", told(t, server, V1, lines))
    server = serve(t)
    assert.equal("192.0.2.7 56324 false", told(t, server, V1, lines))
  end))

  it("knows of each request on the connection, and of its WebSocket, that it came by TLS", case(function(t)
    for _, trusted in ipairs { false, { "127.0.0.1" }, { "127.0.0.1", "192.0.2.8" } } do
      local secure
      local server = serve(t, {
        trusted_proxies = trusted or nil,
        upgrade = function(request)
          secure = request.secure
          return true
        end,
      })
      local raw = t:dial(server)
      raw:send(tls_said "\1\0\0\0\0")
      for _ = 1, 2 do
        raw:send(handshake.http { keep = true, lines = { "X-Forwarded-Proto: http" } })
        assert.equal(200, raw:parsed_head().status)
        assert.equal("192.0.2.8 256 true", (raw:receive(18)):gsub("nil", "256"))
      end
      raw:send(handshake.request())
      assert.equal(101, raw:parsed_head().status)
      assert.is_true(secure)
    end
  end))

  it("works on a Unix-domain socket", case(function(t)
    local path = os.tmpname()
    os.remove(path)
    for trusted, ok in pairs { unix = true, ["0.0.0.0/0"] = false } do
      local server = serve(t, { unix = path, trusted_proxies = { trusted } })
      local raw = t:dial(path)
      raw:send(V2 .. handshake.http())
      if ok then
        assert.equal("192.0.2.8 256 false", raw:answer().body)
      else
        assert.equal("", (raw:read_until_closed()))
      end
      server:close(0)
    end
  end))

  it("raises for what is neither true nor false", case(function(t)
    raises(function() t.weft.listen { port = 0, websocket = print, proxy_protocol = "v2" } end,
           "weft.listen: option 'proxy_protocol'", "true or false")
  end))
end)

describe("a server that does not", function()
  it("takes such a head for a bad request", case(function(t)
    assert.equal(400, t:ask(serve(t, { proxy_protocol = false }), V1 .. handshake.http()).status)
  end))
end)
