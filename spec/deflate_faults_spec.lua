-- Compressed messages that are odd and right, and such that are wrong
-- (RFC 7692, 6 and 7.2.3): 1007 for data that cannot be inflated or is not UTF-8
-- then, 1002 for reserved bits where they must not be.
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"

if not deflate.available then
  return pending "faults in compressed messages: built without zlib"
end

local client, packed = frame.client, deflate.client

local fresh = true
local sliding = { server_no_context_takeover = false, client_no_context_takeover = false }

local text = deflate.text(2000)
local payload = deflate.compress(text)

-- Payloads of whole messages, and what they stand for.
local good = {
  ["the RFC's first example"] = { "\xF2\x48\xCD\xC9\xC9\x07\x00", "Hello" },
  ["the RFC's stored block"] = { "\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00", "Hello" },
  ["the RFC's final block, an empty one behind it"] = { "\xF3\x48\xCD\xC9\xC9\x07\x00\x00", "Hello" },
  ["a final block, nothing behind it"] = { "\xF3\x48\xCD\xC9\xC9\x07\x00", "Hello" },
  ["the RFC's two blocks"] = { "\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00", "Hello" },
  ["the RFC's empty message"] = { "\x00", "" },
  ["no bytes at all"] = { "", "" },
  ["an empty static block"] = { "\x02\x00", "" },
  ["an empty block before"] = { "\x00\x00\x00\xFF\xFF" .. payload, text },
  ["many empty blocks"] = { ("\x00\x00\x00\xFF\xFF"):rep(1000) .. payload .. ("\0\0\xFF\xFF\0"):rep(1000), text },
  ["its tail left on"] = { payload .. deflate.TAIL, text },
  ["stored blocks only"] = { deflate.compress(text, 15, 0), text },
  ["stored blocks of noise"] = { deflate.compress(deflate.noise(70000), 15, 0), deflate.noise(70000) },
  ["level 1"] = { deflate.compress(text, 15, 1), text },
  ["level 9 and a window of 9 bits"] = { deflate.compress(text, 9, 9), text },
}

for name, compression in pairs { ["each message by itself"] = fresh, ["sliding windows"] = sliding } do
  describe("a server with " .. name, function()
    for what, pair in pairs(good) do
      it("takes a message with " .. what, case(function(t)
        local raw = t:upgrade(t:server { compression = compression, websocket = case.echo }, deflate.offering())
        for _, size in ipairs { 1, 7, 1000000 } do
          if #pair[1] / size < 8000 then
            raw:send_in_pieces(packed.binary(pair[1]), size)
            assert.is_true(deflate.read(raw, deflate.inflater(12)) == pair[2])
            raw = t:upgrade(t.servers[1], deflate.offering())
          end
        end
        for _, size in ipairs { 1, 3 } do -- the same as so many frames
          if #pair[1] / size < 1000 then
            raw:send(packed.binary("", { fin = false }))
            for at = 1, #pair[1], size do
              raw:send(client.continuation(pair[1]:sub(at, at + size - 1), { fin = false }))
            end
            raw:send(client.continuation "")
            assert.is_true(deflate.read(raw, deflate.inflater(12)) == pair[2])
            raw = t:upgrade(t.servers[1], deflate.offering())
          end
        end
      end))
    end
  end)
end

describe("a message with", function()
  it("the RFC's second example follows the first where the window is kept", case(function(t)
    local raw = t:upgrade(t:server { compression = sliding, websocket = case.echo }, deflate.offering())
    raw:send(packed.text "\xF2\x48\xCD\xC9\xC9\x07\x00" .. packed.text "\xF2\x00\x11\x00\x00")
    assert.equal("Hello", deflate.read(raw))
    assert.equal("Hello", deflate.read(raw))
  end))

  it("the RFC's fragments", case(function(t)
    local raw = t:upgrade(t:server { compression = fresh, websocket = case.echo }, deflate.offering())
    raw:send(packed.text("\xF2\x48\xCD", { fin = false }) .. client.continuation "\xC9\xC9\x07\x00")
    assert.equal("Hello", deflate.read(raw))
  end))

  it("final blocks does not end what comes after it", case(function(t)
    for _, compression in ipairs { fresh, sliding } do
      local raw = t:upgrade(t:server { compression = compression, websocket = case.echo }, deflate.offering())
      for _ = 1, 3 do
        raw:send(packed.text "\xF3\x48\xCD\xC9\xC9\x07\x00\x00" .. packed.text "\xF3\x48\xCD\xC9\xC9\x07\x00")
        assert.equal("Hello", deflate.read(raw))
        assert.equal("Hello", deflate.read(raw))
      end
    end
  end))

  it("characters cut by fragments and blocks", case(function(t)
    local raw = t:upgrade(t:server { compression = sliding, websocket = case.echo }, deflate.offering())
    local compress = deflate.compressor(12)
    local first, second = compress "\u{1F9F5} \xF0\x9F", compress "\xA7\xB5"
    raw:send(packed.text(first .. deflate.TAIL, { fin = false }) .. client.continuation(second))
    assert.equal("\u{1F9F5} \u{1F9F5}", deflate.read(raw))
  end))
end)

--- Sends a good message, then the bad frames, in pieces; gives the close code and
--- the connection.
local function provoke(t, compression, bad, size)
  local ws
  local raw = t:upgrade(t:server { compression = compression, websocket = function(connection)
    ws = connection
    case.echo(connection)
  end }, deflate.offering())
  raw:send_in_pieces(packed.text "\xF2\x48\xCD\xC9\xC9\x07\x00" .. bad .. client.text "after", size)
  assert.equal("Hello", deflate.read(raw))
  local code = raw:close_frame()
  assert.same({ "", "fin" }, { raw:read_until_closed() })
  raw:close()
  t:wait_until(function()
    return ws.state == "closed"
  end, "the end of the connection")
  assert.equal(code, ws.sent_code)
  assert.equal("protocol", ws.close_cause)
  assert.equal("string", type(ws.close_message))
  return code
end

local compress = deflate.compressor()
local backward = compress(text) and compress(text) -- the second needs the first

local violations = {
  -- what cannot be inflated
  { 1007, "a block of no known type", packed.text "\xFF\xFF\xFF" },
  { 1007, "a stored block whose lengths differ", packed.text "\x00\x05\x00\xFA\xFEHello\x00" },
  { 1007, "a match that reaches back before the beginning", packed.text(backward) },
  { 1007, "half a block", packed.text(payload:sub(1, math.floor(#payload / 2))) },
  { 1007, "half a block in two frames",
    packed.text(payload:sub(1, 20), { fin = false }) .. client.continuation(payload:sub(21, 40)) },
  { 1007, "half a stored block", packed.text "\x00\x05\x00\xFA\xFFHel" },
  { 1007, "noise", packed.binary("\x06" .. deflate.noise(300, 3)) },
  { 1007, "zlib's own head", packed.text("\x78\x9C" .. payload) },
  { 1007, "plain text that is said to be compressed", packed.text "Hello, world" },
  { 1007, "noise behind a final block", packed.text("\xF3\x48\xCD\xC9\xC9\x07\x00" .. "\xFF\xFF\xFF") },
  -- what is then not text
  { 1007, "bytes that are not UTF-8", packed.text(deflate.compress "caf\xE9 x") },
  { 1007, "a surrogate", packed.text(deflate.compress "\xED\xA0\x80") },
  { 1007, "text that ends within a character", packed.text(deflate.compress "caf\xC3") },
  { 1007, "bad text in a second frame",
    packed.text("", { fin = false }) .. client.continuation(deflate.compress "\xFF") },
  -- reserved bits
  { 1002, "a second reserved bit", client.text("x", { rsv = 2 }) },
  { 1002, "a third reserved bit", client.text("x", { rsv = 1 }) },
  { 1002, "the second reserved bit beside the first", client.text(payload, { rsv = 6 }) },
  { 1002, "all reserved bits", client.text(payload, { rsv = 7 }) },
  { 1002, "a compressed ping", client.ping(deflate.compress "x", { rsv = 4 }) },
  { 1002, "a compressed pong", client.pong("", { rsv = 4 }) },
  { 1002, "a compressed close", client.close(1000, "", { rsv = 4 }) },
  { 1002, "the bit on a continuation of a compressed message",
    packed.text(payload:sub(1, 9), { fin = false }) .. client.continuation(payload:sub(10), { rsv = 4 }) },
  { 1002, "the bit on a continuation of a plain message",
    client.text("x", { fin = false }) .. client.continuation("y", { rsv = 4 }) },
  { 1002, "the bit on a reserved opcode", client.build(3, payload, { rsv = 4 }) },
}

describe("a server", function()
  for name, compression in pairs { ["each message by itself"] = fresh, ["sliding windows"] = sliding } do
    for _, size in ipairs { 1, 7, 1000 } do
      describe("with " .. name .. ", reading " .. size .. " bytes at a time,", function()
        for _, one in ipairs(violations) do
          it(("fails on %s with %d"):format(one[2], one[1]), case(function(t)
            assert.equal(one[1], provoke(t, compression, one[3], size))
          end))
        end
      end)
    end
  end

  it("fails as soon as the bad bytes are there", case(function(t)
    for _, bad in ipairs { packed.text("\xFF\xFF\xFF", { announce = 100 }), packed.text(deflate.compress "\xFF\xFF", { fin = false }) } do
      local raw = t:upgrade(t:server { compression = fresh, websocket = case.echo }, deflate.offering())
      raw:send(bad)
      assert.equal(1007, (raw:close_frame()))
    end
  end))

  it("names the rule and its section", case(function(t)
    for bad, words in pairs {
      [packed.text "\xFF\xFF\xFF"] = "7692", [client.continuation("", { rsv = 4 })] = "reserved bit",
    } do
      local raw = t:upgrade(t:server { compression = fresh }, deflate.offering())
      local ws = t:accepted()
      raw:send(bad)
      raw:close_frame()
      raw:close()
      t:wait_until(function()
        return ws.state == "closed"
      end)
      assert.is_truthy(ws.close_message:find(words, 1, true), ws.close_message)
    end
  end))
end)

describe("a client", function()
  for _, one in ipairs {
    { 1007, "data that cannot be inflated", deflate.server.text "\xFF\xFF\xFF" },
    { 1007, "compressed bytes that are not UTF-8", deflate.server.text(deflate.compress "\xFF") },
    { 1002, "a compressed ping", frame.server.ping("x", { rsv = 4 }) },
    { 1002, "a second reserved bit", frame.server.text("x", { rsv = 2 }) },
  } do
    it(("fails on %s with %d"):format(one[2], one[1]), case(function(t)
      local code
      local port = t:serve_upgraded(function(raw)
        raw:send(deflate.server.text(deflate.compress "before") .. one[3])
        code = raw:close_frame()
        raw:close()
      end, deflate.answering())
      local ws = t:connect(port)
      assert.equal("before", (ws:receive(5)))
      assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(ws:receive(5)))
      t:wait_until(function()
        return code
      end, "the close frame")
      assert.same({ one[1], one[1], "protocol" }, { code, ws.sent_code, ws.close_cause })
    end))
  end
end)
