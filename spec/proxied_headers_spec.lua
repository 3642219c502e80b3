-- The option `trusted_proxies`: whose X-Forwarded-For, X-Forwarded-Proto and
-- Forwarded count, and who the client is then.
local case = require "support.case"
local certificates = require "support.certificates"
local exchange = require "support.exchange"
local fallback = require "support.fallback"
local handshake = require "support.handshake"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

local PEER = "127.0.0.1"

-- "address port secure" of a request with such lines in its head.
local function serve(t, trusted, more)
  local options = {
    trusted_proxies = trusted,
    websocket = function(ws)
      local request = ws.request
      ws:send(("%s %s %s %s"):format(tostring(ws.remote_address), tostring(request.remote_address), math.type(ws.remote_port)
                                     or tostring(ws.remote_port), tostring(request.secure)))
    end,
    http = function(request)
      local port = request.remote_port
      return 200, {}, ("%s %s %s"):format(tostring(request.remote_address), port == nil and "nil" or math.type(port),
                                         tostring(request.secure))
    end,
  }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return (t:listen(options))
end

local function tell(t, server, lines)
  return t:http(server, { lines = lines }).body
end

local function xff(text) return "X-Forwarded-For: " .. text end
local function proto(text) return "X-Forwarded-Proto: " .. text end
local function fwd(text) return "Forwarded: " .. text end

local LOCAL, BLOCKS = { "127.0.0.1" }, { "127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", "fd00::1" }

-- name, trusted, lines, what it comes to
local cases = {
  { "nobody is trusted by default", nil, { xff "192.0.2.7", proto "https" }, "127.0.0.1 integer false" },
  { "nobody is trusted of none", {}, { xff "192.0.2.7", proto "https" }, "127.0.0.1 integer false" },
  { "the peer is not trusted", { "10.0.0.0/8", "::1", "unix" }, { xff "192.0.2.7", proto "https", fwd "for=192.0.2.8" },
    "127.0.0.1 integer false" },
  { "nothing is said", LOCAL, {}, "127.0.0.1 integer false" },

  { "X-Forwarded-For: one", LOCAL, { xff "192.0.2.7" }, "192.0.2.7 nil false" },
  { "X-Forwarded-For: the client's own words come first", LOCAL, { xff "6.6.6.6, 192.0.2.7" }, "192.0.2.7 nil false" },
  { "X-Forwarded-For: in two fields", LOCAL, { xff "6.6.6.6", xff "192.0.2.7" }, "192.0.2.7 nil false" },
  { "X-Forwarded-For: past trusted ones", BLOCKS, { xff "6.6.6.6, 192.0.2.7, 10.1.2.3,2001:db8::5 , fd00::1" },
    "192.0.2.7 nil false" },
  { "X-Forwarded-For: not past others", BLOCKS, { xff "192.0.2.7, fd00::2, 10.1.2.3" }, "fd00::2 nil false" },
  { "X-Forwarded-For: all of them trusted", BLOCKS, { xff "10.0.0.1, 10.0.0.2" }, "10.0.0.1 nil false" },
  { "X-Forwarded-For: with ports", LOCAL, { xff "192.0.2.7:4711" }, "192.0.2.7 integer false" },
  { "X-Forwarded-For: IPv6", LOCAL, { xff "2001:DB8:0:0::7" }, "2001:db8::7 nil false" },
  { "X-Forwarded-For: IPv6 in brackets", LOCAL, { xff "[2001:db8::7]" }, "2001:db8::7 nil false" },
  { "X-Forwarded-For: IPv6 with a port", LOCAL, { xff "[2001:db8::7]:80" }, "2001:db8::7 integer false" },
  { "X-Forwarded-For: IPv4 in IPv6", BLOCKS, { xff "192.0.2.7, ::ffff:10.0.0.1" }, "192.0.2.7 nil false" },
  { "X-Forwarded-For: what stands before the client is not looked at", LOCAL, { xff "\"<script>, ;for=, 192.0.2.7" },
    "192.0.2.7 nil false" },

  { "X-Forwarded-Proto: https", LOCAL, { proto "https" }, "127.0.0.1 integer true" },
  { "X-Forwarded-Proto: wss", LOCAL, { proto "WSS", xff "192.0.2.7" }, "192.0.2.7 nil true" },
  { "X-Forwarded-Proto: http", LOCAL, { proto "http" }, "127.0.0.1 integer false" },
  { "X-Forwarded-Proto: the last one counts", LOCAL, { proto "https, http" }, "127.0.0.1 integer false" },
  { "X-Forwarded-Proto: the last field counts", LOCAL, { proto "http", proto "https" }, "127.0.0.1 integer true" },
  { "X-Forwarded-Proto: nonsense", LOCAL, { proto "httpss" }, "127.0.0.1 integer false" },
  { "X-Forwarded-Proto: empty", LOCAL, { proto "" }, "127.0.0.1 integer false" },

  { "Forwarded: one", LOCAL, { fwd "for=192.0.2.7;proto=https;by=203.0.113.43" }, "192.0.2.7 nil true" },
  { "Forwarded: names without case, quotes, empty elements", LOCAL, { fwd ' ,For="192.0.2.7:80";PROTO="Https", ,' },
    "192.0.2.7 integer true" },
  { "Forwarded: IPv6", LOCAL, { fwd 'for="[2001:db8::7]:4711"' }, "2001:db8::7 integer false" },
  { "Forwarded: the client's own words come first", LOCAL, { fwd "for=6.6.6.6;proto=https, for=192.0.2.7" },
    "192.0.2.7 nil false" },
  { "Forwarded: past trusted ones", BLOCKS, { fwd "for=6.6.6.6", fwd "for=192.0.2.7;proto=http",
    fwd 'for="[2001:db8::1]";proto=https' }, "192.0.2.7 nil true" },
  { "Forwarded: others in it", LOCAL, { fwd 'host=a.example;for=192.0.2.7;secret="a, b; c"' }, "192.0.2.7 nil false" },
  { "Forwarded: without an address", LOCAL, { fwd "proto=https" }, "127.0.0.1 integer true" },
  { "Forwarded: with hidden ones", LOCAL, { fwd "for=192.0.2.7, for=_hidden;proto=https" }, "127.0.0.1 integer true" },
  { "Forwarded: with unknown ones", LOCAL, { fwd "for=unknown" }, "127.0.0.1 integer false" },
  { "Forwarded: does not agree with X-Forwarded-For", LOCAL, { xff "192.0.2.8", fwd "for=192.0.2.7" },
    "127.0.0.1 integer false" },
  { "Forwarded: does not agree with X-Forwarded-Proto", LOCAL,
    { xff "192.0.2.7", proto "http", fwd "for=192.0.2.7;proto=https" }, "127.0.0.1 integer false" },
  { "Forwarded: agrees with the others", LOCAL,
    { xff "192.0.2.7", proto "https", fwd 'for="192.0.2.7:81";proto=https' }, "192.0.2.7 integer true" },
}

-- what a trusted proxy does not say
for _, text in ipairs {
  "", ",", "192.0.2.7,", "unknown", "192.0.2", "192.0.2.256", "192.0.2.07", "192.0.2.7 ", "192.0.2.7.", "0x7f.1",
  "192.0.2.7:", "192.0.2.7:99999", "192.0.2.7:+1", "[192.0.2.7]:1:2", "[2001:db8::7", "2001:db8::7]", "[]",
  "2001:db8::7::1", "fe80::1%eth0", "[fe80::1%251]", "192.0.2.7/32", "a.example", "unix:", "192.0.2.7;192.0.2.8",
  "\"192.0.2.7\"", "192.0.2.7 192.0.2.8", ("1"):rep(5000), "\t", "\xff\xfe",
  "1" .. (" "):rep(15000) .. "1", ("1\t"):rep(7000),
} do
  local comes_to = text == "192.0.2.7 " and "192.0.2.7 nil false" or "127.0.0.1 integer false"
  cases[#cases + 1] = { ("X-Forwarded-For: %q"):format(text:sub(1, 30)), LOCAL, { xff(text) }, comes_to }
  cases[#cases + 1] = { ("X-Forwarded-For: 192.0.2.9 before %q"):format(text:sub(1, 30)), LOCAL,
    { xff("192.0.2.9, " .. text) }, comes_to }
end
for _, text in ipairs {
  "", "for", "for=", "=192.0.2.7", "for=192.0.2.7;", 'for="192.0.2.7', "for='192.0.2.7'", "for=192.0.2.7 proto=https",
  "for=192.0.2.7;for=192.0.2.8;proto=https", 'for="192.0.2.7"x;proto=https', 'for="192.0.2.7\\"";proto=https',
  "for = 192.0.2.7;proto=https", "for=2001:db8::7;proto=https", "for=[2001:db8::7]", 'for="2001:db8::7::"',
  'for=", for="[2001:db8::7]";proto=https', "proto=https;for=192.0.2.7, x", "for=192.0.2.7;proto=https;;=",
  ('for="'):rep(500), ("a=b;"):rep(500) .. "proto=https", "for=192.0.2.7;proto=\"https\0\"",
} do
  if not text:find("%z") and text ~= "for=192.0.2.7;" then
    cases[#cases + 1] = { ("Forwarded: %q"):format(text:sub(1, 40)), LOCAL, { fwd(text) }, "127.0.0.1 integer false" }
  end
end

describe("behind trusted proxies", function()
  for _, each in ipairs(cases) do
    local name, trusted, lines, expected = table.unpack(each, 1, 4)
    it(name, case(function(t)
      assert.equal(expected, tell(t, serve(t, trusted), lines))
    end))
  end

  it("a WebSocket is the client's too", case(function(t)
    for _, more in ipairs { {}, { upgrade = function() return true end } } do
      local server = serve(t, LOCAL, more)
      local raw = t:upgrade(server, { lines = { xff "192.0.2.7", proto "https" } })
      assert.equal("192.0.2.7 192.0.2.7 nil true", (raw:message()))
      raw = t:upgrade(server, { lines = { xff "192.0.2.7:99" } })
      assert.equal("192.0.2.7 192.0.2.7 integer false", (raw:message()))
      raw = t:upgrade(server)
      assert.equal("127.0.0.1 127.0.0.1 integer false", (raw:message()))
    end
  end))

  it("upgrade sees whom it lets in", case(function(t)
    local seen
    local server = serve(t, LOCAL, { upgrade = function(request)
      seen = request.remote_address .. " " .. tostring(request.secure)
      return nil, 403
    end })
    t:ask(server, handshake.request { lines = { fwd "for=192.0.2.7;proto=wss" } })
    assert.equal("192.0.2.7 true", seen)
  end))

  it("each request on a connection is its own client's", case(function(t)
    local raw = t:dial(serve(t, LOCAL))
    raw:send(exchange.get("/", { lines = { xff "192.0.2.7:1" } }) .. exchange.get "/"
             .. exchange.get("/", { lines = { xff "192.0.2.8", proto "https" } }) .. exchange.get "/")
    local told = {}
    for i = 1, 4 do
      told[i] = exchange.next_answer(raw).body
    end
    assert.same({ "192.0.2.7 integer false", "127.0.0.1 integer false", "192.0.2.8 nil true",
                  "127.0.0.1 integer false" }, told)
  end))

  it("a request that is kept stays its own client's", case(function(t)
    local kept = {}
    local raw = t:dial(serve(t, LOCAL, { http = function(request)
      kept[#kept + 1] = request
      return 200
    end }))
    raw:send(exchange.get("/", { lines = { xff "192.0.2.7" } })
             .. exchange.get("/", { lines = { xff "192.0.2.8:99", proto "https" } }))
    exchange.next_answer(raw)
    exchange.next_answer(raw)
    local told = {}
    for i, request in ipairs(kept) do
      told[i] = ("%s %s %s"):format(request.remote_address, tostring(request.remote_port), tostring(request.secure))
    end
    assert.same({ "192.0.2.7 nil false", "192.0.2.8 99 true" }, told)
  end))

  it("an event stream is the client's, also later", case(function(t)
    local streams = {}
    local server = serve(t, LOCAL, { http = function(request)
      streams[#streams + 1] = assert(request:event_stream())
    end })
    local raw = t:dial(server)
    raw:send(handshake.http { keep = true, lines = { xff "192.0.2.7" } })
    t:wait_until(function() return streams[1] end)
    assert.equal("192.0.2.7", streams[1].remote_address)
    assert.is_nil(streams[1].remote_port)
  end))

  it("a busy connection still knows who it is", case(function(t)
    local server = t:listen { trusted_proxies = LOCAL }
    local raw = t:upgrade(server, { lines = { xff "192.0.2.7" } })
    local ws = t:accepted()
    for _ = 1, 100 do
      assert.is_true(ws:send "x")
    end
    assert.equal("192.0.2.7", ws.remote_address)
    assert.is_nil(ws.remote_port)
    raw:close()
    ws:wait_closed(5)
    assert.equal("192.0.2.7", ws.remote_address)
  end))

  it("a session of weft.fallback is the client's", case(function(t)
    local handler = t.weft.fallback(function(ws)
      ws:send(("%s %s %s"):format(ws.remote_address, tostring(ws.remote_port), tostring(ws.request.secure)))
      ws:receive()
    end)
    local server = serve(t, LOCAL, { http = { ["/chat"] = handler } })
    local client = fallback.open(t, server, "/chat", {
      headers = { ["X-Forwarded-For"] = "192.0.2.7", ["X-Forwarded-Proto"] = "https" },
    })
    local stream = client:follow()
    assert.same({ "t192.0.2.7 nil true" }, stream:records(1))
    stream:close()
  end))

  it("a Unix-domain socket is a proxy's when that is trusted", case(function(t)
    local path = os.tmpname()
    os.remove(path)
    local server = serve(t, { "unix" }, { unix = path })
    local raw = t:dial(path)
    raw:send(handshake.http { lines = { xff "192.0.2.7", proto "https" } })
    assert.equal("192.0.2.7 nil true", raw:answer().body)
    server:close(0)
    server = serve(t, { "0.0.0.0/0", "::/0" }, { unix = path })
    raw = t:dial(path)
    raw:send(handshake.http { lines = { xff "192.0.2.7" } })
    assert.equal("unix nil false", raw:answer().body)
    server:close(0)
  end))

  it("blocks are looked at bit by bit", case(function(t)
    for block, ok in pairs {
      ["127.0.0.1/32"] = true, ["127.0.0.0/31"] = true, ["127.0.0.2/31"] = false, ["126.0.0.0/7"] = true,
      ["128.0.0.0/1"] = false, ["0.0.0.0/0"] = true, ["127.0.0.3/8"] = true, ["::/0"] = false,
      ["::ffff:127.0.0.0/104"] = true, ["::ffff:0:0/96"] = true, ["::ffff:126.0.0.0/104"] = false,
    } do
      local server = serve(t, { block })
      assert.equal(ok and "192.0.2.7 nil false" or "127.0.0.1 integer false", tell(t, server, { xff "192.0.2.7" }), block)
    end
  end))

  it("raises for what is no address and no block", case(function(t)
    for _, wrong in ipairs {
      "", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/", "10.0.0/8", "::/129", "[::1]", "unix:",
      "10.0.0.0/8/8", "fe80::1%lo", "10.0.0.1\0", "*", 10,
    } do
      raises(function() t.weft.listen { port = 0, websocket = print, trusted_proxies = { wrong } } end,
             "weft.listen: option 'trusted_proxies[1]'", "10.0.0.0/8")
    end
    raises(function() t.weft.listen { port = 0, websocket = print, trusted_proxies = "10.0.0.0/8" } end,
           "weft.listen: option 'trusted_proxies'", "a list of addresses and blocks")
  end))
end)

describe("request.secure", function()
  it("is true with TLS, whatever a proxy says", case(function(t)
    local server = serve(t, LOCAL, { tls = certificates.with(certificates.server) })
    for _, headers in ipairs { {}, { ["X-Forwarded-Proto"] = "http" } } do
      local ws = t:connect(tls_peer.url(server), tls_peer.trusting(nil, { headers = headers }))
      assert.equal("127.0.0.1 127.0.0.1 integer true", ws:receive(5))
      assert.is_true(ws.request.secure)
      ws:close()
      assert.is_true(ws.request.secure)
    end
  end))

  it("is false without, at either end", case(function(t)
    local client, ws = t:both()
    assert.is_false(client.request.secure)
    assert.is_false(ws.request.secure)
    assert.equal(PEER, ws.request.remote_address)
    local a, b = t.weft.pair()
    assert.is_false(b.request.secure)
    a:close()
    b:wait_closed(5)
    assert.is_false(a.request.secure)
  end))
end)
