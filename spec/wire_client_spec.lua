-- The client role on the wire: what a weft client sends, and what it makes of a
-- server that breaks the rules.
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"

local server = frame.server

--- A weft client against a raw server that has just upgraded and sends `bytes`
--- in pieces, then waits for the client's end; gives what the client received,
--- the close frame's code and the client.
local function provoke(t, bytes, size, options)
  local code
  local port = t:serve_upgraded(function(raw)
    raw:send_in_pieces(bytes, size or #bytes)
    code = raw:close_frame()
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    raw:close()
  end)
  local ws = t:connect(port, options)
  local received = {}
  for message in ws:messages() do
    received[#received + 1] = message
  end
  assert(ws:wait_closed())
  t:wait_until(function()
    return code
  end, "a close frame")
  return received, code, ws
end

local violations = {
  { "a masked frame", frame.client.text "x", "5.1" },
  { "a masked ping", frame.client.ping "x", "5.1" },
  { "a reserved bit", server.text("x", { rsv = 4 }), "5.2" },
  { "a reserved opcode", server.build(3, "x"), "5.2" },
  { "a reserved control opcode", server.build(11, "x"), "5.2" },
  { "a length that is not minimal", server.text("x", { bits = 16 }), "5.2" },
  { "a length with its top bit set", server.binary("", { bits = 64, announce = math.mininteger }), "5.2" },
  { "a ping in fragments", server.ping("x", { fin = false }), "5.5" },
  { "a ping of 126 bytes", server.ping(("x"):rep(126)), "5.5" },
  { "a continuation of nothing", server.continuation "x", "5.4" },
  { "a message inside another", server.text("x", { fin = false }) .. server.text "y", "5.4" },
}

describe("a client", function()
  for _, size in ipairs { 1, 3, 1000 } do
    for _, violation in ipairs(violations) do
      local what, bytes, section = violation[1], violation[2], violation[3]
      it(("fails on %s with 1002 (%s), reading %d bytes at a time"):format(what, section, size), case(function(t)
        local received, code, ws = provoke(t, server.text "before" .. bytes .. server.text "after", size)
        assert.same({ "before" }, received)
        assert.equal(1002, code)
        assert.equal(1002, ws.sent_code)
        assert.equal(1006, ws.close_code)
        assert.equal("protocol", ws.close_cause)
        assert.matches((section:gsub("%.", "%%.")), ws.close_message)
      end))
    end
  end

  it("gives closed, for ever, after a failure", case(function(t)
    local _, _, ws = provoke(t, server.build(3, "x"))
    for _ = 1, 3 do
      assert.same({ nil, "closed", 1006, "" }, { ws:receive() })
      assert.same({ nil, "closed", 1006, "" }, { ws:send "x" })
    end
  end))

  it("fails on invalid UTF-8 with 1007 (8.1)", case(function(t)
    local received, code, ws = provoke(t, server.text "before" .. server.text "\xC0\xAF")
    assert.same({ "before" }, received)
    assert.equal(1007, code)
    assert.equal("protocol", ws.close_cause)
  end))

  it("fails on a message over max_message with 1009", case(function(t)
    local received, code, ws = provoke(t, server.text "1234" .. server.binary("", { announce = 5 }), nil, { max_message = 4 })
    assert.same({ "1234" }, received)
    assert.equal(1009, code)
    assert.equal("too_big", ws.close_cause)
  end))

  it("masks every frame, each with a key of its own", case(function(t)
    local frames, done = {}, false
    local port = t:serve_upgraded(function(raw)
      for index = 1, 64 do
        frames[index] = raw:frame()
      end
      raw:send(server.close(1000))
      done = raw:frame().masked
    end)
    local ws = t:connect(port)
    for index = 1, 64 do
      ws:send("message " .. index)
    end
    assert.same({ nil, "closed", 1000, "" }, { ws:receive() })
    t:wait_until(function()
      return done
    end, "a masked close frame")
    local keys, different = {}, 0
    for index, got in ipairs(frames) do
      assert.is_true(got.masked)
      assert.equal("message " .. index, got.payload)
      if not keys[got.key] then
        keys[got.key], different = true, different + 1
      end
    end
    assert.is_true(different > 60)
  end))

  it("sends an empty message as a masked frame of six bytes", case(function(t)
    local bytes
    local port = t:serve_upgraded(function(raw)
      bytes = raw:receive(6)
    end)
    local ws = t:connect(port)
    ws:send ""
    t:wait_until(function()
      return bytes
    end, "a frame")
    assert.equal("\x81\x80", bytes:sub(1, 2))
    assert.equal(6, #bytes)
  end))

  it("answers pings with masked pongs", case(function(t)
    local got
    local port = t:serve_upgraded(function(raw)
      raw:send(server.ping "are you there?")
      got = raw:frame()
    end)
    local ws = t:connect(port)
    assert.same({ nil, "timeout" }, { ws:receive(0.05) })
    t:wait_until(function()
      return got
    end, "a pong")
    assert.same({ 10, true, "are you there?" }, { got.opcode, got.masked, got.payload })
  end))

  it("reads frames that came with the response's last packet", case(function(t)
    local port = t:serve_raw(function(raw)
      local request = raw:parsed_head()
      raw:send(handshake.response(request.headers["sec-websocket-key"]) .. server.text "early" .. server.text "bird")
    end)
    local ws = t:connect(port)
    assert.equal("early", (ws:receive()))
    assert.equal("bird", (ws:receive()))
  end))

  it("waits for the server to end TCP after a clean close (7.1.1)", case(function(t)
    local answered, ending
    local port = t:serve_upgraded(function(raw)
      assert.equal(4000, (raw:close_frame()))
      raw:send(server.close(4000))
      answered = t.weft.now()
      assert.is_true(raw:is_silent(0.1))
      raw:shutdown()
      ending = select(2, raw:read_until_closed())
    end)
    local ws = t:connect(port)
    assert.is_true(ws:close(4000))
    t:wait_until(function()
      return ending
    end, "the end of TCP")
    assert.equal("fin", ending)
    assert.is_true(t.weft.now() - answered < 3)
  end))
end)
