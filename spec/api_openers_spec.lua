local case = require "support.case"

--- What a failed opener gives: a sentence and the stable word.
local function assert_failed(code, result, message, got_code)
  assert.is_nil(result)
  assert.equal("string", type(message))
  assert.is_true(#message > 0)
  assert.is_nil(message:find "^[^ ]+%.lua:%d+:", "a message for people has no line of code in it")
  assert.equal(code, got_code, message)
  return message
end

describe("a connect that fails", function()
  it("gives nil, a sentence that names what was tried, and \"refused\"", case(function(t)
    local port = t:free_port()
    local message = assert_failed("refused", t.weft.connect(("ws://127.0.0.1:%d/chat"):format(port)))
    assert.equal(("connect to 127.0.0.1:%d: connection refused"):format(port), message)
  end))

  for _, url in ipairs {
    "", "chat", "127.0.0.1:8080", "http://127.0.0.1/", "ws:", "ws://", "ws:///path", "ws://127.0.0.1:0/",
    "ws://127.0.0.1:99999/", "ws://127.0.0.1:http/", "ws://127.0.0.1/#fragment", "ws://[::1/", "ws://[zz]/",
    "ws://two words/", "ws://127.0.0.1/two words", "ws://127.0.0.1/%zz",
  } do
    it(('gives "url" for %q'):format(url), case(function(t)
      assert_failed("url", t.weft.connect(url))
    end))
  end

  it('gives "dns" for a name that does not exist', case(function(t)
    -- no label is longer than 63 bytes, so that no one need be asked
    local name = ("x"):rep(64) .. ".invalid"
    local message = assert_failed("dns", t.weft.connect("ws://" .. name .. "/"))
    assert.is_truthy(message:find(name, 1, true), message)
  end))

  it("finds a host by its name", case(function(t)
    local _, port = t:listen()
    local ws = t:connect(("ws://localhost:%d/"):format(port))
    assert.equal(("localhost:%d"):format(port), ws.request.headers.Host)
    assert.is_true(ws:close())
  end))

  it('gives "timeout" when the server accepts and says nothing', case(function(t)
    local port = t:serve_raw(function(raw)
      raw:read_until_closed()
    end)
    local began = t.weft.now()
    local message = assert_failed("timeout", t.weft.connect(t:url(port), { timeout = 0.05 }))
    assert.is_truthy(message:find("127.0.0.1:" .. port, 1, true), message)
    assert.is_true(t.weft.now() - began >= 0.05)
    assert.is_true(t.weft.now() - began < 2)
  end))

  it('gives "timeout" when the answer trickles in for too long', case(function(t)
    local port = t:serve_raw(function(raw)
      for byte in ("HTTP/1.1 101 Switching Protocols\r\n" .. ("X-Slow: 1\r\n"):rep(100)):gmatch "." do
        if not raw:send(byte) then
          return
        end
        t.weft.sleep(0.005)
      end
    end)
    assert_failed("timeout", t.weft.connect(t:url(port), { timeout = 0.1 }))
  end))

  it('gives "handshake" and the response when the server refuses', case(function(t)
    local port = t:serve_raw(function(raw)
      raw:head()
      raw:send("HTTP/1.1 401 Unauthorized\r\nX-Why: no cookie\r\nContent-Length: 9\r\n\r\nwho, you?")
      raw:read_until_closed()
    end)
    local ws, message, code, response = t.weft.connect(t:url(port))
    assert.is_nil(ws)
    assert.equal("handshake refused: 401 Unauthorized", message)
    assert.equal("handshake", code)
    assert.equal(401, response.status)
    assert.equal("no cookie", response.headers["X-Why"])
    assert.equal("no cookie", response.headers["x-why"])
    assert.equal("who, you?", response.body)
  end))

  it('gives "handshake" for a server that speaks something else', case(function(t)
    local port = t:serve_raw(function(raw)
      raw:send "220 mail.example.com ESMTP\r\n\r\n"
      raw:read_until_closed()
    end)
    assert_failed("handshake", t.weft.connect(t:url(port)))
  end))

  it('gives "handshake" for a server that hangs up', case(function(t)
    local port = t:serve_raw(function(raw)
      raw:head()
      raw:close()
    end)
    assert_failed("handshake", t.weft.connect(t:url(port)))
  end))

  it('gives "cancelled" when its task is cancelled, and drops what it had begun', case(function(t)
    local asked, ending
    local port = t:serve_raw(function(raw)
      asked = raw:head()
      ending = select(2, raw:read_until_closed(2))
    end)
    local results
    local task = t:spawn(function()
      results = table.pack(t.weft.connect(t:url(port)))
    end)
    t:wait_until(function() return asked end, "the request")
    task:cancel()
    task:join(5)
    assert_failed("cancelled", table.unpack(results, 1, results.n))
    t:wait_until(function() return ending end, "the end of the attempt")
    assert.not_equal("timeout", ending)
  end))

  it("works on the main thread as well", case.blocking(function(t)
    assert_failed("refused", t.weft.connect(("ws://127.0.0.1:%d/"):format(t:free_port())))
    assert_failed("url", t.weft.connect "nowhere")
    assert_failed("dns", t.weft.connect("ws://" .. ("x"):rep(64) .. ".invalid/"))
  end))
end)

describe("a connect that succeeds", function()
  it("reaches the server by address, by name and over IPv6", case(function(t)
    local _, port = t:listen()
    for _, host in ipairs { "127.0.0.1", "localhost" } do
      local ws = assert(t.weft.connect(("ws://%s:%d/"):format(host, port)))
      assert.equal("open", ws.state)
      assert.is_true(ws:close())
    end
  end))

  it("sends its headers, origin and user agent", case(function(t)
    local seen
    local port = t:serve_raw(function(raw)
      seen = raw:accept_upgrade()
      raw:read_until_closed()
    end)
    local ws = t:connect(port, {
      headers = { Cookie = "a=b", ["X-Number"] = "5" }, origin = "http://example.com", user_agent = "loom/1",
    })
    assert.equal("a=b", seen.headers.cookie)
    assert.equal("5", seen.headers["x-number"])
    assert.equal("http://example.com", seen.headers.origin)
    assert.equal("loom/1", seen.headers["user-agent"])
    assert.is_nil(seen.headers["sec-websocket-protocol"])
    ws:abort()
  end))

  it("sends the path and the query as they are written", case(function(t)
    local seen
    local port = t:serve_raw(function(raw)
      seen = raw:accept_upgrade()
      raw:read_until_closed()
    end)
    t:connect(("ws://127.0.0.1:%d/a%%20b/c?x=1&y=%%C3%%BC"):format(port)):abort()
    assert.equal("/a%20b/c?x=1&y=%C3%BC", seen.target)
    t:connect(("ws://127.0.0.1:%d"):format(port)):abort()
    assert.equal("/", seen.target)
    t:connect(("ws://127.0.0.1:%d?x=1"):format(port)):abort()
    assert.equal("/?x=1", seen.target)
  end))

  it("sends a Host that names the port", case(function(t)
    local seen
    local port = t:serve_raw(function(raw)
      seen = raw:accept_upgrade()
      raw:read_until_closed()
    end)
    t:connect(port):abort()
    assert.equal("127.0.0.1:" .. port, seen.headers.host)
  end))
end)

describe("a listen that fails", function()
  it('gives "in_use" for a port that is taken', case(function(t)
    local server = t:listen()
    local message = assert_failed("in_use", t.weft.listen { port = server:port(), websocket = print })
    assert.is_truthy(message:find(tostring(server:port()), 1, true), message)
  end))

  it("gives a word for a host that is not ours", case(function(t)
    local result, message, code = t.weft.listen { host = "192.0.2.1", port = 0, websocket = print }
    assert.is_nil(result)
    assert.is_truthy(message:find("192.0.2.1", 1, true), message)
    assert.equal("system", code)
  end))

  it("gives a word for a host that does not exist", case(function(t)
    local host = ("x"):rep(64) .. ".invalid"
    local message = assert_failed("dns", t.weft.listen { host = host, port = 0, websocket = print })
    assert.is_truthy(message:find(host, 1, true), message)
  end))

  it("gives a word for a Unix socket in a folder that does not exist", case(function(t)
    local path = "/nonexistent/weft.sock"
    local result, message, code = t.weft.listen { unix = path, websocket = print }
    assert.is_nil(result)
    assert.is_truthy(message:find(path, 1, true), message)
    assert.equal("system", code)
  end))

  it("gives a word for a Unix socket whose path is too long", case(function(t)
    local result, message, code = t.weft.listen { unix = "/tmp/" .. ("x"):rep(200), websocket = print }
    assert.is_nil(result)
    assert.equal("string", type(message))
    assert.equal("system", code)
  end))

  it('gives "in_use" for a Unix socket that is taken', case(function(t)
    local path = os.tmpname()
    os.remove(path)
    t:listen { unix = path }
    local message = assert_failed("in_use", t.weft.listen { unix = path, websocket = print })
    assert.is_truthy(message:find(path, 1, true), message)
  end))

  it("makes serve raise the same sentence", case(function(t)
    local server = t:listen()
    local options = { port = server:port(), websocket = print }
    local _, message = t.weft.listen(options)
    local ok, raised = pcall(t.weft.serve, options)
    assert.is_false(ok)
    assert.is_truthy(tostring(raised):find(message, 1, true), raised)
  end))
end)

describe("a call on a closed connection", function()
  --- Both ends, after the server closed with 4001 and "enough".
  local function closed_pair(t)
    local client, server = t.weft.pair()
    t:spawn(function()
      client:wait_closed(5)
    end)
    assert.is_true(server:close(4001, "enough", 5))
    assert.is_true((client:wait_closed(5)))
    return client, server
  end

  local calls = {
    { "receive", function(ws) return ws:receive() end },
    { "receive(0)", function(ws) return ws:receive(0) end },
    { "receive(1)", function(ws) return ws:receive(1) end },
    { "send", function(ws) return ws:send "late" end },
    { "send of binary", function(ws) return ws:send("late", "binary", 1) end },
    { "try_send", function(ws) return ws:try_send "late" end },
    { "flush", function(ws) return ws:flush() end },
    { "ping", function(ws) return ws:ping() end },
    { "ping with a payload", function(ws) return ws:ping("late", 1) end },
  }
  for _, entry in ipairs(calls) do
    local name, call = entry[1], entry[2]
    it(name .. ' gives nil, "closed", the code and the reason', case(function(t)
      local client = closed_pair(t)
      for _ = 1, 3 do
        assert.same({ n = 4, nil, "closed", 4001, "enough" }, table.pack(call(client)))
      end
    end))
    it(name .. " gives the same on the main thread", case.blocking(function(t)
      local client = closed_pair(t)
      assert.same({ n = 4, nil, "closed", 4001, "enough" }, table.pack(call(client)))
    end))
  end

  it("gives what the other side said to the side that closed, too", case(function(t)
    local _, server = closed_pair(t)
    local message, word, code, reason = server:receive()
    assert.same({ nil, "closed", 4001 }, { message, word, code })
    assert.equal("string", type(reason))
    assert.equal(4001, server.close_code)
  end))

  it("close gives true, and wait_closed true with the code and the reason", case(function(t)
    local client, server = closed_pair(t)
    for _, ws in ipairs { client, server } do
      assert.is_true((ws:close()))
      assert.is_true((ws:close(1000, "again", 0)))
    end
    assert.same({ n = 3, true, 4001, "enough" }, table.pack(client:wait_closed()))
    assert.same({ n = 3, true, 4001, "enough" }, table.pack(client:wait_closed(0)))
  end))

  it("abort does nothing more", case(function(t)
    local client = closed_pair(t)
    client:abort()
    assert.same({ "closed", "peer", 4001 }, { client.state, client.close_cause, client.close_code })
  end))

  it("messages and chunks end at once", case(function(t)
    local client = closed_pair(t)
    for _ in client:messages() do
      error "no message can come"
    end
    for _ in client:chunks() do
      error "no chunk can come"
    end
  end))

  it("a writer gives the same at the latest when it writes", case(function(t)
    local client = closed_pair(t)
    local writer, word, code, reason = client:writer()
    if writer then
      assert.same({ n = 4, nil, "closed", 4001, "enough" }, table.pack(writer:write "late"))
      writer, word, code, reason = writer:close()
    end
    assert.same({ n = 4, nil, "closed", 4001, "enough" }, { n = 4, writer, word, code, reason })
  end))

  it("still raises for mistakes", case(function(t)
    local client = closed_pair(t)
    assert.has_error(function() client:send {} end)
    assert.has_error(function() client:close(1) end)
    assert.has_error(function() client.state = "open" end)
    client.nickname = "ghost"
    assert.equal("ghost", client.nickname)
  end))

  it("gives 1006 after a connection that was lost", case(function(t)
    local client, server = t.weft.pair()
    server:abort()
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(client:receive(5)))
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(client:send "late"))
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(server:receive()))
  end))

  it("gives 1005 after a close without a code", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    raw:send "\x88\x80\0\0\0\0"
    assert.same({ n = 3, true, 1005, "" }, table.pack(ws:wait_closed(5)))
    assert.same({ n = 4, nil, "closed", 1005, "" }, table.pack(ws:receive()))
  end))
end)
