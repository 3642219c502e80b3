-- Frames that break RFC 6455, section 5, at a server over real TCP: each ends
-- the connection with the right close code, after the answers to what came
-- before and without a look at what comes after.
local case = require "support.case"
local frame = require "support.frame"

local client = frame.client

--- Sends the frames in pieces between two good messages; gives the close frame's
--- code, and the server's connection once it is over.
local function provoke(t, bad, size)
  local ws
  local raw = t:upgrade(t:server { websocket = function(connection)
    ws = connection
    case.echo(connection)
  end })
  raw:send_in_pieces(client.text "before" .. bad .. client.text "after", size)
  assert.equal("before", raw:message())
  local code = raw:close_frame()
  assert.same({ "", "fin" }, { raw:read_until_closed() })
  raw:close()
  t:wait_until(function()
    return ws.state == "closed"
  end, "the end of the connection")
  return code, ws
end

local violations = {
  { "a first reserved bit", client.text("x", { rsv = 4 }), "5.2" },
  { "a second reserved bit", client.text("x", { rsv = 2 }), "5.2" },
  { "a third reserved bit", client.text("x", { rsv = 1 }), "5.2" },
  { "a reserved bit on a ping", client.ping("x", { rsv = 4 }), "5.2" },
  { "a reserved bit on a continuation", client.text("x", { fin = false }) .. client.continuation("y", { rsv = 4 }), "5.2" },
  { "an unmasked frame", frame.server.text "x", "5.1" },
  { "an unmasked ping", frame.server.ping "x", "5.1" },
  { "an unmasked close", frame.server.close(1000), "5.1" },
  { "a 16-bit length that needs 7", client.text("x", { bits = 16 }), "5.2" },
  { "a 16-bit length of 125", client.text(("x"):rep(125), { bits = 16 }), "5.2" },
  { "a 64-bit length that needs 7", client.text("x", { bits = 64 }), "5.2" },
  { "a 64-bit length of 65,535", client.binary("", { bits = 64, announce = 65535 }), "5.2" },
  { "a 64-bit length with its top bit set", client.binary("", { bits = 64, announce = math.mininteger }), "5.2" },
  { "a 64-bit length of all ones", client.binary("", { bits = 64, announce = -1 }), "5.2" },
  { "a ping in fragments", client.ping("x", { fin = false }), "5.5" },
  { "a pong in fragments", client.pong("x", { fin = false }), "5.5" },
  { "a close in fragments", client.build(8, "\x03\xE8", { fin = false }), "5.5" },
  { "a ping of 126 bytes", client.ping(("x"):rep(126)), "5.5" },
  { "a close of 126 bytes", client.close(1000, ("x"):rep(124)), "5.5" },
  { "a continuation of nothing", client.continuation "x", "5.4" },
  { "an unfinished continuation of nothing", client.continuation("x", { fin = false }), "5.4" },
  { "a text inside another message", client.text("x", { fin = false }) .. client.text "y", "5.4" },
  { "a binary inside a text", client.text("x", { fin = false }) .. client.binary "y", "5.4" },
}
for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
  violations[#violations + 1] = { "the reserved opcode " .. opcode, client.build(opcode, "x"), "5.2" }
end

describe("a server", function()
  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    describe("reading " .. size .. " bytes at a time", function()
      for _, violation in ipairs(violations) do
        local what, bytes, section = violation[1], violation[2], violation[3]
        it("fails on " .. what .. " with 1002 (" .. section .. ")", case(function(t)
          local code, ws = provoke(t, bytes, size)
          assert.equal(1002, code)
          assert.equal(1002, ws.sent_code)
          assert.equal(1006, ws.close_code)
          assert.equal("protocol", ws.close_cause)
          assert.matches((section:gsub("%.", "%%.")), ws.close_message)
        end))
      end
    end)
  end

  it("fails on a continuation after a whole message (5.4)", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text("a", { fin = false }) .. client.continuation "b" .. client.continuation "c")
    assert.equal("ab", raw:message())
    assert.equal(1002, (raw:close_frame()))
  end))

  it("fails as soon as the head is wrong, with no payload there", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.build(3, "", { announce = 100 }):sub(1, 2))
    assert.equal(1002, (raw:close_frame()))
  end))

  it("fails on one bad first byte alone", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send "\xF1\x80"
    assert.equal(1002, (raw:close_frame()))
  end))

  it("sends its frames unmasked, with minimal lengths and no reserved bit", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    for length, bits in pairs { [0] = 7, [1] = 7, [125] = 7, [126] = 16, [127] = 16, [65535] = 16, [65536] = 64 } do
      raw:send(client.binary(("x"):rep(length)))
      local got = raw:frame()
      assert.same({ true, 0, 2, false, bits, length },
        { got.fin, got.rsv, got.opcode, got.masked, got.bits, #got.payload })
    end
  end))

  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    it("echoes every length around a boundary, " .. size .. " bytes at a time", case(function(t)
      local raw = t:upgrade(t:server { websocket = case.echo })
      for _, length in ipairs { 0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 1000, 4095, 4096 } do
        local payload = ("0123456789 "):rep(400):sub(1, length)
        raw:send_in_pieces(client.text(payload), size)
        assert.same({ payload, "text" }, { raw:message() })
      end
    end))
  end

  it("takes any mask, zero included", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    for _, key in ipairs { "\0\0\0\0", "\xFF\xFF\xFF\xFF", "\0\0\0\1", "\x80\0\0\0", "abcd" } do
      local payload = "every mask " .. ("0123456789"):rep(7)
      raw:send(client.text(payload, { mask = key }))
      assert.equal(payload, (raw:message()))
    end
  end))

  it("keeps text and binary apart", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text "t" .. client.binary "\xFF\0")
    assert.same({ "t", "text" }, { raw:message() })
    assert.same({ "\xFF\0", "binary" }, { raw:message() })
  end))

  it("puts fragments together, empty ones too, whatever the cut", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    local frames = client.text("", { fin = false }) .. client.continuation("Hel", { fin = false })
      .. client.continuation("", { fin = false }) .. client.continuation("lo", { fin = false }) .. client.continuation ""
    for size = 1, #frames do
      raw:send_in_pieces(frames, size)
      assert.same({ "Hello", "text" }, { raw:message() })
    end
  end))

  it("gives the kind of the first fragment to the message", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.binary("\xC3", { fin = false }) .. client.continuation "\x28")
    assert.same({ "\xC3\x28", "binary" }, { raw:message() })
  end))
end)
