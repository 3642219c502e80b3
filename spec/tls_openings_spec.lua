-- Openings over TLS that never become a connection, and many at once.
local weft = require "weft"
local case = require "support.case"
local certificates = require "support.certificates"
local handshake = require "support.handshake"
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

describe("a client whose server", function()
  --- Tries to connect: the message and code of the failure.
  local function try(t, port, options)
    local ws, message, code = t.weft.connect(url(port), trusting(nil, options))
    assert.is_nil(ws)
    assert.is_truthy(message:find(":" .. port, 1, true), message)
    return code, message
  end

  it('says nothing gives up after its timeout: "timeout"', case(function(t)
    local port = t:serve_raw(function(raw) raw:read_until_closed() end)
    local began = t.weft.now()
    assert.equal("timeout", (try(t, port, { timeout = 0.1 })))
    assert.is_true(t.weft.now() - began >= 0.1)
    assert.is_true(t.weft.now() - began < patience(2))
  end))

  it('stalls in the middle gives up as well: "timeout"', case(function(t)
    local relay = tls_peer.relay(t, serve(t))
    relay.change = function(bytes, direction)
      relay.held = direction == "down"
      return relay.held and bytes:sub(1, 300) or bytes
    end
    assert.equal("timeout", (try(t, relay.port, { timeout = 0.1 })))
  end))

  it('has TLS but no answer: "timeout"', case(function(t)
    local port = tls_peer.s_server(t, certificates.server)
    assert.equal("timeout", (try(t, port, { timeout = 0.5 })))
  end))

  it('hangs up is told "tls"', case(function(t)
    local hello
    local port = t:serve_raw(function(raw)
      hello = raw:receive(100)
      raw:close()
    end)
    assert.equal("tls", (try(t, port)))
    assert.equal("\x16", hello:sub(1, 1))
  end))

  it('sends half of its part and hangs up is told "tls"', case(function(t)
    local relay = tls_peer.relay(t, serve(t))
    local down
    relay.change = function(bytes, direction)
      down = down or direction == "down"
      return direction == "down" and bytes:sub(1, math.floor(#bytes / 2)) or bytes
    end
    t:spawn(function()
      t:wait_until(function() return down end)
      relay:cut()
    end)
    assert.equal("tls", (try(t, relay.port)))
  end))

  it('resets is told "tls"', case(function(t)
    local port = t:serve_raw(function(raw)
      raw:receive(100)
      raw:reset()
    end)
    assert.equal("tls", (try(t, port)))
  end))

  it('sends an alert is told "tls", with what it says', case(function(t)
    local port = t:serve_raw(function(raw)
      raw:receive(100)
      raw:send "\x15\x03\x03\0\2\2\80" -- internal_error
      raw:read_until_closed()
    end)
    local code, message = try(t, port)
    assert.equal("tls", code)
    assert.matches("internal error", message)
  end))

  it("closes meanwhile is told something, whenever that is", case(function(t)
    for turns = 0, 30, 3 do
      local server = serve(t)
      local connecting = t:spawn(function()
        local ws, message, code = t.weft.connect(url(server), trusting())
        if ws then
          ws:wait_closed(5)
          return
        end
        assert.is_true(code == "tls" or code == "handshake" or code == "refused", message)
      end)
      for _ = 1, turns do
        t.weft.sleep(0)
      end
      assert.is_true(server:close(0))
      assert.same({ true }, { connecting:join(5) })
      t.arrived = {}
    end
  end))
end)

describe("a server that goes after TLS and before its answer", function()
  --- Connects through a relay, which meets with this once the request is there.
  local function try(t, fate)
    local asked
    local relay = tls_peer.relay(t, serve(t, { upgrade = function()
      asked = true
      t.weft.sleep(math.huge)
    end }))
    t:spawn(function()
      t:wait_until(function() return asked end, "the request")
      fate(relay)
    end)
    local ws, message, code = t.weft.connect(url(relay.port), trusting())
    assert.is_nil(ws)
    return code, message
  end

  it('in order is told "handshake"', case(function(t)
    local port = t:free_port()
    local openssl = tls_peer.openssl(t, {
      "s_server", "-quiet", "-accept", "127.0.0.1:" .. port,
      "-cert", certificates.server.cert, "-key", certificates.server.key,
    })
    t:spawn(function()
      openssl:wait_for "Sec%-WebSocket%-Key"
      openssl:end_input()
    end)
    t:wait_until(function()
      local ws, message, code = t.weft.connect(url(port), trusting())
      assert.is_nil(ws)
      return code ~= "refused" and assert.equal("handshake", code, message)
    end, "a server that listens")
  end))

  it('by a reset is told "handshake"', case(function(t)
    assert.equal("handshake", (try(t, function(relay) relay:reset() end)))
  end))

  it('without a word is told "tls"', case(function(t)
    local code, message = try(t, function(relay) relay:cut() end)
    assert.equal("tls", code)
    assert.matches("cut off", message)
  end))

  it('and something else that answers is told "tls"', case(function(t)
    local code = try(t, function(relay)
      relay:inject("down", "HTTP/1.1 101 Switching Protocols\r\n\r\n")
    end)
    assert.equal("tls", code)
  end))
end)

describe("a connect that is cancelled in the middle of TLS", function()
  it("leaves nothing, and the server sees it go", case(function(t)
    local ending
    local hello
    local port = t:serve_raw(function(raw)
      hello = raw:receive(100)
      ending = select(2, raw:read_until_closed())
    end)
    local result
    local connecting = t:spawn(function()
      result = { t.weft.connect(url(port), trusting()) }
    end)
    t:wait_until(function() return hello end, "the hello")
    connecting:cancel()
    connecting:join(5)
    assert.same({ nil, "cancelled" }, { result[1], result[3] })
    t:wait_until(function() return ending end, "the end")
    assert.not_equal("timeout", ending)
  end))

  it("leaves nothing, whenever that is", case(function(t)
    local server = serve(t, { websocket = case.echo })
    for turns = 0, 40 do
      local connecting = t.weft.spawn(function()
        local ws = t.weft.connect(url(server), trusting())
        if ws then
          ws:abort()
        end
      end)
      for _ = 1, turns do
        t.weft.sleep(0)
      end
      connecting:cancel()
      connecting:join(5)
    end
    t:wait_until(function() return server:count() == 0 end, "the end of all")
  end))

  it("by a timeout leaves nothing either, whenever that is", case(function(t)
    local server = serve(t, { websocket = case.echo })
    local codes = {}
    for tick = 0, 12 do
      local ws, _, code = t.weft.connect(url(server), trusting(nil, { timeout = tick / 2000 }))
      codes[code or "open"] = true
      if ws then
        ws:abort()
      end
    end
    codes.open, codes.timeout = nil, nil
    assert.same({}, codes)
  end))

  it("by events and abort leaves nothing", case(function(t)
    local server = serve(t, { websocket = case.echo })
    for turns = 0, 20 do
      local ws = t.weft.connect(url(server), trusting(nil, { events = { message = print } }))
      for _ = 1, turns do
        t.weft.sleep(0)
      end
      ws:abort()
      assert.equal("closed", ws.state)
    end
  end))

  it("with its whole instance leaves nothing", case.blocking(function(t)
    local server = serve(t, { websocket = case.echo })
    for turns = 0, 20 do
      local other = weft.new()
      other.connect(url(server), trusting(nil, { events = { message = print } }))
      for _ = 1, turns do
        other.step(0)
        t.weft.step(0)
      end
      other.close()
    end
  end))
end)

describe("a storm of handshakes", function()
  it("does not starve an open connection", case(function(t)
    local server = serve(t, { websocket = case.echo })
    local ws = t:connect(url(server), trusting())
    local opened, storm = 0, {}
    for i = 1, 200 do
      storm[i] = t:spawn(function()
        local one = assert(t.weft.connect(url(server), trusting()))
        opened = opened + 1
        assert.is_true(one:close())
      end)
    end
    local rounds = 0
    while opened < 200 do
      assert.is_true(ws:send "still served")
      assert.equal("still served", (ws:receive(5)))
      rounds = rounds + 1
    end
    for _, task in ipairs(storm) do
      assert.same({ true }, { task:join(10) })
    end
    assert.is_true(rounds >= 10, rounds .. " rounds only") -- some six when a turn shakes every hand
    assert.is_true(ws:close())
  end, 20))

  it("of clients that never go on does not either", case(function(t)
    local server = serve(t, { websocket = case.echo })
    local waiting = {}
    for i = 1, 100 do
      waiting[i] = t:dial(server)
      waiting[i]:send(i % 2 == 0 and "\x16\x03\x01\2\0\1\0" or "")
    end
    local ws = t:connect(url(server), trusting())
    assert.is_true(ws:send "still served")
    assert.equal("still served", (ws:receive(5)))
    assert.is_true(ws:close())
    assert.equal(400, t:ask(server, handshake.http()).status)
  end))
end)
