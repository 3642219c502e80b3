-- The opening handshake as a client sees it (RFC 6455, 4.1): what it asks, and
-- what it makes of servers that answer wrongly, late or not at all.
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"

describe("a client's request", function()
  --- The request that connect() with these options sends, parsed.
  local function asked(t, path, options)
    local request
    local port = t:serve_raw(function(raw)
      request = raw:accept_upgrade { headers = {
        ["Sec-WebSocket-Protocol"] = options and options.protocols and options.protocols[1],
      } }
    end)
    t:connect(t:url(port, path), options)
    return request, port
  end

  it("says all that section 4.1 asks for", case(function(t)
    local request, port = asked(t, "/chat?room=1")
    assert.same({ "GET", "/chat?room=1", "HTTP/1.1" }, { request.method, request.target, request.version })
    assert.equal("127.0.0.1:" .. port, request.headers.host)
    assert.equal("websocket", request.headers.upgrade:lower())
    assert.equal("upgrade", request.headers.connection:lower())
    assert.equal("13", request.headers["sec-websocket-version"])
    assert.matches("^[%w+/]+==$", request.headers["sec-websocket-key"])
    assert.equal(24, #request.headers["sec-websocket-key"])
    assert.is_nil(request.headers.origin)
    assert.is_nil(request.headers["sec-websocket-protocol"])
    assert.is_nil(request.headers["content-length"])
    assert.is_nil(request.headers["transfer-encoding"])
  end))

  it("has a new key each time", case(function(t)
    local keys, different = {}, 0
    for _ = 1, 8 do
      local key = asked(t, "/").headers["sec-websocket-key"]
      if not keys[key] then
        keys[key], different = true, different + 1
      end
    end
    assert.equal(8, different)
  end))

  it("asks for / when the URL has no path", case(function(t)
    assert.equal("/", asked(t, "").target)
    assert.equal("/?a=b", asked(t, "?a=b").target)
  end))

  it("carries headers, protocols, origin and user agent", case(function(t)
    local request = asked(t, "/", {
      headers = { Cookie = "a=b", ["X-List"] = { "1", "2" } },
      protocols = { "v2", "v1" }, origin = "http://app.example", user_agent = "spec/1",
    })
    assert.equal("a=b", request.headers.cookie)
    assert.equal("1, 2", request.headers["x-list"])
    assert.equal("v2, v1", request.headers["sec-websocket-protocol"])
    assert.equal("http://app.example", request.headers.origin)
    assert.equal("spec/1", request.headers["user-agent"])
  end))
end)

describe("a client", function()
  --- What connect() gives for a server that answers a key with `answer(key)`.
  local function refused(t, answer, options)
    local port = t:serve_raw(function(raw)
      local request = raw:parsed_head()
      raw:send(answer(request.headers["sec-websocket-key"]))
      raw:read_until_closed()
      raw:close()
    end)
    local ws, message, code, response = t.weft.connect(t:url(port), options)
    assert.is_nil(ws)
    assert.equal("string", type(message))
    return message, code, response
  end

  local wrong = {
    ["a wrong accept key"] = { headers = { ["Sec-WebSocket-Accept"] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" } },
    ["an empty accept key"] = { headers = { ["Sec-WebSocket-Accept"] = "" } },
    ["no accept key"] = { headers = { ["Sec-WebSocket-Accept"] = false } },
    ["no Upgrade"] = { headers = { Upgrade = false } },
    ["a wrong Upgrade"] = { headers = { Upgrade = "h2c" } },
    ["no Connection"] = { headers = { Connection = false } },
    ["a wrong Connection"] = { headers = { Connection = "close" } },
    ["an extension never offered"] = { headers = { ["Sec-WebSocket-Extensions"] = "x-unheard-of" } },
    ["a subprotocol when none was offered"] = { headers = { ["Sec-WebSocket-Protocol"] = "chat" } },
    ["HTTP/1.0"] = { start = "HTTP/1.0 101 Switching Protocols" },
    ["a folded line"] = { lines = { "X-Folded: a", " b" } },
    ["a NUL"] = { lines = { "X-Odd: \0" } },
    ["a blank before a colon"] = { lines = { "X-Odd : a" } },
  }
  for what, options in pairs(wrong) do
    it("does not take a 101 with " .. what, case(function(t)
      local _, code = refused(t, function(key)
        return handshake.response(key, options)
      end)
      assert.equal("handshake", code)
    end))
  end

  it("says that the accept key is wrong", case(function(t)
    local message = refused(t, function(key)
      return handshake.response(key, { headers = { ["Sec-WebSocket-Accept"] = handshake.accept "another" } })
    end)
    assert.matches("Sec%-WebSocket%-Accept", message)
  end))

  it("does not take the accept key in another case", case(function(t)
    local _, code = refused(t, function(key)
      local accept = handshake.accept(key)
      local flipped = accept:upper() ~= accept and accept:upper() or accept:lower()
      return handshake.response(key, { headers = { ["Sec-WebSocket-Accept"] = flipped } })
    end)
    assert.equal("handshake", code)
  end))

  it("does not take two accept keys", case(function(t)
    local _, code = refused(t, function(key)
      local accept = handshake.accept(key)
      return handshake.response(key, { headers = { ["Sec-WebSocket-Accept"] = { accept, accept } } })
    end)
    assert.equal("handshake", code)
  end))

  for what, chosen in pairs { ["never offered"] = "v9", ["offered in another case"] = "V1", ["twice"] = { "v1", "v2" } } do
    it("does not take a subprotocol " .. what, case(function(t)
      local _, code = refused(t, function(key)
        return handshake.response(key, { headers = { ["Sec-WebSocket-Protocol"] = chosen } })
      end, { protocols = { "v1", "v2" } })
      assert.equal("handshake", code)
    end))
  end

  it("takes the subprotocol that it offered", case(function(t)
    local port = t:serve_upgraded(nil, { headers = { ["Sec-WebSocket-Protocol"] = "v2" } })
    assert.equal("v2", t:connect(port, { protocols = { "v1", "v2" } }).protocol)
  end))

  it("takes no subprotocol when the server chooses none", case(function(t)
    assert.is_nil(t:connect(t:serve_upgraded(), { protocols = { "v1" } }).protocol)
  end))

  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    it("reads a response " .. size .. " bytes at a time", case(function(t)
      local port = t:serve_raw(function(raw)
        local request = raw:parsed_head()
        raw:send_in_pieces(handshake.response(request.headers["sec-websocket-key"], {
          headers = { Upgrade = "WebSocket", Connection = "keep-alive, upgrade" }, lines = { "Set-Cookie: a=b", "X:" },
        }) .. frame.server.text "hello", size)
      end)
      local ws = t:connect(port)
      assert.equal("hello", (ws:receive()))
      assert.equal(101, ws.response.status)
      assert.equal("a=b", ws.response.headers["set-cookie"])
      assert.equal("a=b", ws.response.headers["Set-Cookie"])
    end))
  end

  it("gives the response of a refusal: 401 with a body", case(function(t)
    local message, code, response = refused(t, function()
      return "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 14\r\n\r\nwho are you?\r\n"
    end)
    assert.equal("handshake refused: 401 Unauthorized", message)
    assert.equal("handshake", code)
    assert.equal(401, response.status)
    assert.equal("Basic", response.headers["www-authenticate"])
    assert.equal("who are you?\r\n", response.body)
  end))

  it("gives the body of a refusal that ends with the connection", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:parsed_head()
      raw:send "HTTP/1.1 503 Service Unavailable\r\n\r\nlater"
      t.weft.sleep(0.02)
      raw:send ", please"
      raw:close()
    end)
    local ws, message, code, response = t.weft.connect(t:url(port))
    assert.is_nil(ws)
    assert.equal("handshake refused: 503 Service Unavailable", message)
    assert.equal("handshake", code)
    assert.equal("later, please", response.body)
  end))

  it("bounds the body of a refusal", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:parsed_head()
      raw:send "HTTP/1.1 500 Internal Server Error\r\n\r\n"
      for _ = 1, 1000 do
        if not raw:send(("x"):rep(65536), 1) then
          break
        end
      end
      raw:close()
    end)
    local _, _, code, response = t.weft.connect(t:url(port))
    assert.equal("handshake", code)
    assert.is_true(#response.body <= 1024 * 1024)
    assert.is_true(#response.body > 0)
  end))

  for start, expected in pairs {
    ["HTTP/1.1 301 Moved Permanently"] = "handshake refused: 301 Moved Permanently",
    ["HTTP/1.1 200 OK"] = "handshake refused: 200 OK",
    ["HTTP/1.1 426 Upgrade Required"] = "handshake refused: 426 Upgrade Required",
  } do
    it("takes a " .. start:sub(10) .. " as a refusal", case(function(t)
      local message, code, response = refused(t, function()
        return start .. "\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
      end)
      assert.equal(expected, message)
      assert.equal("handshake", code)
      assert.equal("ws://127.0.0.1:1/", response.headers.location)
    end))
  end

  for what, bytes in pairs {
    ["an SSH banner"] = "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", ["noise"] = "\0\1\2\3\r\n\r\n", ["words"] = "220 smtp.example ESMTP\r\n",
    ["an endless line"] = ("a"):rep(100000), ["a status that is no number"] = "HTTP/1.1 abc Oops\r\n\r\n",
    ["HTTP/2"] = "HTTP/2 101 Switching Protocols\r\n\r\n",
    ["an endless head"] = "HTTP/1.1 101 Switching Protocols\r\n" .. ("X-Header: value\r\n"):rep(10000),
  } do
    it("says so when the server talks " .. what, case(function(t)
      local _, code = refused(t, function()
        return bytes
      end)
      assert.equal("handshake", code)
    end))
  end

  for what, bytes in pairs { ["at once"] = "", ["in its head"] = "HTTP/1.1 101 Switching Protocols\r\nUpgr" } do
    it("says so when the server hangs up " .. what, case(function(t)
      local port = t:serve_raw(function(raw)
        raw:parsed_head()
        raw:send(bytes)
        raw:close()
      end)
      local ws, message, code = t.weft.connect(t:url(port))
      assert.is_nil(ws)
      assert.matches("closed", message)
      assert.equal("handshake", code)
    end))
  end

  it("gives up on a silent server after its timeout", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:read_until_closed()
    end)
    local begin = t.weft.now()
    local ws, message, code = t.weft.connect(t:url(port), { timeout = 0.1 })
    assert.is_nil(ws)
    assert.equal("string", type(message))
    assert.equal("timeout", code)
    assert.is_true(t.weft.now() - begin < patience(2))
  end))

  it("gives up on a server that sends a byte now and then", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:parsed_head()
      repeat
        t.weft.sleep(0.01)
      until not raw:send "H"
    end)
    local begin = t.weft.now()
    local ws, _, code = t.weft.connect(t:url(port), { timeout = 0.1 })
    assert.is_nil(ws)
    assert.is_true(code == "timeout" or code == "handshake")
    assert.is_true(t.weft.now() - begin < patience(2))
  end))

  it("names the address and the reason when nobody listens", case(function(t)
    local port = t:free_port()
    local ws, message, code = t.weft.connect(("ws://127.0.0.1:%d/"):format(port))
    assert.is_nil(ws)
    assert.equal(("connect to 127.0.0.1:%d: connection refused"):format(port), message)
    assert.equal("refused", code)
  end))

  it("says which name it could not resolve, and the loop turns meanwhile", case(function(t)
    local turns = 0
    local ticking = t:spawn(function()
      while turns >= 0 do
        turns = turns + 1
        t.weft.sleep(0)
      end
    end)
    local ws, message, code = t.weft.connect("ws://nonexistent.invalid/", { timeout = patience(5) })
    assert.is_true(turns > 0)
    turns = -1
    ticking:join()
    assert.is_nil(ws)
    assert.matches("nonexistent%.invalid", message)
    assert.equal("dns", code)
  end))

  it("resolves a name", case(function(t)
    local server = t:listen { websocket = case.echo, host = "127.0.0.1" }
    local ws = t:connect(("ws://localhost:%d/"):format(server:port()))
    ws:send "named"
    assert.equal("named", (ws:receive()))
  end))
end)

describe("a server", function()
  it("says that its port is in use", case(function(t)
    local _, port = t:listen()
    local server, message, code = t.weft.listen { port = port, websocket = case.echo }
    assert.is_nil(server)
    assert.matches(tostring(port), message)
    assert.equal("in_use", code)
  end))
end)
