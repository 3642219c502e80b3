-- Known faults of other libraries: a stream that comes in pieces.
local case = require "support.case"
local frame = require "support.frame"

local client = frame.client

-- Libraries that read a frame's head and payload with one read each lose the
-- place when a frame with a 16-bit length comes in pieces.
describe("a frame of 126 to 65,535 bytes that arrives in pieces", function()
  for _, length in ipairs { 126, 127, 1000, 4096, 65535 } do
    for _, size in ipairs { 1, 2, 3, 7, 1000 } do
      if length / size <= 10000 then
        it(("is received whole: %d bytes, %d at a time"):format(length, size), case(function(t)
          local raw = t:upgrade(t:server { websocket = case.echo })
          local payload = ("0123456789"):rep(math.floor(length / 10) + 1):sub(1, length)
          raw:send_in_pieces(client.binary(payload), size)
          assert.is_true(raw:message() == payload)
        end, 20))
      end
    end
  end

  it("is received whole at every cut into two", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    local payload = ("abc"):rep(60)
    local bytes = client.text(payload)
    for cut = 1, #bytes - 1 do
      raw:send(bytes:sub(1, cut))
      t.weft.sleep(0)
      raw:send(bytes:sub(cut + 1))
      assert.equal(payload, (raw:message()))
    end
  end))

  it("is received whole by a client", case(function(t)
    local payload = ("0123456789"):rep(50)
    local port = t:serve_upgraded(function(raw)
      for _, size in ipairs { 1, 2, 3, 7, 1000 } do
        raw:send_in_pieces(frame.server.text(payload), size)
      end
    end)
    local ws = t:connect(port)
    for _ = 1, 5 do
      assert.equal(payload, (ws:receive()))
    end
  end))

  it("does not hold up its neighbours in the stream", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    local payload = ("x"):rep(300)
    local bytes = (client.text "a" .. client.text(payload) .. client.ping "p" .. client.text "b"):rep(5)
    for _, size in ipairs { 1, 2, 3, 7, 1000 } do
      raw:send_in_pieces(bytes, size)
      local texts = {}
      while #texts < 15 do
        local got = raw:frame()
        if got.opcode == frame.TEXT then
          texts[#texts + 1] = got.payload
        end
      end
      for index = 1, 15, 3 do
        assert.same({ "a", payload, "b" }, { texts[index], texts[index + 1], texts[index + 2] })
      end
    end
  end))
end)

-- Libraries that keep one buffer for "the message" lose its first fragments to
-- a ping that comes between.
describe("a ping between fragments", function()
  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    it("leaves the message whole, " .. size .. " bytes at a time", case(function(t)
      local raw = t:upgrade(t:server { websocket = case.echo })
      local bytes = client.text("one ", { fin = false }) .. client.ping "first"
        .. client.continuation("two ", { fin = false }) .. client.ping "second" .. client.pong "noise" .. client.continuation "three"
      raw:send_in_pieces(bytes, size)
      assert.equal("first", raw:frame().payload)
      assert.equal("second", raw:frame().payload)
      assert.same({ "one two three", "text" }, { raw:message() })
    end))
  end

  it("is answered while the message is still open", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text("unfinished", { fin = false }) .. client.ping "now")
    assert.equal("now", raw:frame().payload)
    raw:send(client.continuation "")
    assert.equal("unfinished", (raw:message()))
  end))
end)

-- Libraries that read with a socket timeout drop what had arrived of a frame
-- when the timeout strikes, and take its second half for a new frame.
describe("a timeout between two halves of a frame", function()
  it("loses nothing: the message arrives whole afterwards", case(function(t)
    local listening = t:listen()
    local raw = t:upgrade(listening)
    local ws = t:accepted()
    local payload = ("0123456789"):rep(30)
    local bytes = client.text(payload)
    for _, cut in ipairs { 1, 2, 3, 4, 7, 8, 9, 100, #bytes - 1 } do
      raw:send(bytes:sub(1, cut))
      assert.same({ nil, "timeout" }, { ws:receive(0.02) })
      assert.same({ nil, "timeout" }, { ws:receive(0) })
      raw:send(bytes:sub(cut + 1))
      assert.same({ payload, "text" }, { ws:receive(5) })
    end
  end))

  it("loses nothing between fragments either", case(function(t)
    local listening = t:listen()
    local raw = t:upgrade(listening)
    local ws = t:accepted()
    raw:send(client.text("Hel", { fin = false }))
    assert.same({ nil, "timeout" }, { ws:receive(0.02) })
    raw:send(client.continuation("l", { fin = false }))
    assert.same({ nil, "timeout" }, { ws:receive(0.02) })
    raw:send(client.continuation "o")
    assert.same({ "Hello", "text" }, { ws:receive(5) })
  end))

  it("loses nothing on the main thread of a script", case.blocking(function(t)
    local listening = t:listen()
    local raw = t:upgrade(listening)
    local ws = t:accepted()
    local bytes = client.text(("x"):rep(70000))
    raw:send(bytes:sub(1, 30000))
    assert.same({ nil, "timeout" }, { ws:receive(0.05) })
    raw:send(bytes:sub(30001))
    assert.equal(70000, #ws:receive(5))
  end))

  it("loses nothing of a large message", case(function(t)
    local listening = t:listen()
    local raw = t:upgrade(listening)
    local ws = t:accepted()
    local payload = ("0123456789"):rep(50000)
    local bytes = client.binary(payload)
    for at = 1, #bytes, 100000 do
      assert.same({ nil, "timeout" }, { ws:receive(0.01) })
      raw:send(bytes:sub(at, at + 99999))
    end
    assert.is_true(ws:receive(5) == payload)
  end))
end)
