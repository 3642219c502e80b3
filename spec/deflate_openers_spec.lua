-- Compression whoever opens the connection and however: from weft to weft, over
-- TLS, again and again, in pairs, with events, and without I/O.
local case = require "support.case"
local certificates = require "support.certificates"
local deflate = require "support.deflate"
local frame = require "support.frame"
local handshake = require "support.handshake"
local tls_peer = require "support.tls_peer"

if not deflate.available then
  return pending "compressed connections: built without zlib"
end

local FRESH = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
local SLIDING = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"

local sliding = { server_no_context_takeover = false, client_no_context_takeover = false }

--- Messages of all sorts go to an echo and come back.
local function talk(ws)
  for round = 1, 3 do
    for _, message in ipairs {
      "short", deflate.text(1000, round), deflate.text(1000), deflate.noise(3000, round), "", deflate.text(200000, round),
    } do
      assert(ws:send(message, "binary"))
      local got, kind = ws:receive(5)
      assert.is_true(got == message, kind)
    end
  end
end

describe("weft.connect to weft.listen", function()
  local pairs_of_options = {
    { true, nil, FRESH },
    { true, true, FRESH },
    { {}, {}, FRESH },
    { sliding, nil, SLIDING },
    { sliding, { server_no_context_takeover = true }, "permessage-deflate; server_no_context_takeover; "
      .. "server_max_window_bits=12; client_max_window_bits=12" },
    { sliding, { client_no_context_takeover = true }, "permessage-deflate; client_no_context_takeover; "
      .. "server_max_window_bits=12; client_max_window_bits=12" },
    { sliding, { server_max_window_bits = 8, client_max_window_bits = 8 },
      "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8" },
    { true, { server_max_window_bits = 9, client_max_window_bits = 10 },
      FRESH .. "; server_max_window_bits=9; client_max_window_bits=10" },
    { { server_no_context_takeover = false, client_no_context_takeover = false,
        server_max_window_bits = 15, client_max_window_bits = 15, level = 9, mem_level = 9, threshold = 0 },
      { level = 1, mem_level = 1, threshold = 1 }, "permessage-deflate" },
    { false, true, "" },
    { nil, true, "" },
    { true, false, "" },
  }
  for _, one in ipairs(pairs_of_options) do
    local theirs, ours, expected = one[1], one[2], one[3]
    it("agrees on " .. (expected == "" and "nothing" or expected), case(function(t)
      local extensions
      local server = t:server { compression = theirs, websocket = function(ws)
        extensions = ws.extensions
        case.echo(ws)
      end }
      local ws = t:connect(server, { compression = ours })
      assert.equal(expected, ws.extensions)
      talk(ws)
      assert.equal(expected, extensions)
      assert.is_true(ws:close())
      assert.equal(expected, ws.extensions) -- it stays
    end))
  end

  it("agrees over TLS", case(function(t)
    for _, compression in ipairs { true, sliding } do
      local own = { cert = certificates.server.cert, key = certificates.server.key }
      local server = t:server { compression = compression, tls = own, websocket = case.echo }
      local ws = t:connect(tls_peer.url(server), tls_peer.trusting())
      assert.equal(compression == true and FRESH or SLIDING, ws.extensions)
      talk(ws)
      assert.is_true(ws:close())
    end
  end))

  it("agrees with events", case(function(t)
    local server = t:server { compression = sliding, websocket = {
      message = function(ws, message, kind) ws:send(message, kind) end,
    } }
    local got = {}
    local ws = t.weft.connect(t:url(server), { events = {
      open = function(ws)
        for index = 1, 3 do
          ws:send(deflate.text(1000, index))
        end
      end,
      message = function(ws, message)
        got[#got + 1] = message
        if #got == 3 then
          ws:close()
        end
      end,
    } })
    assert.is_true((ws:wait_closed(5)))
    assert.same({ deflate.text(1000, 1), deflate.text(1000, 2), deflate.text(1000, 3) }, got)
    assert.equal(SLIDING, ws.extensions)
  end))

  it("agrees at a prompt, where calls block", case.blocking(function(t)
    local ws = t:connect(t:server { compression = true, websocket = case.echo })
    assert.equal(FRESH, ws.extensions)
    talk(ws)
    assert.is_true(ws:close())
  end))

  it("agrees after an upgrade function and with a subprotocol", case(function(t)
    local server = t:server {
      compression = true, protocols = { "chat" }, websocket = case.echo,
      upgrade = function() return true, { headers = { ["X-Loom"] = "7" } } end,
    }
    local ws = t:connect(server, { protocols = { "chat" } })
    assert.same({ FRESH, "chat", "7" }, { ws.extensions, ws.protocol, ws.response.headers["x-loom"] })
    assert.equal(FRESH, ws.response.headers["sec-websocket-extensions"])
    assert.equal(deflate.OFFER, ws.request.headers["sec-websocket-extensions"])
    talk(ws)
  end))

  it("offers it again where a redirect leads", case(function(t)
    local server = t:server { compression = true, websocket = case.echo }
    local port = t:serve_raw(function(raw)
      raw:parsed_head()
      raw:send(("HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"):format(t:url(server)))
      raw:close()
    end)
    local ws = t:connect(port, { redirects = 1 })
    assert.equal(FRESH, ws.extensions)
    talk(ws)
  end))
end)

describe("weft.reconnecting", function()
  it("agrees each time anew, with a new window", case(function(t)
    local server = t:server { compression = sliding, websocket = function(ws)
      local message = ws:receive()
      ws:send(message)
      ws:send(message)
    end }
    local rounds = 0
    for ws in t.weft.reconnecting(t:url(server), { min_delay = 0.001, max_delay = 0.002 }) do
      assert.equal(SLIDING, ws.extensions)
      ws:send(deflate.text(1000))
      for message in ws:messages() do
        assert.equal(deflate.text(1000), message)
      end
      assert.equal("peer", ws.close_cause)
      rounds = rounds + 1
      if rounds == 4 then
        break
      end
    end
    assert.equal(4, rounds)
  end))
end)

describe("weft.pair", function()
  it("agrees when the server's side is told to", case(function(t)
    for theirs, expected in pairs { [true] = FRESH, [false] = "", [sliding] = SLIDING } do
      local client, server = t.weft.pair({}, { compression = theirs })
      assert.same({ expected, expected }, { client.extensions, server.extensions })
      t:spawn(case.echo, server)
      talk(client)
      assert.is_true(client:close())
    end
    local client, server = t.weft.pair()
    assert.same({ "", "" }, { client.extensions, server.extensions })
    client:abort()
  end))

  it("does not when the client's side does not offer it", case(function(t)
    local client, server = t.weft.pair({ compression = false }, { compression = true })
    assert.same({ "", "" }, { client.extensions, server.extensions })
    client:abort()
  end))
end)

describe("the protocol without I/O", function()
  --- Both sides, fed with each other's output; and what they agreed on.
  local function open(t, client_options, server_options)
    local client, server = t.weft.protocol.client(client_options), t.weft.protocol.server(server_options)
    server:feed(client:output())
    assert.equal("open", server:events()().type)
    client:feed(server:output())
    local event = client:events()()
    assert.equal("open", event.type)
    assert.equal(event.extensions, client.extensions)
    assert.equal(client.extensions, server.extensions)
    return client, server, client.extensions
  end

  --- The next event of one side, fed with the bytes.
  local function fed(p, bytes)
    p:feed(bytes)
    local event = p:events()()
    return event and event.type, event and event.data
  end

  it("compresses both ways", case(function(t)
    for options, expected in pairs { [true] = FRESH, [sliding] = SLIDING } do
      local client, server, agreed = open(t, nil, { compression = options })
      assert.equal(expected, agreed)
      for _ = 1, 2 do
        for _, pair in ipairs { { client, server }, { server, client } } do
          local text = deflate.text(2000)
          assert(pair[1]:send(text))
          local bytes = pair[1]:output()
          assert.is_true(#bytes < 1000)
          assert.same({ "text", text }, { fed(pair[2], bytes) })
        end
      end
    end
  end))

  it("does not unless both want to", case(function(t)
    for _, pair in ipairs { { nil, nil }, { { compression = false }, { compression = true } } } do
      local client, server, agreed = open(t, pair[1], pair[2])
      assert.equal("", agreed)
      assert(client:send(deflate.text(2000)))
      local bytes = client:output()
      assert.is_true(#bytes > 2000)
      assert.same({ "text", deflate.text(2000) }, { fed(server, bytes) })
    end
  end))

  it("sends as it is what it is told not to compress", case(function(t)
    local _, server = open(t, nil, { compression = true })
    assert(server:send(deflate.text(1000), { kind = "binary", compress = false }))
    local one = frame.parse(server:output())[1]
    assert.same({ 0, 2, deflate.text(1000) }, { one.rsv, one.opcode, one.payload })
    assert(server:send(deflate.text(1000), { compress = true }))
    one = frame.parse(server:output())[1]
    assert.same({ deflate.RSV1, 1, deflate.text(1000) }, { one.rsv, one.opcode, deflate.inflate(one.payload) })
    assert.has_error(function() server:send("x", { timeout = 1 }) end)
    assert.has_error(function() server:send("x", { compress = 1 }) end)
  end))

  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    it("inflates what comes, " .. size .. " bytes at a time", case(function(t)
      local p = t.weft.protocol.server { compression = sliding }
      p:feed(handshake.request(deflate.offering()))
      assert.equal("open", p:events()().type)
      p:output()
      local compress = deflate.compressor(12)
      local bytes = deflate.client.text(compress "Hello") .. frame.client.text "plain" .. deflate.client.text(compress "Hello")
        .. deflate.client.text("\xFF\xFF\xFF") .. frame.client.text "after"
      local events = {}
      for at = 1, #bytes, size do
        p:feed(bytes:sub(at, at + size - 1))
        for event in p:events() do
          events[#events + 1] = event.data or event.code
        end
      end
      assert.same({ "Hello", "plain", "Hello", 1007 }, events)
      assert.equal(1007, frame.parse(p:output())[1].code)
    end))
  end
end)
