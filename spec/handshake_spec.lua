-- The opening handshake as a server sees it (RFC 6455, 4.2; RFC 9112): good
-- requests in every shape, and what bad ones get.
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"

local request = handshake.request

describe("an opening handshake", function()
  it("is answered with the accept key of the RFC's example (1.3)", case(function(t)
    local raw = t:dial(t:server())
    raw:send(request())
    local answer = raw:parsed_head()
    assert.equal(101, answer.status)
    assert.equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", answer.headers["sec-websocket-accept"])
    assert.equal("websocket", answer.headers.upgrade:lower())
    assert.equal("upgrade", answer.headers.connection:lower())
    assert.is_nil(answer.headers["sec-websocket-protocol"])
    assert.is_nil(answer.headers["sec-websocket-extensions"])
  end))

  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    it("may arrive " .. size .. " bytes at a time, with frames right behind", case(function(t)
      local raw = t:dial(t:server { websocket = case.echo })
      raw:send_in_pieces(request() .. frame.client.text "early" .. frame.client.text "bird", size)
      assert.equal(101, raw:parsed_head().status)
      assert.equal("early", (raw:message()))
      assert.equal("bird", (raw:message()))
    end))
  end

  local fine = {
    ["header names in any case"] = { headers = { Host = false, Upgrade = false }, lines = { "hOST: 127.0.0.1", "UPGRADE: websocket" } },
    ["an Upgrade token in any case"] = { headers = { Upgrade = "WebSocket" } },
    ["Upgrade among other Connection tokens"] = { headers = { Connection = "keep-alive, Upgrade" } },
    ["Connection over two fields"] = { headers = { Connection = { "keep-alive", "upgrade" } } },
    ["Upgrade among other protocols"] = { headers = { Upgrade = "h2c, websocket" } },
    ["blanks around values"] = { headers = { Upgrade = false }, lines = { "Upgrade: \t websocket \t " } },
    ["no blank after a colon"] = { headers = { Upgrade = false }, lines = { "Upgrade:websocket" } },
    ["a Content-Length of 0"] = { headers = { ["Content-Length"] = "0" } },
    ["an empty value"] = { lines = { "X-Empty:" } },
    ["an extension that nobody speaks"] = { headers = { ["Sec-WebSocket-Extensions"] = "x-unheard-of; a=1" } },
    ["an offer of compression that is off"] = { headers = { ["Sec-WebSocket-Extensions"] = "permessage-deflate" } },
    ["a query"] = { path = "/?a=b&c=%20" },
    ["an IPv6 host"] = { host = "[::1]:8080" },
    ["bytes past ASCII in a value"] = { lines = { "X-Name: Jos\xC3\xA9" } },
  }
  for what, options in pairs(fine) do
    it("may have " .. what, case(function(t)
      local raw = t:upgrade(t:server { websocket = case.echo }, options)
      assert.is_nil(raw.response.headers["sec-websocket-extensions"])
      raw:send(frame.client.text "hello")
      assert.equal("hello", (raw:message()))
    end))
  end
end)

describe("a request that could smuggle something", function()
  local shapes = {
    ["two Hosts"] = { headers = { Host = { "127.0.0.1", "127.0.0.1" } } },
    ["two different Hosts"] = { headers = { Host = { "a.example", "b.example" } } },
    ["no Host"] = { headers = { Host = false } },
    ["a Host with a blank"] = { host = "a b" },
    ["a Host with a path"] = { host = "a.example/b" },
    ["a Host with a user"] = { host = "me@a.example" },
    ["a Host with a port that is no number"] = { host = "a.example:http" },
    ["a Transfer-Encoding"] = { headers = { ["Transfer-Encoding"] = "chunked" } },
    ["Transfer-Encoding identity"] = { headers = { ["Transfer-Encoding"] = "identity" } },
    ["a Content-Length"] = { headers = { ["Content-Length"] = "5" } },
    ["two Content-Lengths"] = { headers = { ["Content-Length"] = { "0", "5" } } },
    ["a Content-Length that is no number"] = { headers = { ["Content-Length"] = "+0" } },
    ["both lengths"] = { headers = { ["Content-Length"] = "0", ["Transfer-Encoding"] = "chunked" } },
    ["a folded line"] = { lines = { "X-Folded: a", " b" } },
    ["a folded line with a tab"] = { lines = { "X-Folded: a", "\tb" } },
    ["a blank before the first field"] = { start = "GET / HTTP/1.1\r\n X-Odd: 1" },
    ["a blank before the colon"] = { lines = { "X-Odd : a" } },
    ["a tab before the colon"] = { lines = { "X-Odd\t: a" } },
    ["a NUL in a value"] = { lines = { "X-Odd: a\0b" } },
    ["a NUL in a name"] = { lines = { "X-O\0dd: a" } },
    ["a control character in a value"] = { lines = { "X-Odd: a\1b" } },
    ["a DEL in a value"] = { lines = { "X-Odd: a\127b" } },
    ["a bare CR in a value"] = { lines = { "X-Odd: a\rX-Smuggled: b" } },
    ["a bare LF between fields"] = { lines = { "X-Odd: a\nX-Smuggled: b" } },
    ["no colon"] = { lines = { "X-Odd" } },
    ["an empty name"] = { lines = { ": a" } },
    ["a name that is no token"] = { lines = { "X(Odd): a" } },
    ["a name past ASCII"] = { lines = { "X-\xC3\xA9: a" } },
    ["two blanks in the request line"] = { start = "GET  / HTTP/1.1" },
    ["a blank after the version"] = { start = "GET / HTTP/1.1 " },
    ["a blank in the target"] = { start = "GET /a b HTTP/1.1" },
    ["a tab in the request line"] = { start = "GET\t/ HTTP/1.1" },
    ["a version in lower case"] = { start = "GET / http/1.1" },
    ["an empty target"] = { start = "GET  HTTP/1.1" },
    ["a method that is no token"] = { start = "G(T / HTTP/1.1" },
    ["HTTP/1.0"] = { version = "HTTP/1.0" },
    ["a method other than GET"] = { method = "PUT" },
    ["no Connection"] = { headers = { Connection = false } },
    ["a Connection without upgrade"] = { headers = { Connection = "keep-alive" } },
    ["a key but no Upgrade"] = { headers = { Upgrade = false } },
    ["no key"] = { headers = { ["Sec-WebSocket-Key"] = false } },
    ["two keys"] = { headers = { ["Sec-WebSocket-Key"] = { handshake.KEY, handshake.KEY } } },
    ["a key that is too short"] = { headers = { ["Sec-WebSocket-Key"] = "c2hvcnQ=" } },
    ["a key that is too long"] = { headers = { ["Sec-WebSocket-Key"] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM=" } },
    ["a key that is not base64"] = { headers = { ["Sec-WebSocket-Key"] = "!!!!!!!!!!!!!!!!!!!!!!==" } },
    ["two versions"] = { headers = { ["Sec-WebSocket-Version"] = { "13", "13" } } },
    ["two Origins"] = { headers = { Origin = { "http://127.0.0.1", "http://127.0.0.1" } } },
    ["a subprotocol that is no token"] = { headers = { ["Sec-WebSocket-Protocol"] = "chat, a b" } },
    ["a subprotocol twice"] = { headers = { ["Sec-WebSocket-Protocol"] = "chat, chat" } },
  }
  for what, options in pairs(shapes) do
    it("is refused with 400 and a closed connection for " .. what, case(function(t)
      local reached = false
      local listening = t:listen { websocket = function()
        reached = true
      end }
      local raw = t:dial(listening)
      raw:send(request(options) .. "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
      local answer = raw:answer()
      assert.equal(400, answer.status)
      assert.equal("fin", answer.ending)
      assert.equal("close", answer.headers.connection:lower())
      assert.equal(#answer.body, tonumber(answer.headers["content-length"]))
      assert.is_false(reached)
    end))
  end

  for _, size in ipairs { 1, 2, 3, 7 } do
    it("is refused as well " .. size .. " bytes at a time", case(function(t)
      for _, what in ipairs { "two Hosts", "a folded line", "a NUL in a value", "a bare CR in a value", "a Transfer-Encoding" } do
        local raw = t:dial(t:server())
        raw:send_in_pieces(request(shapes[what]), size)
        local answer = raw:answer()
        assert.same({ 400, "fin" }, { answer.status, answer.ending })
      end
    end))
  end

  it("is refused before its head is complete", case(function(t)
    local raw = t:dial(t:server())
    raw:send "GET / HTTP/1.1\r\nHost : x\r\nX-More: "
    assert.equal(400, raw:parsed_head().status)
  end))

  it("is refused when it is no HTTP at all", case(function(t)
    for _, junk in ipairs { "\x16\x03\x01\x02\0\1\0\1\xFC\3\3 a TLS hello\r\n\r\n", "hello?\r\n\r\n", "\0\0\0\0\r\n\r\n" } do
      local answer = t:ask(t:server(), junk)
      assert.same({ 400, "fin" }, { answer.status, answer.ending })
    end
  end))

  it("of another HTTP is told which one is spoken: 505", case(function(t)
    assert.equal(505, t:ask(t:server(), request { version = "HTTP/2.0" }).status)
    assert.equal(505, t:ask(t:server(), request { start = "GET /" }).status)
    assert.equal(505, t:ask(t:server(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status)
  end))
end)

describe("a wrong version", function()
  for _, version in ipairs { "8", "12", "14", "0", "13, 8", "thirteen", false } do
    it("(" .. tostring(version) .. ") gets 426 naming 13 (4.4)", case(function(t)
      local answer = t:ask(t:server(), request { headers = { ["Sec-WebSocket-Version"] = version } })
      assert.equal(426, answer.status)
      assert.equal("13", answer.headers["sec-websocket-version"])
      assert.equal("fin", answer.ending)
    end))
  end
end)

describe("an oversized head", function()
  it("gets 431 at 16 KiB, complete or not", case(function(t)
    local raw = t:dial(t:server())
    raw:send("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " .. ("a"):rep(17000))
    local answer = raw:answer()
    assert.same({ 431, "fin" }, { answer.status, answer.ending })
  end))

  it("gets 431 at max_header", case(function(t)
    local listening = t:listen { max_header = 400 }
    t:upgrade(listening)
    assert.equal(431, t:ask(listening, request { lines = { "X-Long: " .. ("a"):rep(400) } }).status)
  end))

  it("gets 431 for a request line that never ends", case(function(t)
    local raw = t:dial(t:server())
    raw:send("GET /" .. ("a"):rep(17000))
    assert.equal(431, raw:parsed_head().status)
  end))

  it("gets 431 past 100 fields", case(function(t)
    local listening = t:listen()
    local lines = {}
    for index = 1, 95 do
      lines[index] = "X: " .. index
    end
    t:upgrade(listening, { lines = lines })
    lines[96] = "X: one too many"
    assert.equal(431, t:ask(listening, request { lines = lines }).status)
  end))

  it("gets 431 past max_headers", case(function(t)
    local listening = t:listen { max_headers = 5 }
    t:upgrade(listening)
    assert.equal(431, t:ask(listening, request { lines = { "X: 6" } }).status)
  end))

  it("of half a megabyte does not lose its answer to a reset", case(function(t)
    local raw = t:dial(t:server())
    raw:send("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " .. ("a"):rep(512 * 1024))
    local answer = raw:answer()
    assert.same({ 431, "fin" }, { answer.status, answer.ending })
  end))
end)

describe("an Origin", function()
  --- The status that a page of this origin gets from this host.
  local function status(t, host, origin, origins)
    local raw = t:dial(t:server { origins = origins })
    raw:send(request { host = host, headers = { Origin = origin } })
    local answer = raw:parsed_head()
    if answer.status == 403 then
      assert.matches("origins", (raw:read_until_closed()))
    end
    return answer.status
  end

  local same = {
    { "example.com", nil }, { "example.com", "http://example.com" }, { "example.com", "https://example.com" },
    { "example.com", "http://EXAMPLE.com" }, { "Example.Com", "http://example.com" },
    { "example.com:80", "http://example.com" }, { "example.com", "http://example.com:80" },
    { "example.com:443", "https://example.com" }, { "example.com", "https://example.com:443" },
    { "example.com:8080", "http://example.com:8080" }, { "example.com:8080", "https://example.com:8080" },
    { "127.0.0.1:9000", "http://127.0.0.1:9000" }, { "[::1]:9000", "http://[::1]:9000" },
  }
  for _, pair in ipairs(same) do
    it(("of %s may connect to %s"):format(pair[2] or "nobody", pair[1]), case(function(t)
      assert.equal(101, status(t, pair[1], pair[2]))
    end))
  end

  local foreign = {
    { "example.com", "http://evil.example" }, { "example.com", "http://example.com.evil.example" },
    { "example.com", "http://evilexample.com" }, { "example.com", "http://sub.example.com" },
    { "example.com:8080", "http://example.com" }, { "example.com", "http://example.com:8080" },
    { "example.com:8080", "http://example.com:8081" }, { "example.com", "null" }, { "example.com", "example.com" },
    { "example.com", "http://example.com/path" }, { "example.com", "http://user@example.com" }, { "example.com", "http://" },
    { "127.0.0.1:9000", "http://localhost:9000" },
  }
  for _, pair in ipairs(foreign) do
    it(("of %s may not connect to %s: 403"):format(pair[2], pair[1]), case(function(t)
      assert.equal(403, status(t, pair[1], pair[2]))
    end))
  end

  local origins = { "https://app.example", "https://*.wild.example", "http://port.example:8080" }
  for origin, expected in pairs {
    ["https://app.example"] = 101, ["https://app.example:443"] = 101, ["HTTPS://APP.example"] = 101,
    ["http://app.example"] = 403, ["https://app.example:8443"] = 403,
    ["https://a.wild.example"] = 101, ["https://a.b.wild.example"] = 101,
    ["https://wild.example"] = 403, ["https://badwild.example"] = 403, ["http://a.wild.example"] = 403,
    ["http://port.example:8080"] = 101, ["http://port.example"] = 403,
    ["https://127.0.0.1"] = 403, ["null"] = 403,
  } do
    it(("of %s against a list: %d"):format(origin, expected), case(function(t)
      assert.equal(expected, status(t, "127.0.0.1", origin, origins))
    end))
  end

  it("may be any when the list is *", case(function(t)
    for _, origin in ipairs { "http://evil.example", "null", "https://127.0.0.1:1" } do
      assert.equal(101, status(t, "127.0.0.1", origin, "*"))
    end
  end))
end)

describe("a subprotocol", function()
  local function agreed(t, spoken, offered)
    local raw = t:upgrade(t:server { protocols = spoken }, { headers = { ["Sec-WebSocket-Protocol"] = offered } })
    return raw.response.headers["sec-websocket-protocol"], t:accepted().protocol
  end

  it("is the first of the server's that the client offers", case(function(t)
    assert.same({ "v2", "v2" }, { agreed(t, { "v3", "v2", "v1" }, "v1, v2") })
  end))

  it("may be offered over two fields", case(function(t)
    assert.same({ "v2", "v2" }, { agreed(t, { "v2", "v1" }, { "v1", "v2" }) })
  end))

  it("is none when there is nothing in common", case(function(t)
    assert.same({ nil, nil }, { agreed(t, { "v2", "v1" }, "v4, v5") })
  end))

  it("is compared with case", case(function(t)
    assert.same({ nil, nil }, { agreed(t, { "Chat" }, "chat") })
  end))

  it("is none when the server speaks none", case(function(t)
    assert.same({ nil, nil }, { agreed(t, nil, "v1") })
  end))
end)

describe("a handshake that dawdles", function()
  for what, sent in pairs {
    ["says nothing"] = "", ["stops in its request line"] = "GET / HT", ["stops in its head"] = "GET / HTTP/1.1\r\nHost: x\r\n",
  } do
    it("is dropped when it " .. what, case(function(t)
      local listening = t:listen { handshake_timeout = 0.1 }
      local raw = t:dial(listening)
      raw:send(sent)
      local begin = t.weft.now()
      local bytes, ending = raw:read_until_closed()
      assert.not_equal("timeout", ending)
      assert.is_true(bytes == "" or handshake.parse(bytes).status == 408)
      assert.is_true(t.weft.now() - begin >= 0.05)
      assert.equal(0, listening:count())
    end))
  end

  it("is dropped though it sends a byte now and then", case(function(t)
    local listening = t:listen { handshake_timeout = 0.1 }
    local raw = t:dial(listening)
    local text = request { lines = { "X-Long: " .. ("x"):rep(5000) } }
    local sent, over = 0, false
    t:spawn(function()
      while not over and sent < #text and raw:send(text:sub(sent + 1, sent + 1)) do
        sent = sent + 1
        t.weft.sleep(0.01)
      end
    end)
    local bytes, ending = raw:read_until_closed()
    over = true
    assert.not_equal("timeout", ending)
    assert.is_true(bytes == "" or handshake.parse(bytes).status == 408)
    assert.is_true(sent < #text)
    assert.equal(0, listening:count())
  end))

  it("is forgotten when it hangs up half-way", case(function(t)
    local listening = t:listen()
    local raw = t:dial(listening)
    raw:send "GET / HTTP/1.1\r\nHo"
    t.weft.sleep(0.01)
    raw:close()
    t.weft.sleep(0.01)
    assert.equal(0, listening:count())
  end))
end)
