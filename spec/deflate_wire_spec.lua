-- What goes compressed and what does not, in both roles, as bytes on the wire
-- (RFC 7692, 6 and 7.2).
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"
local raises = require "support.raises"

if not deflate.available then
  return pending "compression on the wire: built without zlib"
end

local RSV1 = deflate.RSV1

--- A connection of a server with this option, and the raw client at its other
--- end.
local function served(t, compression)
  local raw = t:upgrade(t:server { compression = compression }, deflate.offering())
  return t:accepted(), raw
end

--- The same of a client, and the raw server.
local function connected(t, compression)
  local raw
  local port = t:serve_raw(function(one)
    one:accept_upgrade(deflate.answering())
    raw = one
  end)
  return t:connect(port, { compression = compression }), raw
end

for role, open in pairs { server = served, client = connected } do
  describe("a " .. role .. " with compression", function()
    local mask = role == "client"

    it("compresses messages of 512 bytes and more", case(function(t)
      local ws, raw = open(t, true)
      local inflate = mask and deflate.inflater() or deflate.inflate -- a client's own window slides
      for length, rsv in pairs { [0] = 0, [1] = 0, [511] = 0, [512] = RSV1, [10000] = RSV1, [300000] = RSV1 } do
        local text = deflate.text(length)
        assert(ws:send(text))
        local got = raw:frame()
        assert.same({ rsv, 1, true, mask }, { got.rsv, got.opcode, got.fin, got.masked })
        if rsv == 0 then
          assert.equal(text, got.payload)
        else
          assert.is_true(#got.payload < length / 3)
          assert.not_equal(deflate.TAIL, got.payload:sub(-4))
          assert.is_true(inflate(got.payload) == text)
        end
      end
    end))

    it("compresses binary messages as well", case(function(t)
      local ws, raw = open(t, true)
      assert(ws:send(deflate.text(2000), "binary"))
      local got = raw:frame()
      assert.same({ RSV1, 2 }, { got.rsv, got.opcode })
      assert.equal(deflate.text(2000), deflate.inflate(got.payload))
    end))

    it("has a threshold of its own", case(function(t)
      local ws, raw = open(t, { threshold = 100 })
      for length, rsv in pairs { [99] = 0, [100] = RSV1 } do
        assert(ws:send(("x"):rep(length)))
        local got = raw:frame()
        assert.equal(rsv, got.rsv)
        assert.equal(("x"):rep(length), rsv == 0 and got.payload or deflate.inflate(got.payload))
      end
    end))

    it("compresses nothing past a threshold of math.huge, and inflates all the same", case(function(t)
      local ws, raw = open(t, { threshold = math.huge })
      assert(ws:send(deflate.text(5000)))
      local got = raw:frame()
      assert.same({ 0, deflate.text(5000) }, { got.rsv, got.payload })
      raw:send((mask and deflate.server or deflate.client).text(deflate.compress "inflated"))
      assert.same({ "inflated", "text" }, { ws:receive(5) })
    end))

    it("loses nothing with a threshold of 0", case(function(t)
      local ws, raw = open(t, { threshold = 0 })
      local inflate = deflate.inflater()
      for _, text in ipairs { "", "x", "", "hello", deflate.text(1000), deflate.noise(100), "" } do
        assert(ws:send(text, "binary"))
        assert.equal(text, (deflate.read(raw, mask and inflate or nil)))
      end
    end))

    it("never compresses control frames (RFC 7692, 6.1)", case(function(t)
      local ws, raw = open(t, { threshold = 0 })
      local builders = mask and frame.server or frame.client
      local payload = ("x"):rep(125)
      raw:send(builders.ping(payload))
      local pong = raw:frame()
      assert.same({ 0, frame.PONG, payload }, { pong.rsv, pong.opcode, pong.payload })
      local pinging = t:spawn(function()
        return ws:ping(payload)
      end)
      local ping = raw:frame()
      assert.same({ 0, frame.PING, payload }, { ping.rsv, ping.opcode, ping.payload })
      raw:send(builders.pong(payload))
      assert.is_true(pinging:join(5))
      ws:close(4000, ("x"):rep(123), 0)
      local close = raw:frame()
      assert.same({ 0, frame.CLOSE, 4000, ("x"):rep(123) }, { close.rsv, close.opcode, close.code, close.reason })
      raw:send(builders.close(4000))
      raw:close()
      assert.is_true((ws:wait_closed(5)))
    end))

    it("inflates what is compressed and takes what is not, in turn", case(function(t)
      local ws, raw = open(t, true)
      local plain, packed = mask and frame.server or frame.client, mask and deflate.server or deflate.client
      raw:send(plain.text "one" .. packed.text(deflate.compress "two") .. plain.binary "three"
               .. packed.binary(deflate.compress "\xFFfour"))
      assert.same({ "one", "text" }, { ws:receive(5) })
      assert.same({ "two", "text" }, { ws:receive(5) })
      assert.same({ "three", "binary" }, { ws:receive(5) })
      assert.same({ "\xFFfour", "binary" }, { ws:receive(5) })
    end))

    for _, size in ipairs { 1, 2, 3, 7, 1000 } do
      it("inflates fragments and a ping between them, " .. size .. " bytes at a time", case(function(t)
        local ws, raw = open(t, true)
        local plain, packed = mask and frame.server or frame.client, mask and deflate.server or deflate.client
        local text = deflate.text(3000)
        local payload = deflate.compress(text)
        for cut = 0, #payload, 97 do
          raw:send_in_pieces(packed.text(payload:sub(1, cut), { fin = false }) .. plain.ping "?"
                             .. plain.continuation("", { fin = false }) .. plain.continuation(payload:sub(cut + 1)), size)
          assert.equal(frame.PONG, raw:frame().opcode)
          assert.is_true(ws:receive(5) == text)
        end
      end))
    end

    it("sends as it is what it is told not to compress", case(function(t)
      local ws, raw = open(t, true)
      local text = deflate.text(1000)
      local function is_plain(opcode)
        local got = raw:frame()
        assert.same({ 0, opcode, text }, { got.rsv, got.opcode, got.payload })
      end
      assert(ws:send(text, { compress = false }))
      is_plain(1)
      assert(ws:send(text, { kind = "binary", timeout = 5, compress = false }))
      is_plain(2)
      assert(ws:try_send(text, { kind = "binary", compress = false }))
      is_plain(2)
      local long = deflate.text(100000)
      assert(ws:send(long, { compress = false }))
      local got = raw:frame()
      assert.is_true(got.rsv == 0 and got.payload == long)
      local room = t.weft.room()
      room:join(ws)
      assert.equal(1, (room:send(text, { kind = "binary", compress = false })))
      is_plain(2)
      for _, how in ipairs { "text", { kind = "text" }, { compress = true }, { kind = "text", timeout = 5 }, {} } do
        assert(ws:send(text, how))
        assert.equal(RSV1, raw:frame().rsv)
      end
    end))

    it("sends a message that waited its turn as it was told to", case(function(t)
      local ws, raw = open(t, true)
      local text = deflate.text(1000)
      local writer = ws:writer { compress = false }
      assert(writer:write "first ")
      local senders = {
        t:spawn(ws.send, ws, text, { compress = false }),
        t:spawn(ws.send, ws, text, { compress = true }),
        t:spawn(ws.send, ws, text, { kind = "binary", compress = false }),
      }
      t.weft.sleep(0.01)
      assert(writer:close())
      local first, frames = deflate.read(raw)
      assert.same({ "first ", 0 }, { first, frames[1].rsv })
      local seen = {}
      for index in ipairs(senders) do
        local got = raw:frame()
        seen[index] = { got.rsv, got.opcode }
      end
      assert.same({ { 0, 1 }, { RSV1, 1 }, { 0, 2 } }, seen)
    end))

    it("raises for options of a message that are none", case(function(t)
      local ws, raw = open(t, true)
      raises(function() ws:send("x", { compres = false }) end, "ws:send", "compres")
      raises(function() ws:send("x", { "text" }) end, "ws:send")
      raises(function() ws:send("x", { compress = 0 }) end, "ws:send", "compress", "true or false")
      raises(function() ws:send("x", { kind = "txt" }) end, "ws:send", "kind")
      raises(function() ws:send("x", { timeout = -1 }) end, "ws:send", "timeout")
      raises(function() ws:send("\xFF", { compress = false }) end, "ws:send", "UTF-8")
      raises(function() ws:try_send("x", { timeout = 1 }) end, "ws:try_send", "timeout")
      raises(function() ws:try_send("x", { compress = "no" }) end, "ws:try_send", "compress")
      raises(function() ws:writer { compress = "no" } end, "ws:writer", "compress")
      raises(function() ws:writer { kinds = "text" } end, "ws:writer", "kinds")
      assert(ws:send "intact")
      assert.equal("intact", (deflate.read(raw)))
    end))

    for level = 0, 9 do
      it("compresses at level " .. level, case(function(t)
        local ws, raw = open(t, { level = level })
        local text = deflate.text(20000)
        assert(ws:send(text))
        local message, frames = deflate.read(raw)
        assert.is_true(message == text)
        assert.is_true(level == 0 or #frames[1].payload < 5000)
      end))
    end
  end)
end

describe("a message that does not shrink", function()
  it("goes as it is where each is compressed by itself", case(function(t)
    local ws, raw = served(t, true)
    local noise = deflate.noise(2000)
    assert(ws:send(noise, "binary"))
    local got = raw:frame()
    assert.is_true(got.rsv == 0 and got.payload == noise)
  end))

  it("arrives where the window slides", case(function(t)
    local ws, raw = served(t, { server_no_context_takeover = false })
    local inflate = deflate.inflater(12)
    for _, message in ipairs { deflate.noise(2000), deflate.text(1000), deflate.noise(2000), deflate.noise(2000, 2) } do
      assert(ws:send(message, "binary"))
      assert.is_true(deflate.read(raw, inflate) == message)
    end
  end))
end)

describe("a connection that has not agreed on compression", function()
  it("sends no reserved bit, and takes none", case(function(t)
    local raw = t:upgrade(t:server { compression = true, websocket = case.echo })
    assert.is_nil(raw.response.headers["sec-websocket-extensions"])
    raw:send(frame.client.text(deflate.text(1000)))
    assert.equal(0, raw:frame().rsv)
    raw:send(deflate.client.text(deflate.compress "x"))
    assert.equal(1002, (raw:close_frame()))
  end))

  it("sends options of a message all the same", case(function(t)
    local raw = t:upgrade(t:server {})
    local ws = t:accepted()
    assert(ws:send("x", { kind = "binary", compress = false }))
    assert(ws:try_send("y", { compress = true }))
    assert.same({ "x", "binary" }, { raw:message() })
    assert.same({ "y", "text" }, { raw:message() })
  end))
end)
